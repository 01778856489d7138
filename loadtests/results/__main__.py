"""`make results`: what the scorer is worth, measured; writes docs/results.md.

python -m loadtests.results                     every section, the better part of an hour
python -m loadtests.results --only NAME ...     these; the page's other sections stay
python -m loadtests.results --quick             small parts, a minute; writes .offing/results.md alone

0: all of them are on the page; 1: one failed, and its old text stays; 2: used wrongly.
"""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from loadtests.results.running import PAGE, ROOT, SMOKE, Place, run
from loadtests.results.sections import known


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, tell."""
    sections = known()
    parser = argparse.ArgumentParser(
        prog="make results", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=tuple(sections), default=tuple(sections), metavar="NAME")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args(arguments)
    console = Console(highlight=False, width=120)
    place = Place(SMOKE if chosen.quick else PAGE, tuple(sections))
    wanted = [section for name, section in sections.items() if name in chosen.only]
    failed = run(wanted, place, console, quick=chosen.quick)
    if failed:
        console.print(f"failed: {', '.join(failed)}; what stood there before stays")
        return 1
    console.print(f"written to {place.page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

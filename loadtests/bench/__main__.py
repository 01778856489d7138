"""`make bench`: how fast Offing is, beside a bare FastAPI route and beside what one would write by hand.

python -m loadtests.bench            everything, about 12 minutes; writes docs/performance.md and docs/bench.png
python -m loadtests.bench --quick    1,000 offers, floor and Offing only, about 90 s; writes .offing/bench.json alone
... --check                          exits 1 if a target that was measured is missed
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console

from loadtests.bench import plot, report
from loadtests.bench.opened import Ground
from loadtests.bench.results import VERSION, Results, targets
from loadtests.bench.runs import Runner
from loadtests.bench.scenes import Bench, Found
from loadtests.bench.services import cores
from loadtests.bench.whole import PARTS, Around, measured
from streams.embedded_valkey import EmbeddedValkey

FILE = Path(".offing/bench.json")
CONDITIONS = (
    "One service process, one worker, on a core of its own; client, Valkey and everything else on the others. Every "
    "answer authenticated, capped, its reasons counted, rendered, its tokens signed, its record appended to the SQLite "
    "log, its metrics moved; not compressed. Services are asked in turn; medians of the runs. One connection unless "
    "said; throughput by 16; half load is half of that, arriving at random instants."
)


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=())
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    whole = not (chosen.quick or chosen.only)
    names = ["quick"] if chosen.quick else chosen.only or [name for name in PARTS if name != "quick"]
    console, began = Console(width=140), time.monotonic()
    found, failed = done(names, console)
    results = told(found, whole=whole, seconds=time.monotonic() - began)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    report.say(results, console)
    if failed:
        sys.exit("failed: " + "; ".join(failed))
    if whole:
        report.publish(results)
        plot.draw(results)
    missed = [key for key, target in results.targets.items() if target["met"] is False]
    if chosen.check and missed:
        sys.exit(f"missed: {', '.join(missed)}")


def done(names: Sequence[str], console: Console) -> tuple[Found, list[str]]:
    """What the parts found, and which of them failed, why."""
    on = cores()
    os.sched_setaffinity(0, on.rest)
    with TemporaryDirectory(prefix="ob-", dir="/tmp") as folder:
        valkey = EmbeddedValkey(Path(folder) / "valkey")
        url = valkey.start()
        try:
            bench = Bench(Runner(Path(folder), on.rest), console, Found())
            failed = measured(Around(bench, Ground(Path(folder), on), url), names)
        finally:
            valkey.stop()
    return bench.found, failed


def told(found: Found, *, whole: bool, seconds: float) -> Results:
    """What was found, with where and when."""
    return Results(
        v=VERSION,
        at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        commit=_commit(),
        machine=_machine(),
        conditions=CONDITIONS,
        whole=whole,
        seconds=seconds,
        values=found.values,
        targets=targets(found.values),
        rows=found.rows,
        notes=found.notes,
    )


def _commit() -> str:
    found = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()

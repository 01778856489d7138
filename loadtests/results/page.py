"""docs/results.md: a section between two comments, each with where, when and how it was measured. Pure.

What is measured again takes the place of what stood there; the other sections stay as they are.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from streams.errors import InvalidInput

HEAD = """# Results

What the scorer is worth on real data and in worlds whose truth is known. `make results` measures all of it and writes
this page; `make results ARGS="--only NAME"` measures one section again. Each says the commit, the machine, the time it
took and its seeds: the same commit and seeds give the same numbers.
"""
_SECTION = re.compile(r"<!-- section (\w+): written by make results -->\n(.*?)<!-- end of \1 -->\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Where, when and on what a section was measured."""

    at: datetime
    commit: str
    machine: str
    seconds: float
    seeds: str = ""

    def told(self, name: str) -> str:
        """One paragraph, with the command that measures it again."""
        seeds = f" Seeds: {self.seeds}." if self.seeds else ""
        return (
            f"Measured {self.at:%Y-%m-%d %H:%M} UTC at {self.commit} in {self.seconds:.0f} s on {self.machine}.{seeds} "
            f'Again: `make results ARGS="--only {name}"`.'
        )


def measured(name: str, made: str, conditions: Conditions) -> str:
    """A section's text with its conditions under the heading. Raises InvalidInput SECTION_INVALID."""
    heading, _, rest = made.strip().partition("\n")
    if not heading.startswith("## ") or not rest.strip() or "<!-- " in made:
        message = f"section {name} begins with {heading[:60]!r}; expected a line '## ...', text below, and no comments"
        raise InvalidInput("SECTION_INVALID", message)
    return f"{heading}\n\n{conditions.told(name)}\n\n{rest.strip()}\n"


def sections_of(text: str) -> dict[str, str]:
    """The sections of a page by name."""
    return {name: body for name, body in _SECTION.findall(text)}


def merged(text: str, made: Mapping[str, str], order: Iterable[str]) -> str:
    """The page with these sections made new; those that `order` does not name are no more."""
    bodies = {**sections_of(text), **made}
    parts = [
        f"<!-- section {name}: written by make results -->\n{bodies[name]}<!-- end of {name} -->\n"
        for name in order
        if name in bodies
    ]
    return "\n".join([HEAD, *parts])

"""Findings: what a check of a file says, each with its place and its mend. Checks collect them and raise nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

MAX_PER_FILE = 100
"""One slip of the indentation can make hundreds; the first ones tell."""
_MAX_SHOWN = 60


class Severity(StrEnum):
    """An error keeps the file out; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something a person should change. Lines and columns count from 1, columns in characters."""

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    """What to write instead."""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        """`path:line:column: CODE message hint`; `CODE warning: message hint` for a warning."""
        mark = "warning: " if self.severity is Severity.WARNING else ""
        return f"{self.path}:{self.line}:{self.column}: {self.code} {mark}{self.message} {self.hint}".rstrip()


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether anything keeps the file out."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def nearest(found: str, known: Iterable[str]) -> str | None:
    """The known spelling most like `found`, whatever the case; None if nothing is like it.

    >>> nearest("Golld", ["blue", "silver", "gold"])
    'gold'
    """
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.casefold(), name)
    close = get_close_matches(found.casefold()[:_MAX_SHOWN], folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """`Did you mean 'gold'?`, or nothing."""
    near = nearest(found, known)
    return f"Did you mean '{near}'?" if near is not None else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for a message: `a, b, c`, cut after `most`."""
    known = list(names)
    cut = ", ..." if len(known) > most else ""
    return ", ".join(known[:most]) + cut


def a(noun: str) -> str:
    """A noun with its article.

    >>> a("integer"), a("set")
    ('an integer', 'a set')
    """
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def shown(text: str) -> str:
    """A found value for a message: on one line, quoted, cut after 60 characters."""
    line = " ".join(text.split())
    return f"'{line}'" if len(line) <= _MAX_SHOWN else f"'{line[: _MAX_SHOWN - 3]}...'"

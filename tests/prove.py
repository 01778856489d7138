"""`make prove`: the long forms of the proofs. Writes what it found to docs/performance.md, with commit and machine."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- proofs: written by make prove -->", "<!-- end of proofs -->"


class Found:
    """What each proof came to, with the numbers it recorded (`record_property`)."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, float]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            said = "; ".join(f"{name} {value}" for name, value in report.user_properties)
            result = f"{report.outcome} {reason}".strip() + (f": {said}" if said else "")
            self.rows.append((report.nodeid.removeprefix("tests/"), result, report.duration))


def machine() -> str:
    """What it ran on, without naming it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"


def commit() -> str:
    """The commit, and whether the tree differs from it; pages of measurements are no difference."""
    pages = (":!docs/performance.md", ":!docs/results.md", ":!docs/*.png")
    named = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    asked = ("git", "status", "--porcelain", "--", ".", *pages)
    changed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    if named.returncode != 0:
        return "not in a git checkout"
    return named.stdout.strip() + (" with uncommitted changes" if changed.stdout.strip() else "")


def page(found: Found, at: datetime, took_s: float, before: Mapping[str, str]) -> Iterator[str]:
    """The table, as Markdown: what was run now, and of what was not the row that stood there `before`."""
    yield BEGIN
    run = "some of it" if before else "all of it"
    yield f"Last run: {run}, {at:%Y-%m-%d %H:%M} UTC, {machine()}, {took_s / 60:.1f} minutes."
    yield ""
    yield "| proof | result | seconds | commit |"
    yield "|---|---|---|---|"
    rows, at_commit = dict(before), commit()
    for name, result, seconds in found.rows:
        file, _, test = name.partition("::")
        proof = f"`{file}`: {test.removeprefix('test_').replace('_', ' ')}"
        rows[proof] = f"| {proof} | {result} | {seconds:.1f} | {at_commit} |"
    yield from (row for _, row in sorted(rows.items()))
    yield END


def rows_before() -> dict[str, str]:
    """The rows of the page by proof."""
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0] if PAGE.exists() else ""
    return {row.split("|")[1].strip(): row for row in table.splitlines() if row.startswith("| `")}


def write(lines: list[str]) -> None:
    """Put the table in its place on the page, or at the page's end."""
    text = PAGE.read_text() if PAGE.exists() else "# Performance\n\n"
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n## Proofs\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + "\n".join(lines) + rest.partition(END)[2])


def main() -> int:
    """Run every proof, or those that arguments for pytest choose; the exit code is pytest's."""
    found, at, begun = Found(), datetime.now(UTC), time.monotonic()
    code = pytest.main(["-m", "prove", "-v", *sys.argv[1:], str(ROOT / "tests")], plugins=[found])
    before = rows_before() if sys.argv[1:] else {}
    write(list(page(found, at, time.monotonic() - begun, before)))
    sys.stdout.write(f"written to {PAGE.relative_to(ROOT)}\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())

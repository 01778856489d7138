"""Sections one after the other, with progress; each is on the page as soon as it is made."""

import logging
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import lightgbm
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from loadtests.results.page import Conditions, measured, merged
from loadtests.results.sections import Make, Section

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "results.md"
SMOKE = ROOT / ".offing" / "results.md"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where sections are written, and in which order they stand there."""

    page: Path
    order: tuple[str, ...]


def run(sections: Iterable[Section], place: Place, console: Console, *, quick: bool = False) -> list[str]:
    """Make and write these sections; the names of those that failed, whose old text stays."""
    failed = []
    for section in sections:
        make = section.quick if quick else section.make
        if make is None:
            console.print(f"{section.name}: has no quick form")
            continue
        try:
            _write(place, section, _made(make, section, console))
        except Exception:  # noqa: BLE001  # one section that fails must not cost the hours of the others
            _LOG.exception("section %s failed", section.name)
            failed.append(section.name)
    return failed


def _made(make: Make, section: Section, console: Console) -> str:
    at, began, on = datetime.now(UTC), time.monotonic(), commit()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        made = make(_showing(progress, section.name))
    seconds = time.monotonic() - began
    return measured(section.name, made, Conditions(at, on, machine(), seconds, section.seeds))


def _showing(progress: Progress, name: str) -> Callable[[str, float], None]:
    task = progress.add_task(name, total=1.0)
    return lambda stage, done: progress.update(task, completed=done, description=f"{name}: {stage}")


def _write(place: Place, section: Section, text: str) -> None:
    """The page is there whole or as it was: another file takes its place."""
    before = place.page.read_text() if place.page.exists() else ""
    place.page.parent.mkdir(parents=True, exist_ok=True)
    draft = place.page.with_suffix(".draft")
    draft.write_text(merged(before, {section.name: text}, place.order))
    draft.replace(place.page)


def machine() -> str:
    """What it ran on, without naming it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = (f"{os.cpu_count()} cores", f"{memory:.0f} GiB", platform.machine())
    return ", ".join((*parts, f"Python {platform.python_version()}", f"LightGBM {lightgbm.__version__}"))


def commit() -> str:
    """The commit, and whether the tree differed from it; the page itself is no difference."""
    changed = _git("status", "--porcelain", "--", ".", f":!{PAGE.relative_to(ROOT)}", ":!docs/*.png")
    return (_git("rev-parse", "--short=12", "HEAD") or "no commit") + (" with changes" if changed else "")


def _git(*words: str) -> str:
    command: Sequence[str] = ("git", *words)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()

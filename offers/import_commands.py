"""`offing import customers|history`: what was known before Offing, from CSV or Parquet into the log."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from offers import importing, learning, runtime
from offers.commands import Json, command, console, errors, say
from offers.import_map import CUSTOMERS, HISTORY
from offers.importing import Refused, Report
from streams.settings import from_environment

FOLDER = "imports"
FAILED = 1
app = typer.Typer(no_args_is_help=True, help="Customers and their history, from CSV or Parquet into the log.")
File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV or Parquet.")]
Map = Annotated[Path | None, typer.Option("--map", exists=True, dir_okay=False, help="What each column is (YAML).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be imported; import nothing.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Put bad rows into a dead-letter file and go on.")]
Restart = Annotated[bool, typer.Option("--restart", help="From the first row, though it was imported before.")]


@app.command()
@command
def customers(
    file: File,
    mapped: Map = None,
    dry_run: DryRun = False,
    skip_bad: SkipBad = False,
    restart: Restart = False,
    as_json: Json = False,
) -> None:
    """Attributes, consent and friends: a row is what was so of a customer at a time. Run again it goes on."""
    with _refusals(as_json):
        report = _run((CUSTOMERS, file, mapped), dry_run=dry_run, skip_bad=skip_bad, restart=restart)
    _tell(report, as_json, dry_run)


@app.command()
@command
def history(
    file: File,
    mapped: Map = None,
    dry_run: DryRun = False,
    skip_bad: SkipBad = False,
    restart: Restart = False,
    as_json: Json = False,
) -> None:
    """Exposures, clicks, dismissals, redemptions, bookings, consent: a row is what happened once. Run again it goes

    on."""
    with _refusals(as_json):
        report = _run((HISTORY, file, mapped), dry_run=dry_run, skip_bad=skip_bad, restart=restart)
    _tell(report, as_json, dry_run)


def _run(what: tuple[str, Path, Path | None], *, dry_run: bool, skip_bad: bool, restart: bool) -> Report:
    settings = from_environment()
    kind, file, mapped = what
    job = importing.prepare(kind, file, mapped, learning.attributes(settings), runtime.wall_clock())
    with _progress() as progress:
        if dry_run:
            return importing.look(job, progress, whole=True)
        with closing(runtime.event_log(settings)) as log:
            folder = settings.artifacts / FOLDER
            return importing.bring(job, log, folder, progress, skip_bad=skip_bad, restart=restart)


@contextmanager
def _progress() -> Iterator[importing.Progress]:
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("opening", total=1.0)
        yield lambda stage, done: progress.update(task, completed=done, description=stage)


@contextmanager
def _refusals(as_json: bool) -> Iterator[None]:
    """What is wrong with the file, place by place; then the command fails."""
    try:
        yield
    except Refused as error:
        if as_json:
            say({"code": error.code, "message": error.message, "findings": error.findings})
        else:
            _print(error)
        raise typer.Exit(FAILED) from error


def _print(error: Refused) -> None:
    for finding in error.findings:
        errors.print(escape(str(finding)), soft_wrap=True)
    errors.print(f"[red]{error.code}[/red] {escape(error.message)}", soft_wrap=True)


def _tell(report: Report, as_json: bool, dry_run: bool) -> None:
    if as_json:
        say(report)
    else:
        _say(report, dry_run)
    if dry_run and report.findings:
        raise typer.Exit(FAILED)


def _say(report: Report, dry_run: bool) -> None:
    for finding in report.findings:
        errors.print(escape(str(finding)), soft_wrap=True)
    verb = "would be imported" if dry_run else "are imported"
    name = escape(report.file)
    if report.done and 0 < report.earlier_rows == report.rows:
        console.print(f"{name} was imported before; nothing is left to do")
    for kind, number in sorted(report.events.items()):
        console.print(f"{number:>12,} {kind}")
    console.print(f"{report.rows:,} rows of {name} {verb}, {report.bad:,} of them bad", soft_wrap=True)
    if not dry_run and 0 < report.earlier_rows < report.rows:
        console.print(f"{report.earlier_rows:,} of them by an earlier run, which was ended")
    for attribute, number in sorted(report.withheld.items()):
        console.print(f"{attribute} left out of {number:,} rows: no consent to its purpose")
    if report.dead_letters is not None:
        console.print(f"bad rows are in {escape(report.dead_letters)}: mend and import that file", soft_wrap=True)

"""`offing campaigns plan` and `contexts`: what a change would do, before it is merged."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from offers import contexts
from offers.commands import command, console, errors, say
from offers.plan import Asked, Plan, Seen, of_chunks, of_personas, prepare
from offers.plan_page import markdown, page
from offers.plan_report import PlanReport, report
from offers.population import Tally
from streams.errors import InvalidInput
from streams.lake import Lake
from streams.settings import from_environment

MOST = 10_000
SIGINT_EXIT = 130


class Form(StrEnum):
    """How a plan is told."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


@command
def plan(  # noqa: PLR0913 - its options
    base: Annotated[str, typer.Option(help="A folder, or a kept revision such as r-3f0c9a1b2d4e.")],
    head: Annotated[str, typer.Option(help="The same, as it would be.")],
    population: Annotated[
        Path | None,
        typer.Option("--contexts", help="JSON lines, or personas (.yaml); else the lake's newest decisions."),
    ] = None,
    by: Annotated[str, typer.Option(help="Tell groups apart, for example by customer.loyalty_tier.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most contexts to decide about.")] = MOST,
    model: Annotated[Path | None, typer.Option(help="A model folder; else the declared starting propensities.")] = None,
    most: Annotated[float | None, typer.Option("--fail-over", help="Percent of decisions that may change.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine to read.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="For a merge request.")] = False,
) -> None:
    """What would change: in words with both places, and for whom, made again from logged decisions."""
    if as_json and as_markdown:
        raise typer.BadParameter("--json and --markdown cannot both be written; choose one")
    settings = from_environment()
    asked = Asked(base, head, settings.artifacts, model, by)
    prepared = prepare(asked)
    try:
        tally = _population(prepared, asked, population, limit, settings.lake)
    except KeyboardInterrupt:
        errors.print("interrupted; nothing is told of a part")
        raise typer.Exit(SIGINT_EXIT) from None
    found = report(prepared, tally)
    _print(found, Form.JSON if as_json else Form.MARKDOWN if as_markdown else Form.TEXT)
    if most is not None and found.population is not None:
        share = 100 * found.population.changed / found.population.decisions
        if share > most:
            errors.print(f"PLAN_CHANGES_TOO_MUCH {share:.1f} % is over --fail-over {most:g}", markup=False)
            raise typer.Exit(1)


def _population(plan: Plan, asked: Asked, file: Path | None, limit: int, lake: Path) -> Tally | None:
    if file is not None and not file.is_file():
        raise InvalidInput("NO_CONTEXTS", f"there is no file {file}; `offing campaigns contexts` writes one")
    if file is not None and file.suffix == ".yaml":
        tally = of_personas(plan, file)
    else:
        chunks = contexts.of_lake(Lake(lake), limit) if file is None else contexts.of_file(file, limit)
        with _progress(limit) as seen:
            tally = of_chunks(plan, asked, chunks, seen)
    if tally.decisions == 0 and file is not None:
        raise InvalidInput("NO_CONTEXTS", f"{file} has nothing to decide about")
    if tally.decisions == 0:
        errors.print(f"no decision is in {escape(str(lake))}: only what is written otherwise is told", soft_wrap=True)
    return tally


@contextmanager
def _progress(limit: int) -> Iterator[Seen]:
    """A bar on a terminal; of a shorter population it jumps to its end."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("deciding twice", total=limit)
        yield lambda more: progress.advance(task, more)


def _print(found: PlanReport, form: Form) -> None:
    if form is Form.JSON:
        say(found)
        return
    lines = page(found) if form is Form.TEXT else markdown(found)
    sys.stdout.write("".join(f"{line}\n" for line in lines))


@command
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file of JSON lines.")],
    limit: Annotated[int, typer.Option(min=1, help="Of the newest decisions.")] = MOST,
) -> None:
    """Write contexts of the lake's newest decisions for `plan`, each customer under a name made up for this file.

    It stays data about people: keep it as you keep the lake.
    """
    lines = contexts.exported(contexts.of_lake(Lake(from_environment().lake), limit))
    first = next(lines, None)
    if first is None:
        raise InvalidInput("NO_CONTEXTS", f"no decision is in {from_environment().lake} yet")
    with file.open("xb") as written:
        number = written.write(first) and 1
        for line in islice(lines, limit):
            written.write(line)
            number += 1
    console.print(f"{number:,} contexts are in {escape(str(file))}", soft_wrap=True)

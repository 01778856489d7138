"""`offing campaigns`: what a campaign manager asks of a folder of campaign files."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from offers import live_simulation, plan_commands, reach_commands, status_commands, tryout
from offers.approval_commands import add_approving
from offers.check_report import Clock, dated_findings, report
from offers.commands import Json, command, console
from offers.finding_formats import Format
from offers.folder import load_folder
from offers.live_market import LIVE, live_market
from offers.market_source import MarketSource, of_file
from offers.previewing import Wanted, preview
from offers.publish_commands import add_publishing
from offers.schema_file import CAMPAIGN, KINDS, page, write
from offers.show_commands import show
from streams.consumer import wall_clock
from streams.errors import InvalidInput
from streams.findings import has_errors
from streams.ids import Millis
from streams.settings import from_environment
from streams.units import written_time

campaigns = typer.Typer(no_args_is_help=True, help="Campaign files.")
add_publishing(campaigns)
add_approving(campaigns)
campaigns.command("plan")(plan_commands.plan)
campaigns.command("contexts")(plan_commands.export)
campaigns.command("reach")(reach_commands.reach)
campaigns.command("status")(status_commands.show)

campaigns.command("show")(show)


@campaigns.command("check")
@command
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    form: Annotated[
        Format, typer.Option("--format", help="github, gitlab and sarif put each finding beside its line.")
    ] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail it too.")] = False,
    dates: Annotated[bool, typer.Option("--dates", help="Repeat the dates of every campaign, as understood.")] = False,
    now: Annotated[
        str, typer.Option(help="For example 2026-11-21T18:00+01:00; else the market's, or by this machine's clock.")
    ] = "",
    market: Annotated[
        str, typer.Option(help="Hold them against a market: FILE, FILE#PERSONA, FILE.jsonl, or 'live'.")
    ] = "",
) -> None:
    """Every error of every file, as `path:line:column: CODE message`. Exits 1 if there are any."""
    asked = _instant(now) if now else None
    loaded = load_folder(folder, _source(market, asked))
    known = loaded.market.now if loaded.market is not None else wall_clock()
    clock = Clock(known if asked is None else asked, dates)
    loaded = dated_findings(loaded, folder, clock)
    report(loaded, folder, form, clock)
    if has_errors(loaded.findings) or (strict and loaded.findings):
        raise typer.Exit(1)


def _instant(text: str) -> Millis:
    """What `--now` says, in UTC if it names no offset."""
    try:
        return written_time(text, "UTC").at
    except InvalidInput as error:
        raise typer.BadParameter(f"--now: {error.message}") from error


def _source(market: str, now: Millis | None) -> MarketSource | None:
    """What `--market` names; None: nothing."""
    if market != LIVE:
        return of_file(market, now) if market else None
    return lambda _: live_market(from_environment())


@campaigns.command("schema")
@command
def print_schema(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Whose attributes it knows.")] = None,
    kept: Annotated[bool, typer.Option("--write", help="Write all of them to DIR/schema/.")] = False,
    of: Annotated[str, typer.Option(help=f"What stands in the file: {', '.join(KINDS)}.")] = CAMPAIGN,
) -> None:
    """The JSON Schema (2020-12) of a campaign file, or one beside it, with which editors complete and underline."""
    if of not in KINDS:
        raise typer.BadParameter(f"--of is one of {', '.join(KINDS)}")
    if not kept:
        sys.stdout.write(page(folder, of))
    elif folder is None:
        raise typer.BadParameter("--write needs the folder to write into, DIR")
    else:
        for file in write(folder):
            console.print(f"{escape(str(file))} is written", soft_wrap=True)


Model = Annotated[Path | None, typer.Option("--model", help="A model folder; else the declared starting propensities.")]


@campaigns.command("simulate")
@command
def simulate(  # noqa: PLR0913 - its options, which are read together as tryout.Instead
    folder: Path,
    persona: Annotated[str, typer.Option(help="A file, or FILE#NAME for one of several personas.")] = "",
    customer: Annotated[str, typer.Option(help="Somebody who is stored, with the market of now. Only looks.")] = "",
    at: Annotated[str, typer.Option(help="port:ITLIV, fence:ID, venue:ID, or '43.556,10.302 +-20 m'.")] = "",
    now: Annotated[
        str, typer.Option(help="For example '2026-11-21 18:00', in the persona's zone, or that of the port.")
    ] = "",
    placement: Annotated[list[str] | None, typer.Option(help="As often as wanted; else what the persona asks.")] = None,
    locale: Annotated[str, typer.Option(help="For example de-DE.")] = "",
    model: Model = None,
    as_json: Json = False,
) -> None:
    """What this person would see there and then, why not everything else, and the one change that would do."""
    instead = tryout.Instead(at, now, tuple(placement or ()), locale)
    if bool(persona) == bool(customer):
        raise typer.BadParameter("name whom to look at: either --persona FILE or --customer ID")
    if customer:
        tryout.tell(live_simulation.simulate(folder, customer, instead, model, from_environment()), as_json)
    else:
        tryout.simulate(folder, persona, instead, model, as_json)


@campaigns.command("test")
@command
def test(
    folder: Path,
    cover: Annotated[bool, typer.Option("--coverage", help="Conditions no test has seen hold, or fail.")] = False,
    least: Annotated[float | None, typer.Option("--fail-under", help="Percent of them to be seen.")] = None,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Run every case of DIR/tests. Exits 1 if one fails, or is wrong."""
    if not tryout.test(folder, model, as_json, cover, least):
        raise typer.Exit(1)


@campaigns.command("preview")
@command
def show_preview(
    campaign: Annotated[str, typer.Argument(metavar="FILE|CAMPAIGN")],
    folder: Annotated[
        Path | None, typer.Option("--dir", help="The folder of campaigns; else that of the file.")
    ] = None,
    persona: Annotated[str, typer.Option(help="A file, or FILE#NAME: with whose numbers. Else examples.")] = "",
    locale: Annotated[list[str] | None, typer.Option(help="As often as wanted; else every written language.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write pages, and pictures where Chromium is, to this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """How it looks in every placement and language. Exits 1 if a text is too long for its place or has gaps."""
    wanted = Wanted(campaign, folder, persona, tuple(locale or ()), out)
    if not preview(wanted, from_environment().campaigns, as_json):
        raise typer.Exit(1)

"""`offing campaigns`: what a campaign manager asks of a folder of campaign files."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from offers import tryout
from offers.commands import Json, command, console, say
from offers.folder import load_folder
from streams.errors import InvalidInput
from streams.findings import has_errors

campaigns = typer.Typer(no_args_is_help=True, help="Campaign files.")


@campaigns.command("check")
@command
def check(folder: Path, output: Annotated[str, typer.Option("--format", help="text or json")] = "text") -> None:
    """Every error of every file, as `path:line:column: CODE message`. Exits 1 if there are any."""
    if output not in ("text", "json"):
        raise InvalidInput("FORMAT_UNKNOWN", f"--format is {output!r}; expected text or json")
    loaded = load_folder(folder)
    if output == "json":
        say([asdict(finding) for finding in loaded.findings])
    else:
        for finding in loaded.findings:
            sys.stdout.write(f"{finding}\n")
        if loaded.campaigns is not None:
            console.print(f"[green]{len(loaded.campaigns.campaigns)} campaigns are good[/green]")
    if has_errors(loaded.findings):
        raise typer.Exit(1)


Model = Annotated[Path | None, typer.Option("--model", help="A model folder; else the declared starting propensities.")]


@campaigns.command("simulate")
@command
def simulate(  # noqa: PLR0913 - its options, which are read together as tryout.Instead
    folder: Path,
    persona: Annotated[str, typer.Option(help="A file, or FILE#NAME for one of several personas.")],
    at: Annotated[str, typer.Option(help="port:ITLIV, fence:ID, venue:ID, or '43.556,10.302 +-20 m'.")] = "",
    now: Annotated[str, typer.Option(help="For example '2026-11-21 18:00', in the persona's zone.")] = "",
    placement: Annotated[list[str] | None, typer.Option(help="As often as wanted; else what the persona asks.")] = None,
    locale: Annotated[str, typer.Option(help="For example de-DE.")] = "",
    model: Model = None,
    as_json: Json = False,
) -> None:
    """What this person would see there and then, why not everything else, and the one change that would do."""
    tryout.simulate(folder, persona, tryout.Instead(at, now, tuple(placement or ()), locale), model, as_json)


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

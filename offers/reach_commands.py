"""`offing campaigns reach`: how many customers an offer could be shown to now."""

from pathlib import Path
from typing import Annotated

import typer

from offers import reaching
from offers.commands import Json, command, errors
from streams.settings import from_environment

INTERRUPTED = 130


@command
def reach(
    campaign: Annotated[str, typer.Argument(metavar="FILE|CAMPAIGN")],
    folder: Annotated[
        Path | None, typer.Option("--dir", help="The folder of campaigns; else that of the file, or those that run.")
    ] = None,
    now: Annotated[
        str, typer.Option(help="Another time than now, such as '2026-11-21 18:00' in the campaign's zone.")
    ] = "",
    as_json: Json = False,
) -> None:
    """How far the customers stored now come through its conditions, one after the other. Only reads, and slowly."""
    try:
        reaching.reach(reaching.Wanted(campaign, folder, now), from_environment(), as_json)
    except KeyboardInterrupt:
        errors.print("interrupted; nothing is told of a part")
        raise typer.Exit(INTERRUPTED) from None

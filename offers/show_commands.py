"""`offing campaigns show`: a campaign with all that it inherits."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from offers import campaign_show
from offers.commands import Json, command, errors, say
from offers.preview_scene import place_of
from streams.findings import has_errors
from streams.settings import from_environment


@command
def show(
    campaign: Annotated[str, typer.Argument(metavar="FILE|CAMPAIGN")],
    folder: Annotated[
        Path | None, typer.Option("--dir", help="The folder of campaigns; else that of the file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The campaign with all that it inherits from its group and policies.yaml, each such value with its place."""
    place = place_of(campaign, folder, from_environment().campaigns)
    found, findings = campaign_show.inherited(place.folder.resolve(), place.file.resolve())
    for finding in findings:
        errors.print(str(finding), markup=False, soft_wrap=True)
    if found is None or has_errors(findings):
        raise typer.Exit(1)
    if as_json:
        say(campaign_show.told(found))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in campaign_show.page(found)))

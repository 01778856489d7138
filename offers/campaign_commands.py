"""`offing campaigns`: what a campaign manager asks of a folder of campaign files."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from offers.commands import command, console, say
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

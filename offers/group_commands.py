"""`offing groups`: whether customers who differ in a protected attribute are shown, and accept, the same."""

import sys
from typing import Annotated

import typer

from offers import learning
from offers.commands import Json, command, say
from scoring.groups_page import page
from streams.instant import parse_instant
from streams.settings import from_environment
from streams.telemetry import configure_logging
from streams.units import duration_ms


@command
def groups(
    since: Annotated[str, typer.Option(help="How far back, such as 24 h or 30 d.")] = "30 d",
    now: Annotated[str, typer.Option(help="The clock of a simulated namespace, such as 2026-11-21T18:00:00Z.")] = "",
    as_json: Json = False,
) -> None:
    """What each group of a protected attribute was shown and accepted, with intervals; small ones are not told."""
    settings = from_environment()
    configure_logging(settings.log_level)
    found = learning.groups(settings, parse_instant(now) if now else None, duration_ms(since))
    if as_json:
        say(found)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in page(found)))


def register(app: typer.Typer) -> None:
    """Make the command one of `offing`."""
    app.command("groups")(groups)

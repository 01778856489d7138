"""`offing drift`: whether the world still looks as it did when the model was trained."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from offers import learning
from offers.commands import Json, command, say
from scoring.drift_page import page
from streams.instant import parse_instant
from streams.settings import from_environment
from streams.telemetry import configure_logging
from streams.units import duration_ms


@command
def drift(
    model: Annotated[Path | None, typer.Option(help="A model folder; default: the active one.")] = None,
    log: Annotated[Path | None, typer.Option(help="A decision log in JSON lines instead of the lake.")] = None,
    since: Annotated[str, typer.Option(help="How far back at most, such as 24 h or 7 d.")] = "7 d",
    now: Annotated[str, typer.Option(help="Windows closed by then count; default: now, of a log its end.")] = "",
    as_json: Json = False,
) -> None:
    """Which features moved since training, whether probabilities still hold, and what to do. Exits 1 if they do not."""
    settings = from_environment()
    configure_logging(settings.log_level)
    found = learning.drift(settings, model, log, parse_instant(now) if now else None, duration_ms(since))
    if as_json:
        say(found)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in page(found)))
    if found.verdict == "act":
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Make the command one of `offing`."""
    app.command("drift")(drift)

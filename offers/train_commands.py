"""`offing train`: a model from what was logged, once or every so often."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from offers import retraining
from offers.commands import Json, command, errors, say
from offers.nightly import nightly
from offers.retraining import Activate, Asked, Retrained
from scoring.fit import Recipe
from scoring.gate import page
from scoring.weights import Weights
from streams.errors import InvalidInput
from streams.instant import MINUTE_MS, parse_instant
from streams.settings import Settings, from_environment
from streams.telemetry import configure_logging
from streams.units import duration_ms


@command
def train(  # noqa: PLR0913 - its options
    log: Annotated[Path | None, typer.Option(help="A decision log in JSON lines instead of the lake.")] = None,
    now: Annotated[str, typer.Option(help="Windows closed by then count; default: the newest record.")] = "",
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1)] = 1,
    activate: Annotated[
        Activate, typer.Option(help="gate: if it beats the active model on the newest decisions.")
    ] = Activate.GATE,
    weights: Annotated[Weights, typer.Option(help="Of rows; by the inverse of the logged propensity.")] = Weights.NONE,
    dask: Annotated[str, typer.Option(help="Scheduler of a Dask cluster that grows the trees: tcp://HOST:8786.")] = "",
    every: Annotated[str, typer.Option(help="Again and again, for example every 24h; SIGTERM ends it.")] = "",
    as_json: Json = False,
) -> None:
    """Train a calibrated model from what was logged; the gate says whether it takes over from the active one."""
    settings = from_environment()
    configure_logging(settings.log_level)
    if not every:
        recipe = Recipe(weights=weights)
        _once(
            settings, Asked(log, parse_instant(now) if now else None, seed, activate, recipe=recipe, dask=dask), as_json
        )
        return
    if log is not None or now:
        raise typer.BadParameter("--every learns from the lake as it grows; --log and --now are of one training")
    every_ms = duration_ms(every)
    if every_ms < MINUTE_MS:
        raise InvalidInput("EVERY", f"--every is {every}; expected at least 1 min, and 24h is usual")
    nightly(
        settings, every_ms / 1000, ("--activate", activate, "--seed", str(seed), "--weights", weights, "--dask", dask)
    )


def _once(settings: Settings, asked: Asked, as_json: bool) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("training", total=1.0)

        def show(stage: str, done: float) -> None:
            progress.update(task, completed=done, description=stage)

        found = retraining.train(settings, asked, show)
    if as_json:
        say(found)
    else:
        sys.stdout.write(_text(found))


def _text(found: Retrained) -> str:
    card = (Path(found.folder) / "card.md").read_text()
    judged = "" if found.verdict is None else f"\n{page(found.verdict)}\n"
    return f"{card}{judged}\n{found.model} {'is active' if found.active else 'is a candidate'}: {found.reason}\n"


def register(app: typer.Typer) -> None:
    """Make the command one of `offing`."""
    app.command("train")(train)

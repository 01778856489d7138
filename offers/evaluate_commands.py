"""`offing evaluate` and `offing replay`: what was logged, asked again."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from offers import policy_value, replay_log, revaluing
from offers.commands import Json, command, errors, say
from offers.learning import evaluate as evaluate_model
from offers.revaluing import Asked
from scoring.evaluate_page import page
from streams.instant import parse_instant
from streams.settings import Settings, from_environment
from streams.telemetry import configure_logging

LOG_OR_LAKE = "--log has no candidates to choose another policy's items from; --policy reads the lake"

MODEL_OR_POLICY = "--model is judged on what was logged; to value it as a policy, name it with --policy"


class Reward(StrEnum):
    """What an acceptance counts."""

    ACCEPTED = "accepted"
    VALUE = "value"


@command
def evaluate(  # noqa: PLR0913 - its options
    model: Annotated[Path | None, typer.Option(help="A model folder; default: the active one.")] = None,
    log: Annotated[Path | None, typer.Option(help="A decision log in JSON lines instead of the lake.")] = None,
    now: Annotated[str, typer.Option(help="Windows closed by then count; default: the newest record.")] = "",
    by: Annotated[
        list[str] | None,
        typer.Option(help="Also by the levels of this, for example customer.loyalty_tier; repeatable."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Only decisions later than those it learnt from.")] = False,
    policy: Annotated[
        str, typer.Option(help="Value this instead: random, logged, prior, active, a model (m-..., a folder).")
    ] = "",
    revision: Annotated[str, typer.Option(help="With these campaigns instead of each decision's own.")] = "",
    explore: Annotated[
        float | None, typer.Option(min=0, max=1, help="With this strength of exploration everywhere.")
    ] = None,
    reward: Annotated[Reward, typer.Option(help="1 for each acceptance, or what it is worth.")] = Reward.ACCEPTED,
    clip: Annotated[float | None, typer.Option(min=1, help="Cut weights to this; default: none is.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Of the newest decisions.")] = policy_value.MOST,
    as_json: Json = False,
) -> None:
    """How good a model is on what was logged; with --policy, what that would have earned. Exits 1 if unknowable."""
    settings, at = _settings(), parse_instant(now) if now else None
    if not (policy or revision or explore is not None):
        found = evaluate_model(settings, model, log, at, by or (), fresh=fresh)
        sys.stdout.write("" if as_json else page(found) + "\n")
        if as_json:
            say(found)
        return
    if log is not None:
        raise typer.BadParameter(LOG_OR_LAKE)
    if model is not None:
        raise typer.BadParameter(MODEL_OR_POLICY)
    asked = Asked(policy or "active", revision, explore, worth=reward is Reward.VALUE, clip=clip, most=limit, now=at)
    with _progress("deciding again", limit) as seen:
        value = revaluing.value(settings, asked, seen)
    if as_json:
        say(value)
    else:
        sys.stdout.write(policy_value.page(value) + "\n")
    if not value.value.reliable:
        raise typer.Exit(1)


@command
def replay(
    since: Annotated[str, typer.Option(help="Decisions from then on; default: all that are kept.")] = "",
    until: Annotated[str, typer.Option(help="Decisions before then.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most decisions, the oldest of the time first.")] = replay_log.MOST,
    model: Annotated[str, typer.Option(help="Score with this model (m-...); default: each decision's own.")] = "",
    revision: Annotated[str, typer.Option(help="Under these campaigns; default: each decision's own.")] = "",
    as_json: Json = False,
) -> None:
    """Make logged decisions again: the same bytes from the logged scores, the same scores. Exits 1 if any differs."""
    settings = _settings()
    span = parse_instant(since) if since else None, parse_instant(until) if until else None
    with _progress("replaying", limit) as seen, revaluing.engines(settings, model, revision) as engine_of:
        records = islice(revaluing.lake(settings).scan(*span), limit)
        found = replay_log.replay_log(records, engine_of, seen)
    if as_json:
        say(found)
    else:
        sys.stdout.write(replay_log.page(found) + "\n")
    if not found.same:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Make the commands those of `offing`."""
    app.command("evaluate")(evaluate)
    app.command("replay")(replay)


def _settings() -> Settings:
    settings = from_environment()
    configure_logging(settings.log_level)
    return settings


@contextmanager
def _progress(what: str, limit: int) -> Iterator[policy_value.Seen]:
    """A bar on a terminal; of a shorter log it jumps to its end."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task(what, total=limit)
        yield lambda more: progress.advance(task, more)

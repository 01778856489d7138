"""Retraining in a deployment: a candidate, the gate's verdict in the ledger, and the candidate active if it may be."""

from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from sys import maxsize

import msgspec

from offers import fresh_choices, learning, runtime
from offers.models import ACTIVE_MOVED, Change, Models
from scoring.card import Card
from scoring.cross_validation import Progress
from scoring.dask_fit import check_address
from scoring.examples import from_lake
from scoring.fit import Recipe, Run
from scoring.fresh import until
from scoring.gate import Verdict
from scoring.jsonl import JsonLog
from scoring.model_folder import CARD
from scoring.retrain import Learning, retrain
from streams.errors import InvalidInput
from streams.ids import Millis
from streams.lake import Lake
from streams.settings import Settings


class Activate(StrEnum):
    """When a new model becomes active."""

    GATE = "gate"
    """When it beats the active model, or the prior, on the newest decisions, which it is not trained on."""
    ALWAYS = "always"
    """Without a judgement, trained on everything."""
    NEVER = "never"
    """It is a candidate, trained on everything, until `offing models activate`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One training."""

    log: Path | None = None
    """A log in JSON lines; None: the lake."""
    now: Millis | None = None
    """Windows closed by then count; None: the newest record."""
    seed: int = 1
    activate: Activate = Activate.GATE
    by: str = "offing train"
    recipe: Recipe = field(default_factory=Recipe)
    dask: str = ""
    """Address of a Dask scheduler; empty: trees grow here."""


class Retrained(msgspec.Struct, frozen=True):
    """What came of it."""

    model: str
    folder: str
    active: bool
    reason: str
    """Why it is active, or why it is not."""
    verdict: Verdict | None
    """None: it was not judged."""
    card: Card


def train(settings: Settings, asked: Asked, progress: Progress) -> Retrained:
    """A new model, active or a candidate with the reason in the ledger.

    Raises InvalidInput DATASET_TOO_SMALL, LOG_LINE, LOG_UNREADABLE, DASK_MISSING, Retry LEDGER_UNAVAILABLE,
    DASK_UNREACHABLE, DASK_FAILED; OSError for a full disk:
    then what was active stays so, and no half of a model is left.
    """
    if asked.dask:
        check_address(asked.dask)
    if asked.activate is Activate.GATE:
        return _judged(settings, asked, progress)
    folder = learning.train(settings, asked.log, asked.now, _run(settings, asked), progress)
    always = asked.activate is Activate.ALWAYS
    reason = f"--activate {asked.activate}"
    with closing(runtime.ledger(settings)) as book:
        change = Change(asked.by, runtime.wall_clock(), reason)
        book.models.publish(folder.name, change)
        if always:
            book.models.activate(folder.name, change)
        active = book.models.active()
    return _told(folder, active is not None and active.id == folder.name, reason, None)


def _run(settings: Settings, asked: Asked) -> Run:
    return Run(seed=asked.seed, threads=settings.model_threads, recipe=asked.recipe, dask=asked.dask)


def _judged(settings: Settings, asked: Asked, progress: Progress) -> Retrained:
    models = settings.artifacts / "models"
    models.mkdir(parents=True, exist_ok=True)
    with closing(runtime.ledger(settings)) as book:
        active = book.models.active()
    over = None if active is None else active.id
    learnt = _learning(settings, asked, None if over is None else models / over)
    folder, verdict = retrain(learnt, models, _run(settings, asked), progress=progress)
    if folder.name == over:  # judged against itself: nothing was found out
        return _told(folder, True, "it is the active model already: the log has nothing new", None)
    with closing(runtime.ledger(settings)) as book:
        change = Change(asked.by, runtime.wall_clock(), verdict.reason)
        book.models.publish(folder.name, change, msgspec.json.encode(verdict).decode())
        moved = _activated(book.models, verdict, change, over) if verdict.passed else verdict.reason
    return _told(folder, moved is None, moved or verdict.reason, verdict)


def _activated(models: Models, verdict: Verdict, change: Change, over: str | None) -> str | None:
    """None: it is active now. Else why not: somebody changed what is active while this one was trained."""
    try:
        models.activate(verdict.candidate, change, over=over)
    except InvalidInput as error:
        if error.code != ACTIVE_MOVED:
            raise
        return error.message
    return None


def _learning(settings: Settings, asked: Asked, active: Path | None) -> Learning:
    declared = learning.attributes(settings)
    if asked.log is not None:
        lines = JsonLog(asked.log, declared)
        now = maxsize if asked.now is None else asked.now
        return Learning(partial(until, lines.examples()), now, lines.attributes(), active)
    lake = Lake(settings.lake)
    newest = lake.newest() if asked.now is None else asked.now
    asked_of = fresh_choices.of_lake(lake, settings.artifacts, newest or 0)
    return Learning(partial(from_lake, lake), newest or 0, declared, active, learning.served(settings), asked_of)


def _told(folder: Path, active: bool, reason: str, verdict: Verdict | None) -> Retrained:
    card = msgspec.json.decode((folder / CARD).read_bytes(), type=Card)
    return Retrained(folder.name, str(folder), active, reason, verdict, card)

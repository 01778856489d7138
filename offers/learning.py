"""Training and judging models from what this deployment logged: what `offing train` and `offing evaluate` do."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from offers import revisions, runtime
from offers.decide import ENGINE
from offers.folder import load_declared
from scoring.audit import Served, served_by
from scoring.cross_validation import Progress
from scoring.drift import DriftReport, drift_of_lake
from scoring.drift import drift as drift_of_log
from scoring.evaluate import Evaluation, evaluate_lake, evaluate_model, learnt_until
from scoring.examples import from_lake
from scoring.fit import Run
from scoring.fresh import since
from scoring.groups import GroupReport, groups_of_lake
from scoring.jsonl import JsonLog
from scoring.segments import segmenting
from scoring.train import train_from_examples
from streams.attributes import AttributeSet
from streams.errors import InvalidInput
from streams.ids import Millis, RevisionId
from streams.lake import Lake
from streams.settings import Settings


def train(settings: Settings, log: Path | None, now: Millis | None, run: Run, progress: Progress) -> Path:
    """The new model's folder. Raises InvalidInput LOG_LINE, LOG_UNREADABLE, or as train_from_examples does."""
    models = settings.artifacts / "models"
    models.mkdir(parents=True, exist_ok=True)
    declared = attributes(settings)
    if log is None:
        lake = Lake(settings.lake)
        known = from_lake(lake, now if now is not None else lake.newest() or 0)
        return train_from_examples(known, models, declared, run, progress=progress, served=served(settings))
    lines = JsonLog(log, declared)
    return train_from_examples(lines.examples(), models, lines.attributes(), run, progress=progress)


def served(settings: Settings) -> Served:
    """By which feature list the rows of a logged decision were made: its model's, or what its revision declared."""

    def of_revision(revision: RevisionId) -> AttributeSet | None:
        name = revisions.NAME.fullmatch(revision)
        kept = settings.artifacts / revisions.REVISIONS / (revision if name is None else name["base"])
        return load_declared(kept).attributes if kept.is_dir() else None

    return served_by(settings.artifacts / "models", ENGINE, of_revision)


def attributes(settings: Settings) -> AttributeSet:
    """The active revision's attributes."""
    with closing(runtime.ledger(settings)) as book:
        return runtime.activation(settings, book).load().catalog.attributes


def activate(settings: Settings, folder: Path, by: str) -> None:
    """Make a model the active one, unjudged; every worker swaps within a second."""
    with closing(runtime.ledger(settings)) as book:
        now = runtime.wall_clock()
        book.publish("model", folder.name, by, now)
        book.activate("model", folder.name, by, now)


def evaluate(
    settings: Settings,
    model: Path | None,
    log: Path | None,
    now: Millis | None,
    by: Sequence[str] = (),
    *,
    fresh: bool = False,
) -> Evaluation:
    """A model, by default the active one, on the lake or on a log, also by the levels of the attributes `by`.

    `fresh`: only on decisions later than the last it was trained on. Raises InvalidInput NO_MODEL, MODEL_INVALID,
    UNKNOWN_ATTRIBUTE.
    """
    folder = model or _active_folder(settings)
    after = (learnt_until(folder) if fresh else None) or 0
    if log is None:
        parts = segmenting(by, attributes(settings)) if by else None
        return evaluate_lake(folder, Lake(settings.lake), now=now, since=after + 1 if fresh else 0, segments=parts)
    lines = JsonLog(log, attributes(settings))
    known = since(lines.examples(), after) if fresh else lines.examples()
    return evaluate_model(folder, known, segments=segmenting(by, lines.attributes()) if by else None)


def drift(
    settings: Settings, model: Path | None, log: Path | None, now: Millis | None, since_ms: Millis
) -> DriftReport:
    """A model, by default the active one, against what was logged since its training. Raises as evaluate does."""
    folder = model or _active_folder(settings)
    if log is not None:
        lines = JsonLog(log, attributes(settings)).examples()
        at = now if now is not None else max((example.inputs.now for example in lines()), default=0)
        return drift_of_log(folder, lines, at, since_ms)
    lake = Lake(settings.lake)
    return drift_of_lake(folder, lake, clock(settings, lake) if now is None else now, since_ms)


def groups(settings: Settings, now: Millis | None, since_ms: Millis) -> GroupReport:
    """What groups of the active revision's protected attributes were shown."""
    lake = Lake(settings.lake)
    at = clock(settings, lake) if now is None else now
    return groups_of_lake(lake, attributes(settings), at - since_ms, at)


def clock(settings: Settings, lake: Lake) -> Millis:
    """Now, or of a simulated deployment the instant of its newest record."""
    return (lake.newest() or 0) if settings.simulated else runtime.wall_clock()


def _active_folder(settings: Settings) -> Path:
    with closing(runtime.ledger(settings)) as book:
        active = book.active("model")
    if active is None:
        raise InvalidInput("NO_MODEL", "no model is active; `offing train` makes one, or name a folder with --model")
    return settings.artifacts / "models" / active.id

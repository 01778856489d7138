"""Revisions and models by their names, for what decides about the lake's log again."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from offers import runtime
from offers.activation import Activation, load_model
from offers.catalog import Catalog
from offers.counterfactual import Policy
from offers.engine import Engine
from offers.policy_value import PolicyValue, Question, Seen, policy_value
from offers.replay import logged
from scoring.evaluate import learnt_until
from scoring.features import Propensity
from scoring.propensity import PRIOR, load, prior
from streams.attributes import AttributeSet
from streams.errors import InvalidInput
from streams.ids import Millis, RevisionId
from streams.lake import Lake
from streams.record import DecisionRecord
from streams.settings import Settings

KEPT = 8
"""Models in memory at a time."""
NAMED = ("random", "logged", "prior", "active")


@dataclass(frozen=True, slots=True)
class Asked:
    """A policy by its name: `random`, `logged`, `prior`, `active`, a model's id or folder."""

    policy: str
    revision: str = ""
    explore: float | None = None
    worth: bool = False
    clip: float | None = None
    most: int = 10_000
    now: Millis | None = None


def lake(settings: Settings) -> Lake:
    """The lake of this deployment."""
    return Lake(settings.lake)


def value(settings: Settings, asked: Asked, seen: Seen) -> PolicyValue:
    """What the policy would have earned. Raises InvalidInput POLICY_UNKNOWN, MODEL_INVALID, MODEL_PROTECTED,

    OFF_POLICY_EMPTY, NotFound REVISION_UNKNOWN.
    """
    records = lake(settings)
    at = asked.now if asked.now is not None else records.newest() or 0
    with closing(runtime.ledger(settings)) as book:
        active = runtime.activation(settings, book)
        engine = active.load()
        catalog = active.revision(asked.revision).catalog if asked.revision else None
        policy, learnt_until = _policy(asked.policy, settings.artifacts, engine)
        question = Question(
            policy=replace(policy, catalog=catalog, explore=asked.explore),
            name=_told(asked, engine),
            now=at,
            after=learnt_until,
            most=asked.most,
            worth=asked.worth,
            clip=asked.clip,
        )
        return policy_value(records, question, _catalogs(active), seen)


def _told(asked: Asked, engine: Engine) -> str:
    name = f"{asked.policy} ({engine.propensity.model})" if asked.policy == "active" else asked.policy
    under = f" under {asked.revision}" if asked.revision else ""
    return f"{name}{under}" + ("" if asked.explore is None else f", exploring {asked.explore:g}")


def _catalogs(active: Activation) -> Callable[[RevisionId], Catalog]:
    return lambda revision: active.revision(revision).catalog


def _policy(name: str, artifacts: Path, engine: Engine) -> tuple[Policy, Millis | None]:
    """The policy, and the instant of the last decision that it learnt from."""
    models = artifacts / "models"
    if name in ("random", "logged"):
        return Policy(_as_logged, evenly=name == "random"), None
    if name == "prior":
        return Policy(_always(prior(engine.catalog.attributes))), None
    if name == "active":
        return Policy(_always(engine.propensity)), learnt_until(models / engine.propensity.model)
    folders = [path for path in (models / Path(name).name, Path(name)) if path.is_dir()]
    if not folders:
        message = f"--policy {name[:40]!r} is none of {', '.join(NAMED)}, no model in {models}, no folder"
        raise InvalidInput("POLICY_UNKNOWN", message)
    return Policy(_always(load(folders[0], engine.catalog.attributes))), learnt_until(folders[0])


def _as_logged(record: DecisionRecord, catalog: Catalog) -> Propensity:
    return logged(record)


def _always(propensity: Propensity) -> Callable[[DecisionRecord, Catalog], Propensity]:
    return lambda record, catalog: propensity


@contextmanager
def engines(settings: Settings, model: str, revision: str) -> Iterator[Callable[[RevisionId, str], Engine]]:
    """What replays a decision of (revision, model): the very ones where they are kept, or those named here.

    A model that is not kept is stood in for by the active one; of another name, so that it is told.
    """
    with closing(runtime.ledger(settings)) as book:
        active = runtime.activation(settings, book)
        running = active.load()
        attributes = running.catalog.attributes

        @lru_cache(maxsize=KEPT)
        def propensity(name: str) -> Propensity:
            return _propensity(name, settings.artifacts, attributes, running)

        if model and propensity(model).model != model:
            raise InvalidInput("MODEL_UNKNOWN", f"no model {model[:40]!r} is in {settings.artifacts / 'models'}")
        yield lambda of_revision, of_model: replace(
            active.revision(revision or of_revision), propensity=propensity(model or of_model)
        )


def _propensity(name: str, artifacts: Path, attributes: AttributeSet, running: Engine) -> Propensity:
    if name == running.propensity.model:
        return running.propensity
    if name == PRIOR:
        return prior(attributes)
    try:
        return load_model(name, artifacts, attributes)
    except InvalidInput:
        return running.propensity

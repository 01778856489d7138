"""Retraining: a candidate from all but the newest decisions, judged on these beside the active model.

The candidate stays as it was judged: trees grown again with the newest decisions would be a model nobody has judged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scoring.audit import Served, unknown
from scoring.cross_validation import Progress, quietly
from scoring.dataset import build
from scoring.examples import Examples
from scoring.features import Propensity, check_protected
from scoring.fit import Run
from scoring.fresh import LogAt, cutoff, since
from scoring.gate import Verdict, contender, prior_contender, verdict
from scoring.model_folder import CARD, VERDICT, put_beside
from scoring.off_policy import LoggedChoices
from scoring.propensity import Model, load, open_model, prior
from scoring.train import train_from_examples
from streams.attributes import AttributeSet
from streams.errors import InvalidInput
from streams.ids import Millis

Choices = Callable[[Sequence[Propensity], Millis], Sequence[LoggedChoices]]
"""What each of these would have chosen at every item of the decisions after an instant whose outcome is known; the

same items for each. Empty: the log cannot be asked."""


def no_choices(propensities: Sequence[Propensity], after: Millis) -> Sequence[LoggedChoices]:
    """Of a log that holds what was shown, and not what else could have been."""
    return ()


@dataclass(frozen=True, slots=True)
class Learning:
    """What there is to learn from, and what the candidate has to beat."""

    log: LogAt
    now: Millis
    attributes: AttributeSet
    active: Path | None
    """The active model's folder; None: the prior serves. A folder that cannot be used is the prior too."""
    served: Served = unknown
    """By which feature list logged rows were made, to compare them."""
    choices: Choices = no_choices


def retrain(learning: Learning, models: Path, run: Run, *, progress: Progress = quietly) -> tuple[Path, Verdict]:
    """The candidate's folder in `models`, its verdict beside it. Raises InvalidInput DATASET_TOO_SMALL."""
    progress("holding the newest back", 0.0)
    known = learning.log(learning.now)
    active = _opened(learning)
    trained_until = None if active is None or learning.active is None else _trained_until(learning.active)
    at = cutoff(known, trained_until) or 0
    most, served = _most_of(progress), learning.served
    folder = train_from_examples(learning.log(at), models, learning.attributes, run, progress=most, served=served)
    progress("judging on the newest", 0.95)
    chosen = learning.choices((load(folder), _serving(learning, active)), at)
    found = judge(folder, active, since(known, at), at, chosen, seed=run.seed)
    put_beside(folder, VERDICT, msgspec.json.format(msgspec.json.encode(found), indent=1))
    progress("done", 1.0)
    return folder, found


def judge(
    folder: Path,
    active: Model | None,
    fresh: Examples,
    at: Millis,
    chosen: Sequence[LoggedChoices] = (),
    *,
    seed: int = 0,
) -> Verdict:
    """A candidate beside the active model (None: the prior) on decisions after `at`. Raises InvalidInput MODEL_INVALID.

    Each model gets rows made with its own feature list, from the same examples in the same order. `chosen`: what
    either would have chosen, the candidate first; empty: the log cannot be asked.
    """
    candidate = open_model(folder)
    ours, theirs = chosen or (None, None)
    dataset = build(fresh, candidate.plan.features)
    if active is None:
        against = prior_contender(dataset, theirs)
    else:
        against = contender(active, build(fresh, active.plan.features), theirs)
    return verdict(dataset, at, contender(candidate, dataset, ours), against, seed=seed)


def _serving(learning: Learning, active: Model | None) -> Propensity:
    return prior(learning.attributes) if active is None or learning.active is None else load(learning.active)


def _opened(learning: Learning) -> Model | None:
    """A model that cannot be used, or may not be, does not serve either: the prior does."""
    try:
        model = None if learning.active is None else open_model(learning.active)
        if model is not None:
            check_protected(model.plan.features, learning.attributes)
    except InvalidInput:
        return None
    return model


class _Span(msgspec.Struct, frozen=True):
    until: Millis


def _trained_until(folder: Path) -> Millis:
    return msgspec.json.decode((folder / CARD).read_bytes(), type=_Span).until


def _most_of(progress: Progress) -> Progress:
    return lambda stage, done: progress(stage, 0.05 + 0.9 * done)

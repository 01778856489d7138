"""Audit: what training looks for before it believes a log: facts from the future, rows that serving made otherwise,

columns that tell the outcome. A few such rows are left out and counted; more of them end the training.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.encoding import AHEAD_MS
from scoring.examples import Example
from scoring.features import FeatureList, Part, Rows, feature_list
from scoring.metrics import auc
from scoring.model_folder import FEATURES, check
from scoring.rows import Plan, plan, rows
from streams.attributes import AttributeSet, Facts
from streams.errors import InvalidInput
from streams.ids import DecisionId, RevisionId

STRAY = 0.001
"""Share of decisions (of rows) up to which such ones are strays: left out, counted, and no reason to stop."""
TELLS = 0.99
"""AUC at which one column alone tells the outcome. People do not decide so; a column written afterwards does."""
LOOKED_AT = 20_000
"""Rows that columns are judged on, evenly over the log."""
COMPARED = 100_000
"""Logged rows that are made again, the first of the log: of a lake the newest."""
FROM_FUTURE, ROW_DIFFERS = "fact_from_future", "row_differs"
"""Why items are left out."""
PRIOR = "prior"

Served = Callable[[Example], FeatureList | None]
"""By which feature list the rows of a decision were made when it was served; None: not known, so not compared."""


def unknown(example: Example) -> FeatureList | None:
    """Of logs that do not say, and of tests."""
    return None


def served_by(models: Path, engine: str, of_revision: Callable[[RevisionId], AttributeSet | None]) -> Served:
    """From the model folders, and for the prior from what the decision's revision declared.

    Rows of another `engine` than this program's are not compared: it may have made them otherwise.
    """

    @lru_cache(maxsize=64)
    def of(model: str, revision: RevisionId) -> FeatureList | None:
        if model == PRIOR:
            attributes = of_revision(revision)
            return None if attributes is None else feature_list(attributes)
        folder = models / Path(model).name
        try:
            check(folder)
            return msgspec.json.decode((folder / FEATURES).read_bytes(), type=FeatureList)
        except (InvalidInput, OSError, msgspec.DecodeError):
            return None

    def served(example: Example) -> FeatureList | None:
        known = example.logged is not None and example.logged.engine == engine
        revision = example.inputs.revision if example.model == PRIOR else RevisionId("")
        return of(example.model, revision) if known else None

    return served


@dataclass(slots=True)
class _Found:
    """Of one kind of trouble, per feature."""

    times: Counter[str] = field(default_factory=Counter)
    first: dict[str, DecisionId] = field(default_factory=dict)

    def add(self, feature: str, decision: DecisionId) -> None:
        self.times[feature] += 1
        self.first.setdefault(feature, decision)


class Audit:
    """Looks at each decision of a log before its rows are learnt from."""

    def __init__(self, features: FeatureList, served: Served = unknown) -> None:
        self._served = served
        self._common = frozenset(c.source for c in features.columns if c.part is Part.COMMON)
        self._subject = frozenset(c.source for c in features.columns if c.part is Part.SUBJECT)
        self._plans: dict[int, Plan] = {}
        self._future, self._differing = _Found(), _Found()
        self.decisions = 0
        self.compared = 0
        """Rows that were logged and made again."""
        self.differing = 0

    def see(self, example: Example) -> tuple[NDArray[np.bool_], Counter[str]]:
        """Which of a decision's items are right, and how many are left out, by why."""
        self.decisions += 1
        if list(self._from_future(example)):
            return np.zeros(len(example.items), dtype=bool), Counter({FROM_FUTURE: len(example.items)})
        right = self._as_logged(example)
        wrong = len(right) - int(right.sum())
        return right, Counter({ROW_DIFFERS: wrong} if wrong else {})

    def check(self) -> None:
        """Raises InvalidInput FEATURE_FROM_FUTURE or ROWS_DIFFER where there were more than strays."""
        for feature, times in self._future.times.most_common(1):
            if times > _strays(self.decisions):
                message = (
                    f"{feature} is from more than {AHEAD_MS // 60_000} min after its decision in {times:,} of "
                    f"{self.decisions:,} decisions, first in {self._future.first[feature]}; expected what was known "
                    "then. Log it with the time it became known, or declare it `feature: false`"
                )
                raise InvalidInput("FEATURE_FROM_FUTURE", message)
        if self.differing > _strays(self.compared):
            feature, times = self._differing.times.most_common(1)[0]
            message = (
                f"{self.differing:,} of {self.compared:,} logged rows are not what training makes of the same "
                f"decisions, bit for bit: {feature} in {times:,}, first in {self._differing.first[feature]}. Training "
                "and serving differ; train with the version of Offing that serves, or from later decisions"
            )
            raise InvalidInput("ROWS_DIFFER", message)

    def _from_future(self, example: Example) -> Iterator[str]:
        made = example.inputs
        held = [(made.profile.facts, self._common), (made.request.context, self._common)]
        held += [(subject.facts, self._subject) for subject in {id(s): s for _, s in example.items}.values()]
        for name in {name for facts, read in held for name in _later(facts, made.now + AHEAD_MS) if name in read}:
            self._future.add(name, made.decision_id)
            yield name

    def _as_logged(self, example: Example) -> NDArray[np.bool_]:
        right: NDArray[np.bool_] = np.ones(len(example.items), dtype=bool)
        logged = example.logged
        made_by = self._served(example) if self.compared < COMPARED else None
        if logged is None or made_by is None or made_by.names != logged.features:
            return right
        again = rows(example.inputs, example.items, self._plan(made_by))
        then = np.array(logged.rows).reshape(again.shape)
        differ = then.view(np.int64) != again.view(np.int64)  # bits: NaN equals itself
        right = np.logical_not(differ.any(axis=1))
        self.compared += len(right)
        self.differing += len(right) - int(right.sum())
        for spot in np.nonzero(differ)[1].tolist():
            self._differing.add(made_by.names[spot], example.inputs.decision_id)
        return right

    def _plan(self, made_by: FeatureList) -> Plan:
        found = self._plans.get(id(made_by))
        if found is None or found.features is not made_by:
            found = self._plans[id(made_by)] = plan(made_by)
        return found


def _later(facts: Facts, than: int) -> Iterator[str]:
    return (name for name, (_, as_of) in facts.items() if as_of > than)


def _strays(total: int) -> float:
    return max(1.0, STRAY * total)


def check_told(features: FeatureList, made: Rows, outcome: NDArray[np.float64]) -> None:
    """Raises InvalidInput FEATURE_TELLS_OUTCOME if one column alone, or whether it is known, tells the outcome.

    made (n, columns), outcome (n,) 0 or 1.
    """
    spots = np.linspace(0, len(made) - 1, min(len(made), LOOKED_AT)).astype(np.intp)
    came, weight = outcome[spots], np.ones(len(spots))
    for number, column in enumerate(features.columns):
        values = made[spots, number]
        ranks = np.unique(values, return_inverse=True)[1].astype(np.float64)  # what is missing comes last
        first = np.where(np.isnan(values), -1.0, ranks)
        found = [auc(came, ranked, weight) for ranked in ((ranks, first) if np.isnan(values).any() else (ranks,))]
        best = max((max(value, 1 - value) for value in found if value is not None), default=0.5)
        if best >= TELLS:
            message = (
                f"{column.name} alone tells who accepted (AUC {best:.3f} on {len(spots):,} rows); expected below "
                f"{TELLS}. What is so sure is written after the decision: declare it `feature: false`, or leave it "
                "out of features.yaml"
            )
            raise InvalidInput("FEATURE_TELLS_OUTCOME", message)

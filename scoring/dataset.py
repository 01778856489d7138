"""Dataset: examples as arrays, in an order that the log alone decides."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import compress
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.audit import Audit
from scoring.cold_start import Starts, starts
from scoring.examples import Example, Examples
from scoring.features import FeatureList, Rows, feature_list
from scoring.rates import Responses
from scoring.rows import plan, rows
from scoring.vocabulary import LEAST_CUSTOMERS, Counting
from streams.attributes import AttributeSet
from streams.errors import InvalidInput
from streams.ids import CustomerId, Millis, OfferId
from streams.record import OfferFacts

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]
LEAST_ROWS = 200
LEAST_OF_EACH = 20
"""Fewer acceptances or refusals than this cannot be learnt from, nor judged on folds."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """n labelled items by time of decision. Arrays are (n,) and parallel to `rows`."""

    features: FeatureList
    rows: Rows
    outcome: Numbers
    """0 or 1."""
    customer: Codes
    """Index into `customers`."""
    customers: tuple[CustomerId, ...]
    offer: Codes
    """Index into `offers`."""
    offers: tuple[OfferId, ...]
    at: NDArray[np.int64]
    starts: Starts
    """As the offers declared at the time."""
    score: Numbers
    """What was predicted when it was shown; NaN: unknown."""
    propensity: Numbers
    """With which probability it was shown; NaN: unknown."""
    weight: Numbers
    revisions: tuple[str, ...]
    models: tuple[str, ...]
    left_out: Mapping[str, int]
    """Shown items that are no examples, by reason."""

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def exposures(self) -> dict[OfferId, int]:
        """Labelled items per offer."""
        counts = np.bincount(self.offer, minlength=len(self.offers)).tolist()
        return dict(zip(self.offers, counts, strict=True))

    def digest(self) -> str:
        """BLAKE2b-128 over rows and outcomes, in hex: the data a model was trained on."""
        body = blake2b(digest_size=16)
        for part in (self.rows, self.outcome, self.customer, self.offer, self.at, self.weight):
            body.update(np.ascontiguousarray(part).tobytes())
        return body.hexdigest()


def learn_features(examples: Examples, attributes: AttributeSet, least_customers: int = LEAST_CUSTOMERS) -> FeatureList:
    """The feature list of a log: the declared attributes with the strings that occur in it. Reads the log once."""
    counting, responses = Counting(attributes, least_customers), Responses()
    for example in examples():
        if example.items:
            counting.see(example.inputs, example.items)
            responses.see(example.inputs)
    return feature_list(attributes, counting.vocabulary(), responses.shrinkage())


def build(examples: Examples, features: FeatureList, audit: Audit | None = None) -> Dataset:
    """Rows for every labelled item, made by the code that serves. Reads the log once; the result may be empty.

    `audit` leaves out what cannot be right.
    """
    ready = plan(features)
    left_out: Counter[str] = Counter()
    labelled: list[_Labelled] = []
    blocks = [np.empty((0, len(features.columns)))]
    for example in examples():
        left_out.update(example.left_out)
        if example.items:
            made, items = rows(example.inputs, example.items, ready), _labelled(example)
            if audit is not None:
                right, why = audit.see(example)
                left_out.update(why)
                made, items = made[right], list(compress(items, right.tolist()))
            blocks.append(made)
            labelled += items
    order = sorted(range(len(labelled)), key=lambda spot: (labelled[spot].at, labelled[spot].decision_id))
    return _arranged(features, np.concatenate(blocks)[order], [labelled[spot] for spot in order], left_out)


def enough(outcome: Numbers) -> bool:
    """Whether so many acceptances and refusals can be learnt from, or judged."""
    positives = int(outcome.sum())
    return len(outcome) >= LEAST_ROWS and min(positives, len(outcome) - positives) >= LEAST_OF_EACH


def check_enough(dataset: Dataset) -> None:
    """Raises InvalidInput DATASET_TOO_SMALL where nothing can be learnt or judged."""
    positives = int(dataset.outcome.sum())
    negatives = len(dataset) - positives
    if not enough(dataset.outcome):
        dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(dataset.left_out.items())) or "none"
        message = (
            f"the log has {len(dataset)} labelled items, {positives} accepted and {negatives} not; expected at least "
            f"{LEAST_ROWS} and {LEAST_OF_EACH} of each. Left out: {dropped}. Wait for more outcomes, or until the "
            "attribution windows have closed (--now)"
        )
        raise InvalidInput("DATASET_TOO_SMALL", message)


class _Labelled(NamedTuple):
    at: Millis
    decision_id: str
    customer: CustomerId
    offer: OfferFacts
    outcome: int
    score: float | None
    propensity: float | None
    revision: str
    model: str


def _labelled(example: Example) -> list[_Labelled]:
    made = example.inputs
    parallel = zip(example.items, example.outcomes, example.scores, example.propensities, strict=True)
    return [
        _Labelled(
            at=made.now,
            decision_id=made.decision_id,
            customer=made.request.customer_id,
            offer=facts,
            outcome=outcome,
            score=score,
            propensity=propensity,
            revision=made.revision,
            model=example.model,
        )
        for (facts, _), outcome, score, propensity in parallel
    ]


def _arranged(features: FeatureList, rows: Rows, labelled: Sequence[_Labelled], left_out: Counter[str]) -> Dataset:
    customers = {customer: code for code, customer in enumerate(dict.fromkeys(each.customer for each in labelled))}
    offers = {offer: code for code, offer in enumerate(sorted({each.offer.offer_id for each in labelled}))}
    return Dataset(
        features=features,
        rows=rows,
        outcome=np.array([each.outcome for each in labelled], dtype=np.float64),
        customer=np.array([customers[each.customer] for each in labelled], dtype=np.intp),
        customers=tuple(customers),
        offer=np.array([offers[each.offer.offer_id] for each in labelled], dtype=np.intp),
        offers=tuple(offers),
        at=np.array([each.at for each in labelled], dtype=np.int64),
        starts=starts([each.offer for each in labelled]),
        score=_known(each.score for each in labelled),
        propensity=_known(each.propensity for each in labelled),
        weight=np.ones(len(labelled)),
        revisions=tuple(sorted({each.revision for each in labelled})),
        models=tuple(sorted({each.model for each in labelled})),
        left_out=MappingProxyType(dict(sorted(left_out.items()))),
    )


def _known(values: Iterable[float | None]) -> Numbers:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)

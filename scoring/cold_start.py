"""Cold start: a new offer starts at its declared propensity and moves to the model as evidence comes.

The model's weight for an offer with n exposures is n / (n + trust x declared evidence). `trust` is empirical Bayes
over the offers that have a history: where declarations proved right they keep their declared evidence, where they
proved wrong by more than they claimed, the model takes over sooner.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.ids import OfferId
from streams.record import OfferFacts

Numbers = NDArray[np.float64]
FORMAT = 1


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the log knows of each offer. Part of a model folder's format."""

    v: int
    trust: float
    exposures: dict[OfferId, int]

    def of(self, offer_id: OfferId) -> int:
        """Labelled exposures the model was trained on."""
        return self.exposures.get(offer_id, 0)


@dataclass(frozen=True, slots=True)
class Starts:
    """n offers as declared: arrays (n,)."""

    mean: Numbers
    evidence: Numbers

    def since(self, first: int) -> "Starts":
        """Those from `first` on."""
        return Starts(self.mean[first:], self.evidence[first:])


def starts(offers: Sequence[OfferFacts]) -> Starts:
    """What the offers declare."""
    mean = np.array([facts.starting_mean for facts in offers])
    return Starts(mean, np.array([facts.starting_evidence for facts in offers]))


def blend(modelled: Numbers, declared: Starts, exposures: Numbers, trust: float) -> Numbers:
    """(n,) the model's probabilities, pulled towards the declared means where there is little evidence.

    >>> blend(np.array([0.2, 0.2]), Starts(np.array([0.1, 0.1]), np.array([50.0, 50.0])), np.array([0.0, 150.0]), 1.0)
    array([0.1  , 0.175])
    """
    weight = model_weight(declared.evidence, exposures, trust)
    return weight * modelled + (1 - weight) * declared.mean


def model_weight(evidence: Numbers, exposures: Numbers, trust: float) -> Numbers:
    """(n,) the share of the model in what comes out, 0 to 1; the declared mean has the rest.

    >>> model_weight(np.array([50.0, 50.0]), np.array([0.0, 150.0]), 1.0)
    array([0.  , 0.75])
    """
    doubt = np.where(exposures > 0, trust * evidence, 1.0)
    weight: Numbers = exposures / (exposures + doubt)
    return weight


class Start(msgspec.Struct, frozen=True):
    """How the score of one shown offer came out: weight x modelled + (1 - weight) x declared."""

    declared: float
    """The starting propensity that the offer declares."""
    evidence: float
    """How many exposures it declares that to be worth."""
    worth: float
    """How many it proved to be worth: trust x evidence."""
    exposures: int
    """Of this offer, labelled, that the model was trained on."""
    weight: float
    """Of the model, 0 to 1."""
    modelled: float | None
    """What the model said, calibrated; None: no model decided."""
    score: float
    """What came out."""
    words: str = ""
    """The same for a person to read."""


def words_of(start: Start) -> str:
    """In words, shares in whole percent.

    >>> words_of(Start(0.05, 50.0, 50.0, 310, 310 / 360, 0.041, 0.04225))
    '86 % model (0.041 after 310 exposures), 14 % declared (0.05, worth 50)'
    """
    declared = f"declared ({start.declared:.2g}, worth {start.evidence:.4g}"
    if start.worth < start.evidence:
        declared += f", as others proved {start.worth:.2g}"
    if start.modelled is None:
        return f"{declared}); no model decided"
    if not start.exposures:
        return f"100 % {declared}): the model ({start.modelled:.2g}) has not seen this offer"
    share = round(100 * start.weight)
    model = f"model ({start.modelled:.2g} after {start.exposures:,} exposures)"
    return f"{share} % {model}, {100 - share} % {declared})"


def start_of(offer: OfferFacts, exposures: int, trust: float, modelled: float) -> Start:
    """The parts of one offer's score, by the arithmetic that scored it."""
    mean, evidence = offer.starting_mean, offer.starting_evidence
    seen = np.array([exposures], dtype=np.float64)
    [weight] = model_weight(np.array([evidence]), seen, trust).tolist()
    [score] = blend(np.array([modelled]), Starts(np.array([mean]), np.array([evidence])), seen, trust).tolist()
    return _told(Start(mean, evidence, trust * evidence, exposures, weight, modelled, score))


def declared_only(offer: OfferFacts) -> Start:
    """Of an offer that no model scored."""
    mean, evidence = offer.starting_mean, offer.starting_evidence
    return _told(Start(mean, evidence, evidence, 0, 0.0, None, mean))


def _told(start: Start) -> Start:
    return msgspec.structs.replace(start, words=words_of(start))


def trust_of(declared: Starts, exposures: Numbers, positives: Numbers) -> float:
    """How far the declarations proved as exact as they claimed, 0 to 1; arrays per offer. 1 without any history.

    A mean m with evidence e claims a variance of m (1 - m) / (e + 1); what came differs by that and by sampling.
    """
    seen = exposures > 0
    if not seen.any():
        return 1.0
    count, mean = exposures[seen], declared.mean[seen]
    rate = (positives[seen] + mean) / (count + 1)  # one row of the declared mean: no rate is certain
    claimed = mean * (1 - mean) / (declared.evidence[seen] + 1)
    missed = (rate - mean) ** 2 - rate * (1 - rate) / (count + 1)
    surprise = float(np.average(missed, weights=count))
    return 1.0 if surprise <= 0 else min(1.0, float(np.average(claimed, weights=count)) / surprise)

"""Makers for tests of whole decisions: a propensity that says what was declared, counters, candidates."""

from collections.abc import Mapping, Sequence

import numpy as np

from offers.catalog import quoted
from offers.condition import View
from offers.offer import Offer
from offers.proposition import Candidate
from scoring.features import Propensity, Scorable, Scores
from streams.bucket import bucket
from streams.ids import Millis, ModelId
from streams.places import Places
from streams.profile import CounterKey, bucket_of
from streams.record import NOTHING, DecisionInputs, Subject


def declared(means: Mapping[str, float] | None = None, reads: frozenset[str] = frozenset()) -> Propensity:
    """Every offer at its starting mean, or at the one given here; two features, the second often missing."""

    def score(inputs: DecisionInputs, items: Sequence[Scorable]) -> Scores:
        chances = [(means or {}).get(facts.offer_id, facts.starting_mean) for facts, _ in items]
        age = inputs.profile.facts.get("customer.age", (float("nan"), 0))[0]
        rows = [(chance, age if isinstance(age, int | float) else 0.0) for chance in chances]
        return Scores(np.array(chances), np.array(rows, dtype=np.float64).reshape(len(items), 2))

    return Propensity(ModelId("m-test"), ("offer.starting_mean", "customer.age"), reads, score)


def happened(event: str, offer: Offer, about: str = "", placement: str = "app.home.hero") -> CounterKey:
    """The key under which an event to do with an offer is counted."""
    facts = offer.facts
    return (event, facts.offer_id, facts.campaign_id, facts.collection, placement, about, "phone")


def counters(*events: tuple[CounterKey, Millis]) -> dict[CounterKey, dict[int, int]]:
    """(key, instant) pairs -> a profile's counters."""
    found: dict[CounterKey, dict[int, int]] = {}
    for key, at in events:
        buckets = found.setdefault(key, {})
        buckets[bucket_of(at)] = buckets.get(bucket_of(at), 0) + 1
    return found


def candidate(offer: Offer, inputs: DecisionInputs, subject: Subject = NOTHING, inclusion: float = 1.0) -> Candidate:
    """An offer about something, as it comes from the catalog."""
    view = View(inputs.profile.facts, subject.facts, inputs.whereabouts, Places(), inputs.now)
    return Candidate(offer, subject, view, quoted(offer, subject, inputs.now), inclusion=inclusion)


def opinionated(model: str = "m-opinion") -> Propensity:
    """A model with an opinion of its own about every candidate, to all digits that a float has."""

    def score(inputs: DecisionInputs, items: Sequence[Scorable]) -> Scores:
        chances = [bucket(model, f"{facts.offer_id}:{subject.key}") for facts, subject in items]
        rows = [(chance / 3, float("nan") if chance < 0.3 else chance * 7) for chance in chances]
        return Scores(np.array(chances), np.array(rows, dtype=np.float64).reshape(len(items), 2))

    return Propensity(ModelId(model), ("a", "b"), frozenset(), score)

"""Policies to compare: with which probability each candidate of a visit is shown. Pure, as propensities are."""

from collections.abc import Mapping, Sequence

import numpy as np

from loadtests.results.learning_truth import VALUES
from loadtests.results.learning_world import SPOT, Numbers, Policy
from scoring.exploration import probabilities
from scoring.features import Propensity
from streams.ids import OfferId
from streams.record import NOTHING, DecisionInputs, OfferFacts


def evenly(inputs: DecisionInputs, offers: Sequence[OfferFacts]) -> Numbers:
    """Each with the same probability."""
    return np.full(len(offers), 1 / len(offers))


def first_of(worth: Mapping[OfferId, float]) -> Policy:
    """The same offer to everybody who may have it: the one of the greatest worth, then the next."""

    def policy(inputs: DecisionInputs, offers: Sequence[OfferFacts]) -> Numbers:
        return _exploring(np.array([worth.get(each.offer_id, 0.0) for each in offers]), offers, 0.0)

    return policy


def greedy(propensity: Propensity) -> Policy:
    """The offer of the greatest propensity x value, always."""
    return exploring(propensity, 0.0)


def exploring(propensity: Propensity, strength: float) -> Policy:
    """What the service does with this propensity, in a placement that explores with this strength."""

    def policy(inputs: DecisionInputs, offers: Sequence[OfferFacts]) -> Numbers:
        return _exploring(ranks(propensity, inputs, offers), offers, strength)

    return policy


def mixed(one: Policy, other: Policy, share: float) -> Policy:
    """`other` for a share of the visits, `one` for the rest."""
    return lambda inputs, offers: (1 - share) * one(inputs, offers) + share * other(inputs, offers)


def once(policy: Policy) -> Policy:
    """The same policy, which is asked twice in a row about one visit and thinks once."""
    known: dict[str, Numbers] = {}

    def remembering(inputs: DecisionInputs, offers: Sequence[OfferFacts]) -> Numbers:
        if inputs.decision_id not in known:
            known.clear()
            known[inputs.decision_id] = policy(inputs, offers)
        return known[inputs.decision_id]

    return remembering


def ranks(propensity: Propensity, inputs: DecisionInputs, offers: Sequence[OfferFacts]) -> Numbers:
    """(k,) propensity x value."""
    said = propensity.score(inputs, [(each, NOTHING) for each in offers]).probability
    return np.asarray(said * VALUES[[SPOT[each.offer_id] for each in offers]])


def _exploring(scores: Numbers, offers: Sequence[OfferFacts], strength: float) -> Numbers:
    """Equals stand by offer id, as in a decision: a policy must not depend on the order in which it is asked."""
    order = sorted(range(len(offers)), key=lambda spot: (-scores[spot], offers[spot].offer_id))
    chances = np.empty(len(offers))
    chances[order] = probabilities(scores[order].tolist(), strength)
    return chances

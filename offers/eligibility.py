"""May they have it, does it fit now, is it decent: the conditions of one candidate that the index left open."""

from collections.abc import Iterator

from offers.own_time import untimely
from offers.proposition import Candidate, Code, Reason
from offers.wording import missing_placeholders
from streams.record import DecisionInputs

PRICED = ("price", "discount")
"""Placeholders that follow from the price: without one they are no reason of their own."""


def rule_out(candidate: Candidate, inputs: DecisionInputs) -> Reason | None:
    """The first reason against the candidate, or None. The index has answered schedule, locale and consent."""
    view = candidate.view
    for check in candidate.residual:
        if not check.holds(view):
            return check.why(view)
    return None if candidate.presentable else presentable(candidate, inputs)


def presentable(candidate: Candidate, inputs: DecisionInputs) -> Reason | None:
    """What holds for every candidate whatever its conditions: not over for its subject, a price, all its words."""
    return next(obstacles(candidate, inputs), None)


def obstacles(candidate: Candidate, inputs: DecisionInputs) -> Iterator[Reason]:
    """Everything that keeps a candidate from being shown whatever its conditions say."""
    offer, subject = candidate.offer, candidate.subject
    if offer.schedule.own:
        yield from untimely(offer.schedule, offer.where, candidate.view, subject.key)
    quote = candidate.quote
    unpriced = offer.price is not None and quote is None
    if offer.price is not None and unpriced:
        yield Reason(Code.PRICE_UNKNOWN, offer.where, f"{offer.price.source} is not known or too old")
    missing = missing_placeholders(offer.representation, candidate.view, quote, inputs.request.locale)
    told = [name for name in missing if not (unpriced and name in PRICED)]
    if told:
        yield Reason(Code.CONTEXT_MISSING, offer.where, f"{', '.join(told)} in the text cannot be filled")

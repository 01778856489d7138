"""How a campaign is doing: in which decisions its offer was eligible and shown, and why it was not. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from offers.catalog import Catalog
from offers.changes import about_words
from offers.condition import AnyOf, Condition, Leaf, leaves
from offers.condition_words import Words
from offers.explain import judge
from offers.index import layers
from offers.offer import Offer
from offers.proposition import Code, Reason
from streams.record import DecisionRecord

MOST_REASONS = 5
ALLOWED_NOW = "ALLOWED_NOW"
"""Nothing speaks against it as it is now; when the decision was made, something did."""


class Why(msgspec.Struct, frozen=True):
    """One thing that kept the offer from being shown, the first that did."""

    code: str
    where: str
    """`file:line:column` of the condition or limit, where there is one."""
    words: str
    decisions: int


class Looked(msgspec.Struct, frozen=True):
    """Recent decisions that asked for a placement of the offer, judged by the campaign as it is now."""

    decisions: int
    eligible: int
    """Nothing but better offers kept it out, or it was shown."""
    shown: int
    why: tuple[Why, ...]
    """Of the others the reasons met most, at most MOST_REASONS."""


def look(records: Iterable[DecisionRecord], offer: Offer, catalog: Catalog) -> Looked:
    """What became of the offer in these decisions."""
    decisions = eligible = shown = 0
    reasons: Counter[tuple[str, str]] = Counter()
    for record in records:
        if not {asked.placement for asked in record.inputs.request.placements}.intersection(offer.placements):
            continue
        decisions += 1
        was_shown = any(item.offer.offer_id == offer.id for item in record.shown)
        allowed = was_shown or any(candidate.offer_id == offer.id for candidate in record.candidates)
        shown += was_shown
        eligible += allowed
        if not was_shown:
            reasons[_first(record, offer, catalog) if not allowed else (Code.OUTRANKED.value, "")] += 1
    told = dict(_words(offer, catalog))
    why = (Why(code, where, told.get(where, ""), number) for (code, where), number in reasons.most_common(MOST_REASONS))
    return Looked(decisions, eligible, shown, tuple(why))


def _first(record: DecisionRecord, offer: Offer, catalog: Catalog) -> tuple[str, str]:
    verdict = judge(offer, record.inputs, catalog)
    if verdict.allowed:
        return ALLOWED_NOW, ""
    first: Reason = verdict.reasons[0]
    return first.code.value, first.where


def _words(offer: Offer, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Place -> what is asked there."""
    if offer.about is not None:
        yield offer.where, about_words(offer.about)
    words = Words(catalog.attributes, offer.schedule.zone)
    for _, condition in layers(offer):
        yield from _places(condition, words)


def _places(condition: Condition, words: Words) -> Iterator[tuple[str, str]]:
    """A choice among several is told whole."""
    if isinstance(condition, AnyOf):
        yield condition.where or next((leaf.where for leaf in leaves(condition)), ""), words.sentence(condition)
    elif isinstance(condition, Leaf):
        yield condition.where, words.wanted(condition)
    else:
        for child in condition.children:
            yield from _places(child, words)

"""`everybody:` of a persona: what all customers together did, `{cabin-upgrade: {redeemed: 300}}`, in any window."""

from collections.abc import Collection, Mapping

from offers.campaign_draft import Draft
from offers.catalog import Catalog
from offers.persona_customer import EVENTS
from offers.shared_limits import Reached
from streams.attributes import Value
from streams.ids import Millis, OfferId
from streams.positioned_yaml import Node
from streams.profile import bucket_of
from streams.record import OfferFacts
from streams.totals import Series, Totals, period, value_of

MOST = 1_000_000_000
Everybody = Mapping[OfferId, Mapping[str, int]]
"""Offer -> event -> how many, in every window that is asked for and by those of the persona's own values."""


def read_everybody(draft: Draft, node: Node, offers: Collection[str]) -> Everybody:
    """What was done with each offer."""
    found: dict[OfferId, Mapping[str, int]] = {}
    for name, (word, value) in draft.sheet.entries(node, "everybody", "{cabin-upgrade: {redeemed: 300}}").items():
        if draft.sheet.choice(word, "everybody", offers, "UNKNOWN_OFFER") is None:
            continue
        counts = draft.sheet.fields(value, f"everybody.{name}", EVENTS)
        numbers = {
            event: draft.sheet.integer(each, f"everybody.{name}.{event}", 0, MOST) for event, each in counts.items()
        }
        found[OfferId(name)] = {event: number for event, number in numbers.items() if number is not None}
    return found


def reached_by(
    everybody: Everybody, catalog: Catalog, facts: Mapping[str, tuple[Value, Millis]], now: Millis
) -> Reached:
    """The limits above one customer that this reaches."""
    counts: dict[str, int] = {}
    for series in catalog.shared_limits.series:
        value = value_of(series.by, facts) if series.by else ""
        total = sum(
            numbers.get(series.event, 0)
            for name, numbers in everybody.items()
            if _counts(series, catalog.by_id[name].facts)
        )
        if value is not None and total:
            counts[series.field(period(series.span, bucket_of(now)), value)] = total
    return catalog.shared_limits.reached(Totals(counts), now)


def _counts(series: Series, offer: OfferFacts) -> bool:
    """Whether what is done with an offer counts in a series."""
    return series.of == "all" or series.name == (offer.campaign_id if series.of == "campaign" else offer.collection)

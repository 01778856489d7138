"""What the market answers to campaigns that name a day: which sailings those are, and what is free on them."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from offers.market_names import MarketNames, market_names
from offers.market_view import DAY, LINE, MarketView, Meant, day_month, meant, named, named_room, room, stock_of
from offers.offer import Campaign, Offer
from streams.attributes import AttributeSet
from streams.instant import moment
from streams.market import Sailing
from streams.places import Places

MAX_TOLD = 50
"""Campaigns; of a folder with more, the first ones show how the market was read."""


def answers(campaigns: Sequence[Campaign], view: MarketView, attributes: AttributeSet, places: Places) -> Iterator[str]:
    """A line for each campaign that names a day: `file: ITLIV-ITOLB on 2026-11-21: 21:30, 37 inside cabins free`."""
    names = market_names(attributes)
    asking = [campaign for campaign in campaigns if named(campaign.offer, DAY)]
    for campaign in asking[:MAX_TOLD]:
        lines, days = (sorted(named(campaign.offer, fact) or ()) for fact in (LINE, DAY))
        found = meant(campaign.offer, view, places)
        told = _told(found, campaign.offer, names, places) or "no sailing is known"
        yield f"{campaign.path}: {', '.join(lines) or 'any line'} on {', '.join(days)}: {told}"
    if len(asking) > MAX_TOLD:
        yield f"... and {len(asking) - MAX_TOLD} more that name a day"


def _told(found: Meant, offer: Offer, names: MarketNames, places: Places) -> str:
    return "; ".join(_sailing(sailing, offer, names, places) for sailing in found.sailings)


def _sailing(sailing: Sailing, offer: Offer, names: MarketNames, places: Places) -> str:
    """`21:30, 37 inside cabins free (21 Nov 14:52)`, on the clock of the port it leaves."""
    line = places.lines.get(sailing.line)
    zone = ZoneInfo(places.ports[line.origin].zone if line is not None else "UTC")
    parts = [f"{moment(sailing.departure).astimezone(zone):%H:%M}"]
    for fact, (kind, _) in stock_of(offer, names).items():
        known = room((sailing,), kind)
        if known is None:
            parts.append(f"{named_room(fact, kind)} not known")
        else:
            as_of = moment(known[1]).astimezone(zone)
            parts.append(f"{known[0]} {named_room(fact, kind)} free ({day_month(as_of)} {as_of:%H:%M})")
    return ", ".join(parts)

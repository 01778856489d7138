"""Which facts the market's keys fill: `market.fare.deck` comes from the product `deck` of a sailing.fare."""

from collections.abc import Mapping
from dataclasses import dataclass

from streams.attributes import AttributeSet
from streams.declared_features import AGAINST_RECENT
from streams.fare_history import day_of, recent_level
from streams.ids import Millis
from streams.market import Sailing
from streams.record import FactDict

Named = tuple[str, str | None]
"""(fact name, the unit it is declared in)"""


@dataclass(frozen=True, slots=True)
class MarketNames:
    """Product -> facts, kind of room -> facts."""

    fares: Mapping[str, tuple[Named, ...]]
    rooms: Mapping[str, tuple[Named, ...]]
    recent: frozenset[str] = frozenset()
    """Fares whose standing against their recent level some feature reads: nobody else pays for computing it."""


def market_names(attributes: AttributeSet) -> MarketNames:
    """From the declarations: `market.fare` by product from sailing.fare, `market.cabins_free` by kind, ..."""
    fares: dict[str, tuple[Named, ...]] = {}
    rooms: dict[str, tuple[Named, ...]] = {}
    for attribute in attributes.by_name.values():
        target = {"sailing.fare": fares, "sailing.capacity": rooms}.get(attribute.event or "")
        if target is None:
            continue
        names = {key: f"{attribute.qualified}.{key}" for key in attribute.keys}
        for key, name in (names or {attribute.name: attribute.qualified}).items():
            target[key] = (*target.get(key, ()), (name, attribute.unit))
    quoted = [name for named in fares.values() for name, _ in named]
    return MarketNames(fares, rooms, frozenset(name for name in quoted if _wanted(name, attributes)))


def _wanted(fare: str, attributes: AttributeSet) -> bool:
    attribute = attributes.of_fact(fare)
    return attribute is not None and attributes.features.recent_of(fare, attribute.qualified)


def against_recent(facts: FactDict, sailing: Sailing, names: MarketNames, now: Millis) -> FactDict:
    """Beside each fare asked for, the fare over its recent level; none where the market has not known it for long."""
    found: FactDict = {}
    for product, quoted in names.fares.items():
        for name, _ in quoted:
            fare = facts.get(name) if name in names.recent else None
            level = None if fare is None else recent_level(sailing.fare_days.get(product, ()), day_of(now))
            if fare is not None and level and isinstance(fare[0], int):
                found[f"{name}.{AGAINST_RECENT}"] = (fare[0] / level, fare[1])
    return found

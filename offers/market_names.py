"""Which facts the market's keys fill: `market.fare.deck` comes from the product `deck` of a sailing.fare."""

from collections.abc import Mapping
from dataclasses import dataclass

from streams.attributes import AttributeSet

Named = tuple[str, str | None]
"""(fact name, the unit it is declared in)"""


@dataclass(frozen=True, slots=True)
class MarketNames:
    """Product -> facts, kind of room -> facts."""

    fares: Mapping[str, tuple[Named, ...]]
    rooms: Mapping[str, tuple[Named, ...]]


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
    return MarketNames(fares, rooms)

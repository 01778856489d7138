"""A shop with six offers, customers who take them with known probabilities, and the lake of what it showed them."""

from collections.abc import Iterable

import msgspec
import numpy as np

from offers.catalog import Catalog
from offers.decide import decide, record
from offers.offer import Placement, Value
from scoring.features import Propensity
from streams.bucket import bucket
from streams.ids import CustomerId
from streams.instant import MINUTE_MS
from streams.lake import Lake
from streams.lake_rows import LoggedOutcome
from streams.record import DecisionInputs, DecisionRecord, encode
from tests.catalogs import HERO, NOW, catalog, inputs, offer, representation
from tests.deciding import declared
from tests.decision_log import decision_id, outcome

RATES = {"bar": 0.1, "spa": 0.3, "quiz": 0.05, "dinner": 0.5, "photo": 0.2, "tour": 0.4}
"""Probability that anybody clicks it when it is seen."""
LATER = NOW + 3 * 86_400_000
GUESSED = declared({"bar": 0.3, "spa": 0.3, "quiz": 0.25, "dinner": 0.2, "photo": 0.2, "tour": 0.2})
"""What the shop believes when it logs."""
KNOWING = declared(RATES)


def shop(explore: float = 0.8, items: int = 1, names: Iterable[str] = tuple(RATES)) -> Catalog:
    """Offers that are worth the same, in a placement that explores."""
    shared = representation(("it",))
    placements = {HERO: Placement(HERO, max_items=items, explore=explore)}
    return catalog([offer(name, value=Value(10.0), representation=shared) for name in names], placements=placements)


def asked(number: int, items: int = 1) -> DecisionInputs:
    """What a customer asks; each comes twice."""
    at = NOW + number * 1_000
    made = inputs()
    wanted = tuple(msgspec.structs.replace(each, limit=items) for each in made.request.placements)
    request = msgspec.structs.replace(made.request, customer_id=customer(number), placements=wanted)
    return msgspec.structs.replace(made, decision_id=decision_id(at, number), now=at, request=request)


def customer(number: int) -> CustomerId:
    """Two decisions each."""
    return CustomerId(f"c-{number // 2}")


def decided(book: Catalog, number: int, propensity: Propensity = GUESSED, items: int = 1) -> DecisionRecord:
    """One decision's record."""
    made = asked(number, items)
    return record(made, decide(made, book, propensity), propensity.features)


def responses(of: DecisionRecord) -> list[LoggedOutcome]:
    """Every item is seen; clicked by whoever the draw says."""
    found = []
    for number, item in enumerate(of.shown):
        found.append(outcome(of, "exposed", item=number))
        draw = bucket(of.inputs.decision_id, f"click:{item.rank}")
        if draw < RATES[item.offer.offer_id]:
            found.append(outcome(of, "clicked", of.inputs.now + MINUTE_MS, item=number))
    return found


def fill(lake: Lake, records: Iterable[DecisionRecord]) -> None:
    """The lake as the consumers would have filled it."""
    kept = list(records)
    lake.append_decisions([(each, encode(each)) for each in kept])
    lake.append_outcomes([response for each in kept for response in responses(each)])


def true_value(book: Catalog, propensity: Propensity, decisions: int = 1_000) -> float:
    """What the policy earns per item shown when it decides itself."""
    shown = [item for number in range(decisions) for item in decided(book, 10**6 + number, propensity).shown]
    return float(np.mean([RATES[item.offer.offer_id] for item in shown]))

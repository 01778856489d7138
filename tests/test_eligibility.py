from dataclasses import replace

import msgspec

from offers.compiled import LAYERS, check
from offers.condition import Leaf, Op
from offers.eligibility import obstacles, presentable, rule_out
from offers.offer import Offer, Price, RelativeTime, Representation, Schedule, Selector
from offers.own_time import instant_of
from offers.proposition import Code, Reason
from streams.instant import HOUR_MS, MINUTE_MS
from streams.record import NOTHING, FactDict, Subject
from tests.catalogs import NOW, TEXT, inputs, offer, representation
from tests.deciding import candidate

BEFORE = RelativeTime("sailing.departure", -90 * MINUTE_MS)
FARE = Price(source="market.fare.deck", fresh_ms=10 * MINUTE_MS)


def words(body: str) -> Representation:
    """An Italian text with placeholders."""
    plain = representation(("it",))
    return Representation(plain.image, plain.link, plain.web, {"it": replace(TEXT, body=body)}, "it")


def sailing(**facts: int) -> Subject:
    known: FactDict = {f"{name.replace('_', '.', 1)}": (value, NOW) for name, value in facts.items()}
    return Subject("sailing:s1", known)


def against(each: Offer, subject: Subject = NOTHING) -> list[Reason]:
    return list(obstacles(candidate(each, inputs(), subject), inputs()))


def test_an_offer_ends_for_each_subject_at_its_own_time() -> None:
    late = offer("late", about=Selector("sailing", "next"), schedule=Schedule(ends_relative=BEFORE))
    open_still = sailing(sailing_departure=NOW + 90 * MINUTE_MS + 1)
    assert against(late, open_still) == []
    assert against(late, sailing(sailing_departure=NOW + 90 * MINUTE_MS)) == [
        Reason(Code.EXPIRED, "late.yaml:1", "over for sailing:s1")
    ]
    assert against(late, Subject("sailing:s1")) == [
        Reason(Code.CONTEXT_MISSING, "late.yaml:1", "sailing.departure is not known")
    ]
    assert instant_of(BEFORE, open_still.facts) == NOW + 1
    assert instant_of(BEFORE, {"sailing.departure": ("soon", NOW)}) is None


def test_without_a_price_that_can_be_named_it_is_not_offered() -> None:
    fare = offer("fare", about=Selector("sailing", "next"), price=FARE, representation=words("Da {price}."))
    fresh, stale = ({"market.fare.deck": (4_000, NOW - age)} for age in (10 * MINUTE_MS, 10 * MINUTE_MS + 1))
    unknown = Reason(Code.PRICE_UNKNOWN, "fare.yaml:1", "market.fare.deck is not known or too old")
    assert against(fare, Subject("s", dict(fresh))) == []
    assert against(fare, Subject("s", dict(stale))) == [unknown], "that {price} cannot be filled follows from it"
    assert against(fare) == [unknown]


def test_words_that_cannot_be_filled_are_a_reason_with_every_name() -> None:
    telling = offer("telling", representation=words("{venue.name} alle {sailing.departure|time}: {price}"))
    assert against(telling) == [
        Reason(
            Code.CONTEXT_MISSING, "telling.yaml:1", "venue.name, sailing.departure, price in the text cannot be filled"
        )
    ]


def test_everything_that_stands_against_it_is_told() -> None:
    each = offer(
        "all", price=FARE, schedule=Schedule(ends_relative=BEFORE), representation=words("{price}{venue.name}")
    )
    found = against(each, sailing(sailing_departure=NOW + HOUR_MS))
    assert [reason.code for reason in found] == [Code.EXPIRED, Code.PRICE_UNKNOWN, Code.CONTEXT_MISSING]
    assert found[2].detail == "venue.name in the text cannot be filled"
    made = candidate(each, inputs(), sailing(sailing_departure=NOW + HOUR_MS))
    assert presentable(made, inputs()) == found[0]


def test_conditions_come_first_in_the_order_of_their_layers() -> None:
    each = offer("fare", price=FARE)
    gold = Leaf("customer.tier", Op.IN, ("gold",), where="fare.yaml:3:5")
    rainy = Leaf("context.weather", Op.IN, ("rainy",), where="fare.yaml:5:5")
    made = msgspec.structs.replace(
        candidate(each, inputs()), residual=(check(gold, LAYERS[0]), check(rainy, LAYERS[1]))
    )
    found = rule_out(made, inputs())
    assert found is not None
    assert (found.code, found.where) == (Code.CONTEXT_MISSING, "fare.yaml:3:5")
    knowing = inputs({"customer.tier": ("gold", NOW)}, context={"context.weather": ("sunny", NOW)})
    view = replace(made.view, facts={**knowing.profile.facts, **knowing.request.context})
    second = rule_out(msgspec.structs.replace(made, view=view), knowing)
    assert second is not None
    assert (second.code, second.where) == (Code.APPLICABILITY_FAILED, "fare.yaml:5:5")
    rainy_view = replace(made.view, facts={"customer.tier": ("gold", NOW), "context.weather": ("rainy", NOW)})
    third = rule_out(msgspec.structs.replace(made, view=rainy_view), knowing)
    assert third is not None
    assert third.code is Code.PRICE_UNKNOWN


def test_an_offer_about_nothing_without_price_and_placeholders_is_always_presentable() -> None:
    assert presentable(candidate(offer("plain"), inputs()), inputs()) is None

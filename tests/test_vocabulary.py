"""Vocabulary: only strings that enough customers hold, in a fixed order, bounded."""

import msgspec

from scoring.vocabulary import LEAST_CUSTOMERS, MOST_VALUES, Counting
from streams.ids import CustomerId
from streams.record import NOTHING, FactDict
from tests.decision_log import inputs, offer
from tests.scoring_world import ATTRIBUTES, BAR, world


def test_values_are_ordered_by_how_often_they_occur_and_then_by_name() -> None:
    counting = Counting(ATTRIBUTES, least=1)
    for number, town in enumerate(["Pisa", "Olbia", "Olbia", "Genova"]):
        counting.see(inputs(customer=f"c-{number}", town=town), ())
    assert counting.vocabulary()["customer.town"] == ("Olbia", "Genova", "Pisa")


def test_a_value_that_few_customers_hold_gets_no_code_however_often_it_occurs() -> None:
    counting = Counting(ATTRIBUTES)
    for number in range(40):
        counting.see(inputs(customer=f"c-{number}", town="Olbia"), ())
        counting.see(inputs(customer=f"c-{number % (LEAST_CUSTOMERS - 1)}", town="Via Roma 1"), ())
    assert counting.vocabulary()["customer.town"] == ("Olbia",)


def test_protected_attributes_notes_and_declared_levels_are_not_looked_at() -> None:
    counting = Counting(ATTRIBUTES, least=1)
    counting.see(inputs(gender="f", note="call me", bar_visits="often", town="Pisa"), ())
    assert set(counting.vocabulary()) == {"customer.town"}


def test_offers_their_attributes_and_collections_subjects_and_fences_are_seen() -> None:
    counting = Counting(ATTRIBUTES)
    for example in world()():
        counting.see(example.inputs, example.items)
    found = counting.vocabulary()
    assert set(found["offer.id"]) == {"bar", "quiz", "spa"}
    assert found["offer.collection"] == ("onboard",)
    assert found["context.weather"] == ("rain", "sun")
    assert set(found["customer.interests"]) == {"kids", "spa", "wine"}
    assert found["place.fence"] == ("livorno-terminal", "old-town")


def test_memory_is_bounded_by_values_and_by_customers_per_value() -> None:
    counting = Counting(ATTRIBUTES)
    for number in range(MOST_VALUES + 500):
        counting.see(inputs(customer=f"c-{number}", town=f"town {number}"), ())
    for number in range(100):
        counting.see(inputs(customer=f"c-{number}", town="town 7"), ())
    assert len(counting.times["customer.town"]) == MOST_VALUES
    assert len(counting.holders["customer.town"]["town 7"]) == LEAST_CUSTOMERS
    assert counting.vocabulary()["customer.town"] == ("town 7",)


def test_the_same_log_gives_the_same_vocabulary() -> None:
    found = []
    for _ in range(2):
        counting = Counting(ATTRIBUTES)
        for example in world(people=12)():
            counting.see(example.inputs, example.items)
        found.append(counting.vocabulary())
    assert found[0] == found[1]


def test_an_item_is_seen_with_its_customer() -> None:
    counting = Counting(ATTRIBUTES, least=2)
    made = inputs(customer="c-1")
    counting.see(made, ((BAR, NOTHING), (offer("bar"), NOTHING)))
    assert counting.vocabulary()["offer.id"] == ()
    facts: FactDict = {}
    other = msgspec.structs.replace(made.request, customer_id=CustomerId("c-2"), context=facts)
    counting.see(msgspec.structs.replace(made, request=other), ((BAR, NOTHING),))
    assert counting.vocabulary()["offer.id"] == ("bar",)

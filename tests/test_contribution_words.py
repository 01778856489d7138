"""Contribution words: a column's value as a person would say it, whatever its kind."""

import math
from dataclasses import replace

import pytest

from scoring.contribution_words import words
from scoring.features import Column, FeatureList, Part, Transform, feature_list
from streams.declared_features import EVERY, DeclaredRates
from tests.scoring_world import ATTRIBUTES, QUIZ, SPA

FEATURES: FeatureList = feature_list(ATTRIBUTES, {"customer.interests": ("spa", "wine"), "context.weather": ("rain",)})
BY_NAME = {column.name: column for column in FEATURES.columns}
NAN = math.nan


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("customer.spa_visits", 2.0, "the customer's spa visits: often"),
        ("customer.spa_visits", -1.0, "the customer's spa visits: a value the model does not know"),
        ("customer.spa_visits", NAN, "the customer's spa visits: not known"),
        ("customer.newsletter", 1.0, "the customer's newsletter: yes"),
        ("customer.newsletter", 0.0, "the customer's newsletter: no"),
        ("customer.interests=spa", 1.0, "the customer's interests: spa is among them"),
        ("customer.interests=spa", 0.0, "the customer's interests: spa is not among them"),
        ("customer.interests#", 2.0, "the customer's interests: 2 of them"),
        ("customer.member_since", 72.0, "the customer's member since: 3 days ago"),
        ("customer.member_since", -0.5, "the customer's member since: in 30 minutes"),
        ("context.weather", 0.0, "weather: rain"),
        ("context.local_hour", 18.0, "local hour: 18"),
        ("market.fare.cabin", 5_100.0, "the market's fare cabin: 5100"),
        ("sailing.departs_in", 6.0, "the sailing's departs in: 6 hours"),
        ("offer.starting_mean", 0.3, "the offer's starting mean: 0.3"),
        ("place.status", 0.0, f"the place's status: {BY_NAME['place.status'].levels[0]}"),
    ],
)
def test_a_fact_in_words(name: str, value: float, expected: str) -> None:
    assert words([(BY_NAME[name], value)], SPA, FEATURES) == expected


def test_a_rate_of_the_offer_in_words() -> None:
    rated = replace(ATTRIBUTES, features=replace(EVERY, rates=DeclaredRates(offer=True, by=("customer.spa_visits",))))
    features = feature_list(rated)
    alone, by = (column for column in features.columns if column.transform is Transform.LEARNT)
    assert words([(alone, 0.0712)], SPA, features) == "how often this offer is accepted: 7.1%"
    told = "how often this offer is accepted at this level of the customer's spa visits: 30.0%"
    assert words([(by, 0.3)], SPA, features) == told
    assert words([(by, NAN)], SPA, features).endswith(": not known")
    assert (alone.feature, by.feature) == ("rates.offer", "rates.offer.customer.spa_visits")


def test_of_a_number_that_comes_round_its_own_value_is_told_and_not_its_sine() -> None:
    sine, hour = BY_NAME["context.local_hour~sin"], BY_NAME["context.local_hour"]
    assert words([(sine, -1.0), (hour, 18.0)], SPA, FEATURES) == "local hour: 18"
    assert words([(sine, -0.5)], SPA, FEATURES) == "local hour: -0.5"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1, 1, 1), "the customer has once dismissed this offer in the last day"),
        ((0, 2, 5), "the customer has twice dismissed this offer in the last week"),
        ((0, 0, 3), "the customer has 3 times dismissed this offer"),
        ((0, 0, 0), "the customer has never dismissed this offer"),
    ],
)
def test_history_is_told_by_the_shortest_window_in_which_it_happened(counts: tuple[int, ...], expected: str) -> None:
    columns = [(BY_NAME[f"history.offer.dismissed.{window}"], float(number))
               for window, number in zip(("24h", "7d", "ever"), counts, strict=True)]  # fmt: skip
    assert words(columns, SPA, FEATURES) == expected
    assert words(columns[::-1], SPA, FEATURES) == expected


def test_history_that_is_not_counted_for_ever_says_since_when_nothing_happened() -> None:
    week = BY_NAME["history.offer.dismissed.7d"]
    assert words([(week, 0.0)], SPA, FEATURES) == "the customer has not dismissed this offer in the last week"


def test_of_columns_for_single_values_the_one_that_holds_is_told() -> None:
    pisa, olbia = (
        Column(f"customer.town={town}", Part.COMMON, "customer.town", Transform.IS, member=town)
        for town in ("Pisa", "Olbia")
    )
    assert words([(pisa, 0.0), (olbia, 1.0)], SPA, FEATURES) == "the customer's town: Olbia"
    assert words([(pisa, 0.0), (olbia, 0.0)], SPA, FEATURES) == "the customer's town: not Pisa"
    assert words([(pisa, NAN), (olbia, NAN)], SPA, FEATURES) == "the customer's town: not known"


def test_a_cross_of_a_fare_against_its_recent_level_is_told_by_that() -> None:
    own = Column("own_deal", Part.OWN, "offer.price_source", Transform.NAMED, member="against_recent")
    name = "market.fare.cabin.against_recent"
    known = FeatureList(1, (Column(name, Part.SUBJECT, name, Transform.NUMBER), own))
    expected = "the market's fare cabin against recent, which is this offer's own deal: 0.9"
    assert words([(own, 0.9)], SPA, known) == expected


def test_a_smoothed_rate_is_a_share() -> None:
    found = words([(BY_NAME["history.any.rate"], 0.314)], SPA, FEATURES)
    assert found == "how often this customer clicks any offer, by what is known: 31%"


def test_history_of_the_last_exposure_alone_says_when() -> None:
    since = BY_NAME["history.campaign.exposed.since"]
    assert words([(since, 30.0)], SPA, FEATURES) == "the customer has last seen its campaign 30 hours ago"
    assert words([(since, NAN)], SPA, FEATURES) == "the customer has never seen its campaign"


def test_a_cross_is_told_by_the_fact_that_the_offer_points_to() -> None:
    own = BY_NAME["own_kind"]
    assert words([(own, 2.0)], SPA, FEATURES) == "the customer's spa visits, which is this offer's own kind: often"
    assert words([(own, NAN)], QUIZ, FEATURES) == "this offer's own kind: not known"
    fare = BY_NAME["own_fare"]
    assert words([(fare, 5_100.0)], SPA, FEATURES) == "the market's fare cabin, which is this offer's own fare: 5100"


def test_a_column_of_a_kind_not_met_here_is_told_by_its_number() -> None:
    column = Column("sailing.crowd", Part.SUBJECT, "sailing.crowd", Transform.NUMBER)
    assert words([(column, 0.123456)], SPA, FEATURES) == "the sailing's crowd: 0.1235"

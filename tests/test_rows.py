"""rows(): the same numbers in serving, training and replay."""

import math
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.features import FeatureList, Rows, Scorable, feature_list
from scoring.propensity import prior
from scoring.rows import Plan, plan, rows
from streams.errors import InvalidInput
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS
from streams.record import NOTHING, DecisionInputs, FactDict, decode, encode
from tests.decision_log import record, scorables
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES, BAR, QUIZ, SPA, decided, facts, passenger, subject

VOCABULARY = {
    "customer.town": ("Olbia", "Pisa"),
    "customer.interests": ("spa", "wine"),
    "context.weather": ("sun", "rain"),
    "offer.id": ("bar", "spa"),
    "offer.kind": ("bar", "spa"),
    "place.fence": ("livorno-terminal", "old-town"),
}
FEATURES = feature_list(ATTRIBUTES, VOCABULARY)
READY = plan(FEATURES)


def someone(**known: object) -> DecisionInputs:
    """A decision in the world about a customer with just these facts."""
    made = decided(passenger(1), NOW, 1, {})
    held: FactDict = {f"customer.{name}": (value, NOW - HOUR_MS) for name, value in known.items()}  # type: ignore[misc]
    return msgspec.structs.replace(made, profile=msgspec.structs.replace(made.profile, facts=held))


def row(inputs: DecisionInputs, item: Scorable = (BAR, NOTHING), ready: Plan = READY) -> dict[str, float]:
    return dict(zip(ready.features.names, rows(inputs, [item], ready)[0].tolist(), strict=True))


def same(one: Rows, other: Rows) -> bool:
    """Bit for bit, NaN too."""
    return one.tobytes() == other.tobytes() and one.shape == other.shape


def test_a_row_holds_customer_context_place_offer_subject_and_their_cross() -> None:
    found = row(decided(passenger(3), NOW, 4, {}), (SPA, subject(5_400)))
    assert found["customer.spa_visits"] == found["own_kind"]
    assert found["market.fare.cabin"] == found["own_fare"] == 5_400
    assert math.isnan(found["own_room"])
    assert found["customer.mood"] == passenger(3).facts["customer.mood"][0]
    assert (found["context.local_hour"], found["context.weather"]) == (18, 1)
    assert found["context.local_hour~sin"] == pytest.approx(-1)
    assert found["context.local_hour~cos"] == pytest.approx(0)
    assert (found["place.fence=livorno-terminal"], found["place.fence=old-town"]) == (1, 0)
    assert (found["offer.id"], found["offer.discount"], found["offer.until"]) == (1, 30, -24)
    assert (found["sailing.departs_in"], found["sailing.friends_booked"], found["booking.accommodation"]) == (6, 2, 0)


def test_missing_unseen_stale_and_mistyped_values_are_told_apart_from_values() -> None:
    found = row(someone(town="Genova", interests=("golf", "spa"), newsletter="yes", member_since=True))
    assert found["customer.town"] == -1
    assert (found["customer.interests#"], found["customer.interests=spa"], found["customer.interests=wine"]) == (
        2,
        1,
        0,
    )
    for name in ("newsletter", "member_since", "bar_visits", "mood"):
        assert math.isnan(found[f"customer.{name}"])
    assert math.isnan(found["own_kind"])
    assert row(someone(), (QUIZ, NOTHING))["offer.id"] == -1
    assert math.isnan(row(someone(), (QUIZ, NOTHING))["market.fare.cabin"])


def test_a_stale_fact_is_missing_and_a_fact_from_the_future_is_never_seen() -> None:
    made = someone()

    def mood(as_of: int) -> float:
        held: FactDict = {"customer.mood": (0.5, as_of)}
        return row(msgspec.structs.replace(made, profile=msgspec.structs.replace(made.profile, facts=held)))[
            "customer.mood"
        ]

    assert mood(NOW - DAY_MS) == 0.5
    assert math.isnan(mood(NOW - DAY_MS - 1))
    assert mood(NOW + 5 * MINUTE_MS) == 0.5
    assert math.isnan(mood(NOW + 5 * MINUTE_MS + 1))


def test_without_permission_to_locate_the_place_is_missing() -> None:
    made = someone()
    hidden = msgspec.structs.replace(made, whereabouts=msgspec.structs.replace(made.whereabouts, status="denied"))
    assert math.isnan(row(hidden)["place.fence=livorno-terminal"])
    assert row(made)["place.fence=livorno-terminal"] == 1


def test_an_offer_may_not_point_to_a_protected_attribute() -> None:
    nosy = facts("nosy", "gender", 0.0)
    assert math.isnan(row(decided(passenger(3), NOW, 4, {}), (nosy, NOTHING))["own_kind"])


def test_an_offer_may_point_to_one_member_of_a_set() -> None:
    keen = facts("keen", "interests=spa", 0.0)
    assert row(someone(interests=("spa",)), (keen, NOTHING))["own_kind"] == 1


def test_logged_rows_are_the_rows_of_the_decoded_record_bit_for_bit() -> None:
    propensity = prior(ATTRIBUTES)
    seen = {("exposed", "bar", "campaign-bar", "onboard", "home", "", "phone"): {NOW // 900_000 - 3: 2}}
    made = decided(passenger(5), NOW, 5, seen)
    [booked] = made.subjects["booking:each"]
    logged = decode(encode(record(made, [(BAR, NOTHING), (SPA, booked), (QUIZ, booked)], propensity)))
    again = rows(logged.inputs, scorables(logged), plan(feature_list(ATTRIBUTES)))
    assert logged.features == feature_list(ATTRIBUTES).names
    assert same(np.array([item.row for item in logged.shown]), again)


def test_inputs_and_offers_are_left_as_they_were() -> None:
    made = decided(passenger(5), NOW, 5, {})
    before = encode(record(made, [(BAR, NOTHING)]))
    rows(made, [(BAR, NOTHING)], READY)
    assert encode(record(made, [(BAR, NOTHING)])) == before


def test_no_candidates_make_no_rows() -> None:
    assert rows(someone(), [], READY).shape == (0, len(FEATURES.columns))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=30), st.integers(0, 30))
def test_a_batch_is_its_rows_one_by_one_whatever_the_offer_table_has_seen(
    chosen: list[tuple[int, int]], number: int
) -> None:
    offers = [facts(f"o{spot}", ("bar_visits", "spa_visits", "gone")[spot % 3], spot) for spot in range(41)]
    subjects = [NOTHING, subject(5_000), subject(6_000), subject(7_000)]
    seen = {
        ("clicked", f"o{number}", f"campaign-o{number}", "onboard", "home", "", "phone"): {NOW // 900_000 - number: 1}
    }
    made = decided(passenger(number), NOW, number, seen)
    items = [(offers[offer], subjects[about]) for offer, about in chosen]
    batch = rows(made, items, READY)
    assert same(batch, np.concatenate([rows(made, [item], plan(FEATURES)) for item in items]))


def test_an_offer_that_changes_under_its_id_gets_new_columns_and_other_threads_the_right_ones() -> None:
    ready = plan(FEATURES)
    made = someone()
    versions = [facts("bar", "bar_visits", float(discount)) for discount in range(200)]

    def discounts(start: int) -> list[float]:
        spot = FEATURES.names.index("offer.discount")
        return [float(rows(made, [(offer, NOTHING)], ready)[0, spot]) for offer in versions[start:] + versions[:start]]

    with ThreadPoolExecutor(4) as pool:
        for start, found in zip((0, 50, 100, 150), pool.map(discounts, (0, 50, 100, 150)), strict=True):
            assert found == [float(number) for number in [*range(start, 200), *range(start)]]


def test_a_list_of_another_version_is_refused() -> None:
    column = FEATURES.columns[-5]
    strange = FeatureList(1, (msgspec.structs.replace(column, name="history.offer.adored.24h"),))
    for features in (
        strange,
        FeatureList(1, (FEATURES.columns[-1], FEATURES.columns[0])),
        FeatureList(1, (column,) * 2),
    ):
        with pytest.raises(InvalidInput) as caught:
            plan(features)
        assert caught.value.code == "FEATURES_INVALID"

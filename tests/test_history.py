"""Response history: windows as caps count them, and never what comes after the decision."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoring.features import Scorable, feature_list
from scoring.history import USUAL, history, tally
from scoring.offer_table import abouts
from streams.declared_features import LEVELS
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS
from streams.profile import CounterKey, MaskedProfile, bucket_of
from streams.record import NOTHING
from tests.decision_log import offer
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES

SPA: Scorable = (offer("spa"), NOTHING)


def key(response: str, name: str = "spa", collection: str = "collection", device: str = "phone") -> CounterKey:
    return (response, name, f"campaign-{name}", collection, "home", "", device)


def told(item: Scorable, counters: dict[CounterKey, dict[int, int]], **lifetime: int) -> dict[str, float]:
    ever = {key(response): number for response, number in lifetime.items()}
    tallies = tally(MaskedProfile(counters=counters, lifetime=ever), NOW)
    own = abouts(item[0])
    codes = {about: code for code, about in enumerate((("offer", "another"), *own))}
    items = np.array([[codes[about] for about in own]])
    return dict(zip(USUAL.columns, history(tallies, codes, items)[0].tolist(), strict=True))


def at(ago_ms: int) -> int:
    return bucket_of(NOW - ago_ms)


def test_the_columns_are_those_of_the_feature_list() -> None:
    told = tuple(name for name in feature_list(ATTRIBUTES).names if name.startswith("history."))
    assert told == (*USUAL.columns, *(f"history.{level}.rate" for level in LEVELS))


def test_windows_count_the_buckets_they_touch_and_the_lifetime_counts_what_fell_out() -> None:
    exposed = {at(0): 1, at(DAY_MS): 2, at(DAY_MS + HOUR_MS): 4, at(7 * DAY_MS): 8, at(8 * DAY_MS): 16}
    found = told(SPA, {key("exposed"): exposed}, exposed=32)
    assert [found[f"history.offer.exposed.{window}"] for window in ("24h", "7d", "ever")] == [3, 15, 63]
    assert found["history.offer.exposed.since"] == 0
    assert found["history.offer.clicked.ever"] == 0


def test_responses_to_other_offers_count_for_the_collection_and_for_all() -> None:
    counters = {
        key("clicked"): {at(HOUR_MS): 1},
        key("clicked", device="tablet"): {at(HOUR_MS): 1},
        key("clicked", "bar"): {at(HOUR_MS): 1},
        key("dismissed", "golf", "outdoors"): {at(HOUR_MS): 1},
        ("friend_booked", "", "", "", "", "sailing-1", ""): {at(HOUR_MS): 9},
    }
    found = told(SPA, counters)
    clicked = [found[f"history.{level}.clicked.ever"] for level in ("any", "offer", "collection", "campaign")]
    assert clicked == [3, 2, 3, 2]
    assert (found["history.any.dismissed.24h"], found["history.offer.dismissed.24h"]) == (1, 0)


def test_what_comes_after_the_decision_is_not_seen() -> None:
    counters = {key("clicked"): {bucket_of(NOW) + 1: 1}, key("exposed"): {bucket_of(NOW + 30 * MINUTE_MS): 1}}
    found = told(SPA, counters)
    assert (found["history.any.clicked.ever"], found["history.offer.exposed.ever"]) == (0, 0)
    assert math.isnan(found["history.any.exposed.since"])


def test_the_time_since_the_last_exposure_is_as_coarse_as_the_buckets() -> None:
    for ago_ms in (2 * HOUR_MS, 2 * HOUR_MS + MINUTE_MS):
        found = told(SPA, {key("exposed"): {at(ago_ms): 1, at(9 * HOUR_MS): 1}})
        assert found["history.offer.exposed.since"] == 2.0
    assert found["history.collection.exposed.since"] == 2.0


def test_offers_without_a_collection_share_no_history() -> None:
    loose = (offer("golf").__class__(offer("golf").offer_id, offer("golf").campaign_id, ""), NOTHING)
    found = told(loose, {key("clicked", "tennis", ""): {at(0): 1}})
    assert (found["history.collection.clicked.ever"], found["history.any.clicked.ever"]) == (0, 1)


def test_a_customer_without_history_has_zeros_and_no_last_exposure() -> None:
    found = told(SPA, {})
    assert sum(value for value in found.values() if not math.isnan(value)) == 0
    assert [name for name, value in found.items() if math.isnan(value)] == [
        f"history.{level}.exposed.since" for level in ("any", "offer", "collection", "campaign")
    ]


BUCKETS = st.dictionaries(st.integers(at(9 * DAY_MS), at(0)), st.integers(1, 3), max_size=5)
KEYS = st.tuples(st.sampled_from(["exposed", "clicked", "redeemed"]), st.sampled_from(["spa", "bar"]))


@given(st.dictionaries(KEYS, BUCKETS, max_size=6))
def test_windows_never_shrink_and_all_is_never_less_than_one(counted: dict[tuple[str, str], dict[int, int]]) -> None:
    found = told(SPA, {key(*which): buckets for which, buckets in counted.items() if buckets})
    for response in ("exposed", "clicked"):
        for level in ("any", "offer"):
            day, week, ever = (found[f"history.{level}.{response}.{window}"] for window in ("24h", "7d", "ever"))
            assert day <= week <= ever
        assert found[f"history.offer.{response}.ever"] == sum(counted.get((response, "spa"), {}).values())
        assert found[f"history.any.{response}.ever"] >= found[f"history.offer.{response}.ever"]
    assert np.isfinite([value for name, value in found.items() if not name.endswith("since")]).all()

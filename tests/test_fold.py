"""Folding a customer's events: pure and order-free, applies once whatever is redelivered, and stays bounded."""

from collections import Counter
from itertools import cycle
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import profile
from streams.bucket import tag
from streams.events import Attributes, Booking, Consent, FriendBooked, Linked, Location, Outcome, Social
from streams.fold import Draft, FoldStatus, apply_pending, fold
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS
from streams.log import Position
from streams.profile import bucket_of, mark_of_epoch, mark_of_event
from streams.profile_form import canonical, encode, open_many
from streams.profile_mask import Retention
from tests.profile_events import (
    ATTRIBUTES,
    NOW,
    YEAR_2100,
    Recorded,
    event,
    folded,
    histories,
    is_applied,
    outcome,
    position,
)

TIER, CHILDREN, INTERESTS, FRIENDS = 1, 2, 3, 9001


def _tier(level: str | None, at: int = NOW, event_id: str = "e-1") -> Recorded:
    return NOW, event(Attributes({"loyalty_tier": level}), at, event_id)


def _value(found: profile.Profile, number: int) -> Any:
    return found.facts.cells[number].value


def test_an_older_value_loses_however_late_it_comes() -> None:
    found = folded([_tier("gold", NOW), _tier("blue", NOW - 1)])
    assert (_value(found, TIER), found.facts.cells[TIER].at) == ("gold", NOW)


def test_at_the_same_time_the_greater_tag_of_source_and_id_wins() -> None:
    winner = max(("e-1", "e-2"), key=lambda event_id: tag(("booking", event_id), 4))
    events = [
        _tier("gold" if winner == "e-1" else "blue", NOW, "e-1"),
        _tier("gold" if winner == "e-2" else "blue", NOW, "e-2"),
    ]
    assert _value(folded(events), TIER) == _value(folded(events[::-1]), TIER) == "gold"


def test_one_id_with_two_contents_still_has_one_winner() -> None:
    events = [_tier("gold"), _tier("blue")]
    assert canonical(folded(events).facts) == canonical(folded(events[::-1]).facts)


def test_null_removes_and_an_older_value_does_not_come_back() -> None:
    found = folded([_tier("gold", NOW - 2), _tier(None, NOW), _tier("silver", NOW - 1)])
    assert _value(found, TIER) is None
    assert _value(folded([_tier("blue", NOW + 1)], found, first=3), TIER) == "blue"


def test_a_clock_in_2100_counts_as_five_minutes_after_the_record_and_one_in_1970_loses() -> None:
    found = folded([_tier("gold", YEAR_2100), _tier("blue", 0)])
    assert found.facts.cells[TIER].at == NOW + 5 * MINUTE_MS
    assert _value(found, TIER) == "gold"
    later = folded(
        [(NOW + HOUR_MS, event(Attributes({"loyalty_tier": "silver"}), NOW + HOUR_MS, "e-3"))], found, first=2
    )
    assert _value(later, TIER) == "silver"


def test_unknown_names_bad_values_and_reserved_fields_are_skipped_and_the_rest_is_kept() -> None:
    said = {"loyalty_tier": "lead", "shoe_size": 42, "children": 2, "friends": ["a"], "points": 3}
    result = fold(profile.EMPTY, event(Attributes(said)), position(0), NOW, ATTRIBUTES)
    assert result.skipped == ("loyalty_tier", "shoe_size", "friends", "points")
    assert result.status is FoldStatus.APPLIED
    assert {number: cell.value for number, cell in result.profile.facts.cells.items()} == {CHILDREN: 2}


def test_an_event_without_a_usable_name_changes_nothing_but_the_watermark() -> None:
    result = fold(profile.EMPTY, event(Attributes({"shoe_size": 42})), position(7), NOW, ATTRIBUTES)
    assert (result.status, result.skipped) == (FoldStatus.UNCHANGED, ("shoe_size",))
    assert result.profile.facts is profile.EMPTY.facts
    assert result.profile.delivery.watermarks == {mark_of_epoch("log-1"): (3, 7)}


def test_a_booking_wins_whole() -> None:
    first = Booking("b-1", "s-1", "ITLIV-ITOLB", "open", {"accommodation": "deck", "pets": True, "status": "open"})
    moved = Booking("b-1", "s-2", "ITLIV-ITOLB", "cancelled", {"accommodation": "submarine"})
    result = fold(profile.EMPTY, event(first), position(0), NOW, ATTRIBUTES)
    assert result.skipped == ("status",)
    assert result.profile.facts.bookings["b-1"].values == {101: "deck", 102: True}
    result = fold(result.profile, event(moved, NOW + 1), position(1), NOW, ATTRIBUTES)
    fact = result.profile.facts.bookings["b-1"]
    assert (fact.sailing_id, fact.status, fact.values, fact.at) == ("s-2", "cancelled", {}, NOW + 1)
    assert result.skipped == ("accommodation",)


def test_the_fifty_bookings_heard_of_last_are_kept_in_any_order() -> None:
    events = [(NOW, event(Booking(f"b-{n}", "s", "l"), NOW - n * HOUR_MS, f"e-{n}")) for n in range(70)]
    events += [(NOW, event(Booking("b-69", "s", "l", "cancelled"), NOW + 1, "again"))]
    found = folded(events)
    assert set(found.facts.bookings) == {"b-69", *(f"b-{n}" for n in range(49))}
    Random(1).shuffle(events)
    assert canonical(folded(events).facts) == canonical(found.facts)


def test_friends_are_one_list_of_at_most_200() -> None:
    result = fold(profile.EMPTY, event(Social(["c-3", "c-2", "c-3"])), position(0), NOW, ATTRIBUTES)
    assert _value(result.profile, FRIENDS) == ("c-2", "c-3")
    many = event(Social([f"c-{n}" for n in range(201)]), NOW + 1)
    after = fold(result.profile, many, position(1), NOW, ATTRIBUTES)
    assert (after.status, after.skipped) == (FoldStatus.UNCHANGED, ("friends",))
    assert _value(after.profile, FRIENDS) == ("c-2", "c-3")


def test_consent_is_kept_per_purpose_and_channel() -> None:
    given_ = event(Consent({"social": True, "location": True}, {"app": True}))
    taken = event(Consent({"location": False}), NOW + 1, "e-2")
    found = folded([(NOW, given_), (NOW, taken)])
    assert {name: cell.value for name, cell in found.facts.consent.items()} == {
        "purpose:social": True, "purpose:location": False, "channel:app": True,
    }  # fmt: skip


def test_consent_names_are_bounded_in_number_and_length() -> None:
    names = [(NOW, event(Consent({f"p{n}": True}), NOW + n, f"e-{n}")) for n in range(80)]
    assert set(folded(names).facts.consent) == {f"purpose:p{n}" for n in range(16, 80)}
    result = fold(profile.EMPTY, event(Consent({"x" * 200: True})), position(0), NOW, ATTRIBUTES)
    assert result.skipped == ("purpose:" + "x" * 200,)


def test_linked_ids_are_kept_with_when_they_were_last_said() -> None:
    events = [(NOW, event(Linked("c-2"), NOW, "e-1")), (NOW, event(Linked("c-2"), NOW - 5, "e-2"))]
    assert folded(events).facts.linked == folded(events[::-1]).facts.linked == {"c-2": NOW}


def test_a_counted_event_moves_its_key_in_its_bucket() -> None:
    exposed = event(outcome(), NOW - HOUR_MS)
    booked = event(FriendBooked("s-1", "ITLIV-ITOLB"), NOW, "e-2")
    found = folded([(NOW, exposed), (NOW, booked)])
    assert found.facts.counters == {
        ("exposed", "cabin", "cabin-winter", "cabins", "home", "booking:b-1", "phone"): {bucket_of(NOW - HOUR_MS): 1},
        ("friend_booked", "", "", "ITLIV-ITOLB", "", "s-1", ""): {bucket_of(NOW): 1},
    }


def test_what_falls_out_of_the_buckets_joins_the_lifetime_without_placement_subject_and_device() -> None:
    years_ago = NOW - 800 * DAY_MS
    imported = [(years_ago, event(outcome(about=f"booking:{n}"), years_ago, f"old-{n}")) for n in range(3)]
    found = folded([*imported, (NOW, event(outcome()))])
    assert found.facts.lifetime == {("exposed", "cabin", "cabin-winter", "cabins", "", "", ""): 3}
    assert [list(held) for held in found.facts.counters.values()] == [[bucket_of(NOW)]]


def test_only_live_traffic_counts() -> None:
    tried = event(outcome())
    tried = type(tried)(tried.id, tried.source, tried.type, tried.subject, tried.time, tried.data, "test")
    result = fold(profile.EMPTY, tried, position(0), NOW, ATTRIBUTES)
    assert (result.status, result.profile.facts.counters) == (FoldStatus.UNCHANGED, {})


def test_a_record_at_or_below_the_watermark_is_a_duplicate() -> None:
    found = folded([(NOW, event(outcome()))], first=5)
    for offset in (5, 4):
        result = fold(found, event(outcome(), event_id="other"), position(offset), NOW, ATTRIBUTES)
        assert result.status is FoldStatus.DUPLICATE
        assert result.profile is found
    assert is_applied(found, position(5))
    assert not is_applied(found, position(6))
    assert not is_applied(found, position(5, epoch="log-2"))


def test_a_known_id_counts_once_and_the_watermark_moves() -> None:
    found = folded([(NOW, event(outcome()))])
    result = fold(found, event(outcome()), position(1), NOW + 6 * DAY_MS, ATTRIBUTES)
    assert result.status is FoldStatus.DUPLICATE
    assert result.profile.facts is found.facts
    assert result.profile.delivery.ids == {mark_of_event(event(outcome())): -(-NOW // MINUTE_MS)}
    assert result.profile.delivery.watermarks == {mark_of_epoch("log-1"): (3, 1)}


def test_a_counted_event_older_than_seven_days_is_refused_so_that_a_forgotten_id_never_counts_twice() -> None:
    sent = event(outcome(), NOW)
    found = folded([(NOW, sent)])
    assert fold(profile.EMPTY, sent, position(0), NOW + 7 * DAY_MS, ATTRIBUTES).status is FoldStatus.APPLIED
    for days in (8, 30):  # its id is forgotten on the way
        late = NOW + days * DAY_MS
        found = folded([(late, event(outcome(), late, f"e-{days}"))], found, first=days)
        result = fold(found, sent, position(days + 1), late, ATTRIBUTES)
        assert result.status is FoldStatus.REFUSED
        assert is_applied(result.profile, position(days + 1))
    assert len(found.delivery.ids) == 1
    assert sum(sum(held.values()) for held in found.facts.counters.values()) == 3


def test_an_id_is_remembered_as_long_as_its_event_could_still_count() -> None:
    sent = event(outcome(), NOW)
    last_chance = NOW + 7 * DAY_MS
    found = folded([(NOW, sent), (last_chance, event(outcome(), last_chance, "e-2"))])
    assert fold(found, sent, position(2), last_chance, ATTRIBUTES).status is FoldStatus.DUPLICATE


def test_the_2001st_counted_event_in_seven_days_overflows_until_others_are_older() -> None:
    found = folded([(NOW + n, event(outcome(), NOW, f"e-{n}")) for n in range(2_000)])
    result = fold(found, event(outcome(), NOW, "more"), position(2_000), NOW + DAY_MS, ATTRIBUTES)
    assert (result.status, result.profile.facts) == (FoldStatus.OVERFLOW, found.facts)
    assert is_applied(result.profile, position(2_000))
    later = NOW + 8 * DAY_MS
    result = fold(result.profile, event(outcome(), later, "more"), position(2_001), later, ATTRIBUTES)
    assert (result.status, len(result.profile.delivery.ids)) == (FoldStatus.APPLIED, 1)


def test_watermarks_of_the_last_four_logs_are_kept() -> None:
    found = profile.EMPTY
    for n in range(6):
        found = fold(found, event(Linked("c-2")), position(n, epoch=f"log-{n}"), NOW, ATTRIBUTES).profile
    assert list(found.delivery.watermarks) == [mark_of_epoch(f"log-{n}") for n in range(2, 6)]


def test_a_location_is_no_fact() -> None:
    fix = event(Location(43.55, 10.3), kind="customer.location")
    result = fold(profile.EMPTY, fix, position(1), NOW, ATTRIBUTES)
    assert (result.status, result.profile.facts) == (FoldStatus.UNCHANGED, profile.EMPTY.facts)


def test_pending_events_are_applied_in_log_order_beyond_the_watermark() -> None:
    stored = folded([(NOW, event(outcome(), event_id="e-0"))], first=10)
    pending: list[profile.Pending] = [
        (None, NOW, event(Attributes({"children": 3}), NOW, "own")),
        (position(12), NOW, event(outcome(), event_id="e-2")),
        (position(10), NOW, event(outcome(), event_id="e-0")),
        (position(11), NOW, event(outcome(), event_id="e-1")),
        (Position("log-1", "offing.locations", 3, 99), NOW, event(Location(43.5, 10.3), kind="customer.location")),
    ]
    found = apply_pending(stored, pending, ATTRIBUTES)
    assert [sum(held.values()) for held in found.facts.counters.values()] == [3]
    assert found.delivery.watermarks == {mark_of_epoch("log-1"): (3, 12)}
    assert _value(found, CHILDREN) == 3
    assert apply_pending(stored, [], ATTRIBUTES) is stored


def _plain_cells(history: list[Recorded]) -> dict[int, Any]:
    """Customer attributes said plainly: of all events the last, by effective time and tag."""
    found: dict[int, tuple[int, int, Any]] = {}
    numbers = {"loyalty_tier": TIER, "children": CHILDREN, "interests": INTERESTS, "friends": FRIENDS}
    for recorded, each in history:
        data = each.data
        said: dict[str, Any] = {"friends": data.friends} if isinstance(data, Social) else {}
        said = data.attributes if isinstance(data, Attributes) else said
        stamp = min(each.time, recorded + 5 * MINUTE_MS), tag((each.source, each.id), 4)
        for name, raw in said.items():
            if name in numbers and raw != "lead":
                value = tuple(sorted(set(raw))) if isinstance(raw, list) else raw
                found[numbers[name]] = max(
                    found.get(numbers[name], (-1, 0, None)), (*stamp, value), key=lambda x: x[:2]
                )
    return {number: value for number, (_, _, value) in found.items()}


def _plain_count(history: list[Recorded]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for recorded, each in history:
        if isinstance(each.data, Outcome | FriendBooked) and each.time >= recorded - 7 * DAY_MS:
            counted[each.type.partition(".")[2]] += 1
    return counted


def _check_history(history: list[Recorded], seed: int) -> None:
    random = Random(seed)
    found = folded(history)
    expected = canonical(found.facts)
    assert {number: cell.value for number, cell in found.facts.cells.items()} == _plain_cells(history)
    counted: Counter[str] = Counter()
    for key, held in found.facts.counters.items():
        counted[key[0]] += sum(held.values())
    assert counted == _plain_count(history)
    shuffled = random.sample(history, len(history))
    assert canonical(folded(shuffled).facts) == expected
    doubled = history + random.sample(history, len(history) // 2)
    random.shuffle(doubled)
    assert canonical(folded(doubled).facts) == expected


@settings(max_examples=120, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_any_order_with_any_duplicates_gives_the_same_facts(history: list[Recorded], seed: int) -> None:
    _check_history(history, seed)


@pytest.mark.prove
@settings(max_examples=10_000, deadline=None)
@given(histories(most=60, span_ms=6 * DAY_MS), st.integers(0, 2**32))
def test_any_order_with_any_duplicates_gives_the_same_facts_at_length(history: list[Recorded], seed: int) -> None:
    _check_history(history, seed)


@settings(max_examples=80, deadline=None)
@given(histories(), st.data())
def test_redelivery_from_any_offset_after_any_offset_changes_nothing(
    history: list[Recorded], data: st.DataObject
) -> None:
    whole = folded(history)
    until = data.draw(st.integers(0, len(history)))
    back_to = data.draw(st.integers(0, until))
    again = folded(history[back_to:], folded(history[:until]), first=back_to)
    assert encode(again) == encode(whole)


@settings(max_examples=80, deadline=None)
@given(histories(most=15))
def test_a_fold_leaves_its_input_as_it_is(history: list[Recorded]) -> None:
    found = profile.EMPTY
    for offset, (recorded, each) in enumerate(history):
        before = encode(found)
        after = fold(found, each, position(offset), recorded, ATTRIBUTES).profile
        assert encode(found) == before
        found = after
    assert encode(profile.EMPTY) == encode(profile.Profile())


@settings(max_examples=80, deadline=None)
@given(histories(span_ms=60 * DAY_MS), st.lists(st.integers(1, 7), min_size=1))
def test_many_events_at_once_make_what_they_make_one_by_one(history: list[Recorded], sizes: list[int]) -> None:
    retention = Retention(ATTRIBUTES)
    one_by_one = batched = profile.EMPTY
    rest = list(enumerate(history))
    for size in cycle(sizes):
        if not rest:
            break
        batch, rest = rest[:size], rest[size:]
        (began,) = open_many([encode(batched)])
        draft = Draft(began, ATTRIBUTES, retention)
        for offset, (recorded, each) in batch:
            result = fold(one_by_one, each, position(offset), recorded, ATTRIBUTES)
            purged = retention.purged(result.profile.facts, recorded)
            one_by_one = profile.Profile(purged, result.profile.delivery)
            assert draft.apply(each, position(offset), recorded) is result.status
        batched = draft.opened().profile()
        assert batched == one_by_one


def test_a_draft_of_known_records_comes_to_the_profile_it_began_with() -> None:
    found = folded([(NOW, event(outcome())), _tier("gold")])
    draft = Draft(profile.Opened.of(found), ATTRIBUTES, Retention(ATTRIBUTES))
    long_after = NOW + 900 * DAY_MS
    assert draft.apply(event(outcome()), position(0), long_after) is FoldStatus.DUPLICATE
    assert draft.apply(_tier("gold")[1], position(1), long_after) is FoldStatus.DUPLICATE
    assert draft.opened() is draft.began, "purged when it was folded, and not by a later instant"


def test_a_profile_stays_bounded_under_5000_events_of_every_kind() -> None:
    random = Random(7)
    found = profile.EMPTY
    for n in range(5_000):
        at = NOW + n * HOUR_MS
        data = random.choice(
            (
                outcome(f"offer-{n}", f"placement-{n}", f"booking:{n}"),
                Booking(f"b-{n}", f"s-{n}", "l", "open", {"accommodation": "deck"}),
                Consent({f"purpose-{n}": True}),
                Linked(f"c-{n}"),
                Social([f"c-{random.randrange(9_999)}" for _ in range(200)]),
                FriendBooked(f"s-{n}", f"line-{n}"),
                Attributes({"interests": [f"interest-{n}"], f"unknown-{n}": 1}),
            )
        )
        found = fold(found, event(data, at, f"e-{n}"), position(n), at, ATTRIBUTES).profile
    facts = found.facts
    assert sum(map(len, facts.counters.values())) == 512
    assert (len(facts.bookings), len(facts.linked), len(facts.consent), len(facts.cells)) == (50, 50, 64, 2)
    assert len(facts.lifetime) <= 512 + 5
    counted = sum(facts.lifetime.values()) + sum(sum(held.values()) for held in facts.counters.values())
    assert counted > 1_200
    assert len(encode(found)) < 100_000

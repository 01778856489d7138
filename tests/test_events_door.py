"""What the event doors take in: results per event, tokens resolved, clocks corrected, rights kept, nothing crashed."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.arrival import Arrival
from offers.caller import key_caller
from offers.events_door import (
    MAX_BATCH,
    Batch,
    EventResult,
    accept_events,
    accept_inline,
    accept_outcomes,
    said_by_request,
)
from streams.errors import InvalidInput, NotAllowed, Retry
from streams.events import parse
from streams.ids import CustomerId
from streams.instant import MINUTE_MS, format_instant, parse_instant
from streams.log import CUSTOMERS, LOCATIONS, MARKET
from tests.arriving import APP, NOW, RULES, SERVER, TOKENS, codes, event, outcome, send, shown, statuses, tell


def test_a_single_event_and_a_batch_are_accepted_and_ready_to_append() -> None:
    batch = send(event())
    assert batch.results == (EventResult("e-1", "accepted"),)
    assert batch.complete
    (item,) = batch.accepted
    assert item.topic == CUSTOMERS
    assert (item.entry.key, item.entry.recorded) == ("c-42", None)
    assert parse(item.entry.value) == item.event
    many = send([event(id=f"e-{n}", subject=f"c-{n}") for n in range(MAX_BATCH)])
    assert statuses(many) == ["accepted"] * MAX_BATCH
    assert [item.entry.key for item in many.accepted] == [f"c-{n}" for n in range(MAX_BATCH)]
    assert send([]) == Batch((), ())


def test_one_bad_event_does_not_spoil_the_batch() -> None:
    batch = send([event(id="e-1"), event(id="e-2", type="customer.unheard"), event(id="e-3")])
    assert [(result.id, result.status, result.code) for result in batch.results] == [
        ("e-1", "accepted", None),
        ("e-2", "rejected", "EVENT_TYPE"),
        ("e-3", "accepted", None),
    ]
    assert "known are customer.booking" in str(batch.results[1].message)
    assert not batch.complete
    assert [item.place for item in batch.accepted] == [0, 2]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (7, "EVENT_MALFORMED"),
        ("text", "EVENT_MALFORMED"),
        (None, "EVENT_MALFORMED"),
        ({}, "EVENT_MALFORMED"),
        (event(id=7), "EVENT_MALFORMED"),
        (event(id=""), "EVENT_MALFORMED"),
        (event(id="x" * 129), "EVENT_MALFORMED"),
        (event(subject="x" * 129), "EVENT_MALFORMED"),
        (event(specversion="0.3"), "EVENT_MALFORMED"),
        (event(time="yesterday"), "TIME_INVALID"),
        (event(time="2026-11-21T18:04:11"), "TIME_INVALID"),
        (event(sentat="yesterday"), "TIME_INVALID"),
        (event(sentat=5), "EVENT_MALFORMED"),
        (event(data={"attributes": {"seat_wish": {"a": [[]]}}}), "ATTRIBUTE_VALUE"),
        (event(data={"attributes": {"seat_wish": 10**300}}), "ATTRIBUTE_VALUE"),
        (event(data={"attributes": 1}), "EVENT_MALFORMED"),
        (event(data={"attributes": {}, "more": 1}), "EVENT_MALFORMED"),
        (event("customer.location", {"lat": 91.0, "lon": 10.3}), "LOCATION_INVALID"),
        (event("customer.location", {"lat": "43", "lon": 10.3}), "EVENT_MALFORMED"),
        (event("customer.social", {"friends": ["c-1"] * 201}), "EVENT_VALUE"),
        (event("customer.friend_booked", {"sailing_id": "s", "line": "l"}), "NOT_YOURS_TO_SET"),
        (event(origin="prod"), "EVENT_ORIGIN"),
    ],
)
def test_a_bad_event_says_what_is_wrong_alone_and_in_a_batch(bad: Any, code: str) -> None:
    batch = send([bad, event(id="good")])
    assert codes(batch) == [code, None]
    assert 1 <= len(str(batch.results[0].message)) <= 300
    with pytest.raises((InvalidInput, NotAllowed)) as caught:
        send(bad)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[", b"[{]", b"[1,]", b"\xff", b"{} {}", b'[{"lat": NaN}]', b'{"lat": Infinity}', b"[" * 100_000],
)
def test_a_body_that_is_not_json_is_malformed_as_a_whole(body: bytes) -> None:
    for accept in (accept_events, accept_outcomes):
        with pytest.raises(InvalidInput) as caught:
            accept(body, SERVER, RULES)
        assert caught.value.code == "JSON_MALFORMED"


@pytest.mark.parametrize("depth", [50, 300, 600, 850, 900, 930, 950, 970])
def test_deeply_nested_data_is_refused_at_any_depth(depth: int) -> None:
    nested = json.dumps(event(data={"attributes": {"seat_wish": "@"}})).replace('"@"', "[" * depth + "]" * depth)
    body = f"[{nested},{json.dumps(event(id='good'))}]".encode()
    try:
        batch = accept_events(body, SERVER, RULES)
    except InvalidInput as error:
        assert error.code == "JSON_MALFORMED"
    else:
        assert statuses(batch) == ["rejected", "accepted"]


def test_bytes_that_are_not_utf8_spoil_their_own_event_only() -> None:
    bad = json.dumps(event()).encode().replace(b"window", b"\xff\xfe")
    batch = accept_events(b"[" + bad + b"," + json.dumps(event(id="good")).encode() + b"]", SERVER, RULES)
    assert codes(batch) == ["EVENT_MALFORMED", None]


def test_more_than_500_events_are_too_many() -> None:
    with pytest.raises(InvalidInput, match="501 events, at most 500") as caught:
        send([event()] * 501)
    assert caught.value.code == "BATCH_TOO_LARGE"


def test_a_repeated_source_and_id_is_a_duplicate() -> None:
    batch = send([event(), event(), event(source="web"), event(id="e-2")])
    assert statuses(batch) == ["accepted", "duplicate", "accepted", "accepted"]
    assert batch.complete


def test_a_rejected_event_does_not_make_its_repeat_a_duplicate() -> None:
    assert statuses(send([event(time="x"), event()])) == ["rejected", "accepted"]


def test_events_go_to_their_topics_in_the_order_sent() -> None:
    batch = send(
        [
            event(id="a"),
            event("sailing.capacity", {"kind": "inside", "free": 3}, id="b", subject="s-1"),
            event("customer.location", {"lat": 43.5, "lon": 10.3}, id="c"),
            event(id="d"),
        ]
    )
    assert [(topic, [item.event.id for item in items]) for topic, items in batch.by_topic()] == [
        (CUSTOMERS, ["a", "d"]),
        (MARKET, ["b"]),
        (LOCATIONS, ["c"]),
    ]


def test_events_of_a_topic_that_could_not_be_appended_are_to_be_sent_again() -> None:
    batch = send(
        [event(id="a"), event("customer.location", {"lat": 43.5, "lon": 10.3}, id="b"), event(id="c", time="x")]
    )
    after = batch.without(CUSTOMERS, Retry("LOG_UNAVAILABLE", "the log is full"))
    assert [(result.id, result.status, result.code) for result in after.results] == [
        ("a", "retry", "LOG_UNAVAILABLE"),
        ("b", "accepted", None),
        ("c", "rejected", "TIME_INVALID"),
    ]
    assert [item.event.id for item in after.accepted] == ["b"]
    assert not after.complete


def test_results_are_written_without_what_does_not_apply() -> None:
    assert msgspec.json.encode(EventResult("e-1", "accepted")) == b'{"id":"e-1","status":"accepted"}'


def test_a_key_without_the_scope_and_a_decide_only_key_send_nothing() -> None:
    arrival = Arrival(key_caller("web", ["decide"]), NOW)
    for accept in (send, tell):
        with pytest.raises(NotAllowed) as caught:
            accept([], arrival)
        assert caught.value.code == "SCOPE_MISSING"
    with pytest.raises(NotAllowed):
        accept_inline([b"{}"], {}, arrival, RULES)
    assert accept_inline([], {}, arrival, RULES).results == ()


def test_an_app_claiming_to_be_gold_or_somebody_else_is_refused() -> None:
    batch = send(
        [
            event("customer.profile", {"attributes": {"loyalty_tier": "gold"}}),
            event(data={"attributes": {"loyalty_tier": "gold"}}),
            event(subject="c-7"),
            event("offer.redeemed", {"token": TOKENS.mint(shown())}),
            event("sailing.fare", {"product": "deck", "minor": 1}),
            event("customer.unheard"),
            event(id="mine"),
        ],
        APP,
    )
    refused = ["NOT_YOURS_TO_SET", "NOT_YOURS_TO_SET", "NOT_YOURS"] + ["NOT_YOURS_TO_SET"] * 3
    assert codes(batch) == [*refused, None]
    with pytest.raises(NotAllowed) as alone:
        send(event("customer.profile", {"attributes": {"loyalty_tier": "gold"}}), APP)
    assert alone.value.code == "NOT_YOURS_TO_SET"


def test_origin_is_a_keys_to_say_and_never_an_apps() -> None:
    sent = [event(origin="test"), event(id="e-2")]
    server = send(sent, replace(SERVER, origin="load"))
    assert [item.event.origin for item in server.accepted] == ["test", "load"]
    assert [item.event.origin for item in send(sent, APP).accepted] == ["live", "live"]


def test_recorded_time_is_the_doors_only_where_it_is_simulated() -> None:
    (item,) = send(event(), replace(SERVER, recorded=NOW)).accepted
    assert item.entry.recorded == NOW


@pytest.mark.parametrize("phone_now", ["1970-01-01T00:20:00Z", "2100-06-01T00:00:00Z", "2026-11-21T15:00:00Z"])
def test_a_phones_wrong_clock_is_corrected_by_sentat(phone_now: str) -> None:
    happened = format_instant(parse_instant(phone_now) - 9 * MINUTE_MS)
    (item,) = send(event(time=happened, sentat=phone_now), APP).accepted
    assert item.event.time == NOW - 9 * MINUTE_MS
    (told,) = tell(
        outcome(TOKENS.mint(shown()), at=parse_instant(phone_now) - 9 * MINUTE_MS, sent_at=phone_now)
    ).accepted
    assert told.event.time == NOW - 9 * MINUTE_MS


def test_without_sentat_2100_is_now_and_1970_is_refused_for_what_counts() -> None:
    assert send(event(time="2100-01-01T00:00:00Z")).accepted[0].event.time == NOW
    assert send(event(time="1970-01-01T00:00:00Z"), APP).accepted[0].event.time == NOW
    assert codes(send([event(time="1970-01-01T00:00:00Z")])) == ["TIME_IMPLAUSIBLE"]
    assert codes(tell([outcome(TOKENS.mint(shown()), at=0)])) == ["TIME_IMPLAUSIBLE"]


def test_an_event_inside_a_decision_request_leaves_out_what_the_request_says() -> None:
    token = TOKENS.mint(shown())
    short = {"id": "e-91", "type": "offer.dismissed", "time": "2100-01-01T00:29:00Z", "data": {"token": token}}
    wish = {"id": "e-92", "type": "customer.preferences", "time": "2100-01-01T00:00:00Z"} | {
        "data": {"attributes": {"seat_wish": "aisle"}}
    }
    theirs = wish | {"subject": "c-7", "id": "e-93"}
    raws = [msgspec.Raw(json.dumps(sent).encode()) for sent in (short, wish, theirs)]
    batch = accept_inline(raws, said_by_request(CustomerId("c-42"), "2100-01-01T00:30:00Z"), APP, RULES)
    assert [(result.id, result.status, result.code) for result in batch.results] == [
        ("e-91", "accepted", None),
        ("e-92", "accepted", None),
        ("e-93", "rejected", "NOT_YOURS"),
    ]
    dismissed, preferred = (item.event for item in batch.accepted)
    assert (dismissed.type, dismissed.subject, dismissed.time) == ("offer.dismissed", "c-42", NOW - MINUTE_MS)
    assert (preferred.source, preferred.time) == ("app", NOW - 30 * MINUTE_MS)
    assert said_by_request(CustomerId("c-42"), None) == {"specversion": "1.0", "source": "app", "subject": "c-42"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["customer.profile", "customer.booking", "offer.exposed", "customer.location"])},
            optional={name: JSON | st.just(value) for name, value in event().items() if name != "type"}
            | {"sentat": JSON},
        )
        | JSON,
        max_size=4,
    ),
    st.sampled_from([SERVER, APP]),
)
def test_whatever_json_comes_every_event_has_a_result_and_what_is_accepted_can_be_read(
    sent: list[Any], arrival: Arrival
) -> None:
    batch = send(sent, arrival)
    assert len(batch.results) == len(sent)
    for result in batch.results:
        assert result.status in ("accepted", "duplicate", "rejected")
        assert (result.code is None) == (result.status != "rejected")
    for item in batch.accepted:
        assert parse(item.entry.value) == item.event
        assert item.event.time <= NOW


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused_or_answered(body: bytes) -> None:
    for accept in (accept_events, accept_outcomes):
        try:
            batch = accept(body, APP, RULES)
        except (InvalidInput, NotAllowed) as error:
            assert error.message
        else:
            assert batch.accepted == ()

"""Dead letters: an address for what cannot be used, and an end to it if there is too much."""

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from streams.dead_letters import LOOKED_AT, DeadLetter, DeadLetters, parsed
from streams.errors import DeadLetterLimit
from streams.events import Event, Fare, Location, Social, to_bytes
from streams.log import CUSTOMERS, LOCATIONS, MARKET, LogRecord, Position, Topic
from tests.makers import NOW, dead_letters, event, open_log


def record(offset: int, value: bytes = b"{}", topic: Topic = CUSTOMERS, key: str = "c-1") -> LogRecord:
    return LogRecord(Position("log-1", topic.name, 2, offset), key, value, NOW)


def bad(offset: int, value: bytes = b"{}", topic: Topic = CUSTOMERS) -> DeadLetter:
    return DeadLetter(record(offset, value, topic), "EVENT_MALFORMED", "no id")


def test_a_dead_letter_has_address_reason_and_payload(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    letters = DeadLetters(log)
    labels = {"topic": CUSTOMERS.name, "reason": "EVENT_MALFORMED"}
    before = REGISTRY.get_sample_value("offing_dead_letters_total", labels) or 0
    letters.report([record(6), record(7)], [bad(7, b'{"type": "odd"}')])
    assert dead_letters(log) == [
        {
            "v": 1, "epoch": "log-1", "topic": "offing.customers", "partition": 2, "offset": 7, "recorded": NOW,
            "code": "EVENT_MALFORMED", "reason": "no id", "payload": '{"type": "odd"}',
        }
    ]  # fmt: skip
    assert REGISTRY.get_sample_value("offing_dead_letters_total", labels) == before + 1
    log.close()


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        (LOCATIONS, b"whatever it is"),
        (CUSTOMERS, b'{"data": {"lat": 43.5, "lon": 10.3}}'),
        (CUSTOMERS, b'{"data": {"LAT": 43.5}}'),
        (CUSTOMERS, b'{"type": "customer.location"}'),
        (CUSTOMERS, b'{"data": {"\\u006cat": 43.5}}'),
    ],
)
def test_nothing_of_a_place_is_repeated(tmp_path: Path, topic: Topic, value: bytes) -> None:
    log = open_log(tmp_path / "log")
    DeadLetters(log).report([record(7, value, topic)], [bad(7, value, topic)])
    (letter,) = dead_letters(log)
    assert set(letter) == {"v", "epoch", "topic", "partition", "offset", "recorded", "code"}
    log.close()


def test_a_batch_tried_again_is_reported_once(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    letters = DeadLetters(log, in_a_row=3)
    for _ in range(5):
        letters.report([record(7), record(8)], [bad(7), bad(8)])
    assert [letter["offset"] for letter in dead_letters(log)] == [7, 8]
    log.close()


def test_too_many_in_a_row_stop_before_any_of_them_is_written(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    letters = DeadLetters(log, in_a_row=3)
    letters.report([record(0), record(1)], [bad(0), bad(1)])
    with pytest.raises(
        DeadLetterLimit, match=r"4 records in a row of offing.customers.*partition 2 offset 3"
    ) as caught:
        letters.report([record(2), record(3)], [bad(2), bad(3)])
    assert caught.value.code == "DEAD_LETTER_LIMIT"
    assert [letter["offset"] for letter in dead_letters(log)] == [0, 1]
    log.close()


def test_a_good_record_ends_the_row(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    letters = DeadLetters(log, in_a_row=2)
    letters.report([record(0), record(1), record(2)], [bad(0), bad(1)])
    letters.report([record(3), record(4)], [bad(3), bad(4)])
    assert len(dead_letters(log)) == 4
    log.close()


def test_what_was_read_and_refused_never_stops_it(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    letters = DeadLetters(log, in_a_row=2)
    records = [record(offset) for offset in range(2 * LOOKED_AT)]
    letters.report(records, [replace(bad(offset), was_read=True) for offset in range(2 * LOOKED_AT)])
    letters.report([record(9_000), record(9_001)], [bad(9_000), bad(9_001)])
    assert len(dead_letters(log)) == 2 * LOOKED_AT + 2
    log.close()


def test_a_longer_row_that_is_allowed_is_let_through_whole(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    offsets = range(2 * LOOKED_AT)
    DeadLetters(log, in_a_row=2 * LOOKED_AT).report([record(offset) for offset in offsets], [*map(bad, offsets)])
    assert len(dead_letters(log)) == 2 * LOOKED_AT
    log.close()


def test_more_than_half_of_the_last_thousand_stop_it(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    letters = DeadLetters(log)
    half = [record(offset) for offset in range(LOOKED_AT)]
    letters.report(half, [bad(offset) for offset in range(1, LOOKED_AT, 2)])
    more = [record(offset) for offset in range(LOOKED_AT, LOOKED_AT + 3)]
    with pytest.raises(DeadLetterLimit, match="501 of the last 1000 records"):
        letters.report(more, [bad(LOOKED_AT + 1), bad(LOOKED_AT + 2)])
    log.close()


def test_a_record_is_parsed_only_on_its_own_topic_and_under_its_subject() -> None:
    fine = event("customer.social", "c-1", Social(["c-2"]))
    assert parsed(record(0, to_bytes(fine)), CUSTOMERS) == fine
    for wrong, topic, code in [
        (record(0, b"{"), CUSTOMERS, "EVENT_MALFORMED"),
        (record(0, to_bytes(event("sailing.fare", "s-1", Fare("deck", 1)))), CUSTOMERS, "EVENT_MISPLACED"),
        (record(0, to_bytes(event("customer.location", "c-1", Location(1, 2)))), CUSTOMERS, "EVENT_MISPLACED"),
        (record(0, to_bytes(fine), key="c-9"), CUSTOMERS, "EVENT_MISPLACED"),
        (record(0, to_bytes(fine)), MARKET, "EVENT_MISPLACED"),
    ]:
        letter = parsed(wrong, topic)
        assert not isinstance(letter, Event)
        assert (letter.record, letter.code) == (wrong, code)

"""Examples: what was shown, seen, and has had its time; everything else is left out by name."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from scoring.examples import Example, from_lake
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS
from streams.lake import Lake
from streams.lake_rows import LoggedOutcome
from streams.record import NOTHING, DecisionRecord, encode
from tests.decision_log import inputs, offer, outcome, record, simple
from tests.makers import NOW
from tests.scoring_world import subject


def labelled(
    tmp_path: Path, records: Sequence[DecisionRecord], outcomes: Sequence[LoggedOutcome], now: Millis
) -> list[Example]:
    lake = Lake(tmp_path)
    lake.append_decisions([(each, encode(each)) for each in records])
    lake.append_outcomes(outcomes)
    return sorted(from_lake(lake, now)(), key=lambda example: example.inputs.decision_id)


@pytest.mark.parametrize(
    ("clicked_after", "expected"),
    [(MINUTE_MS, 1), (DAY_MS, 1), (DAY_MS + 1, 0), (-500, 1), (None, 0)],
    ids=["soon", "at the last moment", "too late", "before a second was over", "never"],
)
def test_a_click_counts_within_a_day_of_the_exposure(tmp_path: Path, clicked_after: int | None, expected: int) -> None:
    shown = simple()
    seen = NOW + 2 * MINUTE_MS
    outcomes = [outcome(shown, "exposed", seen)]
    if clicked_after is not None:
        outcomes.append(outcome(shown, "clicked", seen + clicked_after))
    [example] = labelled(tmp_path, [shown], outcomes, NOW + 3 * DAY_MS)
    assert (example.outcomes, example.items, example.left_out) == ((expected,), ((offer(), NOTHING),), ())
    assert (example.scores, example.propensities) == ((0.1,), (1.0,))


@pytest.mark.parametrize("events", [(), ("clicked",), ("dismissed",)])
def test_what_was_not_seen_is_no_example_whatever_else_happened(tmp_path: Path, events: tuple[str, ...]) -> None:
    shown = simple()
    [example] = labelled(tmp_path, [shown], [outcome(shown, event) for event in events], NOW + 3 * DAY_MS)
    assert (example.items, example.left_out) == ((), ("not_exposed",))


def test_until_the_window_has_closed_neither_a_click_nor_its_absence_counts(tmp_path: Path) -> None:
    clicked, waiting = simple(NOW, "c-1", 1), simple(NOW, "c-2", 2)
    outcomes = [outcome(clicked, "exposed"), outcome(clicked, "clicked"), outcome(waiting, "exposed")]
    found = labelled(tmp_path, [clicked, waiting], outcomes, NOW + DAY_MS - 1)
    assert [example.left_out for example in found] == [("window_open",), ("window_open",)]
    later = from_lake(Lake(tmp_path), NOW + DAY_MS)()
    assert sorted(example.outcomes for example in later) == [(0,), (1,)]


def test_what_was_not_known_yet_at_that_time_is_not_used(tmp_path: Path) -> None:
    shown, later = simple(), simple(NOW + 2 * DAY_MS, number=2)
    outcomes = [outcome(shown, "exposed"), outcome(later, "exposed"), outcome(shown, "clicked", NOW + HOUR_MS)]
    [example] = labelled(tmp_path, [shown, later], outcomes, NOW + DAY_MS)
    assert example.inputs.decision_id == shown.inputs.decision_id
    assert example.outcomes == (1,)


def test_an_offer_has_its_own_goal_and_window(tmp_path: Path) -> None:
    facts = msgspec.structs.replace(offer(), goal_event="redeemed", goal_within_ms=7 * DAY_MS)
    shown = record(inputs(), [(facts, NOTHING)])
    outcomes = [outcome(shown, "exposed"), outcome(shown, "clicked"), outcome(shown, "redeemed", NOW + 6 * DAY_MS)]
    [example] = labelled(tmp_path, [shown], outcomes, NOW + 7 * DAY_MS)
    assert example.outcomes == (1,)
    [example] = from_lake(Lake(tmp_path), NOW + 7 * DAY_MS - 1)()
    assert example.left_out == ("window_open",)


def test_outcomes_belong_to_the_subject_they_are_about(tmp_path: Path) -> None:
    one, other = subject(5_000), subject(6_000)
    made = msgspec.structs.replace(inputs(), subjects={"booking:each": (one, other)})
    shown = record(made, [(offer(), one), (offer(), other), (offer("bar"), NOTHING)])
    outcomes = [outcome(shown, "exposed", item=item, event_id=f"e-{item}") for item in range(3)]
    outcomes.append(outcome(shown, "clicked", item=1))
    [example] = labelled(tmp_path, [shown], outcomes, NOW + 2 * DAY_MS)
    assert example.outcomes == (0, 1, 0)
    assert [about for _, about in example.items] == [one, other, NOTHING]


def test_fallbacks_test_traffic_and_lost_subjects_are_left_out_by_name(tmp_path: Path) -> None:
    fallback = simple(NOW, "c-1", 1)
    fallback = msgspec.structs.replace(
        fallback, shown=tuple(msgspec.structs.replace(item, propensity=None) for item in fallback.shown)
    )
    test = simple(NOW, "c-2", 2)
    test = msgspec.structs.replace(test, inputs=msgspec.structs.replace(test.inputs, origin="load"))
    lost = record(inputs(customer="c-3", number=3), [(offer(), subject(5_000))])
    records = [fallback, test, lost]
    found = labelled(tmp_path, records, [outcome(each, "exposed") for each in records], NOW + 2 * DAY_MS)
    assert [example.left_out for example in found] == [("fallback",), ("not_live",), ("no_subject",)]


def test_the_newest_days_are_taken_until_there_is_enough(tmp_path: Path) -> None:
    records = [simple(NOW + day * DAY_MS, number=day) for day in range(6)]
    labelled(tmp_path, records, [outcome(each, "exposed") for each in records], NOW)
    found = [example.inputs.now for example in from_lake(Lake(tmp_path), NOW + 9 * DAY_MS, most=3)()]
    assert found == [NOW + day * DAY_MS for day in (5, 4, 3)]

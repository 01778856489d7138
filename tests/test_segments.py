"""Evaluation by segment: new and returning customers, declared attributes, and nobody small enough to be known."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from scoring.evaluate import Evaluation, SegmentLine, evaluate_model
from scoring.evaluate_page import page
from scoring.examples import Example
from scoring.metrics import Intervals, intervals
from scoring.propensity import load
from scoring.segments import MISSING, MOST, NEW, RETURNING, history, segmenting, told, value
from streams.attributes import Attribute, Kind
from streams.errors import InvalidInput
from streams.profile import MaskedProfile, bucket_of
from streams.record import DecisionInputs
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES, VISITS, examples, trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the first 40 people of the world."""
    return trained(tmp_path_factory.mktemp("models"), people=40)


def strangers() -> list[Example]:
    return [each for each in examples(70) if int(each.inputs.request.customer_id[2:]) >= 40]


def evaluated(folder: Path, *by: str) -> Evaluation:
    return evaluate_model(folder, strangers, segments=segmenting(by, ATTRIBUTES))


def of(found: Evaluation, attribute: str) -> dict[str, SegmentLine]:
    return {line.segment: line for line in found.segments if line.attribute == attribute}


def said(folder: Path, rows: Sequence[Example]) -> tuple[list[int], list[float]]:
    propensity = load(folder)
    chances = [float(propensity.score(each.inputs, each.items).probability[0]) for each in rows]
    return [each.outcomes[0] for each in rows], chances


def check_like(folder: Path, line: SegmentLine, holds: Callable[[DecisionInputs], bool]) -> None:
    """The segment's numbers are those of others on the very rows."""
    rows = [each for each in strangers() if holds(each.inputs)]
    came, chances = said(folder, rows)
    assert (line.rows, line.customers) == (len(rows), len({each.inputs.request.customer_id for each in rows}))
    assert line.metrics.log_loss == pytest.approx(log_loss(came, chances))
    assert line.metrics.brier == pytest.approx(brier_score_loss(came, chances))
    assert line.observed == pytest.approx(np.mean(came))
    assert line.intervals is not None
    assert line.intervals.came[0] < line.observed < line.intervals.came[1]


def test_new_and_returning_customers_are_told_apart_without_asking(folder: Path) -> None:
    found = evaluate_model(folder, strangers)
    by_history = of(found, "history")
    assert set(by_history) == {NEW, RETURNING}
    assert (by_history[NEW].rows, by_history[RETURNING].rows) == (30, 330), "the first decision of each is new"
    check_like(folder, by_history[NEW], lambda made: not made.profile.counters)
    check_like(folder, by_history[RETURNING], lambda made: bool(made.profile.counters))


def test_levels_of_declared_attributes_are_segments_and_add_up(folder: Path) -> None:
    found = evaluated(folder, "customer.bar_visits", "customer.newsletter")
    visits, letters = of(found, "customer.bar_visits"), of(found, "customer.newsletter")
    assert set(visits) <= {*VISITS, MISSING}
    assert set(letters) == {"true", "false"}
    assert sum(line.rows for line in letters.values()) == found.rows
    check_like(folder, letters["true"], lambda made: made.profile.facts["customer.newsletter"][0] is True)
    for level in visits:
        check_like(folder, visits[level], lambda made, level=level: value(made, BAR_VISITS) == level)  # type: ignore[misc]
    assert "customer.newsletter true" in page(found)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found


BAR_VISITS = ATTRIBUTES.by_name["customer.bar_visits"]


def test_segments_of_fewer_than_five_customers_are_not_told_and_only_the_twenty_largest_are() -> None:
    column = np.array(["four"] * 4 + ["five"] * 5 + ["six"] * 6 + ["one"] * 50)
    customer = np.array([*range(15), *[15] * 50])
    assert [(segment, customers) for segment, _, customers in told(column, customer)] == [("six", 6), ("five", 5)]
    many = np.repeat([f"s{number:02}" for number in range(30)], 5)
    assert len(list(told(many, np.arange(150)))) == MOST


def test_nobody_is_told_by_subtraction() -> None:
    column = np.array(["four"] * 4 + ["five"] * 5 + ["six"] * 6)
    assert [segment for segment, _, _ in told(column, np.arange(15))] == ["six"], "all less both would be the four"
    assert list(told(column[:9], np.arange(9))) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("customer.gender", "told by `offing groups`"),
        ("customer.town", "customer.bar_visits"),
        ("customer.nothing", "customer.newsletter"),
        ("offer.kind", "no attribute of the customer or the context"),
    ],
)
def test_what_tells_people_apart_or_is_protected_is_no_segment(name: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        segmenting([name], ATTRIBUTES)
    assert caught.value.code == "UNKNOWN_ATTRIBUTE"


def test_of_a_set_with_levels_all_that_is_in_it_is_the_segment() -> None:
    devices = Attribute("customer", "devices", 200, Kind.SET, ("phone", "tablet"))
    made = strangers()[0].inputs

    def holding(*held: str) -> str:
        return value(
            msgspec.structs.replace(made, profile=MaskedProfile({"customer.devices": (held, made.now)})), devices
        )

    assert [holding("tablet", "phone"), holding("phone"), holding(), value(made, devices)] == [
        "phone + tablet", "phone", "none", MISSING,
    ]  # fmt: skip


def test_returning_is_who_was_shown_something_before_this_decision() -> None:
    made = strangers()[0].inputs
    key = ("exposed", "o", "c", "", "home", "", "phone")

    def seen(**more: object) -> str:
        return history(msgspec.structs.replace(made, profile=msgspec.structs.replace(made.profile, **more)))

    assert seen(counters={}, lifetime={}) == NEW
    assert seen(counters={key: {bucket_of(made.now): 1}}) == RETURNING
    assert seen(counters={key: {bucket_of(NOW) + 10**6: 1}}) == NEW
    assert seen(counters={}, lifetime={key: 1}) == RETURNING
    assert seen(counters={("clicked", *key[1:]): {bucket_of(made.now): 1}}) == NEW


def test_intervals_hold_the_truth_and_know_that_one_customers_rows_are_not_independent() -> None:
    held = {"log_loss": 0, "brier": 0, "ece": 0, "came": 0, "came_to_said": 0}
    for seed in range(40):
        draw = np.random.default_rng(seed)
        chance = draw.uniform(0.05, 0.4, 600)
        outcome = (draw.random(600) < chance).astype(np.float64)
        found = intervals(outcome, chance, np.arange(600) // 3, np.ones(600), seed)
        assert found is not None
        truth = {
            "log_loss": float(np.mean(-(chance * np.log(chance) + (1 - chance) * np.log1p(-chance)))),
            "brier": float(np.mean(chance * (1 - chance))),
            "ece": 0.0,
            "came": float(chance.mean()),
            "came_to_said": 1.0,
        }
        for name, true in truth.items():
            low, high = getattr(found, name)
            held[name] += low - 0.02 * (name == "ece") <= true <= high
    assert min(held.values()) >= 35, held
    assert intervals(np.ones(3), np.full(3, 0.5), np.zeros(3, dtype=np.intp), np.ones(3), 0) is None


def test_ten_rows_of_one_customer_tell_no_more_than_one() -> None:
    draw = np.random.default_rng(1)
    outcome, chance = (draw.random(100) < 0.3).astype(np.float64), np.full(100, 0.3)
    again = np.repeat(np.arange(100), 10)
    once = intervals(outcome, chance, np.arange(100), np.ones(100), 2)
    tenfold = intervals(outcome[again], chance[again], again, np.ones(1_000), 2)
    assert isinstance(once, Intervals)
    assert isinstance(tenfold, Intervals)
    assert tenfold.came == pytest.approx(once.came)

"""Fresh: how much of a log is held back, and that nothing of it is older than what was learnt from."""

import pytest
from msgspec.structs import replace

from scoring import fresh
from scoring.examples import Example, Examples
from scoring.fresh import cutoff, since, until
from tests.scoring_world import BAR, decided, passenger


def log(outcomes: list[int]) -> Examples:
    """An item a millisecond, the oldest first."""
    made = [decided(passenger(0), 1, 0, {})] * len(outcomes)
    items = ((BAR, made[0].subjects["booking:each"][0]),) if made else ()
    found = [
        Example(replace(inputs, now=at), "prior", items, (outcome,), (0.3,), (0.5,))
        for at, (inputs, outcome) in enumerate(zip(made, outcomes, strict=True))
    ]
    return lambda: found


def instants(examples: Examples) -> list[int]:
    return [example.inputs.now for example in examples()]


def test_a_small_log_gives_a_fifth() -> None:
    examples = log([0, 1] * 50)
    at = cutoff(examples)
    assert at == 79
    assert len(instants(since(examples, at))) == 20


def test_a_large_log_gives_no_more_than_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "ROWS", 30)
    monkeypatch.setattr(fresh, "OF_EACH", 5)
    assert cutoff(log([0, 1] * 500)) == 1000 - 1 - 30
    assert cutoff(log([0] * 900 + [1] * 10 + [0] * 90)) == 1000 - 1 - 95, "as far back as five acceptances"
    assert cutoff(log([0] * 1000)) == 1000 - 1 - 200, "and never more than a fifth"


def test_what_the_active_model_has_seen_is_not_fresh() -> None:
    examples = log([0, 1] * 50)
    assert cutoff(examples, trained_until=60) == 79
    assert cutoff(examples, trained_until=95) == 95


def test_the_two_parts_are_the_whole_and_read_again_each_time() -> None:
    examples = log([0, 1, 0])
    for _ in range(2):
        assert instants(until(examples, 1)) == [0, 1]
        assert instants(since(examples, 1)) == [2]


def test_nothing_labelled_has_no_cutoff() -> None:
    assert cutoff(log([])) is None

"""Turns: one of many has it, the dead lose it, and a clock that was set back keeps nobody alive."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from offers.ledger import Ledger
from offers.turns import Turns


@pytest.fixture(params=["sqlite", "postgresql"])
def turns(request: pytest.FixtureRequest, tmp_path: Path, namespace: str) -> Iterator[Turns]:
    sqlite = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    url = sqlite if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    ledger = Ledger(url, namespace)
    ledger.migrate()
    yield ledger.turns
    ledger.close()


def test_one_has_it_until_it_lapses_or_is_given_up(turns: Turns) -> None:
    assert turns.take("train", "a", 0, 100).holder == "a"
    assert turns.take("train", "b", 99, 100).holder == "a"
    assert turns.take("train", "b", 100, 100).holder == "b"
    assert turns.take("train", "a", 120, 100).holder == "b"
    turns.leave("train", "a")
    assert turns.take("train", "a", 130, 100).holder == "b"
    turns.leave("train", "b")
    assert turns.take("train", "a", 140, 100).holder == "a"


def test_who_renews_keeps_it(turns: Turns) -> None:
    for now in range(0, 500, 50):
        assert turns.take("train", "a", now, 100).lapses_at == now + 100
        assert turns.take("train", "b", now + 49, 100).holder == "a"


def test_what_is_done_is_known_to_the_next_and_only_the_holder_says_so(turns: Turns) -> None:
    turns.take("train", "a", 0, 100)
    turns.done("train", "a", 60)
    turns.done("train", "b", 70)
    assert turns.take("train", "b", 200, 100).done_at == 60


def test_a_turn_from_a_clock_far_ahead_does_not_last_for_ever(turns: Turns) -> None:
    turns.take("train", "a", 1_000_000, 100)
    assert turns.take("train", "b", 0, 100).holder == "b"


def test_of_many_at_once_one_has_it(turns: Turns) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = {turn.holder for turn in threads.map(lambda n: turns.take("train", f"p-{n}", 5, 100), range(16))}
    assert len(found) == 1


def test_other_things_have_turns_of_their_own(turns: Turns) -> None:
    assert turns.take("train", "a", 0, 100).holder == "a"
    assert turns.take("compact", "b", 0, 100).holder == "b"

"""The section of the thirty days: what it says follows from what was lived, and a few days of it run."""

from collections.abc import Callable

import pytest

from loadtests.results import thirty_days
from loadtests.results.thirty_days import DAYS, EMPTY, FROZEN, GATE, LIVES, NO_GATE, POISONED, Life, text


def life(share: float, nights: str) -> Life:
    """Everybody earns a euro a visit if all is known; nobody comes on the empty day."""
    earned = [float("nan") if day == EMPTY else share for day in range(DAYS)]
    best = [float("nan") if day == EMPTY else 1.0 for day in range(DAYS)]
    return Life(earned, best, [nights] * DAYS)


def test_the_section_says_shares_of_the_oracle_and_what_the_gate_did() -> None:
    lives = {
        GATE: [life(0.8, "passed"), life(0.6, "failed")],
        NO_GATE: [life(0.5, "-"), life(0.3, "-")],
        FROZEN: [life(0.4, "-"), life(0.4, "-")],
    }
    page = text(lives, "")
    assert page.startswith("## Thirty days")
    assert "| all | 70.0 ± 127.1 | 40.0 ± 127.1 | 40.0 ± 0.0 | +30.0 ± 0.0 |" in page
    assert f"| days 1 to {POISONED} | 70.0" in page
    assert "Of 60 nights the gate let 30 models in, kept 30 out and waited for data in 0; in 0" in page
    assert "in its own night and the next 2: of these it let 3 of 6 in. After the drift" in page
    assert page.rstrip().endswith("after so many nights: 1, none.")


@pytest.mark.prove
def test_a_few_days_of_every_life_run(record_property: Callable[[str, object], None]) -> None:
    told: list[float] = []
    page = thirty_days.quick(lambda stage, done: told.append(done))
    assert all(how in page for how in LIVES)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)
    record_property("with", page.splitlines()[-1])

"""The budget of a load test: strict, and every mistake told with its line and the mend."""

from pathlib import Path

import pytest

from loadtests.load import budget_file
from loadtests.load.budget import Budget
from loadtests.load.traffic import MIX
from streams.errors import InvalidInput

OURS = Path(__file__).parent.parent / "loadtests" / "budget.yaml"
GOOD = """version: 1
latency_ms:
  decision: {p50: 10, p95: 20.5, p99: 30}
  outcomes: {p50: 11, p95: 21, p99: 31}
  location: {p50: 12, p95: 22, p99: 32}
  booking: {p50: 13, p95: 23, p99: 33}
freshness_ms: {p50: 40, p95: 50, p99: 60}
errors: 0.1 %
degraded: 2 %
knee: 150
"""


def read(folder: Path, text: str) -> Budget:
    path = folder / "budget.yaml"
    path.write_text(text)
    return budget_file.read(path)


def test_the_committed_budget_wants_changed_fares_within_a_quarter_of_a_second() -> None:
    found = budget_file.read(OURS)
    assert found.freshness_ms["p99"] == 250
    assert set(found.latency_ms) == set(MIX)


def test_a_budget_is_read_as_it_is_written(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found.latency_ms["decision"] == {"p50": 10.0, "p95": 20.5, "p99": 30.0}
    assert (found.freshness_ms, found.errors, found.degraded, found.knee) == (
        {"p50": 40.0, "p95": 50.0, "p99": 60.0}, 0.001, 0.02, 150.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version: 1", "version: 2", "1:10: OUT_OF_RANGE version is 2. Write 1 to 1."),
        ("degraded: 2 %\n", "", "1:1: KEY_MISSING the budget has no 'degraded'. Add 'degraded:'."),
        ("knee: 150", "knees: 150", "10:1: UNKNOWN_KEY the budget has no key 'knees'. Did you mean 'knee'?"),
        ("knee: 150", "knee: many", "10:7: NOT_NUMBER knee is 'many', not a number."),
        ("  booking: {p50: 13, p95: 23, p99: 33}\n", "", "KEY_MISSING latency_ms has no 'booking'."),
        ("decision: {p50: 10,", "decision: {p5: 10,", "UNKNOWN_KEY latency_ms.decision has no key 'p5'."),
        ("decision: {p50: 10, ", "decision: {", "3:13: KEY_MISSING latency_ms.decision has no 'p50'."),
        ("p99: 30}", "p99: 12}", "3:39: NOT_RISING latency_ms.decision.p99 is 12, less than"),
        ("p99: 30}", "p99: 0}", "OUT_OF_RANGE latency_ms.decision.p99 is 0. Write 0.01 to 60000."),
        ("errors: 0.1 %", "errors: 0.001", "8:9: UNIT_MISSING '0.001' is not a percentage. Write '0.1 %'."),
        ("errors: 0.1 %", "errors: 101 %", "OUT_OF_RANGE '101 %' is more than all of it."),
        ("freshness_ms: {", "freshness_ms: [", "7:"),
        ("latency_ms:\n", "latency_ms: 5\nx:\n", "WRONG_TYPE latency_ms is the text '5'."),
    ],
)  # fmt: skip
def test_every_mistake_has_a_name_a_line_and_a_mend(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert refused.value.code == "BUDGET_INVALID"
    assert f"budget.yaml:{told}" in refused.value.message or (told[0].isupper() and told in refused.value.message)


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, GOOD.replace("knee: 150", "knee: no").replace("degraded: 2 %", "degraded: 2"))
    assert "NOT_NUMBER" in refused.value.message and "degraded" not in refused.value.message.split(";")[0]
    assert refused.value.message.count("budget.yaml:") == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="UNREADABLE"):
        budget_file.read(tmp_path / "none.yaml")

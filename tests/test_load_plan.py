"""What the generator's processes are told, and that they run for no other reason."""

from pathlib import Path

import pytest

from loadtests.load import plan
from loadtests.load.shapes import shape
from tests.test_load_verdict import BUDGET


def test_a_plan_is_read_as_it_was_written_and_the_key_is_not_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan.Plan(
        url="http://127.0.0.1:1", run="l1", seed=1, now=2, customers=3, stages=shape("full", 10, 10),
        budget=BUDGET, facts={}, measured="there", processes={"service": 7},
    )  # fmt: skip
    plan.write(made, tmp_path / "plan.json")
    monkeypatch.setenv(plan.PLAN, str(tmp_path / "plan.json"))
    monkeypatch.setenv(plan.KEY, "ok_secret")
    assert plan.read() == (made, "ok_secret")
    assert "ok_secret" not in (tmp_path / "plan.json").read_text()


def test_locust_alone_is_told_to_run_make_loadtest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(plan.PLAN, raising=False)
    with pytest.raises(LookupError, match="make loadtest"):
        plan.read()

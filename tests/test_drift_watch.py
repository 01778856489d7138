"""DriftWatch and `offing drift`: the active model against this deployment's own lake, and what /metrics says of it."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from prometheus_client import REGISTRY
from prometheus_client.samples import Sample
from typer.testing import CliRunner

from offers import learning
from offers.cli import app
from offers.drift_watch import WORST, DriftWatch, clear, show
from scoring.drift import DriftReport
from streams import telemetry
from streams.ids import ModelId
from streams.instant import DAY_MS
from streams.lake import Lake
from streams.record import encode
from streams.settings import Settings
from tests.decision_log import outcome, record
from tests.scoring_world import examples, trained


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An artifacts folder with an active model of 60 people, and 60 others in the lake, nobody of whom accepts."""
    settings = Settings(artifacts=tmp_path_factory.mktemp("artifacts"), simulated=True)
    folder = trained(settings.artifacts / "models")
    learning.activate(settings, folder, "a test")
    lake = Lake(settings.lake)
    others = [each for each in examples(120, 20) if int(each.inputs.request.customer_id[2:]) >= 60]
    records = [record(each.inputs, each.items) for each in others]
    lake.append_decisions([(each, encode(each)) for each in records])
    lake.append_outcomes([outcome(each, "exposed") for each in records])
    last = records[-1]
    lake.append_outcomes([outcome(last, "dismissed", last.inputs.now + 2 * DAY_MS)])
    return settings


@pytest.fixture(autouse=True)
def environment(deployment: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of the command and its children."""
    monkeypatch.setenv("OFFING_ARTIFACTS", str(deployment.artifacts))
    monkeypatch.setenv("OFFING_SIMULATED", "1")
    clear()
    yield
    clear()


def value(name: str, **labels: str) -> float | None:
    """What a scrape would say."""
    return REGISTRY.get_sample_value(name, labels)


def reported(*options: str) -> DriftReport:
    """`offing drift --json`."""
    done = CliRunner().invoke(app, ["drift", "--json", *options])
    assert done.exit_code == 1, done.output
    return msgspec.json.decode(done.stdout, type=DriftReport)


def test_the_command_judges_the_active_model_by_the_lake_and_exits_1_where_it_no_longer_holds() -> None:
    found = reported()
    assert (found.verdict, found.calibration.ratio, found.calibration.drifted) == ("act", 0, True)
    assert found.rows == found.prior.decisions > 300
    done = CliRunner().invoke(app, ["drift"])
    assert (done.exit_code, f"{found.model}: act:" in done.output) == (1, True)
    assert "What to do:\n  `offing train`: people accept less than is predicted" in done.output


def test_without_a_model_or_with_half_an_instant_the_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "TIME_INVALID" in CliRunner().invoke(app, ["drift", "--now", "noon"]).stderr
    assert "MODEL_INVALID" in CliRunner().invoke(app, ["drift", "--model", str(tmp_path)]).stderr
    monkeypatch.setenv("OFFING_ARTIFACTS", str(tmp_path))
    done = CliRunner().invoke(app, ["drift"])
    assert (done.exit_code, done.stderr.split()[0]) == (1, "NO_MODEL")


@pytest.mark.prove
def test_a_look_is_the_command_in_a_process_of_its_own(record_property: Callable[[str, str], None]) -> None:
    DriftWatch(3_600).look()
    found = reported()
    record_property("with", f"{found.rows} items")
    assert value("offing_model_age_seconds", model=found.model) == found.age_ms / 1000


def test_what_a_look_finds_is_shown_as_gauges(tmp_path: Path) -> None:
    before = value("offing_drift_checks_total", result="done") or 0
    found = reported()
    (tmp_path / "said").write_bytes(msgspec.json.encode(found))
    DriftWatch(1, (sys.executable, "-c", f"print(open({str(tmp_path / 'said')!r}).read())")).look()
    assert value("offing_drift_checks_total", result="done") == before + 1
    assert value("offing_model_age_seconds", model=found.model) == found.age_ms / 1000
    assert found.score is not None
    assert value("offing_score_psi", model=found.model) == found.score.psi
    assert value("offing_calibration_ratio", model=found.model, bound="ratio") == 0
    high = value("offing_calibration_ratio", model=found.model, bound="high")
    assert high is not None
    assert 0 < high < 1
    assert value("offing_prior_share", of="decisions") == 1
    shown = {sample.labels["feature"]: sample.value for sample in _samples("offing_feature_psi")}
    assert shown == {each.feature: each.psi for each in found.features[:WORST]}
    assert len(shown) == WORST


def test_the_gauges_of_a_model_that_is_no_longer_active_are_gone() -> None:
    found = reported()
    show(found)
    show(msgspec.structs.replace(found, model=ModelId("m-other"), features=(), score=None))
    assert value("offing_model_age_seconds", model=found.model) is None
    assert value("offing_model_age_seconds", model="m-other") is not None
    assert value("offing_score_psi", model=found.model) is None
    assert list(_samples("offing_feature_psi")) == []


@pytest.mark.parametrize("script", ["raise SystemExit('LEDGER_UNAVAILABLE it is away')", "print('{')"])
def test_a_look_that_fails_is_counted_and_leaves_what_was_known(script: str) -> None:
    telemetry.SCORE_PSI.labels("m-1").set(0.2)
    before = value("offing_drift_checks_total", result="failed") or 0
    DriftWatch(1, (sys.executable, "-c", script)).look()
    DriftWatch(1, ("/nowhere/offing",)).look()
    assert value("offing_drift_checks_total", result="failed") == before + 2
    assert value("offing_score_psi", model="m-1") == 0.2


def test_where_no_model_is_active_nothing_is_known_and_nothing_failed() -> None:
    telemetry.SCORE_PSI.labels("m-1").set(0.2)
    before = value("offing_drift_checks_total", result="failed")
    DriftWatch(1, (sys.executable, "-c", "raise SystemExit('NO_MODEL no model is active')")).look()
    assert value("offing_drift_checks_total", result="failed") == before
    assert value("offing_score_psi", model="m-1") is None


def test_it_looks_again_and_again_until_it_is_stopped_and_a_look_under_way_is_ended(tmp_path: Path) -> None:
    script = f"open({str(tmp_path / 'looked')!r}, 'a').write('x'); import time; time.sleep(600)"
    watch = DriftWatch(0.01, (sys.executable, "-c", script))
    watch.start()
    while not (tmp_path / "looked").exists():
        threading.Event().wait(0.02)
    watch.stop()
    watch.stop()
    assert (tmp_path / "looked").read_text() == "x"
    never = DriftWatch(0)
    never.start()
    never.stop()


def _samples(name: str) -> Iterator[Sample]:
    return (sample for family in REGISTRY.collect() for sample in family.samples if sample.name == name)

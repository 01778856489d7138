"""The loop that trains every so often: what it does after success, failure and with another beside it; its end."""

import json
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import msgspec
import pytest

from offers.ledger import Ledger
from offers.nightly import AGAIN_S, LASTS_MS, LOOK_S, TRAIN, Nightly
from scoring.gate import Verdict
from streams import telemetry
from streams.ids import ModelId
from streams.settings import Settings
from tests.served import environment, eventually

DAY_S = 86_400.0
CARD = {
    "v": 1, "seed": 1, "rows": 1, "positives": 1, "customers": 1, "offers": 1, "since": 0, "until": 0, "data": "",
    "revisions": [], "models": [], "left_out": {}, "trees": 1, "calibration": "platt", "trust": 1.0, "metrics": {},
    "importance": [], "lightgbm": "", "target": "",
}  # fmt: skip
WAITS = Verdict(1, ModelId("m-1"), ModelId("prior"), "waiting", "300 more items needed", 0, 0, 0, 0, 0, ())


def saying(active: bool, verdict: Verdict | None = WAITS) -> tuple[str, ...]:
    """A training that came to this."""
    found = {"model": "m-1", "folder": "", "active": active, "reason": "so it is", "card": CARD}
    document = json.dumps({**found, "verdict": None if verdict is None else json.loads(msgspec.json.encode(verdict))})
    return sys.executable, "-c", f"print({document!r})"


def failing(complaint: str) -> tuple[str, ...]:
    return sys.executable, "-c", f"import sys; print('a warning'); sys.exit({complaint!r})"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(artifacts=tmp_path)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    book = Ledger(settings.ledger, "tests")
    book.migrate()
    yield book
    book.close()


class Clocked(Nightly):
    """With hands to be set."""

    at = 1_000_000_000

    def wait(self, seconds: float) -> None:
        self.at += int(seconds * 1000)


def loop(ledger: Ledger, settings: Settings, command: tuple[str, ...], every_s: float = DAY_S) -> Clocked:
    made = Clocked(ledger.turns, settings, every_s, command)
    made.clock = lambda: made.at
    return made


def counted(result: str) -> float:
    return float(telemetry.TRAININGS.labels(result)._value.get())


def test_it_trains_at_once_and_then_every_so_often(ledger: Ledger, settings: Settings) -> None:
    before = counted("candidate")
    nightly = loop(ledger, settings, saying(active=False))
    assert nightly.look() == 0
    assert nightly.look() == LOOK_S
    nightly.wait(DAY_S - 5)
    assert nightly.look() == 5
    nightly.wait(5)
    assert nightly.look() == 0
    assert counted("candidate") == before + 2
    assert telemetry.TRAINED_TIMESTAMP._value.get() == nightly.at / 1000
    assert telemetry.GATE_VERDICT.labels("waiting")._value.get() == 1


def test_a_restart_does_not_train_again_before_it_is_time(ledger: Ledger, settings: Settings) -> None:
    first = loop(ledger, settings, saying(active=True))
    before = counted("active")
    assert first.look() == 0
    ledger.turns.leave(TRAIN, ledger.turns.take(TRAIN, "x", first.at, 1).holder or "")
    second = loop(ledger, settings, saying(active=True))
    second.wait(60)
    assert second.look() == LOOK_S
    assert counted("active") == before + 1


@pytest.mark.parametrize(
    ("complaint", "code"),
    [
        ("DATASET_TOO_SMALL the log has 0 labelled items", "DATASET_TOO_SMALL"),
        ("FILE_UNUSABLE [Errno 28] No space left on device", "FILE_UNUSABLE"),
        ("", "TRAINING_FAILED"),
    ],
    ids=["too few rows", "disk full", "killed without a word"],
)
def test_a_failure_is_said_with_its_code_and_tried_again_sooner(
    ledger: Ledger, settings: Settings, caplog: pytest.LogCaptureFixture, complaint: str, code: str
) -> None:
    before = counted("failed")
    nightly = loop(ledger, settings, failing(complaint))
    assert nightly.look() == 0
    assert [record.__dict__["code"] for record in caplog.records] == [code]
    assert "what is active stays" in caplog.text
    assert nightly.look() == LOOK_S
    nightly.wait(AGAIN_S)
    assert nightly.look() == 0
    assert counted("failed") == before + 2


def test_a_program_that_is_not_there_is_a_failure_too(ledger: Ledger, settings: Settings) -> None:
    before = counted("failed")
    assert loop(ledger, settings, ("/nowhere/offing",)).look() == 0
    assert counted("failed") == before + 1


def test_while_the_ledger_is_away_nothing_is_trained_and_it_is_said_once(
    ledger: Ledger, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    nightly = loop(ledger, settings, saying(active=True))
    before = counted("active")
    file = settings.artifacts / "ledger.sqlite"
    ledger.close()
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
        if (settings.artifacts / name).exists():
            (settings.artifacts / name).rename(settings.artifacts / f"away-{name}")
    file.mkdir()
    for _ in range(3):
        assert nightly.look() == LOOK_S
    assert caplog.text.count("no training while the ledger does not answer") == 1
    file.rmdir()
    (settings.artifacts / f"away-{file.name}").rename(file)
    assert nightly.look() == 0
    assert counted("active") == before + 1


def test_of_two_one_trains_and_the_other_takes_over_when_it_is_dead(
    ledger: Ledger, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    one, other = (loop(ledger, settings, saying(active=True)) for _ in range(2))
    before = counted("active")
    assert one.look() == 0
    assert other.look() == LOOK_S
    assert "trains; this one waits for its turn" in caplog.text
    other.wait(LASTS_MS / 1000)
    assert other.look() == LOOK_S, "it has the turn now, and knows when the last training was"
    other.wait(DAY_S)
    assert other.look() == 0
    assert counted("active") == before + 2


def test_a_clock_set_back_does_not_put_training_off(ledger: Ledger, settings: Settings) -> None:
    nightly, before = loop(ledger, settings, saying(active=True), every_s=600), counted("active")
    assert nightly.look() == 0
    nightly.at -= 400_000_000
    assert nightly.look() == 0
    assert nightly.look() == LOOK_S
    assert counted("active") == before + 2


def test_a_clock_set_back_after_a_failure_does_not_put_the_next_try_off(ledger: Ledger, settings: Settings) -> None:
    nightly, before = loop(ledger, settings, failing("LOG_UNREADABLE"), every_s=600), counted("failed")
    assert nightly.look() == 0
    nightly.at -= 400_000_000
    assert nightly.look() == 0
    assert counted("failed") == before + 2


def test_an_end_that_is_asked_for_ends_the_training_under_way_and_gives_the_turn_up(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    before = counted("failed")
    started = tmp_path / "started"
    command = (sys.executable, "-c", f"open({str(started)!r}, 'w'); import time; time.sleep(600)")
    nightly = Nightly(ledger.turns, settings, DAY_S, command)
    running = threading.Thread(target=nightly.run)
    running.start()
    eventually(started.exists, "it did not start")
    nightly.ending.set()
    running.join(timeout=30)
    assert not running.is_alive()
    assert counted("failed") == before
    assert ledger.turns.take(TRAIN, "next", nightly.clock(), 1).holder == "next"


def test_drafts_of_killed_trainings_are_swept_once_they_are_old(ledger: Ledger, settings: Settings) -> None:
    models = settings.artifacts / "models"
    (models / ".m-fresh").mkdir(parents=True)
    nightly = loop(ledger, settings, saying(active=True))
    nightly.look()
    assert (models / ".m-fresh").exists(), "another training may be writing it"


@pytest.mark.prove
def test_the_command_tells_of_too_few_rows_goes_on_and_ends_on_sigterm(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        command = [sys.executable, "-m", "offers.cli", "train", "--every", "1h"]
        process = subprocess.Popen(command, env=environment(tmp_path / "artifacts"), stdout=out, stderr=out)

        def said() -> str:
            return (tmp_path / "out").read_text()

        eventually(lambda: "DATASET_TOO_SMALL" in said(), "it did not train")
        sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert "Traceback" not in said()

"""ShadowWatch: nothing runs where no model is in the shadow; a pass that fails is counted and said, and no more."""

import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import msgspec
import pytest
from prometheus_client import REGISTRY

from offers.ledger import Ledger
from offers.models import Change
from offers.runtime import wall_clock
from offers.shadow_scoring import Scored
from offers.shadow_watch import LASTS_MS, SHADOW, ShadowWatch, clear
from scoring.shadow import ShadowScores
from tests.served import eventually

FOUND = Scored("m-new", 900, 500, 20, ShadowScores(480, 4_800, 0.1, 0.11, 0.02, 0.05, 0.25, 0.9))
SAYS = (sys.executable, "-c", f"print({msgspec.json.encode(FOUND).decode()!r})")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", "offing")
    opened.migrate()
    opened.models.publish("m-new", Change("trainer", 1))
    yield opened
    opened.close()
    clear()


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def counted(result: str) -> float:
    return value("offing_shadow_decisions_total", result=result)


def test_a_pass_is_shown_as_metrics_until_the_shadow_is_off(book: Ledger) -> None:
    book.models.put_in_shadow("m-new", Change("ada", 2))
    before = counted("scored"), counted("left_out")
    watch = ShadowWatch(book, 60, SAYS)
    watch.look()
    assert (counted("scored"), counted("left_out")) == (before[0] + 500, before[1] + 20)
    assert value("offing_shadow_score_difference", model="m-new") == 0.02
    assert value("offing_shadow_top_changed", model="m-new") == 0.25
    book.models.put_in_shadow(None, Change("ada", 3))
    watch.look()
    assert REGISTRY.get_sample_value("offing_shadow_top_changed", {"model": "m-new"}) is None
    assert counted("scored") == before[0] + 500


def test_without_a_model_in_the_shadow_or_the_turn_no_process_is_started(book: Ledger, tmp_path: Path) -> None:
    traced = (sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')")
    ShadowWatch(book, 60, traced).look()
    book.models.put_in_shadow("m-new", Change("ada", 2))
    book.turns.take(SHADOW, "another consumer", 10, LASTS_MS)
    watch = ShadowWatch(book, 60, traced)
    watch.clock = lambda: 20
    watch.look()
    assert not (tmp_path / "ran").exists()
    watch.clock = lambda: 10 + LASTS_MS
    watch.look()
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("raise SystemExit('MODEL_INVALID its trees are cut')", "MODEL_INVALID"),
        ("import os; os.abort()", "SHADOW_FAILED"),
    ],
    ids=["refused", "crashed"],
)
def test_a_pass_that_fails_is_counted_and_said_once(
    book: Ledger, caplog: pytest.LogCaptureFixture, script: str, code: str
) -> None:
    book.models.put_in_shadow("m-new", Change("ada", 2))
    before = counted("failed")
    watch = ShadowWatch(book, 60, (sys.executable, "-c", script))
    watch.look()
    watch.look()
    assert counted("failed") == before + 2
    (line,) = [each for each in caplog.records if each.name == "offing.shadow"]
    assert line.__dict__["code"] == code
    nowhere = ShadowWatch(book, 60, ("/nowhere/offing",))
    nowhere.clock = lambda: wall_clock() + LASTS_MS  # the other's turn is over
    nowhere.look()
    assert counted("failed") == before + 3


def test_it_looks_until_it_is_stopped_and_never_where_it_is_off(book: Ledger) -> None:
    book.models.put_in_shadow("m-new", Change("ada", 2))
    before = counted("scored")
    off = ShadowWatch(book, 0, SAYS)
    off.start()
    sleep(0.2)
    off.stop()
    assert counted("scored") == before
    watch = ShadowWatch(book, 0.05, SAYS)
    watch.start()
    eventually(lambda: counted("scored") >= before + 2 * FOUND.decisions, "it looked once at most")
    watch.stop()
    watch.stop()
    after = counted("scored")
    sleep(0.3)
    assert counted("scored") == after

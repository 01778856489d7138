"""Stops on SQLite and PostgreSQL: in force until lifted, told with their reason, one at a time for a campaign."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from offers.ledger import Ledger
from offers.stops import CampaignStop
from streams.errors import InvalidInput, NotFound
from streams.ids import CampaignId

SPA, DINNER = CampaignId("spa-before-dinner"), CampaignId("dinner")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path, namespace: str) -> Iterator[Ledger]:
    embedded = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}" if embedded else str(request.getfixturevalue("postgres_url"))
    opened = Ledger(url, namespace)
    opened.migrate()
    yield opened
    opened.close()


def test_a_stop_holds_until_it_is_lifted_and_is_remembered(ledger: Ledger) -> None:
    stopped = ledger.stops.stop(SPA, "4.90 for 49.00", "ada", now=10)
    assert stopped == CampaignStop(SPA, "4.90 for 49.00", "ada", 10)
    ledger.stops.stop(DINNER, "the kitchen is closed", "bob", now=11)
    assert ledger.wanted(12).stopped == {SPA, DINNER}
    assert [stop.campaign_id for stop in ledger.stops.in_force()] == [DINNER, SPA]
    ledger.stops.lift(SPA, "bob", now=20)
    assert ledger.wanted(21).stopped == {DINNER}
    assert ledger.stops.history()[1] == CampaignStop(SPA, "4.90 for 49.00", "ada", 10, "bob", 20)


def test_a_campaign_stopped_again_keeps_the_first_reason_until_it_is_lifted(ledger: Ledger) -> None:
    ledger.stops.stop(SPA, "wrong price", "ada", now=10)
    assert ledger.stops.stop(SPA, "it is closed", "bob", now=11).reason == "wrong price"
    ledger.stops.lift(SPA, "ada", now=12)
    assert ledger.stops.stop(SPA, "it is closed", "bob", now=13).reason == "it is closed"
    assert len(ledger.stops.history()) == 2


def test_what_is_not_stopped_is_not_lifted(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="'dinner' is not stopped; `offing campaigns stops` lists") as caught:
        ledger.stops.lift(DINNER, "ada", now=1)
    assert caught.value.code == "STOP_UNKNOWN"


@pytest.mark.parametrize("reason", ["", "\t", "a\nb", "a" * 501])
def test_a_stop_says_in_one_line_why(ledger: Ledger, reason: str) -> None:
    with pytest.raises(InvalidInput, match="expected one line of 1 to 500") as caught:
        ledger.stops.stop(SPA, reason, "ada", now=1)
    assert caught.value.code == "REASON"
    assert ledger.stops.in_force() == ()


def test_many_who_stop_and_lift_at_once_leave_one_state(ledger: Ledger) -> None:
    def work(number: int) -> None:
        ledger.stops.stop(SPA, f"reason {number}", "ada", now=number)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(12)))
    assert [stop.campaign_id for stop in ledger.stops.in_force()] == [SPA]
    assert len(ledger.stops.history()) == 1


def test_namespaces_do_not_stop_each_other_s_campaigns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'l'}"
    here, there = Ledger(url, "here"), Ledger(url, "there")
    here.migrate()
    here.stops.stop(SPA, "closed", "ada", now=1)
    there.stops.stop(SPA, "closed there too", "bob", now=2)
    here.stops.lift(SPA, "ada", now=3)
    assert here.wanted(4).stopped == frozenset()
    assert there.wanted(4).stopped == {SPA}
    here.close()
    there.close()

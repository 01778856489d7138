"""Valkey killed, frozen and emptied under load: every request is answered, nothing accepted is lost, and it heals."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from streams.embedded_valkey import EmbeddedValkey
from streams.ids import CustomerId
from streams.profile_store import ProfileStore
from streams.valkey import connect
from tests.load import HERE, Load, load_on
from tests.service import offers_of
from tests.shared_service import Shared, shared_service

UPGRADE, FALLBACK = "cabin-upgrade-inside", "islands-newsletter"
PATIENCE_S = 40.0
AWAY = "profile_unavailable"
NEWSLETTER = 4
"""Its field number in the tests' deployment."""


@contextmanager
def beside_its_own_valkey(folder: Path) -> Iterator[tuple[EmbeddedValkey, Shared]]:
    """A service whose Valkey may be mistreated, with c-1 and c-2 known as gold passengers."""
    valkey = EmbeddedValkey(folder / "valkey")
    with shared_service(folder / "artifacts", valkey.start()) as service:
        service.gold("c-1")
        service.gold("c-2")
        service.folded()
        assert personal(service, "before")
        try:
            yield valkey, service
        finally:
            valkey.start()  # else its consumers would wait for it to the end of their patience
    valkey.stop()


def personal(service: Shared, turn: str) -> bool:
    answer = service.ask("c-1", request_id=turn, context=HERE)
    return offers_of(answer) == [UPGRADE] and answer.json()["degraded"] == []


def eventually(holds: Callable[[int], bool]) -> None:
    deadline, turn = monotonic() + PATIENCE_S, 0
    while not holds(turn):
        assert monotonic() < deadline
        turn += 1
        sleep(0.02)


def unavailable(load: Load, count: int) -> Callable[[int], bool]:
    return lambda _: sum(AWAY in degraded for degraded in load.degraded()) >= count


def all_told(service: Shared, load: Load) -> None:
    """Every event that was answered 202 is in its customer's profile."""
    service.folded()
    with connect(service.live.runtime.settings.redis_url) as client:
        store = ProfileStore(client, service.keys)
        found = store.load_many([CustomerId(name) for name in load.accepted], "any", [0]).profiles
    lost = [name for name, stored in found.items() if NEWSLETTER not in stored.profile.facts.cells]
    assert (lost, load.refused, load.failed()) == ([], [], [])
    assert len(load.accepted) > 10


def test_killed_and_started_again_under_load(tmp_path: Path) -> None:
    with beside_its_own_valkey(tmp_path) as (valkey, service), load_on(service, "c-1", "c-2") as load:
        eventually(lambda _: len(load.answers) > 20)
        os.kill(valkey.pid, signal.SIGKILL)
        eventually(unavailable(load, 20))
        away = service.ask("c-1", request_id="away", context=HERE)
        assert (offers_of(away), away.json()["degraded"]) == ([FALLBACK], [AWAY])
        assert service.get("/health/ready").status_code == 200
        valkey.start()
        eventually(lambda turn: personal(service, f"again-{turn}"))
        since = len(load.answers)
        eventually(lambda _: len(load.answers) > since + 20)
        load.end()
        assert [] in load.degraded(since)
        all_told(service, load)


def test_frozen_for_a_while_under_load(tmp_path: Path) -> None:
    with beside_its_own_valkey(tmp_path) as (valkey, service), load_on(service, "c-1", "c-2") as load:
        eventually(lambda _: len(load.answers) > 20)
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            eventually(unavailable(load, 3))
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
        eventually(lambda turn: personal(service, f"again-{turn}"))
        load.end()
        all_told(service, load)


@pytest.mark.parametrize("how", ["emptied while it runs", "its files are gone"])
def test_emptied_under_load_profiles_are_rebuilt_from_the_log(tmp_path: Path, how: str) -> None:
    with beside_its_own_valkey(tmp_path) as (valkey, service), load_on(service, "c-1", "c-2") as load:
        eventually(lambda _: len(load.accepted) > 20)
        if how == "emptied while it runs":
            with connect(valkey.url) as client:
                client.flushall()
        else:
            os.kill(valkey.pid, signal.SIGKILL)
            eventually(unavailable(load, 1))
            shutil.rmtree(tmp_path / "valkey" / "appendonlydir")
            valkey.start()
        eventually(lambda turn: personal(service, f"again-{turn}"))
        load.end()
        all_told(service, load)

"""`offing serve` as a process: what starts, what ends in order, what survives being killed, what is never logged."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from offers.consuming import counting
from offers.listening import listen
from offers.serving import preflight
from offers.tokens import CustomerToken, CustomerTokens, parse_keys
from streams.consumer import wall_clock
from streams.embedded_valkey import EmbeddedValkey
from streams.errors import InvalidInput, Stop
from streams.ids import CustomerId
from streams.log import CUSTOMERS, DECISIONS, MARKET, Topic
from streams.record import DecisionRecord, decode
from streams.settings import Settings
from streams.sqlite_log import SqliteLog
from streams.valkey import connect
from tests.served import Served, children, environment, event, eventually, introduced, lives, offered, served
from tests.service import CAMPAIGNS, LIVORNO, NOW

UPGRADE, FALLBACK = "cabin-upgrade-inside", "islands-newsletter"
COORDINATES = ("43.5558", "10.3019", "43.7412", "9.7331", "latitude-x")
HERE = {"location": LIVORNO, "device": {"class": "phone"}}


@contextmanager
def log_of(folder: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(folder / "log.sqlite", clock=wall_clock)) as log:
        yield log


def values(folder: Path, topic: Topic) -> list[bytes]:
    with log_of(folder) as log:
        return [record.value for part in range(topic.partitions) for record in log.read(topic, part, 0, 10_000)]


def records(folder: Path) -> list[DecisionRecord]:
    return [decode(value) for value in values(folder, DECISIONS)]


def personal(running: Served, customer: str) -> bool:
    answer = running.ask(customer, context=HERE)
    return offered(answer) == [UPGRADE] and answer["degraded"] == []


def test_it_starts_from_nothing_revives_what_is_killed_and_drains_when_asked_to_stop(tmp_path: Path) -> None:
    folder = tmp_path / "offing"
    names = ["giulia.rossi@example.org", "größe-7734", "c-\U0001f6a2", "x" * 100]
    secrets: list[str] = []
    with served(folder, LOG_LEVEL="debug") as running:
        assert running.get("/health/live").json() == {"live": True}
        assert running.get("/health/ready").json()["model"] == "prior"
        assert any("embedded: Valkey, log, ledger and consumer" in line["event"] for line in running.lines())
        sockets = Path((folder / "valkey" / "socket").read_text()).parent
        for name in names:
            assert running.post("/v1/events", introduced(name)).status_code == 202
        eventually(lambda: all(personal(running, name) for name in names), "not offered the upgrade")
        eventually(lambda: consumers(running) == 4, "the consumers do not start")
        eventually(lambda: counted(running, "offing_folded_total") >= len(names), "the consumer's numbers are missing")
        for name in names:
            _traffic(running, name, secrets)
        folded = counted(running, "offing_folded_total")
        killed = {running.child("consume"), running.child("valkey-server")}
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        for name in names:
            _traffic(running, name, secrets)
        assert running.post("/v1/events", introduced("c-2")).status_code == 202, "while both are away"
        eventually(lambda: personal(running, "c-2") and personal(running, names[0]), "answers are not personal again")
        eventually(lambda: consumers(running) == 8, "the consumers do not start again")
        assert counted(running, "offing_folded_total") >= folded, "what the killed consumer had counted stays"
        family = set(children(running.process.pid))
        assert (len(family), killed & family) == (2, set())
        asked = [running.ask(f"c-last-{number}")["decision_id"] for number in range(20)]
        assert running.stop() == 0
        assert not any(lives(pid) for pid in family), "the children ended first, in order"
        assert not sockets.exists()
        output = running.output.read_text()
    assert set(asked) <= {record.inputs.decision_id for record in records(folder)}, "answered is in the log"
    assert (folder / "token_keys").stat().st_mode & 0o777 == 0o600
    said = [line["event"] for line in running.lines() if line["level"] == "error"]
    assert "the consumer was killed; it is started again" in said
    assert "the embedded Valkey was killed; it is started again" in said
    assert "Traceback" not in output
    for secret in (*secrets, *names, running.secret, "guessed-secret", *COORDINATES):
        assert secret not in output
        assert secret.encode("unicode_escape").decode() not in output


def counted(running: Served, name: str) -> float:
    """The sum of a counter's series in one scrape."""
    lines = running.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


def consumers(running: Served) -> int:
    """How many have started so far."""
    return sum(line["event"] == "consumer started" for line in running.lines())


@pytest.mark.prove
def test_killed_outright_it_leaves_no_orphan_and_nothing_that_was_accepted_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "offing"
    with served(folder) as running:
        family = children(running.process.pid)
        batch = [
            event("customer.preferences", f"c-{number}", {"attributes": {"newsletter": True}}, f"e-{number}")
            for number in range(400)
        ]
        same = {**batch[0], "source": "elsewhere"}
        answer = running.post("/v1/events", [*introduced("c-1"), *batch, same])
        running.kill()
        assert answer.status_code == 202
        assert len(family) == 2
        eventually(lambda: not any(lives(pid) for pid in family), f"orphans: {family}")
    assert (len(values(folder, CUSTOMERS)), len(values(folder, MARKET))) == (404, 3)
    keys = parse_keys((folder / "token_keys").read_text().strip(), "offing")
    token = CustomerTokens(keys).mint(CustomerToken(CustomerId("c-1"), NOW + 3_600_000))
    with served(folder) as again:
        eventually(lambda: personal(again, "c-1"), "c-1 is not offered the upgrade")
        mine = {"placements": [{"placement": "app.home.hero"}], "context": HERE}
        headers = {**again.headers, "authorization": f"Bearer {token}"}
        found = httpx.post(f"http://127.0.0.1:{again.port}/v1/decisions", json=mine, headers=headers, timeout=20.0)
        assert offered(found.json()) == [UPGRADE], "the keys of tokens are the same"
        assert len(values(folder, CUSTOMERS)) == 404


@pytest.mark.prove
def test_several_workers_beside_a_named_redis_count_together_and_end_with_their_parent(
    tmp_path: Path, valkey_url: str, namespace: str
) -> None:
    named = {"REDIS_URL": valkey_url, "NAMESPACE": namespace, "TOKEN_KEYS": f"k1:{'00' * 32}"}
    with served(tmp_path / "offing", WORKERS="2", **named) as running:
        family = children(running.process.pid)
        assert sum("spawn_main" in command for command in family.values()) == 2
        assert not any("consume" in command or "valkey" in command for command in family.values())
        for number in range(40):
            assert offered(running.ask(f"c-{number}")) == [FALLBACK]
        eventually(lambda: counted(running, "offing_decisions_total") >= 40, "some worker's decisions are missing")
        running.kill()
        eventually(lambda: not any(lives(pid) for pid in family), "a worker outlives its parent")
    assert len(records(tmp_path / "offing")) >= 40, "the workers drained before they ended"


def _traffic(running: Served, name: str, secrets: list[str]) -> None:
    """What goes well and what does not, with coordinates, names and tokens in it."""
    located: dict[str, Any] = {"status": "precise", "lat": 43.5558, "lon": 10.3019, "accuracy_m": 12}
    answer = running.ask(name, context={"location": located}, request_id=f"r-{name[:100]}")
    (item,) = answer["placements"][0]["items"]
    secrets += [token for token in (item["token"],) if token]
    outcome = {"token": item["token"], "outcome": "exposed", "at": "2026-11-21T18:00:00Z"}
    running.post("/v1/outcomes", outcome)
    running.post("/v1/outcomes", {**outcome, "token": item["token"][:-2] + "xx"})
    running.post("/v1/events", event("customer.location", name, {"lat": 43.7412, "lon": 9.7331}, f"l-{name[:90]}"))
    running.post("/v1/events", event("customer.location", name, {"lat": "latitude-x", "lon": 9.7331}, "l"))
    running.post("/v1/events", event("customer.profile", name, {"attributes": {"loyalty_tier": name}}, "p"))
    running.post("/v1/decisions", {"customer_id": name, "placements": [{"placement": name}]})
    lost = {"customer_id": name, "placements": [{"placement": "app.home.hero"}]}
    running.post("/v1/decisions", {**lost, "context": {"location": {**located, "lat": "latitude-x"}}})
    running.get("/v1/decisions/not-one")
    guessed = {**running.headers, "authorization": "Bearer ok_guessed-secret"}
    httpx.post(f"http://127.0.0.1:{running.port}/v1/decisions", json=lost, headers=guessed, timeout=20.0)


# Before anything is started


def settings_of(folder: Path, **more: Any) -> Settings:
    return Settings(artifacts=folder, campaigns=CAMPAIGNS, token_keys=(("k1", "00" * 32),), **more)


def test_a_port_that_is_taken_is_said_with_the_mend() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Stop, match=rf"127\.0\.0\.1:{port} cannot be listened on: .*set OFFING_PORT") as caught:
            listen("127.0.0.1", port)
    assert caught.value.code == "PORT_UNUSABLE"
    with closing(listen("127.0.0.1", 0)) as door:
        assert door.getsockname()[1] > 0


def test_a_metrics_port_that_is_taken_is_said_and_none_is_needed_beside_a_serve(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = settings_of(tmp_path, metrics_port=port)
        with pytest.raises(
            Stop, match=rf"127\.0\.0\.1:{port} cannot be listened on: .*set OFFING_METRICS_PORT"
        ) as caught:
            counting(told, None)
        assert caught.value.code == "PORT_UNUSABLE"
        beside = counting(told, os.getpid())
        assert [path.name for path in (tmp_path / "metrics").glob("*.alive")] == [f"{beside.process}.alive"]
        beside.stop()


def test_a_redis_that_evicts_is_refused_and_one_that_is_away_is_not(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "valkey")
    url = server.start()
    with connect(url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(Stop, match="eviction policy: allkeys-lru; set maxmemory-policy noeviction") as caught:
        preflight(settings_of(tmp_path, redis_url=url))
    assert caught.value.code == "STORE_EVICTS"
    server.stop()
    preflight(settings_of(tmp_path, redis_url=url))


def test_broken_campaigns_are_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        preflight(Settings(artifacts=tmp_path / "a", campaigns=tmp_path))
    assert caught.value.code == "CAMPAIGNS_INVALID"
    assert "attributes.yaml:1:1: UNREADABLE" in caught.value.message


def test_the_tests_own_environment_is_left_out() -> None:
    assert not any(name == "OFFING_REDIS_URL" for name in environment(Path()))

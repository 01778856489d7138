"""The way into Redis: TLS with certificates on both sides, and a user who may do what Offing does and nothing else.

The wheel's Valkey is built without TLS: a proxy of this test's own speaks it in front of the server.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from loadtests.valkey_servers import CLUSTERED, ValkeyServer, free_port, one
from offers import doctor
from offers.runtime import doctors_parts
from streams.address import Address
from streams.errors import Retry
from streams.instant import DAY_MS
from streams.total_store import TotalReader, TotalWriter
from streams.valkey import Client, Keys, connect, connect_async, store_errors
from tests.load import HERE
from tests.service import NOW, offers_of
from tests.shared_service import shared_service
from tests.tls_proxy import TlsProxy, tls_in_front_of

OPERATIONS = Path("docs/operations.md").read_text()
UPGRADE = "cabin-upgrade-inside"
PASSWORD = "sesame-open-the-door"


@contextmanager
def behind_tls(folder: Path, *, clustered: bool) -> Iterator[TlsProxy]:
    """A server; clustered it is a cluster of one that tells its clients the proxy's port."""
    door = free_port()
    options = {**CLUSTERED, "cluster-announce-port": str(door)} if clustered else {}
    with one(folder / "server", options) as server:
        if clustered:
            server.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
            while server.cluster_info()["cluster_state"] != "ok":
                pass
        with tls_in_front_of(server.port, folder, door) as proxy:
            yield proxy


@pytest.mark.parametrize("clustered", [False, True], ids=["one server", "a cluster"])
def test_both_clients_speak_tls_and_show_their_certificate(clustered: bool, tmp_path: Path) -> None:
    huge = b"v" * (1 << 22)
    with behind_tls(tmp_path, clustered=clustered) as proxy:
        url = f"rediss://127.0.0.1:{proxy.port}"
        address = Address(url, clustered, proxy.ca, proxy.cert, proxy.key)

        async def through_the_doors() -> list[object]:
            async with connect_async(address) as doors:
                return await doors.execute("k", (("SET", "k", huge), ("GET", "k"), ("SET", "k", "v")), 5.0)

        for run in (asyncio.run, uvloop.run):
            assert run(through_the_doors()) == [b"OK", huge, b"OK"]
        with connect(address) as client:
            assert client.get("k") == b"v"
            assert client.replies([("GET", "k"), ("GET", "j")]) == [b"v", None]


def test_a_server_that_nobody_vouches_for_and_a_client_without_a_certificate_are_refused(tmp_path: Path) -> None:
    with behind_tls(tmp_path, clustered=False) as proxy:
        url = f"rediss://127.0.0.1:{proxy.port}"
        for address in (Address(url), Address(url, ca=proxy.ca)):
            with connect(address) as client, pytest.raises(Retry), store_errors():
                client.ping()

            async def through_the_doors(where: Address = address) -> list[object]:
                async with connect_async(where) as doors:
                    return await doors.execute("k", (("GET", "k"),), 5.0)

            with pytest.raises(Retry), store_errors():
                asyncio.run(through_the_doors())


def acl_of_the_operators_page(namespace: str) -> list[str]:
    """The words after ACL, as the page has them, for this namespace."""
    (line,) = re.findall(r"^ACL (SETUSER offing .+)$", OPERATIONS, re.MULTILINE)
    patterns = {"~offing:*": f"~{namespace}:*", "~{offing:*": f"~{{{namespace}:*", ">PASSWORD": f">{PASSWORD}"}
    return [patterns.get(word, word) for word in line.split()]


@pytest.mark.parametrize("kind", ["one server", "a cluster"])
def test_the_user_of_the_operators_page_may_do_what_offing_does_and_no_more(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "one server":
        with one(tmp_path / "server") as server:
            serve_as_that_user([server], tmp_path / "artifacts")
    else:
        serve_as_that_user(request.getfixturevalue("own_cluster").servers, tmp_path / "artifacts")


def read_and_pruned(client: Client, keys: Keys) -> None:
    """What all customers together did: read whole, read again by what changed, and what is over forgotten."""
    reader, writer = TotalReader(client, keys), TotalWriter(client, keys)
    assert sum(reader.read().counts.values()) == 1
    for day in ("2026-11-20", "2026-11-21"):
        writer.owe(0, [f"exposed|campaign|spa|day UTC||{day}|"])
        writer.pay()
    assert sum(reader.read().counts.values()) == 3
    writer.prune(0, NOW + 30 * DAY_MS)
    assert sum(TotalReader(client, keys).read().counts.values()) == 1


def serve_as_that_user(servers: Sequence[ValkeyServer], folder: Path) -> None:
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    url, clustered = f"redis://offing:{PASSWORD}@{hosts}", len(servers) > 1
    namespace = f"t{abs(hash(folder)) % 10**9}"
    for server in servers:
        server.ask("ACL", *acl_of_the_operators_page(namespace))
        server.ask("ACL", "LOG", "RESET")
    try:
        with shared_service(folder, url, redis_cluster=clustered) as service:
            assert service.keys.namespace == namespace
            service.gold("c-1")
            fix = service.live.event("customer.location", "c-1", {"lat": 43.5558, "lon": 10.3019, "accuracy_m": 50})
            assert service.send(fix).status_code == 202
            service.folded()
            for turn in ("first", "first", "second"):
                assert offers_of(service.ask("c-1", request_id=turn, context=HERE)) == [UPGRADE]
            assert service.ask("c-1", context={"location": {"status": "denied"}}).json()["degraded"] == []
            shown = service.ask("c-1", request_id="third", context=HERE).json()["placements"][0]["items"][0]["token"]
            outcome = {"token": shown, "outcome": "exposed", "at": "2026-11-21T18:00:00Z"}
            assert service.post("/v1/outcomes", outcome).status_code == 202
            service.folded()
            with connect(service.live.runtime.settings.store(url)) as client:
                read_and_pruned(client, service.keys)
            settings = replace(service.live.runtime.settings, token_keys=(("k1", "00" * 32),))
            found = doctor.examine(doctors_parts(settings, service.live.runtime.ledger))
            assert [each.name for each in found if not each.good and each.name != doctor.DISK] == []
        for server in servers:
            assert server.ask("ACL", "LOG") == [], "nothing was refused"
        with connect(settings.store(url)) as client:
            for forbidden in (("KEYS", "*"), ("GET", "other:key"), ("FLUSHALL",), ("CONFIG", "GET", "*")):
                with pytest.raises(Retry, match="NOPERM"), store_errors():
                    client.execute_command(*forbidden)
    finally:
        for server in servers:
            server.ask("ACL", "DELUSER", "offing")

"""Real servers for the tests: they start, keep their ports, fail over, and never outlive who started them."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from loadtests.valkey_servers import PRIMARIES, ValkeyCluster, ValkeyServer, one
from streams.errors import Stop

CHILD = """
import time
from loadtests.valkey_servers import one
with one() as server:
    print(server.pid, server.folder, flush=True)
    time.sleep(60)
"""


def test_a_killed_server_comes_back_on_its_port_with_its_data(tmp_path: Path) -> None:
    with one(tmp_path) as server:
        url = server.url
        server.ask("CONFIG", "SET", "appendfsync", "always")
        server.ask("SET", "k", "kept")
        server.kill()
        assert not server.alive
        with pytest.raises(Stop) as caught:
            _ = server.pid
        assert caught.value.code == "SERVER_STOPPED"
        server.kill()
        server.start()
        server.start()
        assert (server.url, server.ask("GET", "k")) == (url, "kept")
    assert not server.alive


def test_options_reach_the_server(tmp_path: Path) -> None:
    with one(tmp_path, {"maxmemory": "7777777"}) as server:
        assert server.ask("CONFIG", "GET", "maxmemory") == ["maxmemory", "7777777"]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(Stop) as caught, one(tmp_path, {"maxmemory": "much"}):
        pass
    assert (caught.value.code, "did not start on port" in caught.value.message) == ("SERVER_START", True)


def test_a_cluster_has_three_primaries_and_a_replica_each(valkey_cluster: ValkeyCluster) -> None:
    slots = valkey_cluster.servers[0].slots()
    assert [(first, last) for first, last, *_ in slots] == [(0, 5461), (5462, 10923), (10924, 16383)]
    assert len({port for _, _, *ports in slots for port in ports}) == 2 * PRIMARIES
    assert valkey_cluster.primaries() == tuple(valkey_cluster.servers[:PRIMARIES])
    assert valkey_cluster.owner("foo") is valkey_cluster.servers[2]
    assert [server.following() for server in valkey_cluster.primaries()] == [1, 1, 1]


def test_a_server_does_not_outlive_who_started_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    pid, folder = child.stdout.readline().split()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    deadline = monotonic() + 10
    while running(int(pid)):
        assert monotonic() < deadline
        sleep(0.01)
    ValkeyServer(Path(folder), {}).stop()


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"

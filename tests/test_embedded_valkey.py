"""The embedded Valkey: private, durable, one per folder, and never without its parent."""

import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import pytest

from streams.embedded_valkey import EmbeddedValkey, running
from streams.errors import Stop
from streams.valkey import connect

PATIENCE_S = 20.0


def wait_until_gone(pid: int) -> None:
    deadline = monotonic() + PATIENCE_S
    while monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        sleep(0.005)
    raise AssertionError(f"process {pid} is still there")


def test_it_is_private_and_never_evicts(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "data")
    url = server.start()
    with connect(url) as client:
        settings = client.config_get("*")
    socket = Path(url.removeprefix("unix://"))
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert len(os.fsencode(socket)) <= 107
    assert (settings["port"], settings["maxmemory-policy"]) == ("0", "noeviction")
    assert (settings["appendonly"], settings["appendfsync"], settings["save"]) == ("yes", "everysec", "")
    server.stop()
    assert not socket.parent.exists()


def test_a_stopped_server_starts_again_at_the_same_url_with_everything(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    url = server.start()
    assert server.start() == url
    with connect(url) as client:
        client.set("k", "v")
        server.stop()
        server.stop()
        assert server.start() == url
        assert client.get("k") == b"v"
    server.stop()


def test_a_killed_server_is_started_again(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    url = server.start()
    pid = server.pid
    os.kill(pid, signal.SIGKILL)
    deadline = monotonic() + PATIENCE_S
    while server.alive and monotonic() < deadline:  # a zombie cannot be waited for while other threads of it end
        sleep(0.005)
    assert server.start() == url
    assert server.pid != pid
    server.stop()


def test_a_killed_parent_leaves_no_server_and_loses_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib; from streams.embedded_valkey import EmbeddedValkey; "
        "from streams.valkey import connect; server = EmbeddedValkey(pathlib.Path(sys.argv[1])); "
        "connect(server.start()).set('k', 'v'); print(server.pid, server.url, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid, url = parent.stdout.readline().split()
    assert running(tmp_path) == url
    parent.kill()
    parent.wait()
    parent.stdout.close()
    server = EmbeddedValkey(tmp_path)
    server.start()  # waits for the other one to write its file down
    wait_until_gone(int(pid))
    assert not Path(url.removeprefix("unix://")).parent.exists()
    with connect(server.url) as client:
        assert client.get("k") == b"v"
    server.stop()
    assert running(tmp_path) is None


def test_a_folder_has_one_server_at_a_time(tmp_path: Path) -> None:
    first = EmbeddedValkey(tmp_path)
    first.start()
    with pytest.raises(Stop, match="belongs to another running Offing") as caught:
        EmbeddedValkey(tmp_path, wait_s=0.05).start()
    assert caught.value.code == "STORE_LOCKED"
    first.stop()


def test_a_long_temporary_folder_is_avoided(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    server = EmbeddedValkey(tmp_path / "data", temporary=long)
    assert len(os.fsencode(server.start().removeprefix("unix://"))) <= 107
    server.stop()
    assert list(long.iterdir()) == []


def test_a_thread_may_not_start_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads, pytest.raises(Stop, match="start it from the main one"):
        threads.submit(EmbeddedValkey(tmp_path).start).result()


def test_a_server_that_cannot_start_says_where_to_look(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("not a folder")
    with pytest.raises(Stop, match=r"valkey\.log") as caught:
        EmbeddedValkey(tmp_path).start()
    assert caught.value.code == "STORE_START"

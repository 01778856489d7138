"""One holder on the host, whatever threads and processes want it."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from streams.host_lock import HostLock


def test_a_second_contender_waits_and_gives_up_in_time(tmp_path: Path) -> None:
    one, other = HostLock(tmp_path / "lock"), HostLock(tmp_path / "lock")
    with one.held(0), pytest.raises(TimeoutError, match="another writer"), other.held(0.01):
        pass
    with other.held(0):
        pass
    one.close()
    other.close()


def test_threads_take_turns(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        lock = HostLock(tmp_path / "lock")
        for _ in range(20):
            with lock.held(10):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)
        lock.close()

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 80


def test_a_killed_holder_gives_it_back(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom streams.host_lock import HostLock\n"
        "with HostLock(Path(sys.argv[1])).held(0):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as told:
        assert told.readline() == "held\n"
    lock = HostLock(tmp_path / "lock")
    with pytest.raises(TimeoutError), lock.held(0):
        pass
    child.kill()
    child.wait(10)
    with lock.held(10):
        pass
    lock.close()


def test_a_closed_lock_cannot_be_held(tmp_path: Path) -> None:
    lock = HostLock(tmp_path / "lock")
    lock.close()
    lock.close()
    with pytest.raises(TimeoutError, match="closed"), lock.held(0):
        pass

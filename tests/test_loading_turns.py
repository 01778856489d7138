"""Workers that load the same revision do so one after the other, and none waits for ever."""

import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

from offers import loading_turns
from offers.loading_turns import LoadingTurns
from streams.host_lock import HostLock


@pytest.mark.parametrize(("cores", "at_once"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4)])
def test_half_of_the_cores_are_left_to_those_who_answer(tmp_path: Path, cores: int, at_once: int) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(process: int) -> None:
        with LoadingTurns(tmp_path, process, cores).turn():
            inside.append(process)
            most.append(len(inside))
            sleep(0.02)
            inside.remove(process)

    threads = [Thread(target=work, args=(process,)) for process in range(2 * at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 2 * at_once
    assert max(most) <= at_once


def test_behind_a_frozen_worker_the_others_load_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading_turns, "PATIENCE_S", 0.05)
    frozen = HostLock(tmp_path / "loading-0.lock")
    begun = monotonic()
    with frozen.held(0), LoadingTurns(tmp_path, 7, 2).turn():
        waited = monotonic() - begun
    frozen.close()
    assert waited >= 0.05


def test_where_no_lock_can_be_made_everybody_loads(tmp_path: Path) -> None:
    (tmp_path / "compiled").write_text("a file where the folder should be")
    done = []
    with LoadingTurns(tmp_path / "compiled", 1, 2).turn():
        done.append("loaded")
    assert done == ["loaded"]


def test_a_failure_inside_a_turn_is_told_and_gives_the_turn_back(tmp_path: Path) -> None:
    turns = LoadingTurns(tmp_path, 1, 2)
    with pytest.raises(TimeoutError, match="the loading's own"), turns.turn():
        raise TimeoutError("the loading's own")
    with turns.turn():
        program = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        free = subprocess.run([sys.executable, "-c", program, tmp_path / "loading-0.lock"], capture_output=True)
    assert b"BlockingIOError" in free.stderr

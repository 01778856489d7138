"""Processes of this host: what they are to a service, and what they used."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from loadtests.load.processes import children, cpu_seconds, host_cpu_seconds
from loadtests.load.running import Running


@contextmanager
def child(word: str) -> Iterator[int]:
    """A process of ours with this word in its command line."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", code, word], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        if process.stdout is not None:
            process.stdout.readline()  # the command line is its own from here on
        yield process.pid
        process.kill()


def test_the_cpu_of_processes_that_are_and_of_one_that_is_not() -> None:
    before, begun = cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() - begun < 0.1:
        pass
    assert cpu_seconds(os.getpid()) - before == pytest.approx(0.1, abs=0.06)
    assert host_cpu_seconds() > cpu_seconds(os.getpid())
    assert cpu_seconds(2**22 + 1) == 0.0, "no process has this id"


def test_a_services_children_are_known_by_their_commands() -> None:
    with (
        child("consume") as consumer, child("valkey-server"), child("resource_tracker") as accounts,
        child("spawn_main 1") as first, child("spawn_main 2") as second,
    ):  # fmt: skip
        found = children(os.getpid())
    assert found["consumer"] == consumer and "valkey" in found
    assert {pid for name, pid in found.items() if name.startswith("worker")} >= {first, second}
    assert accounts not in found.values()


def test_a_target_has_settled_once_its_consumer_rests_or_if_it_has_none() -> None:
    with child("consume") as resting:
        Running("http://127.0.0.1:1", "ok_1", "there", {"consumer": resting}).settle()
    running = Running("http://127.0.0.1:1", "ok_secret", "there")
    running.settle()
    assert "ok_secret" not in repr(running)

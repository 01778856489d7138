"""Random and torn YAML through the whole check of a folder: no crash, no hang, little memory."""

import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fuzz import made

ROOT = Path(__file__).parent.parent
SEED = 20_261_122
FILES = 300
BOUND_S = 10.0
"""No file takes longer, on the slowest machine; the slowest here takes a fifth of it."""
MOST_MB = 500
FOR_S = float(os.environ.get("FUZZ_S", "600"))


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of a run."""

    files: int
    slowest_s: float
    rss_mb: int


@contextmanager
def reader(seed: int, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that checks file after file, so that a hang can be ended and memory measured."""
    arguments = [sys.executable, "-m", "tests.fuzz", str(seed), "0", str(folder)]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def watched(seed: int, folder: Path, enough: Callable[[int], bool]) -> Fuzzed:
    """Files 0, 1, ... of a seed until it is enough. Fails with the number of a file that crashes or hangs."""
    files, slowest, rss = 0, 0.0, 0
    with reader(seed, folder) as process:
        assert process.stdout is not None and process.stderr is not None
        bound = 60.0  # its imports
        while not enough(files):
            ready, _, _ = select.select([process.stdout], [], [], bound)
            assert ready, f"file {files} of seed {seed} takes over {bound} s: {made(seed, files)[1][:200]!r}"
            line = process.stdout.readline()
            if not line:
                pytest.fail(f"file {files} of seed {seed} ends the check:\n{process.stderr.read()[-3000:]}")
            number, took, memory = line.split()
            assert int(number) == files
            files, slowest, rss, bound = files + 1, max(slowest, float(took)), max(rss, int(memory)), BOUND_S
    assert rss < MOST_MB, f"{rss} MB after {files} files of seed {seed}"
    return Fuzzed(files, slowest, rss)


def test_300_torn_and_hostile_files_end_in_findings(tmp_path: Path) -> None:
    assert watched(SEED, tmp_path, lambda files: files >= FILES).files == FILES


@pytest.mark.prove
def test_ten_minutes_of_torn_and_hostile_files_end_in_findings(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed, end = int(os.environ.get("FUZZ_SEED", secrets.randbelow(1 << 31))), time.monotonic() + FOR_S
    print(f"FUZZ_SEED={seed}")  # noqa: T201
    record_property("seed", seed)
    found = watched(seed, tmp_path, lambda files: time.monotonic() > end)
    record_property("files", found.files)
    record_property("slowest", f"{found.slowest_s:.2f} s")
    record_property("memory", f"{found.rss_mb} MB")

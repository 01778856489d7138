"""A consumer that another process started: it ends with it, also while it still waits for what it needs."""

import subprocess
import sys
from pathlib import Path

from tests.served import environment, eventually

STARTER = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-m", "offers.cli", "consume", "--while-parent", str(os.getpid())])
"""
NOBODY = "127.0.0.1:1"


def test_a_consumer_that_waits_for_kafka_ends_when_who_started_it_has_ended(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("w") as output:
        subprocess.run(
            [sys.executable, "-c", STARTER],
            env=environment(tmp_path / "offing", LOG=f"kafka://{NOBODY}", TOKEN_KEYS=f"k1:{'5e' * 32}"),
            stdout=output,
            stderr=subprocess.STDOUT,
            check=True,
        )
    eventually(lambda: "PARENT_ENDED" in said.read_text(), "it waits for ever")

"""How long a folder of many campaigns takes, and how much memory: `make prove` writes it down."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.bench import campaigns
from offers import revisions
from tests.makers import NOW

FALLBACKS = 4


@pytest.mark.prove
@pytest.mark.parametrize("live", [1_000, 10_000, 50_000])
def test_a_folder_of_this_many_campaigns_is_checked_compiled_and_loaded_again(
    live: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    campaigns.write(tmp_path / "campaigns", live, NOW)
    kept = revisions.keep(tmp_path / "campaigns", tmp_path / "artifacts")
    first, again = measured(kept), measured(kept)
    assert first["campaigns"] == again["campaigns"] == live + FALLBACKS
    for name, found in (("checked", first), ("from what that left", again)):
        seconds = f"{found['read_s']:.1f} s and compiled in {found['compile_s']:.1f} s"
        record_property(name, f"{seconds}, at most {found['peak_mb']:.0f} MB")


def measured(kept: Path) -> dict[str, float]:
    """A process of its own: memory is what this folder took."""
    run = subprocess.run([sys.executable, "-m", "tests.scale", str(kept)], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found

"""Kept revisions: compiled once in a process, and a folder with errors leaves nothing behind."""

import gc
import shutil
from pathlib import Path

import pytest

from offers import revisions
from streams.errors import InvalidInput
from tests.service import CAMPAIGNS

CABIN = Path("campaigns/cabin-upgrade.yaml")


def test_a_process_that_looks_before_it_serves_compiles_a_revision_once(tmp_path: Path) -> None:
    kept = revisions.keep(CAMPAIGNS, tmp_path)
    assert revisions.catalog_of(kept) is revisions.catalog_of(kept)
    other = shutil.copytree(CAMPAIGNS, tmp_path / "other")
    (other / CABIN).unlink()
    assert revisions.catalog_of(revisions.keep(other, tmp_path)).revision != kept.name


def test_garbage_is_collected_again_after_a_folder_with_errors(tmp_path: Path) -> None:
    broken = shutil.copytree(CAMPAIGNS, tmp_path / "broken")
    (broken / CABIN).write_text("campaign: [")
    with pytest.raises(InvalidInput, match="YAML_SYNTAX"):
        revisions.catalog_of(revisions.keep(broken, tmp_path))
    assert gc.isenabled()


def test_what_changes_beside_the_campaigns_makes_no_revision(tmp_path: Path) -> None:
    folder = shutil.copytree(CAMPAIGNS, tmp_path / "folder")
    before = revisions.fingerprint(folder)
    for name in ("tests/one.yaml", "schema/campaign.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("cases: []\n")
    assert revisions.fingerprint(folder) == before
    kept = revisions.keep(folder, tmp_path / "artifacts")
    assert not (kept / "tests").exists() and (kept / CABIN).exists()
    (folder / "campaigns" / "tests").mkdir()
    (folder / "campaigns" / "tests" / "no-such-place.yaml").write_text("campaign: x\n")
    assert revisions.fingerprint(folder) != before, "only those at the top are beside"

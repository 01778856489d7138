"""Files read before: a folder of which most is known says exactly what it says when all of it is read."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from offers import compiled_folder, read_before, revisions
from offers.folder import LoadedFolder, campaign_files, load_changed, load_folder
from tests.golden_case import DEPLOYMENT

CABIN = Path("cabins/night-cabin.yaml")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEPLOYMENT, tmp_path / "campaigns"))


def kept(desk: Path) -> Path:
    return revisions.keep(desk, desk.parent / "artifacts")


def beside(folder: Path) -> bytes:
    return read_before.beside(folder, revisions.files(folder), frozenset(campaign_files(folder)))


def rewritten(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def told(loaded: LoadedFolder) -> tuple[object, ...]:
    return loaded.campaigns, loaded.findings, loaded.attributes


def one_changed(desk: Path) -> None:
    rewritten(desk / CABIN, "owner: ", "description: other words\nowner: ")


def one_gone(desk: Path) -> None:
    (desk / CABIN).unlink()


def one_more(desk: Path) -> None:
    text = (desk / CABIN).read_text().replace("campaign: night-cabin", "campaign: second-cabin")
    (desk / "cabins/second-cabin.yaml").write_text(text.replace("  id: ", "  id: second-", 1))


def one_moved(desk: Path) -> None:
    (desk / CABIN).rename(desk / "night-cabin.yaml")


def one_with_a_warning(desk: Path) -> None:
    rewritten(desk / CABIN, "  id: ", "  tags: [nobody-else-has-it]\n  id: ")


CHANGES = [one_changed, one_gone, one_more, one_moved, one_with_a_warning]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_folder_with_one_change_is_what_it_is_when_all_of_it_is_read(
    desk: Path, change: Callable[[Path], None]
) -> None:
    before = load_folder(desk)
    change(desk)
    found = load_changed(desk, before.read)
    assert told(found) == told(load_folder(desk))
    assert before.campaigns is not None
    assert found.campaigns is not None
    reused = {id(campaign) for campaign in before.campaigns.campaigns} & {
        id(each) for each in found.campaigns.campaigns
    }
    assert len(reused) >= len(before.campaigns.campaigns) - 1, "files that are the same were read again"


def test_with_an_error_people_are_told_what_a_whole_reading_says(desk: Path) -> None:
    before = load_folder(desk)
    shutil.copyfile(desk / CABIN, desk / "cabins/second-cabin.yaml")
    found = load_changed(desk, before.read)
    assert {finding.code for finding in found.findings} >= {"DUPLICATE_ID"}
    assert told(found) == told(load_folder(desk))


def test_what_publishing_left_is_used_by_the_next_to_publish(desk: Path) -> None:
    first = kept(desk)
    revisions.loaded_of(first)
    one_changed(desk)
    second = kept(desk)
    last = compiled_folder.newest(desk.parent / "artifacts")
    assert last is not None
    known = compiled_folder.read_before(last, beside(second))
    assert len(known.files) == len(list(campaign_files(first)))
    assert told(revisions.loaded_of(second)) == told(load_folder(second))
    assert told(load_changed(second, known)) == told(load_folder(second))


@pytest.mark.parametrize("name", ["attributes.yaml", "placements.yaml", "policies.yaml", "seasons.yaml"])
def test_beside_another_declaration_nothing_is_taken_for_known(desk: Path, name: str) -> None:
    revisions.loaded_of(kept(desk))
    with (desk / name).open("a") as file:
        file.write("# said differently\n")
    last = compiled_folder.newest(desk.parent / "artifacts")
    assert last is not None
    assert compiled_folder.read_before(last, beside(desk)) == read_before.NOTHING


@pytest.mark.parametrize("cut", [0, 40, 5_000, -200, -1])
def test_a_torn_file_is_nothing_that_was_read_before(desk: Path, cut: int) -> None:
    revisions.loaded_of(kept(desk))
    last = compiled_folder.newest(desk.parent / "artifacts")
    assert last is not None
    last.write_bytes(last.read_bytes()[:cut])
    assert compiled_folder.read_before(last, beside(desk)) == read_before.NOTHING
    one_changed(desk)
    again = kept(desk)
    assert told(revisions.loaded_of(again)) == told(load_folder(again))


def test_a_file_that_cannot_be_read_or_is_too_large_stands_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b"#" * (256 * 1024 + 1))
    (tmp_path / "small.yaml").write_bytes(b"#")
    assert [bool(read_before.text_of(name, tmp_path / name)) for name in ("large.yaml", "none.yaml", "small.yaml")] == [
        False,
        False,
        True,
    ]
    assert read_before.text_of("a", tmp_path / "small.yaml") != read_before.text_of("b", tmp_path / "small.yaml")

"""A checked folder as one file: equal to what was read, and never a danger, whatever is in it."""

import os
import pickle
from hashlib import sha256
from pathlib import Path

import pytest

from offers import compiled_folder, revisions
from offers.folder import load_folder
from tests.golden_case import DEPLOYMENT


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return revisions.keep(DEPLOYMENT, tmp_path)


def file_of(kept: Path) -> Path:
    return compiled_folder.path_of(kept.parent.parent, kept.name)


def sealed(content: bytes) -> bytes:
    """With the digest that belongs to it: only what is inside is wrong."""
    return sha256(content).digest() + content


def test_what_is_loaded_is_what_was_checked(kept: Path) -> None:
    checked = load_folder(kept)
    assert compiled_folder.load(kept, file_of(kept)) is None
    compiled_folder.save(checked, file_of(kept))
    found = compiled_folder.load(kept, file_of(kept))
    assert found is not None
    assert (found.campaigns, found.findings, found.attributes) == (
        checked.campaigns,
        checked.findings,
        checked.attributes,
    )
    assert found.places is not None


def test_the_first_to_load_a_revision_leaves_it_for_all_others(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = revisions.catalog_of(kept)
    assert file_of(kept).is_file()
    revisions._whole.cache_clear()
    (kept / "cabins" / "night-cabin.yaml").unlink()  # not looked at any more
    second = revisions.catalog_of(kept)
    revisions._whole.cache_clear()
    assert second is not first
    assert second.layout == first.layout


@pytest.mark.parametrize("cut", [0, 10, 32, 33, 5_000, -100])
def test_a_file_cut_short_is_made_again(kept: Path, cut: int) -> None:
    compiled_folder.save(load_folder(kept), file_of(kept))
    whole = file_of(kept).read_bytes()
    file_of(kept).write_bytes(whole[:cut])
    assert compiled_folder.load(kept, file_of(kept)) is None
    file_of(kept).write_bytes(sealed(whole[32:][:cut]))
    assert compiled_folder.load(kept, file_of(kept)) is None
    revisions._whole.cache_clear()
    revisions.catalog_of(kept)
    revisions._whole.cache_clear()
    again = compiled_folder.load(kept, file_of(kept))
    assert again is not None
    assert again.campaigns == load_folder(kept).campaigns


class Planted:
    """A value that runs something while it is read."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("function", [os.mkdir, revisions.keep, eval])
def test_nothing_but_values_is_read(kept: Path, tmp_path: Path, function: object) -> None:
    mark = tmp_path / "mark"
    file_of(kept).parent.mkdir()
    planted = (
        Planted(function, str(mark))
        if function is not eval
        else Planted(eval, f"__import__('os').mkdir({str(mark)!r})")
    )
    file_of(kept).write_bytes(sealed(pickle.dumps(planted)))
    assert compiled_folder.load(kept, file_of(kept)) is None
    assert not mark.exists()


def test_a_function_of_another_library_is_not_reached_through_a_module_of_ours(kept: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    content = (
        b"\x80\x04\x8c\x10offers.revisions\x8c\x08os.mkdir\x93\x8c"
        + bytes([len(str(mark))])
        + str(mark).encode()
        + b"\x85R."
    )
    file_of(kept).parent.mkdir()
    file_of(kept).write_bytes(sealed(content))
    assert compiled_folder.load(kept, file_of(kept)) is None
    assert not mark.exists()


def test_where_nothing_can_be_written_the_yaml_is_read(kept: Path) -> None:
    file_of(kept).parent.write_text("a file where the folder should be")
    revisions._whole.cache_clear()
    assert len(revisions.catalog_of(kept).layout) > 15
    revisions._whole.cache_clear()


def test_only_the_newest_are_kept(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_folder, "KEPT", 3)
    loaded = load_folder(kept)
    paths = [compiled_folder.path_of(kept.parent.parent, f"r-00000000000{number}") for number in range(5)]
    for number, path in enumerate(paths):
        compiled_folder.save(loaded, path)
        os.utime(path, (number, number))
    compiled_folder.save(loaded, file_of(kept))
    assert [path.exists() for path in (*paths, file_of(kept))] == [False, False, False, True, True, True]


def test_a_folder_with_errors_is_not_kept(kept: Path) -> None:
    (kept / "cabins" / "night-cabin.yaml").write_text("campaign: [")
    compiled_folder.save(load_folder(kept), file_of(kept))
    assert not file_of(kept).exists()

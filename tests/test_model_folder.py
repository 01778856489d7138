"""Model folders: named by their content, whole or not there, and believed only if they are as they were written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.model_folder import MANIFEST, check, draft, finish
from streams.errors import InvalidInput


def written(models: Path, **files: str) -> Path:
    folder = draft(models)
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    return finish(folder, None)


def test_equal_content_is_one_folder_and_other_content_another(tmp_path: Path) -> None:
    one = written(tmp_path, model="trees", card="good")
    assert written(tmp_path, model="trees", card="good") == one
    other = written(tmp_path, model="trees", card="better")
    assert {path.name for path in tmp_path.iterdir()} == {one.name, other.name}
    assert check(one).model == one.name
    assert len(one.name) == 14


def test_a_draft_is_hidden_until_it_is_finished(tmp_path: Path) -> None:
    assert draft(tmp_path / "models").name.startswith(".")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no folder": lambda folder: folder.rename(folder.with_name("elsewhere")),
    "no manifest": lambda folder: (folder / MANIFEST).unlink(),
    "a file is missing": lambda folder: (folder / "model.txt").unlink(),
    "a file is truncated": lambda folder: (folder / "model.txt").write_text("tre"),
    "a file is empty": lambda folder: (folder / "card.txt").write_text(""),
    "the manifest is truncated": lambda folder: (folder / MANIFEST).write_text('{"v": 1, "mod'),
    "another format": lambda folder: (folder / MANIFEST).write_text('{"v": 2, "model": "m-1", "files": {}}'),
    "a file is not listed": lambda folder: (folder / MANIFEST).write_text('{"v": 1, "model": "m-1", "files": {}}'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_folder_that_is_not_as_it_was_written_is_refused_with_the_mend(tmp_path: Path, damage: str) -> None:
    folder = written(tmp_path, model="trees", card="good")
    DAMAGE[damage](folder)
    with pytest.raises(InvalidInput, match="offing train") as caught:
        check(folder)
    assert caught.value.code == "MODEL_INVALID"
    assert str(folder) in caught.value.message

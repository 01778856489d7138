"""Every slip of the hand in a campaign of the example operator is found at its own line."""

import random
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from offers.folder import LoadedFolder, campaign_files, check_folder, load_folder
from streams.findings import Severity
from tests.mutations import Mutation, mutations

EXAMPLE = Path(__file__).parent.parent / "deploy" / "campaigns"
KINDS = {"misspelt key", "duplicate key", "tab", "wrong unit", "wrong level", "swapped nesting"}
BESIDE = ("placements.yaml", "seasons.yaml", "images.yaml", "policies.yaml", "conditions.yaml", "groups")


@pytest.fixture(scope="module")
def example() -> LoadedFolder:
    return load_folder(EXAMPLE)


def every(example: LoadedFolder) -> Iterator[tuple[str, Mutation]]:
    assert example.attributes is not None
    for file in campaign_files(EXAMPLE):
        for mutation in mutations(file.read_text(), example.attributes):
            yield file.relative_to(EXAMPLE).as_posix(), mutation


def missed(folder: Path, example: LoadedFolder, made: Iterable[tuple[str, Mutation]]) -> list[str]:
    """The slips that no error at their own line tells of."""
    assert example.attributes is not None and example.places is not None
    for name in BESIDE:
        if (EXAMPLE / name).is_dir():
            shutil.copytree(EXAMPLE / name, folder / name, dirs_exist_ok=True)
        elif (EXAMPLE / name).exists():
            shutil.copy(EXAMPLE / name, folder / name)
    found = []
    for file, mutation in made:
        (folder / "mutated.yaml").write_text(mutation.text)
        _, findings = check_folder(folder, example.attributes, example.places)
        own = [finding for finding in findings if finding.path == "mutated.yaml"]
        if not any(each.line == mutation.line and each.severity is Severity.ERROR for each in own):
            said = [f"{each.line}: {each.code} {each.message}" for each in own]
            line = mutation.text.splitlines()[mutation.line - 1]
            found.append(f"{mutation.kind} of {mutation.where} in {file}:{mutation.line} {line!r}: {said[:2]}")
    return found


def test_every_kind_of_slip_is_made_of_the_example(example: LoadedFolder) -> None:
    counts = Counter(mutation.kind for _, mutation in every(example))
    assert set(counts) == KINDS
    assert min(counts.values()) >= 50
    assert counts.total() >= 500


def test_a_sample_of_slips_is_found_each_at_its_own_line(tmp_path: Path, example: LoadedFolder) -> None:
    made = sorted(every(example), key=lambda each: (each[1].kind, each[0], each[1].line))
    assert missed(tmp_path, example, random.Random(26).sample(made, 40)) == []


@pytest.mark.prove
def test_every_slip_is_found_at_its_own_line(tmp_path: Path, example: LoadedFolder) -> None:
    assert missed(tmp_path, example, every(example)) == []

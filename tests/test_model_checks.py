"""Every kind of propensity passes every check, and every check catches a propensity that breaks it."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from scoring.features import Propensity, Scorable, Scores
from scoring.fit import Run
from scoring.lineup import lined_up
from scoring.model_folder import COMPILED
from scoring.propensity import load, prior
from scoring.train import train_from_examples
from streams.attributes import AttributeSet
from streams.record import DecisionInputs
from tests.model_checks import ATTRIBUTES, CHECKS, TURNED, Made
from tests.scoring_world import QUICK, world

WITHOUT = pytest.mark.skipif(find_spec("llvmlite") is None, reason="no llvmlite")


@dataclass(frozen=True, slots=True)
class Folders:
    """The same model, trained twice, and once from attributes in another order."""

    first: Path
    again: Path
    turned: Path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Only to be read."""

    def trained(attributes: AttributeSet) -> Path:
        return train_from_examples(world(40), tmp_path_factory.mktemp("models"), attributes, Run(0, 1, QUICK))

    return Folders(trained(ATTRIBUTES), trained(ATTRIBUTES), trained(TURNED))


def of_prior(folders: Folders, scratch: Path) -> Made:
    return Made(prior(ATTRIBUTES), prior(ATTRIBUTES), prior(ATTRIBUTES), prior(TURNED))


def of_folder(form: str, folders: Folders, scratch: Path) -> Made:
    def copied(folder: Path, name: str) -> Propensity:
        made = Path(shutil.copytree(folder, scratch / name / folder.name))
        if form == "booster":
            (made / COMPILED).unlink(missing_ok=True)
        return load(made, ATTRIBUTES)

    return Made(
        copied(folders.first, "first"),
        copied(folders.again, "again"),
        copied(folders.first, "elsewhere"),
        copied(folders.turned, "turned"),
    )


KINDS: Mapping[str, Callable[[Folders, Path], Made]] = {
    "prior": of_prior,
    "booster": partial(of_folder, "booster"),
    "compiled": partial(of_folder, "compiled"),
}
"""By what Propensity.form says."""


@pytest.fixture(scope="module", params=[pytest.param(kind, marks=[WITHOUT] * (kind == "compiled")) for kind in KINDS])
def made(request: pytest.FixtureRequest, folders: Folders, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The axis: each kind."""
    found = KINDS[request.param](folders, tmp_path_factory.mktemp("kinds"))
    assert found.propensity.form == request.param
    return found


@pytest.mark.parametrize("check", CHECKS)
def test_every_kind_passes_every_check(made: Made, check: str) -> None:
    CHECKS[check](made)


Score = Callable[[DecisionInputs, Sequence[Scorable]], Scores]
"""What a spoilt propensity does instead."""


def rising_by_place(score: Score, made: DecisionInputs, items: Sequence[Scorable]) -> Scores:
    found = score(made, items)
    return Scores(found.probability * np.linspace(0.9, 1.0, len(items)), found.rows)


def writing(score: Score, made: DecisionInputs, items: Sequence[Scorable]) -> Scores:
    made.profile.facts["customer.town"] = ("Atlantis", made.now)
    return score(made, items)


def certain(score: Score, made: DecisionInputs, items: Sequence[Scorable]) -> Scores:
    found = score(made, items)
    nothing_known = not made.profile.facts
    return Scores(np.full(len(items), float("nan")) if nothing_known else found.probability, found.rows)


def dearer(score: Score, made: DecisionInputs, items: Sequence[Scorable]) -> Scores:
    found = score(made, items)
    discount = np.array([facts.attributes.get("offer.discount", 0.0) for facts, _ in items], dtype=np.float64)
    return Scores(found.probability * (1 - np.nan_to_num(discount) / 1_000), found.rows)


def crashing_on_none(score: Score, made: DecisionInputs, items: Sequence[Scorable]) -> Scores:
    return Scores(score(made, items).probability, np.empty((len(items) + (not items), 3)))


def turned_round(score: Score, made: DecisionInputs, items: Sequence[Scorable]) -> Scores:
    found = score(made, items)
    return Scores(found.probability, found.rows[:, ::-1].copy())


HOARD: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = []
TURNS = count(1)


def hoarding(score: Score, made: DecisionInputs, items: Sequence[Scorable]) -> Scores:
    HOARD.append(np.zeros(100_000))
    return score(made, items)


def moody(score: Score, made: DecisionInputs, items: Sequence[Scorable]) -> Scores:
    found = score(made, items)
    return Scores(found.probability * (1 - 1e-9 * next(TURNS)), found.rows)


def meeting_only(score: Score, made: DecisionInputs, items: Sequence[Scorable]) -> Scores:
    found = score(made, items)
    met = items is lined_up(items)
    return Scores(found.probability * (0.5 if met else 1.0), found.rows)


def spoilt(propensity: Propensity, how: Callable[..., Scores]) -> Propensity:
    return replace(propensity, score=partial(how, propensity.score))


BREAKS: Mapping[str, Callable[[Made], Made]] = {
    "probabilities": lambda made: replace(made, propensity=spoilt(made.propensity, rising_by_place)),
    "one_row_equals_the_batch": lambda made: replace(made, propensity=spoilt(made.propensity, rising_by_place)),
    "no_candidates": lambda made: replace(made, propensity=spoilt(made.propensity, crashing_on_none)),
    "unseen_and_missing": lambda made: replace(made, propensity=spoilt(made.propensity, certain)),
    "input_untouched": lambda made: replace(made, propensity=spoilt(made.propensity, writing)),
    "column_order": lambda made: replace(made, propensity=spoilt(made.propensity, turned_round)),
    "same_seed_same_bytes": lambda made: replace(made, again=spoilt(made.again, moody)),
    "save_and_load": lambda made: replace(made, elsewhere=prior(ATTRIBUTES)),
    "monotone_where_declared": lambda made: replace(made, propensity=spoilt(made.propensity, dearer)),
    "bounded_memory": lambda made: replace(made, propensity=spoilt(made.propensity, hoarding)),
    "any_thread": lambda made: replace(made, propensity=spoilt(made.propensity, moody)),
    "logged_rows": lambda made: replace(made, propensity=spoilt(made.propensity, moody)),
    "says_what_it_reads": lambda made: replace(made, propensity=replace(made.propensity, reads=frozenset())),
    "met_beforehand": lambda made: replace(made, propensity=spoilt(made.propensity, meeting_only)),
}


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_catches_a_propensity_that_breaks_it(folders: Folders, tmp_path: Path, check: str) -> None:
    broken = BREAKS[check](of_folder("booster", folders, tmp_path))
    try:
        with pytest.raises(AssertionError):
            CHECKS[check](broken)
    finally:
        HOARD.clear()

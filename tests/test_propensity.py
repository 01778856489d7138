"""What the prior and the model folders say and refuse; what every kind must do is in tests/model_checks.py."""

import io
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.fit import Recipe, Run
from scoring.model_folder import CALIBRATION, COMPILED, FEATURES, MODEL, digest, model_id
from scoring.propensity import load, open_model, prior
from scoring.train import train_from_examples
from streams.attributes import Attribute, Kind, attribute_set
from streams.errors import InvalidInput
from streams.ids import OfferId
from streams.record import NOTHING
from tests.decision_log import inputs
from tests.model_checks import equal, slate
from tests.scoring_world import ATTRIBUTES, SPA, facts, trained, world

AVAILABLE = find_spec("llvmlite") is not None
NEEDED = pytest.mark.skipif(not AVAILABLE, reason="no llvmlite")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small model for this module, compiled where that is possible; copy it to change it."""
    return trained(tmp_path_factory.mktemp("models"))


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / folder.name))


def test_the_prior_says_what_the_offers_declare() -> None:
    made, _ = slate()
    offers = [facts("a", "bar_visits", 0.0, mean) for mean in (0.01, 0.2, 0.9)]
    assert prior(ATTRIBUTES).score(made, [(offer, NOTHING) for offer in offers]).probability.tolist() == [
        0.01,
        0.2,
        0.9,
    ]
    assert (prior(ATTRIBUTES).model, prior(ATTRIBUTES).form) == ("prior", "prior")


def test_a_model_has_learnt_tastes_and_a_new_offer_starts_as_declared(folder: Path) -> None:
    propensity = load(folder)
    keen, bored = (
        propensity.score(inputs(spa_visits=visits, bar_visits="never"), [(SPA, NOTHING)]).probability[0]
        for visits in ("often", "never")
    )
    assert keen > 1.5 * bored
    new = facts("brand-new", "spa_visits", 30.0, mean=0.123)
    assert propensity.score(inputs(spa_visits="often"), [(new, NOTHING)]).probability[0] == pytest.approx(0.123)


@NEEDED
def test_the_compiled_trees_say_what_the_booster_says_to_the_last_bit(folder: Path, tmp_path: Path) -> None:
    plain = copied(folder, tmp_path)
    (plain / COMPILED).unlink()
    draw = np.random.default_rng(0)
    rows = draw.normal(scale=20, size=(500, len(open_model(folder).plan.features.columns)))
    rows[draw.random(rows.shape) < 0.3] = np.nan
    compiled, booster = open_model(folder), open_model(plain)
    assert (compiled.form, booster.form) == ("compiled", "booster")
    assert compiled.margins(rows).tobytes() == booster.margins(rows).tobytes()


def truncate(copy: Path, told: dict[str, str], scratch: Path) -> None:
    (copy / COMPILED).write_bytes((copy / COMPILED).read_bytes()[:-100])


def remove(copy: Path, told: dict[str, str], scratch: Path) -> None:
    (copy / COMPILED).unlink()


def for_another_processor(copy: Path, told: dict[str, str], scratch: Path) -> None:
    told["target"] = f"masks-1-{'big' if sys.byteorder == 'little' else 'little'}"


def of_another_version(copy: Path, told: dict[str, str], scratch: Path) -> None:
    told["target"] = f"masks-2-{sys.byteorder}"


def put(copy: Path, told: dict[str, str], body: bytes) -> None:
    (copy / COMPILED).write_bytes(body)
    told["digest"] = digest(body)


def of_another_training(copy: Path, told: dict[str, str], scratch: Path) -> None:
    put(copy, told, (trained(scratch / "others", seed=5) / COMPILED).read_bytes())


def no_tables(copy: Path, told: dict[str, str], scratch: Path) -> None:
    put(copy, told, b"PK, but nothing of the kind")


def tables_that_do_not_fit_together(copy: Path, told: dict[str, str], scratch: Path) -> None:
    with np.load(copy / COMPILED) as read:
        arrays = {name: read[name] for name in read.files}
    body = io.BytesIO()
    np.savez(body, **arrays | {"columns": arrays["columns"] + 10_000})
    put(copy, told, body.getvalue())


DAMAGE: dict[str, tuple[Callable[[Path, dict[str, str], Path], None], str]] = {
    "truncated": (truncate, "truncated or changed"),
    "not there": (remove, "No such file"),
    "for another processor": (for_another_processor, f"this is masks-1-{sys.byteorder}"),
    "of another version": (of_another_version, f"is for masks-2-{sys.byteorder}"),
    "of another training": (of_another_training, "does not say what the booster says"),
    "no tables": (no_tables, "is not readable"),
    "inconsistent": (tables_that_do_not_fit_together, "is not of this model"),
}


@NEEDED
@pytest.mark.parametrize("damage", DAMAGE)
def test_compiled_trees_that_cannot_be_trusted_leave_the_work_to_the_booster(
    folder: Path, tmp_path: Path, damage: str
) -> None:
    copy = copied(folder, tmp_path)
    manifest = msgspec.json.decode((copy / "manifest.json").read_bytes())
    spoilt, why = DAMAGE[damage]
    spoilt(copy, manifest["compiled"], tmp_path)
    (copy / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    found = load(copy)
    assert (found.form, found.model) == ("booster", folder.name)
    assert why in found.hindered
    made, items = slate()
    assert equal(found.score(made, items), load(folder).score(made, items))


@NEEDED
@pytest.mark.parametrize("machine", ["x86_64", "pdp11"])
def test_a_model_compiled_by_an_earlier_version_has_its_masks_made_when_it_is_loaded(
    folder: Path, tmp_path: Path, machine: str
) -> None:
    copy = copied(folder, tmp_path)
    (copy / COMPILED).rename(copy / "compiled.o")
    manifest = msgspec.json.decode((copy / "manifest.json").read_bytes())
    manifest["compiled"] = {"machine": machine, "target_cpu": "x86-64", "target_features": "", "digest": "0" * 32}
    (copy / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    found = load(copy)
    assert (found.form, found.hindered) == ("compiled", "")
    made, items = slate()
    assert equal(found.score(made, items), load(folder).score(made, items))


def test_trees_with_more_leaves_than_a_word_has_bits_are_the_boosters(tmp_path: Path) -> None:
    recipe = Recipe(rounds=(3,), leaves=100, least_rows=1, learning_rate=0.3)
    large = load(train_from_examples(world(), tmp_path, ATTRIBUTES, Run(0, 1, recipe)))
    assert large.form == "booster"
    assert "leaves, more than 64" in large.hindered or not AVAILABLE


def spoil(path: Path, body: bytes) -> None:
    """Changed behind the manifest's back, digest and name and all."""
    path.write_bytes(body)
    folder = path.parent
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
    manifest["files"][path.name] = digest(body)
    manifest["model"] = model_id(manifest["files"])
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))


SPOILT: dict[str, Callable[[Path], None]] = {
    "no trees": lambda folder: spoil(folder / MODEL, b"tree\nversion=v4\n"),
    "half the trees": lambda folder: spoil(folder / MODEL, (folder / MODEL).read_bytes()[:3_000]),
    "features of another format": lambda folder: spoil(folder / FEATURES, b'{"v": 1, "columns": [{"name": "x"}]}'),
    "too few features": lambda folder: spoil(folder / FEATURES, b'{"v": 1, "columns": []}'),
    "no calibration": lambda folder: spoil(folder / CALIBRATION, b"{}"),
    "not there": shutil.rmtree,
}


@pytest.mark.parametrize("damage", SPOILT)
def test_a_model_that_cannot_be_read_is_refused_with_the_mend(folder: Path, tmp_path: Path, damage: str) -> None:
    copy = copied(folder, tmp_path)
    SPOILT[damage](copy)
    with pytest.raises(InvalidInput, match="offing train") as caught:
        load(copy)
    assert caught.value.code == "MODEL_INVALID"


def test_a_model_that_reads_what_was_declared_protected_since_is_refused(folder: Path) -> None:
    protected = attribute_set((Attribute("customer", "bar_visits", 1, Kind.ENUM, ("never", "often"), protected=True),))
    with pytest.raises(InvalidInput, match=r"customer\.bar_visits") as caught:
        load(folder, protected)
    assert caught.value.code == "MODEL_PROTECTED"


def test_the_model_is_named_by_its_folder_and_knows_its_offers(folder: Path) -> None:
    model = open_model(folder)
    assert model.id == folder.name == load(folder).model
    assert model.evidence.of(OfferId("spa")) > 100 > model.evidence.of(OfferId("brand-new")) == 0

"""Every kind of propensity goes through the same checks: prior, booster, compiled."""

import math
import shutil
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.features import Propensity, Scorable, Scores
from scoring.lineup import Lineup, lined_up
from scoring.model_folder import CALIBRATION, COMPILED, FEATURES, MODEL, digest, model_id
from scoring.propensity import PARITY, load, open_model, prior
from streams.attributes import Attribute, Kind, attribute_set
from streams.errors import InvalidInput
from streams.ids import OfferId
from streams.record import NOTHING, DecisionInputs, decode, encode
from streams.whereabouts import NOWHERE
from tests.decision_log import inputs, record, scorables
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES, BAR, QUIZ, SPA, decided, facts, passenger, subject, trained

AVAILABLE = find_spec("lleaves") is not None
FORMS = ["prior", "booster", pytest.param("compiled", marks=pytest.mark.skipif(not AVAILABLE, reason="no lleaves"))]
CROWD = [facts(f"o{number}", "spa_visits", float(number % 40)) for number in range(97)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small model for this module, compiled where that is possible; copy it to change it."""
    return trained(tmp_path_factory.mktemp("models"))


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / folder.name))


@pytest.fixture(params=FORMS)
def propensity(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Propensity:
    """The axis: each kind of scorer."""
    if request.param == "prior":
        return prior(ATTRIBUTES)
    copy = copied(folder, tmp_path)
    if request.param == "booster":
        (copy / COMPILED).unlink(missing_ok=True)
    found = load(copy, ATTRIBUTES)
    assert found.form == request.param
    return found


def slate() -> tuple[DecisionInputs, list[Scorable]]:
    made = decided(passenger(4), NOW, 4, {})
    booked = made.subjects["booking:each"][0]
    return made, [(BAR, NOTHING), (SPA, booked), (QUIZ, booked), *((offer, subject(6_000)) for offer in CROWD)]


def equal(one: Scores, other: Scores) -> bool:
    return one.probability.tobytes() == other.probability.tobytes() and one.rows.tobytes() == other.rows.tobytes()


def test_scores_are_probabilities_in_the_order_asked_with_the_rows_they_came_from(propensity: Propensity) -> None:
    made, items = slate()
    scores = propensity.score(made, items)
    assert scores.probability.shape == (100,)
    assert ((scores.probability > 0) & (scores.probability < 1)).all()
    assert scores.rows.shape == (100, len(propensity.features))
    backwards = propensity.score(made, items[::-1])
    assert equal(Scores(backwards.probability[::-1], backwards.rows[::-1]), scores)


def test_one_row_equals_the_batch(propensity: Propensity) -> None:
    made, items = slate()
    batch = propensity.score(made, items)
    for spot in (0, 1, 57, 99):
        alone = propensity.score(made, items[spot : spot + 1])
        assert alone.rows.tobytes() == batch.rows[spot : spot + 1].tobytes()
        assert alone.probability[0] == pytest.approx(batch.probability[spot], abs=1e-12)


def test_no_candidates_give_no_scores(propensity: Propensity) -> None:
    made, _ = slate()
    scores = propensity.score(made, [])
    assert (scores.probability.shape, scores.rows.shape) == ((0,), (0, len(propensity.features)))


def test_nothing_known_and_nothing_ever_seen_before_still_give_a_probability(propensity: Propensity) -> None:
    unknown = inputs(customer="nobody")
    strange = inputs(town="Atlantis", bar_visits="always", mood="good", newsletter=3.5)
    oddity = facts("brand-new", "no_such_attribute", math.nan)
    for made in (unknown, strange, msgspec.structs.replace(unknown, whereabouts=NOWHERE)):
        scores = propensity.score(made, [(oddity, NOTHING), (SPA, subject(0))])
        assert np.isfinite(scores.probability).all()


def test_inputs_are_left_as_they_were(propensity: Propensity) -> None:
    made, items = slate()
    before = encode(record(made, items))
    propensity.score(made, items)
    assert encode(record(made, items)) == before


def test_the_same_question_has_the_same_answer_from_any_thread(propensity: Propensity) -> None:
    made, items = slate()
    first = propensity.score(made, items)
    with ThreadPoolExecutor(4) as pool:
        assert all(equal(first, again) for again in pool.map(lambda _: propensity.score(made, items), range(24)))


def test_logged_rows_and_scores_come_again_from_the_decoded_record(propensity: Propensity) -> None:
    made, items = slate()
    made = msgspec.structs.replace(made, subjects={"booking:each": (items[1][1],), "venue": (subject(6_000),)})
    logged = decode(encode(record(made, items, propensity)))
    again = propensity.score(logged.inputs, scorables(logged))
    assert np.array([item.row for item in logged.shown]).tobytes() == again.rows.tobytes()
    assert [item.score for item in logged.shown] == again.probability.tolist()


def test_memory_is_bounded_however_many_offers_come_and_go(propensity: Propensity) -> None:
    made, _ = slate()

    def wave(start: int) -> None:
        for number in range(start, start + 2_000, 100):
            offers = [facts(f"passing-{spot % 500}", "spa_visits", float(spot)) for spot in range(number, number + 100)]
            propensity.score(made, [(offer, NOTHING) for offer in offers])

    wave(0)
    tracemalloc.start()
    wave(2_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 4_000_000


def test_it_says_what_it_reads_and_never_anything_protected(propensity: Propensity) -> None:
    assert {"customer.bar_visits", "context.local_hour", "counters"} <= propensity.reads
    assert "customer.gender" not in propensity.reads
    assert not any("gender" in name for name in propensity.features)


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


@pytest.mark.skipif(not AVAILABLE, reason="no lleaves")
def test_the_compiled_trees_say_what_the_booster_says(folder: Path, tmp_path: Path) -> None:
    plain = copied(folder, tmp_path)
    (plain / COMPILED).unlink()
    draw = np.random.default_rng(0)
    rows = draw.normal(scale=20, size=(500, len(open_model(folder).plan.features.columns)))
    rows[draw.random(rows.shape) < 0.3] = np.nan
    difference = np.abs(open_model(folder).margins(rows) - open_model(plain).margins(rows))
    assert difference.max() <= PARITY


@pytest.mark.skipif(not AVAILABLE, reason="no lleaves")
@pytest.mark.parametrize("damage", ["truncated", "another machine", "disagrees"])
def test_a_compiled_object_that_cannot_be_trusted_leaves_the_work_to_the_booster(
    folder: Path, tmp_path: Path, damage: str
) -> None:
    copy = copied(folder, tmp_path)
    manifest = msgspec.json.decode((copy / "manifest.json").read_bytes())
    if damage == "truncated":
        (copy / COMPILED).write_bytes((copy / COMPILED).read_bytes()[:-100])
    elif damage == "another machine":
        manifest["compiled"]["machine"] = "pdp11"
    else:
        other = trained(tmp_path / "others", seed=5)
        shutil.copy(other / COMPILED, copy / COMPILED)
        manifest["compiled"]["digest"] = digest((copy / COMPILED).read_bytes())
    (copy / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    found = load(copy)
    assert (found.form, found.model) == ("booster", folder.name)
    made, items = slate()
    assert equal(found.score(made, items), load(copy).score(made, items))


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


def test_a_book_that_was_met_scores_as_one_that_was_not(propensity: Propensity) -> None:
    made, items = slate()
    met = lined_up(items)
    propensity.meet(met.book)
    assert equal(propensity.score(made, met), propensity.score(made, items))
    again = Lineup(met.book, met.positions[::-1], met.subjects, met.about[::-1])
    backwards = propensity.score(made, again)
    assert equal(Scores(backwards.probability[::-1], backwards.rows[::-1]), propensity.score(made, items))

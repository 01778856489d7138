"""Contributions: they add up to the margin, one line per fact, and say why this customer and this offer."""

import math
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from offers.contributed import lines_of, of_record, of_record_or_why_not, of_shown
from scoring.contributions import MOST, Explainer, ItemContributions, explainer, lines
from scoring.model_folder import FEATURES, MODEL
from scoring.propensity import load, open_model, prior
from streams.errors import InvalidInput
from streams.ids import ModelId, OfferId
from streams.record import DecisionRecord
from tests.decision_log import record
from tests.scoring_world import ATTRIBUTES, BAR, QUIZ, SPA, examples, passenger, trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the first 60 people of the world."""
    return trained(tmp_path_factory.mktemp("models"))


def decided(folder: Path, customer: int = 61) -> DecisionRecord:
    """Somebody's seventh decision, which showed all three offers."""
    mine = [each for each in examples(customer + 1) if each.inputs.request.customer_id == f"c-{customer}"]
    made = mine[6].inputs
    about = made.subjects["booking:each"][0]
    return record(made, [(offer, about) for offer in (BAR, SPA, QUIZ)], load(folder, ATTRIBUTES))


@pytest.mark.parametrize("customer", range(60, 72))
def test_base_contributions_and_the_rest_are_the_margin_that_was_scored(folder: Path, customer: int) -> None:
    made = decided(folder, customer)
    model = open_model(folder)
    for item, found in zip(made.shown, Explainer(folder).of(made.shown), strict=True):
        (margin,) = model.margins(np.array([item.row]))
        added = math.fsum(each.log_odds for each in found.contributions)
        assert found.base + added + found.rest == pytest.approx(margin, abs=1e-9)
        assert found.margin == pytest.approx(margin, abs=1e-9)
        assert found.modelled == pytest.approx(model.calibration.apply(np.array([margin]))[0], abs=1e-12)
        assert (found.offer_id, found.about, found.score) == (item.offer.offer_id, item.about, item.score)


def test_one_line_per_fact_the_largest_first_and_few_of_them(folder: Path) -> None:
    for found in Explainer(folder).of(decided(folder).shown):
        told = [each.feature for each in found.contributions]
        assert 1 <= len(told) <= MOST
        assert len(told) == len(set(told))
        sizes = [abs(each.log_odds) for each in found.contributions]
        assert sizes == sorted(sizes, reverse=True)
        assert not any("=" in name or "~" in name or "#" in name for name in told)


def test_who_goes_to_spas_often_is_told_so_for_the_spa_and_for_it_alone(folder: Path) -> None:
    who = next(n for n in range(60, 200) if _visits(n) == ("never", "often"))
    bar, spa, _ = Explainer(folder).of(decided(folder, who).shown)
    assert spa.score > bar.score
    (in_favour,), (against,) = (
        [each for each in item.contributions if each.feature == "own_kind"] for item in (spa, bar)
    )
    assert in_favour.words == "the customer's spa visits, which is this offer's own kind: often"
    assert against.words == "the customer's bar visits, which is this offer's own kind: never"
    assert in_favour.log_odds > 0.1 > -0.1 > against.log_odds


def _visits(number: int) -> tuple[object, object]:
    facts = passenger(number).facts
    return facts.get("customer.bar_visits", ("", 0))[0], facts["customer.spa_visits"][0]


def test_lines_for_a_person_say_the_chance_the_average_and_what_each_feature_added(folder: Path) -> None:
    found = Explainer(folder).of(decided(folder).shown)[1]
    told = lines(found)
    assert told[0] == f"spa ({found.about}): {found.score:.1%} = {found.start.words}"
    assert told[1] == f"  {found.base:+.2f}  on average, in log odds"
    assert told[2] == f"  {found.contributions[0].log_odds:+.2f}  {found.contributions[0].words}"
    assert msgspec.json.decode(msgspec.json.encode(found), type=ItemContributions) == found


def test_how_far_the_model_is_trusted_with_each_offer_is_told_and_makes_the_score(folder: Path) -> None:
    evidence = open_model(folder).evidence
    for item, found in zip((made := decided(folder)).shown, Explainer(folder).of(made.shown), strict=True):
        start = found.start
        assert start.score == pytest.approx(item.score, abs=1e-9)
        assert (start.declared, start.evidence) == (item.offer.starting_mean, item.offer.starting_evidence)
        assert start.exposures == evidence.exposures[item.offer.offer_id] > 0
        assert start.modelled == found.modelled
        assert start.words.startswith(f"{round(100 * start.weight)} % model ({found.modelled:.2g} after ")


def test_an_offer_that_the_model_has_not_seen_is_told_to_be_what_it_declares(folder: Path) -> None:
    made = decided(folder)
    unseen = msgspec.structs.replace(made.shown[0].offer, offer_id=OfferId("new"), starting_mean=0.03)
    (found,) = Explainer(folder).of([msgspec.structs.replace(made.shown[0], offer=unseen, score=0.03)])
    assert (found.start.weight, found.start.score) == (0.0, 0.03)
    assert found.start.words.startswith("100 % declared (0.03, worth 20): the model (")


def test_fallbacks_have_none_and_of_the_prior_what_was_declared_is_told(folder: Path, tmp_path: Path) -> None:
    made = msgspec.structs.replace(decided(folder), model=ModelId("prior"))
    shown = tuple(msgspec.structs.replace(item, score=item.offer.starting_mean) for item in made.shown)
    found = of_shown(shown, prior(ATTRIBUTES))
    assert [each.start.words for each in found] == [
        f"declared ({item.offer.starting_mean:.2g}, worth {item.offer.starting_evidence:.4g}); no model decided"
        for item in shown
    ]
    assert [(each.contributions, each.rest, each.base - each.margin) for each in found] == [((), 0.0, 0.0)] * 3
    assert of_record(msgspec.structs.replace(made, shown=shown), tmp_path) == found
    assert msgspec.json.decode(msgspec.json.encode(found), type=tuple[ItemContributions, ...]) == found
    assert [len(lines(each)) for each in found] == [1, 1, 1]
    unscored = tuple(msgspec.structs.replace(item, score=None, row=()) for item in made.shown)
    assert Explainer(folder).of(unscored) == of_shown(unscored, prior(ATTRIBUTES)) == ()


def test_a_record_is_explained_by_the_model_that_decided_then(folder: Path) -> None:
    made = decided(folder)
    assert of_record(made, folder.parent) == Explainer(folder).of(made.shown) == of_shown(made.shown, load(folder))
    assert next(lines_of(made, folder.parent)).startswith("bar (booking:")
    assert explainer(folder) is explainer(folder)


def test_a_model_that_is_gone_cut_off_or_of_other_columns_is_told_and_never_ends_the_process(
    folder: Path, tmp_path: Path
) -> None:
    made = decided(folder)
    found, why = of_record_or_why_not(made, tmp_path)
    assert found == ()
    assert f"the model in {tmp_path / folder.name} cannot be used" in why
    assert next(lines_of(made, tmp_path)).startswith("what each feature added is not known: ")
    cut = shutil.copytree(folder, tmp_path / folder.name)
    (cut / MODEL).write_text((cut / MODEL).read_text()[:500])
    with pytest.raises(InvalidInput, match=f"{MODEL} is not what was written"):
        Explainer(cut).of(made.shown)
    short = tuple(msgspec.structs.replace(item, row=item.row[1:]) for item in made.shown)
    with pytest.raises(InvalidInput, match=FEATURES):
        Explainer(folder).of(short)

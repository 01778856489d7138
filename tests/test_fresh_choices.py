"""What models would have chosen on the lake's fresh decisions, as the gate is told it: against what they truly earn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loadtests.results.learning_campaigns import files
from loadtests.results.learning_world import World, night
from offers import fresh_choices, revisions
from offers.catalog import Catalog
from offers.retraining import Asked, train
from scoring.cross_validation import quietly
from scoring.off_policy import difference
from scoring.propensity import prior
from scoring.retrain import Choices
from streams.errors import NotFound
from streams.ids import RevisionId
from streams.lake import Lake
from streams.record import encode
from streams.settings import Settings
from tests.catalogs import NOW
from tests.deciding import declared
from tests.scoring_world import QUICK
from tests.shop_log import GUESSED, KNOWING, LATER, RATES, decided, fill, shop, true_value

SHOP = shop()
WRONG = declared({name: 0.6 - rate for name, rate in RATES.items()})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = Lake(tmp_path_factory.mktemp("lake"))
    fill(made, (decided(SHOP, number) for number in range(900)))
    return made


def asked(lake: Lake, kept: bool = True) -> Choices:
    def catalog_of(revision: RevisionId) -> Catalog:
        if not kept:
            raise NotFound("REVISION_UNKNOWN", f"no revision {revision}")
        return SHOP

    return fresh_choices.of_answers(lambda after: fresh_choices.answers(lake, LATER, after), LATER, catalog_of)


def test_both_are_asked_about_the_same_items_and_the_difference_is_what_they_truly_earn(lake: Lake) -> None:
    knowing, wrong = asked(lake)((KNOWING, WRONG), NOW + 100_000)
    assert len(knowing.reward) == len(wrong.reward) == 799, "only decisions after the instant"
    found = difference(knowing, wrong)
    assert found.why == ()
    low, high = found.more.interval
    true = 10 * (true_value(SHOP, KNOWING) - true_value(SHOP, WRONG))
    assert 0 < low <= true <= high
    assert np.array_equal(knowing.propensity, wrong.propensity)


def test_without_the_revision_or_after_the_last_decision_there_is_nothing_to_ask(lake: Lake, tmp_path: Path) -> None:
    assert asked(lake, kept=False)((KNOWING, GUESSED), NOW) == ()
    assert asked(lake)((KNOWING, GUESSED), LATER) == ()
    assert fresh_choices.of_lake(lake, tmp_path, LATER)((KNOWING, GUESSED), NOW) == ()


@pytest.mark.prove
def test_a_training_from_the_lake_says_what_choosing_by_its_model_is_worth(
    record_property: Callable[[str, object], None], tmp_path: Path
) -> None:
    """Whole: a kept revision, the lake, the ledger, the candidate and the prior that it is judged against."""
    folder = tmp_path / "campaigns"
    for path, text in files(explore=1.0, a_kind=1):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    settings = Settings(artifacts=tmp_path / "artifacts", campaigns=folder)
    world = World(3, explore=1.0, a_kind=1)
    world.catalog = revisions.catalog_of(revisions.keep(folder, settings.artifacts))
    for day in range(2):
        records = world.decide(day, prior(world.catalog.attributes), 1_000)
        outcomes = world.outcomes(records)
        world.remember(records, outcomes)
        lake = Lake(settings.lake)
        lake.append_decisions([(each, encode(each)) for each in records])
        lake.append_outcomes(outcomes)
    made = train(settings, Asked(now=night(1), recipe=QUICK), quietly)
    assert made.verdict is not None
    value = next(each for each in made.verdict.criteria if each.name == "value")
    assert value.measured is not None, value.said
    assert value.interval is not None
    assert value.interval[0] < value.measured < value.interval[1]
    assert "not surely worse than prior's" in value.said
    assert f"{made.verdict.rows:,} items" in value.said
    record_property("with", value.said)

"""Drift: planted changes are found and named, none is none, and what cannot be known is said to be unknown."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from scoring.drift import DriftReport, distribution_of, drift, drift_of_lake
from scoring.drift_page import advice, page
from scoring.examples import Example
from scoring.fit import Run
from scoring.model_folder import DISTRIBUTION
from scoring.propensity import load
from scoring.train import train_from_examples
from streams.attributes import Value
from streams.errors import InvalidInput
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS
from streams.lake import Lake
from streams.record import FactDict, OfferFacts, encode
from tests.decision_log import decision_id, outcome, record
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES, QUICK, examples

LATER = 7 * DAY_MS
END = NOW + LATER + DAY_MS
MODEL_V1 = Path(__file__).parent / "samples" / "model.v1"
Change = Callable[[Example], Example]


def moved(example: Example, by: Millis) -> Example:
    """The same decision, and all that was known of it, so much later: weekday and hour stay what they were."""
    made = example.inputs
    profile = msgspec.structs.replace(made.profile, facts=_later(made.profile.facts, by), counters={})
    request = msgspec.structs.replace(made.request, context=_later(made.request.context, by))
    (subject,) = made.subjects["booking:each"]
    about = msgspec.structs.replace(subject, facts=_later(subject.facts, by))
    inputs = msgspec.structs.replace(
        made,
        decision_id=decision_id(made.now + by, UUID(made.decision_id).int & 0xFFFF),
        now=made.now + by,
        profile=profile,
        request=request,
        subjects={"booking:each": (about,)},
    )
    offers = [(_ending(offer, inputs.now), about) for offer, _ in example.items]
    return replace(example, inputs=inputs, items=tuple(offers))


def _ending(offer: OfferFacts, at: Millis) -> OfferFacts:
    """In 0 to 47 hours: the world's instant would tell when people decide."""
    return msgspec.structs.replace(
        offer, attributes={**offer.attributes, "offer.until": at + at // 1_000 % 48 * HOUR_MS}
    )


def _later(facts: FactDict, by: Millis) -> FactDict:
    changed: FactDict = {name: (value, at + by) for name, (value, at) in facts.items()}
    for name in ("customer.member_since", "context.nearest_port_distance"):
        value, at = changed.get(name, (None, 0))
        if isinstance(value, int | float):  # the world's distance is the number of the decision
            changed[name] = (value + by if name == "customer.member_since" else at // 1_000 % 97, at)
    return changed


def of_people(
    first: int, last: int, by: Millis = 0, change: Change = lambda each: each
) -> Callable[[], Iterator[Example]]:
    """Decisions of the world's people from `first` to before `last`, without anybody's history."""

    def run() -> Iterator[Example]:
        for each in examples(last, 6, history=False):
            if int(each.inputs.request.customer_id[2:]) >= first:
                yield change(moved(each, by))

    return run


def told(example: Example, name: str, value: Value | None) -> Example:
    """The customer says something else, or nothing any more."""
    facts = {key: fact for key, fact in example.inputs.profile.facts.items() if key != name}
    if value is not None:
        facts[name] = (value, example.inputs.now)
    profile = msgspec.structs.replace(example.inputs.profile, facts=facts)
    return replace(example, inputs=msgspec.structs.replace(example.inputs, profile=profile))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 150 people."""
    models = tmp_path_factory.mktemp("models")
    return train_from_examples(of_people(0, 150), models, ATTRIBUTES, Run(0, 1, QUICK))


def found_after(folder: Path, change: Change = lambda each: each) -> DriftReport:
    """What 150 other people of a week later show."""
    return drift(folder, of_people(150, 300, LATER, change), END)


def test_other_people_of_the_same_kind_are_no_drift(folder: Path) -> None:
    found = found_after(folder)
    assert (found.verdict, found.rows, found.customers) == ("stable", 900, 150)
    assert found.score is not None
    assert found.score.level == "stable"
    assert [each.feature for each in found.features if each.level != "stable"] == []
    assert found.calibration.interval is not None
    assert found.calibration.interval[0] <= 1 <= found.calibration.interval[1]
    assert found.prior.decisions == found.prior.by_prior == 900
    assert 0 < found.prior.declared < 0.2
    assert list(advice(found)) == ["nothing"]
    assert found.age_ms == END - max(each.inputs.now for each in of_people(0, 150)())


def test_a_fact_that_stopped_coming_is_named_with_its_mend_and_so_is_the_cross_that_reads_it(folder: Path) -> None:
    found = found_after(folder, lambda each: told(each, "customer.spa_visits", None))
    large = {each.feature: each for each in found.features if each.level == "large"}
    assert set(large) == {"customer.spa_visits", "own_kind"}
    visits = large["customer.spa_visits"]
    assert (visits.grew, visits.missing) == ("missing", (0, 1))
    assert visits.importance > 0
    assert any(line.startswith("customer.spa_visits is missing in 100% of rows") for line in advice(found))
    assert found.verdict != "stable"


def test_a_level_that_was_never_seen_is_told_as_such(folder: Path) -> None:
    found = found_after(folder, lambda each: told(each, "customer.town", "Bastia"))
    town = next(each for each in found.features if each.feature == "customer.town")
    assert (town.level, town.unseen, town.grew) == ("large", (0, 1), "a value without a level")
    assert "customer.town has values the model does not know in 100% of rows" in "\n".join(page(found))


def test_a_level_that_was_rare_is_named_by_its_own_name(folder: Path) -> None:
    found = found_after(folder, lambda each: told(each, "customer.town", "Olbia"))
    town = next(each for each in found.features if each.feature == "customer.town")
    assert (town.grew, town.grew_share[1]) == ("Olbia", 1)


def test_another_mix_of_customers_moves_the_score_and_asks_for_training(folder: Path) -> None:
    def eager(each: Example) -> Example:
        return told(told(each, "customer.spa_visits", "often"), "customer.bar_visits", "often")

    found = found_after(folder, eager)
    assert found.score is not None
    assert (found.score.level, found.verdict) == ("large", "act")


def test_outcomes_that_no_longer_come_are_calibration_drift_though_no_feature_moved(folder: Path) -> None:
    found = found_after(folder, lambda each: replace(each, outcomes=tuple(0 for _ in each.outcomes)))
    assert (found.verdict, found.calibration.drifted, found.calibration.ratio) == ("act", True, 0)
    assert all(each.drifted for each in found.days if each.ratio is not None)
    assert "people accept less than is predicted" in "\n".join(page(found))


def test_nothing_newer_than_the_training_is_unknown_not_stable(folder: Path) -> None:
    found = drift(folder, of_people(0, 150), NOW)
    assert (found.verdict, found.rows, found.features, found.score) == ("unknown", 0, (), None)
    assert "wait until attribution windows have closed" in "\n".join(page(found))
    assert drift(folder, of_people(0, 150), 0).age_ms == 0


def test_a_handful_of_customers_says_nothing_of_drift(folder: Path) -> None:
    found = drift(folder, of_people(150, 158, LATER), END)
    assert found.verdict == "unknown", "chance alone reaches as far as a large drift, and no ratio can be told"
    assert "too few items with a known outcome" in "\n".join(page(found))
    assert found.calibration.ratio is None
    assert {each.level for each in found.features} == {"stable"}


def test_a_folder_of_an_earlier_version_still_tells_of_outcomes_and_says_that_drift_is_not_known(
    tmp_path: Path,
) -> None:
    (model,) = MODEL_V1.iterdir()
    assert distribution_of(model) is None
    found = drift(model, of_people(0, 60, LATER), END)
    assert (found.distribution_known, found.score, found.features) == (False, None, ())
    assert found.rows == 360
    assert "Drift of features and score is not known" in "\n".join(page(found))
    assert load(model).model == model.name


def test_a_distribution_that_is_not_readable_is_refused_with_its_name(folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / folder.name)
    (copied / DISTRIBUTION).write_bytes(b'{"v": 1}')
    with pytest.raises(InvalidInput, match=DISTRIBUTION) as caught:
        distribution_of(copied)
    assert caught.value.code == "MODEL_INVALID"


def test_the_lake_is_read_from_the_end_of_the_training_on(folder: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    both = (*of_people(0, 20)(), *of_people(150, 170, LATER)())
    records = [(record(each.inputs, each.items), each.outcomes[0]) for each in both]
    lake.append_decisions([(each, encode(each)) for each, _ in records])
    lake.append_outcomes([outcome(each, "exposed") for each, _ in records])
    lake.append_outcomes([outcome(each, "clicked") for each, came in records if came])
    found = drift_of_lake(folder, lake, END)
    assert found == drift(folder, of_people(150, 170, LATER), END)
    assert found.rows == 120
    text = msgspec.json.encode(found)
    assert msgspec.json.decode(text, type=DriftReport) == found

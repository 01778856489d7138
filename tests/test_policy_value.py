"""What another policy would have earned by the lake's log, against what it earns when it decides itself."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers.catalog import Catalog
from offers.counterfactual import Policy, counterfactuals
from offers.decide import decide, record
from offers.offer import Placement
from offers.policy_value import PolicyValue, Question, page, policy_value
from offers.replay import logged
from offers.situation import Situation, situate
from scoring.features import Propensity
from scoring.off_policy import Estimate
from streams.errors import InvalidInput, NotFound
from streams.ids import DecisionId, RevisionId
from streams.lake import Lake
from streams.record import DecisionRecord, decode, encode
from tests.catalogs import HERO, NOW, catalog
from tests.deciding import opinionated
from tests.geography import PLACES
from tests.shop_log import GUESSED, KNOWING, LATER, RATES, decided, fill, shop, true_value
from tests.test_validity import BOOKS, EVERYTHING, SLOW, situations

EXPLORING = Placement(HERO, max_items=60, explore=0.4)
CURIOUS = catalog(EVERYTHING, PLACES, placements={HERO: EXPLORING})
LOGGED = Policy(lambda record, _: logged(record))
DECISIONS = 800
SHOP = shop()


def always(propensity: Propensity) -> Policy:
    return Policy(lambda *_: propensity)


@given(st.sampled_from([*BOOKS, CURIOUS, CURIOUS]), situations(), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None, suppress_health_check=SLOW)
def test_the_policy_that_logged_would_show_each_item_with_its_logged_propensity(
    book: Catalog, found: Situation, number: int
) -> None:
    made = situate(replace(found, decision_id=DecisionId(f"d-{number}")), book)
    model = opinionated()
    line = decode(encode(record(made, decide(made, book, model), model.features)))
    for each in counterfactuals(line, book, LOGGED):
        assert each.chance == pytest.approx(each.item.propensity, abs=1e-12)
        assert each.outside == pytest.approx(0, abs=1e-12)
        assert each.logged_value == each.item.score


def test_chances_by_hand() -> None:
    """Two offers, even exploration: whoever shows the better one for sure never shows the other."""
    book = shop(explore=1.0, names=("dinner", "quiz"))
    line = next(each for each in (decided(book, number) for number in range(50)) if name(each) == "quiz")
    surely = always(KNOWING)
    (at_random,) = counterfactuals(line, book, Policy(LOGGED.propensity, evenly=True))
    assert (at_random.chance, at_random.outside) == (0.5, 0.0)
    assert at_random.expected_value == pytest.approx((0.2 + 0.25) / 2), "by the logged scores"
    (never,) = counterfactuals(line, book, replace(surely, explore=0.0))
    assert (never.chance, never.outside) == (0.0, 0.0)
    assert never.expected_value == pytest.approx(0.2)
    (in_money,) = counterfactuals(line, book, surely, worth=True)
    assert in_money.logged_value == pytest.approx(0.25 * 10)


def test_what_the_log_could_not_have_shown_is_outside() -> None:
    fixed = shop(explore=0.0)
    line = decided(fixed, 1)
    assert name(line) == "bar"
    (best,) = counterfactuals(line, fixed, always(KNOWING))
    assert (best.chance, best.outside) == (0.0, 1.0)
    narrow, wide = shop(names=("bar", "spa")), shop()
    (elsewhere,) = counterfactuals(decided(narrow, 1), narrow, replace(always(KNOWING), catalog=wide))
    assert 0.5 < elsewhere.outside < 1
    silent = catalog([], placements={HERO: Placement(HERO)})
    (nothing,) = counterfactuals(line, fixed, replace(LOGGED, catalog=silent))
    assert (nothing.chance, nothing.outside, nothing.expected_value) == (0.0, 1.0, 0.0)


def name(line: DecisionRecord) -> str:
    return str(line.shown[0].offer.offer_id)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """1,200 decisions about 600 customers, exploring."""
    made = Lake(tmp_path_factory.mktemp("lake"))
    fill(made, (decided(SHOP, number) for number in range(DECISIONS)))
    return made


def asked(lake: Lake, policy: Policy, book: Catalog | None = None, **more: float | bool) -> PolicyValue:
    question = replace(Question(policy, "another", LATER), **more)  # type: ignore[arg-type]
    return policy_value(lake, question, lambda _: book or SHOP)


def holds(estimate: Estimate | None, value: float) -> bool:
    assert estimate is not None
    return estimate.interval[0] <= value <= estimate.interval[1]


def test_a_better_model_is_worth_what_it_earns_when_it_decides(lake: Lake) -> None:
    true = true_value(SHOP, KNOWING)
    found = asked(lake, always(KNOWING))
    assert (found.decisions, found.value.rows, found.value.clusters) == (DECISIONS, DECISIONS, DECISIONS // 2)
    assert found.value.reliable, found.value.why
    assert [holds(each, true) for each in (found.value.ips, found.value.snips, found.value.dr, found.value.sndr)] == [
        True
    ] * 4
    assert found.value.best.value > found.value.logged.value


def test_a_random_choice_is_worth_the_mean_rate_and_the_log_itself_its_mean(lake: Lake) -> None:
    found = asked(lake, replace(LOGGED, evenly=True)).value
    assert found.reliable
    assert holds(found.snips, sum(RATES.values()) / len(RATES))
    same = asked(lake, LOGGED).value
    assert same.ips.value == pytest.approx(same.logged.value, abs=1e-12)
    assert [same.mean_weight, same.effective_sample_size] == pytest.approx([1, DECISIONS])


def test_in_money_an_acceptance_is_what_it_is_worth(lake: Lake) -> None:
    accepted, worth = asked(lake, LOGGED, most=200), asked(lake, LOGGED, most=200, worth=True)
    assert (accepted.reward, worth.reward) == ("accepted", "value")
    assert worth.value.snips.value == pytest.approx(10 * accepted.value.snips.value)


def test_a_log_that_never_explored_is_refused_in_words(tmp_path: Path) -> None:
    book, lake = shop(explore=0.0), Lake(tmp_path)
    fill(lake, (decided(book, number) for number in range(200)))
    found = asked(lake, always(KNOWING), book)
    assert not found.value.reliable
    codes = [doubt.code for doubt in found.value.why]
    assert "outside_log" in codes
    text = page(found)
    assert "this log cannot answer it:" in text
    assert "outside_log: 100.0% of what this policy would show could not be shown in the log" in text
    assert asked(lake, LOGGED, book).value.reliable, "what it did itself it knows"


def test_each_rank_is_asked_given_what_stands_above(tmp_path: Path) -> None:
    book, lake = shop(items=3), Lake(tmp_path)
    fill(lake, (decided(book, number, items=3) for number in range(400)))
    found = asked(lake, replace(LOGGED, evenly=True), book)
    assert (found.decisions, found.value.rows, found.value.clusters) == (400, 1_200, 200)
    assert found.value.mean_weight == pytest.approx(1, abs=0.1)
    assert found.value.reliable


def test_the_newest_so_many_and_what_tells_nothing(lake: Lake) -> None:
    assert asked(lake, LOGGED, most=100).decisions == 100
    question = Question(LOGGED, "logged", LATER)

    def gone(revision: RevisionId) -> Catalog:
        raise NotFound("REVISION_UNKNOWN", f"no revision {revision}")

    with pytest.raises(InvalidInput, match=f"{DECISIONS} revision_not_kept") as caught:
        policy_value(lake, question, gone)
    assert caught.value.code == "OFF_POLICY_EMPTY"
    learnt = policy_value(lake, replace(question, after=NOW + 1_000 * (DECISIONS // 2)), lambda _: SHOP)
    assert learnt.decisions + learnt.left_out["learnt_from"] == DECISIONS
    assert learnt.decisions == DECISIONS // 2 - 1
    early = replace(question, now=LATER - 3 * 86_400_000)
    with pytest.raises(InvalidInput, match="1 window_open"):
        policy_value(lake, early, lambda _: SHOP)


def test_the_page_says_what_is_valued_and_how_far_the_log_carries(lake: Lake) -> None:
    text = page(asked(lake, always(GUESSED), clip=2.0, most=300))
    assert "another: acceptances per item shown, by 300 items of " in text
    assert "what the log showed" in text
    assert "doubly robust, own weights" in text
    assert "weights cut to 2" in text

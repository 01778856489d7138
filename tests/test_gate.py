"""Gate: what may take over from what, by every criterion of the rule, in words; and how often chance decides."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from scoring import gate
from scoring.dataset import Dataset, build, learn_features
from scoring.gate import Contender, Criterion, Verdict, page, verdict
from scoring.off_policy import LoggedChoices
from streams.ids import CustomerId, ModelId
from streams.instant import DAY_MS
from tests.scoring_world import ATTRIBUTES, BAR, QUIZ, SPA, passenger, world

Numbers = NDArray[np.float64]
OFFERS = {offer.offer_id: offer for offer in (BAR, SPA, QUIZ)}


@pytest.fixture(scope="module")
def fresh() -> Dataset:
    """2,400 items of 200 customers."""
    return build(world(200), learn_features(world(200), ATTRIBUTES))


@pytest.fixture(scope="module")
def truth(fresh: Dataset) -> Numbers:
    """What each row's outcome was drawn with."""
    people = {customer: passenger(int(customer[2:])) for customer in fresh.customers}
    pairs = zip(fresh.customer.tolist(), fresh.offer.tolist(), strict=True)
    return np.array([people[fresh.customers[who]].appetite(OFFERS[fresh.offers[what]]) for who, what in pairs])


def named(said: Numbers, name: str = "m-new", seconds: float = 0.0) -> Contender:
    return Contender(ModelId(name), said, seconds)


def mean_of(fresh: Dataset) -> Contender:
    return named(np.full(len(fresh), fresh.outcome.mean()), "m-old")


def of(found: Verdict, name: str) -> Criterion:
    return next(each for each in found.criteria if each.name == name)


def shifted(said: Numbers, by: float) -> Numbers:
    return 1 / (1 + np.exp(-(np.log(said / (1 - said)) + by)))


def test_the_truth_takes_over_from_the_mean_and_every_criterion_says_what_it_found(
    fresh: Dataset, truth: Numbers
) -> None:
    found = verdict(fresh, 7, named(truth), mean_of(fresh))
    assert (found.outcome, found.passed, found.candidate, found.against) == ("passed", True, "m-new", "m-old")
    assert [each.name for each in found.criteria] == [
        "fresh data",
        "log loss",
        "calibration",
        "total",
        "segments",
        "value",
        "latency",
    ]
    assert all(each.passed for each in found.criteria)
    assert (found.rows, found.customers, found.since, found.until) == (2_400, 200, 7, fresh.at[-1])
    loss = of(found, "log loss")
    assert loss.interval is not None
    assert loss.measured is not None
    assert loss.interval[0] < loss.measured < loss.interval[1] < 0
    assert found.reason == f"{loss.said}; {of(found, 'value').said}"
    assert page(found).splitlines()[0].startswith("m-new may take over from m-old: 2,400 fresh items of 200 customers")


def test_the_mean_does_not_take_over_from_the_truth(fresh: Dataset, truth: Numbers) -> None:
    found = verdict(fresh, 0, named(mean_of(fresh).said), named(truth, "m-old"))
    assert found.outcome == "failed"
    assert ": worse" in found.reason
    assert "  NO  log loss" in page(found)


def test_flipped_outcomes_make_a_model_that_fails(fresh: Dataset, truth: Numbers) -> None:
    found = verdict(fresh, 0, named(1 - truth), named(truth, "m-old"))
    assert [each.name for each in found.criteria if not each.passed] == ["log loss", "calibration", "total", "segments"]


def on_one_day(fresh: Dataset) -> Dataset:
    return replace(fresh, at=np.full(len(fresh), fresh.at[0]))


def on_days(fresh: Dataset, days: int) -> Dataset:
    """The same items, as many on each of some days."""
    return replace(fresh, at=fresh.at[0] + np.arange(len(fresh)) * days // len(fresh) * DAY_MS)


def test_on_a_day_whose_outcomes_are_flipped_nothing_takes_over(fresh: Dataset, truth: Numbers) -> None:
    """Both were right until then: whichever seems better now, the fresh data fit neither."""
    lies = replace(on_one_day(fresh), outcome=np.where(truth > 0.5, fresh.outcome, 1 - fresh.outcome))
    found = verdict(lies, 0, named(truth), named(shifted(truth, -1.0), "m-old"))
    assert of(found, "log loss").passed
    assert not of(found, "total").passed
    assert "the fresh outcomes are not what it was trained on: look at the data" in found.reason


def test_a_flipped_day_among_others_keeps_out_even_who_has_learnt_from_it(fresh: Dataset, truth: Numbers) -> None:
    """The candidate saw the day's morning: it is better than the active model, and right in the mean."""
    rare = shifted(truth, -2.0)
    outcome = (np.random.default_rng(1).random(len(truth)) < rare).astype(float)
    week = replace(on_days(fresh, 5), outcome=outcome)
    flipped = np.unique(week.at)[2] == week.at
    lies = replace(week, outcome=np.where(flipped, 1 - outcome, outcome))
    found = verdict(lies, 0, named(shifted(rare, 1.3)), named(rare, "m-old"))
    assert of(found, "log loss").passed
    total = of(found, "total")
    assert not total.passed
    assert total.measured is not None
    assert 1 / gate.TOTAL < total.measured < gate.TOTAL, "nothing to be seen in the mean"
    assert "unlike the other days: look at its data" in total.said
    assert of(verdict(week, 0, named(rare), named(rare, "m-old")), "total").passed


def test_when_the_world_changed_for_days_who_follows_it_further_takes_over(fresh: Dataset, truth: Numbers) -> None:
    """Rates fell to a fourth. Neither model knows it whole; on one such day alone it could be bad data."""
    draw = np.random.default_rng(3)
    fallen = replace(on_days(fresh, 4), outcome=(draw.random(len(truth)) < truth / 4).astype(float))
    follower, stale = named(truth / 2), named(truth, "m-old")
    total = of(verdict(fallen, 0, follower, stale), "total")
    assert total.passed
    assert "alike on all of 4 days: the world changed" in total.said
    assert verdict(fallen, 0, follower, stale).passed
    assert not of(verdict(fallen, 0, stale, follower), "total").passed, "the further one does not"
    assert not of(verdict(on_days(fallen, 2), 0, follower, stale), "total").passed


def choosing(fresh: Dataset, chance: float) -> LoggedChoices:
    """Of two offers logged evenly, the target takes the one that is accepted with this probability."""
    liked = np.arange(len(fresh)) % 2 == 0
    draw = np.random.default_rng(9)
    return LoggedChoices(
        reward=(draw.random(len(fresh)) < np.where(liked, 0.6, 0.2)).astype(float),
        propensity=np.full(len(fresh), 0.5),
        target=np.where(liked, chance, 1 - chance),
        cluster=fresh.customer,
        logged_value=np.where(liked, 0.5, 0.3),
        target_value=np.full(len(fresh), 0.5 * chance + 0.3 * (1 - chance)),
    )


def test_a_model_that_chooses_what_earns_surely_less_stays_out(fresh: Dataset, truth: Numbers) -> None:
    """Its probabilities are the truth, and what it makes of them is worse."""
    bad, good = (replace(named(truth), choices=choosing(fresh, chance)) for chance in (0.3, 0.9))
    active = replace(named(truth, "m-old"), choices=choosing(fresh, 0.9))
    found = verdict(fresh, 0, bad, active)
    value = of(found, "value")
    assert (found.outcome, value.passed, found.reason) == ("failed", False, value.said)
    assert value.interval is not None
    assert value.interval[0] < 0.4 * (0.3 - 0.9) < value.interval[1] < value.bound < 0, "what it is in truth"
    assert "surely worse than m-old's" in value.said
    assert of(verdict(fresh, 0, good, active), "value").measured == pytest.approx(0, abs=1e-12)
    assert of(verdict(fresh, 0, active, bad), "value").passed
    assert verdict(fresh, 0, good, active).reason == of(verdict(fresh, 0, good, active), "log loss").said


def test_where_the_log_cannot_tell_what_choosing_is_worth_the_verdict_says_so(fresh: Dataset, truth: Numbers) -> None:
    """A log that never explored, or that holds what was shown alone: no number is made up."""
    active = replace(named(truth, "m-old"), choices=choosing(fresh, 0.9))
    unexplored = replace(choosing(fresh, 0.3), outside=np.full(len(fresh), 0.7))
    for choices, why in (
        (unexplored, "of m-new, 70.0% of what this policy would show could not be shown in the log"),
        (replace(choosing(fresh, 0.3), propensity=np.full(len(fresh), np.nan)), "none of 2400 logged choices has"),
        (None, "the log holds no candidates"),
    ):
        value = of(found := verdict(fresh, 0, replace(named(truth), choices=choices), active), "value")
        assert (value.passed, value.measured, value.interval) == (True, None, None)
        assert value.said.startswith(f"value cannot be said: {why}")
        assert value.said in found.reason, "what was not judged is in the ledger's reason"
        assert msgspec.json.decode(msgspec.json.encode(found), type=Verdict) == found


def test_two_that_say_the_same_may_take_turns_for_no_loss_is_possible(fresh: Dataset, truth: Numbers) -> None:
    found = verdict(fresh, 0, named(truth), named(truth, "m-old"))
    assert (found.passed, of(found, "log loss").measured) == (True, 0.0)


def part_of(fresh: Dataset, spots: NDArray[np.intp]) -> Dataset:
    names = ("rows", "outcome", "customer", "offer", "weight", "at")
    return replace(fresh, **{name: getattr(fresh, name)[spots] for name in names})


def test_better_by_luck_alone_is_not_enough(fresh: Dataset, truth: Numbers) -> None:
    """The mean is a little better, and that it is much worse is not ruled out: half of 30 people it tells well."""
    few = part_of(fresh, np.flatnonzero(fresh.customer < 30))
    active = named(truth[fresh.customer < 30], "m-old")
    loss = -np.log(np.where(few.outcome > 0, active.said, 1 - active.said))
    loss += np.where(few.customer % 2, 0.05, -0.05) - 0.002
    found = verdict(few, 0, named(np.where(few.outcome > 0, np.exp(-loss), 1 - np.exp(-loss))), active)
    measured = of(found, "log loss")
    assert measured.interval is not None
    assert measured.measured == pytest.approx(-0.002)
    assert not measured.passed
    assert measured.interval[1] > measured.bound
    assert measured.said.endswith(f"a loss of more than {measured.bound:.4f} is not ruled out")


def shifted_each(said: Numbers, by: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-(np.log(said / (1 - said)) + by)))


def test_ranking_better_does_not_excuse_saying_too_much(fresh: Dataset, truth: Numbers) -> None:
    found = verdict(fresh, 0, named(shifted(truth, 0.5)), mean_of(fresh))
    assert of(found, "log loss").passed
    assert not of(found, "calibration").passed
    assert found.reason == of(found, "calibration").said
    assert "is above" in found.reason


def test_better_for_all_but_much_worse_for_one_offer_stays_out_and_the_offer_is_named(
    fresh: Dataset, truth: Numbers
) -> None:
    bar = fresh.offer == fresh.offers.index(BAR.offer_id)
    said = np.where(bar, 0.3 * truth + 0.7 * fresh.outcome[bar].mean(), truth)
    active = np.where(bar, truth, fresh.outcome.mean())
    found = verdict(fresh, 0, named(said), named(active, "m-old"))
    assert of(found, "log loss").passed
    assert not of(found, "segments").passed
    assert "much worse for offer bar: log loss +" in found.reason


def test_slower_than_the_active_model_stays_out(fresh: Dataset, truth: Numbers) -> None:
    def took(candidate: float, active: float) -> bool:
        found = verdict(fresh, 0, named(truth, seconds=candidate), named(truth, "m-old", active))
        return of(found, "latency").passed

    assert took(0.0019, 0.0001)
    assert took(0.0029, 0.0020)
    assert not took(0.0031, 0.0020)
    assert not took(0.0021, 0.0)


@pytest.mark.parametrize(
    ("spots", "missing"),
    [
        (lambda outcome: np.arange(0), "300 more items, 30 more accepted, 30 more not accepted needed"),
        (lambda outcome: np.arange(299), "1 more items needed"),
        (lambda outcome: np.flatnonzero(outcome == 0)[:400], "30 more accepted needed"),
        (lambda outcome: np.flatnonzero(outcome == 1)[:400], "30 more not accepted needed"),
    ],
    ids=["nothing", "few", "nobody accepted", "everybody did"],
)
def test_too_little_fresh_data_waits_and_says_what_is_missing(
    fresh: Dataset, truth: Numbers, spots: Callable[[Numbers], NDArray[np.intp]], missing: str
) -> None:
    at = spots(fresh.outcome)
    found = verdict(part_of(fresh, at), 5, named(truth[at]), named(truth[at], "m-old"))
    assert (found.outcome, found.passed, len(found.criteria)) == ("waiting", False, 1)
    assert found.reason.endswith(missing)


def test_few_customers_with_many_answers_each_are_no_evidence(fresh: Dataset, truth: Numbers) -> None:
    few = replace(fresh, customer=fresh.customer % 20, customers=fresh.customers[:20])
    found = verdict(few, 0, named(truth), mean_of(few))
    assert (found.outcome, found.reason.endswith("10 more customers needed")) == ("waiting", True)


def test_answers_of_the_same_people_widen_the_interval(fresh: Dataset, truth: Numbers) -> None:
    """The same rows once as if each were another customer's, once twelve of each customer."""
    apart = replace(
        fresh, customer=np.arange(len(fresh)), customers=tuple(CustomerId(f"c-{row}") for row in range(len(fresh)))
    )
    off = shifted_each(truth, np.random.default_rng(1).normal(0, 1, 200)[fresh.customer])

    def width(data: Dataset) -> float:
        low, high = of(verdict(data, 0, named(off), named(truth, "m-old")), "log loss").interval or (0.0, 0.0)
        return high - low

    assert width(fresh) > 1.2 * width(apart)


def test_the_same_data_and_seed_give_the_same_verdict(fresh: Dataset, truth: Numbers) -> None:
    one, again, other = (verdict(fresh, 0, named(truth), mean_of(fresh), seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert of(one, "log loss").interval != of(other, "log loss").interval


@pytest.mark.prove
def test_a_model_that_is_worse_by_the_margin_seldom_gets_in(
    record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch, fresh: Dataset, truth: Numbers
) -> None:
    """Outcomes drawn again 400 times: the truth as the active model, and one that is worse by just the margin."""
    monkeypatch.setattr(gate, "REPEATS", 200)
    draw = np.random.default_rng(5)
    worse = shifted_each(truth, draw.normal(0, 1, len(truth)) * _spread(truth))
    passed = sum(
        verdict(replace(fresh, outcome=(draw.random(len(truth)) < truth).astype(float)), 0, named(worse),
                named(truth, "m-old"), seed=number).passed
        for number in range(400)
    )  # fmt: skip
    record_property("with", f"a model worse by the margin was let in {passed} of 400 times")
    assert passed <= 20


def _spread(truth: Numbers) -> float:
    """Of noise on the log odds, so that the expected loss is above that of the truth by MARGIN."""
    noise = np.random.default_rng(5).normal(0, 1, len(truth))
    entropy = float(np.mean(_expected(truth, truth)))
    spreads = np.linspace(0.01, 1.0, 100)
    losses = np.array([np.mean(_expected(truth, shifted_each(truth, noise * spread))) for spread in spreads])
    return float(spreads[np.searchsorted(losses, entropy * (1 + gate.MARGIN))])


def _expected(truth: Numbers, said: Numbers) -> Numbers:
    return np.asarray(-(truth * np.log(said) + (1 - truth) * np.log1p(-said)))

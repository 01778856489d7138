"""Learnt rates: what others did with an offer, never what this customer did; the same when served as when learnt."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scoring import cross_validation, fit
from scoring.audit import Audit
from scoring.cross_validation import NEW, RETURNING, cross_validate
from scoring.dataset import Dataset, build, learn_features
from scoring.encoding import UNSEEN
from scoring.examples import Example, Examples, Logged
from scoring.features import FeatureList, Part, Rows, Transform, check_protected, feature_list
from scoring.fit import Run
from scoring.learnt_rates import FOLDS, SALT, as_served, filled, learnt, out_of_fold, with_rates
from scoring.metrics import auc
from scoring.propensity import prior
from scoring.rates import evidence_around, shrinkage, smoothed
from scoring.rows import plan, rows
from scoring.train import learn
from streams.attributes import AttributeSet, attribute_set
from streams.bucket import bucket
from streams.declared_features import EVERY, DeclaredFeatures, DeclaredRates
from streams.errors import InvalidInput
from streams.ids import OfferId
from streams.instant import DAY_MS, HOUR_MS
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES, BAR, QUICK, VISITS, decided, examples, facts, passenger, subject, world

BY = ("customer.bar_visits", "customer.newsletter")
LISTED: DeclaredFeatures = replace(EVERY, rates=DeclaredRates(offer=True, by=BY))
RATED: AttributeSet = replace(ATTRIBUTES, features=LISTED)
RUN = Run(0, 1, QUICK)
NAMES = ("rates.offer", "rates.offer.customer.bar_visits", "rates.offer.customer.newsletter")
Spots = NDArray[np.intp]


@cache
def dataset() -> Dataset:
    return build(world(), learn_features(world(), RATED))


def rates_of(made: Rows, features: FeatureList) -> Rows:
    return made[:, [features.names.index(name) for name in NAMES]]


def everything(of: Dataset) -> Spots:
    return np.arange(len(of))


def of_others(of: Dataset, spots: Spots, row: int) -> list[float]:
    """Slowly: the rates of one row, by what the folds of other customers did with its offer."""

    def fold(customer: int) -> int:
        return int(bucket(SALT, of.customers[customer]) * FOLDS)

    others = [spot for spot in spots.tolist() if fold(of.customer[spot]) != fold(of.customer[row])]

    def tried(which: list[int]) -> tuple[float, float, int]:
        customers = {int(of.customer[spot]) for spot in which}
        return float(len(which)), float(of.outcome[which].sum()), len(customers)

    def rate(which: list[int], mean: float, evidence: float) -> float:
        seen, accepted, customers = tried(which)
        return (accepted + evidence * mean) / (seen + evidence) if customers >= 10 else mean

    by_offer = [[spot for spot in others if of.offer[spot] == number] for number in range(len(of.offers))]
    mean, evidence = shrinkage(np.array([tried(which)[:2] for which in by_offer]))
    own = [rate(which, mean, evidence) for which in by_offer]
    found = [own[of.offer[row]]]
    for name in BY:
        told = of.rows[:, of.features.names.index(name)]
        levels = len(VISITS) if name == BY[0] else 2
        at = np.where((told >= 0) & (told < levels), told, levels)
        groups = [
            (*tried([spot for spot in which if at[spot] == level]), own[number])
            for number, which in enumerate(by_offer)
            for level in range(levels)
        ]
        seen, accepted, _, towards = np.array([each for each in groups if each[2] >= 10]).T
        weight = evidence_around(seen, accepted, towards)
        mine = [spot for spot in by_offer[of.offer[row]] if told[spot] == told[row]]
        found.append(rate(mine, own[of.offer[row]], weight) if told[row] >= 0 else own[of.offer[row]])
    return found


def test_a_row_that_is_learnt_from_has_the_rates_of_the_customers_of_other_folds() -> None:
    known, spots = dataset(), np.sort(np.random.default_rng(1).permutation(len(dataset()))[:600])
    made = rates_of(out_of_fold(known, spots), known.features)
    for number in (0, 7, 100, 599):
        assert made[number].tolist() == pytest.approx(of_others(known, spots, int(spots[number])), abs=1e-12)
    assert len(np.unique(made[:, 0])) == 3 * FOLDS
    assert 0.3 < made[:, 0].min() < made[:, 0].max() < 0.5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 59), st.lists(st.booleans(), min_size=12, max_size=12), st.floats(0.1, 1))
def test_whatever_a_customer_answers_no_rate_of_its_own_rows_changes(
    seed: int, customer: int, turned: list[bool], share: float
) -> None:
    draw = np.random.default_rng(seed)
    one = replace(dataset(), outcome=draw.integers(0, 2, len(dataset())).astype(float))
    spots = np.flatnonzero(draw.random(len(one)) < share)
    mine = np.flatnonzero(one.customer == customer)
    outcome = one.outcome.copy()
    outcome[mine[turned]] = 1 - outcome[mine[turned]]
    other = replace(one, outcome=outcome)
    asked = one.customer[spots] == customer
    assert out_of_fold(one, spots)[asked].tobytes() == out_of_fold(other, spots)[asked].tobytes()


def test_what_a_customer_answers_changes_the_rates_of_others() -> None:
    one = dataset()
    other = replace(one, outcome=np.where(one.customer == 5, 1 - one.outcome, one.outcome))
    was, now = (rates_of(out_of_fold(each, everything(each)), each.features) for each in (one, other))
    differ = (was != now).any(axis=1)
    fold = np.array([int(bucket(SALT, customer) * FOLDS) for customer in one.customers])[one.customer]
    assert not differ[fold == fold[one.customer == 5][0]].any()
    assert differ[fold != fold[one.customer == 5][0]].mean() > 0.9


def test_rows_that_are_asked_see_what_was_learnt_from_and_never_one_another() -> None:
    one = dataset()
    known, asked = everything(one)[:500], everything(one)[500:]
    other = replace(one, outcome=np.concatenate([one.outcome[:500], 1 - one.outcome[500:]]))
    made = as_served(one, known, asked)
    assert made.tobytes() == as_served(other, known, asked).tobytes()
    assert made.tobytes() == filled(learnt(one, known), one)[500:].tobytes()
    assert np.isnan(rates_of(one.rows, one.features)).all(), "what is not learnt yet is missing"


SPREAD = 48
"""Offers: so few rows of each that a rate which holds a row's own outcome tells it."""


@cache
def noise() -> Dataset:
    """Outcomes that nothing tells, 120 customers, many offers, most met by a customer once."""
    known = build(world(120), learn_features(world(120), RATED))
    draw = np.random.default_rng(3)
    return replace(
        known,
        outcome=draw.permutation(known.outcome),
        offer=draw.integers(0, SPREAD, len(known)),
        offers=tuple(OfferId(f"o{number}") for number in range(SPREAD)),
    )


def found(of: Dataset, kind: str) -> float:
    value = auc(of.outcome, cross_validate(of, kind, RUN).margins[-1], of.weight)
    assert value is not None
    return value


@pytest.mark.parametrize("kind", [NEW, RETURNING])
def test_shuffled_outcomes_are_not_found(kind: str) -> None:
    assert abs(found(noise(), kind) - 0.5) < 0.04


def test_rates_that_hold_the_rows_own_outcome_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same trees on the rates of all rows, as they are made where nobody thinks of it."""
    of_all = with_rates(noise()).rows
    monkeypatch.setattr(fit, "out_of_fold", lambda dataset, spots: of_all[spots])
    monkeypatch.setattr(cross_validation, "as_served", lambda dataset, known, asked: of_all[asked])
    assert found(noise(), RETURNING) > 0.56


def test_served_rows_are_those_of_the_training_bit_for_bit() -> None:
    told = with_rates(dataset())
    assert build(world(), told.features).rows.tobytes() == told.rows.tobytes()
    assert with_rates(told).rows.tobytes() == told.rows.tobytes(), "learning again finds the same"
    without = build(world(), learn_features(world(), ATTRIBUTES))
    assert with_rates(without) is without
    assert filled(without.features, without) is without.rows


def test_the_next_training_finds_the_logged_rows_as_the_model_made_them_and_sees_a_rate_that_was_not() -> None:
    served = with_rates(dataset()).features
    read_back = msgspec.json.decode(msgspec.json.encode(served), type=FeatureList)
    assert read_back == served
    ready, fresh = plan(served), learnt(dataset(), everything(dataset())[:600])
    audit = Audit(fresh, lambda example: read_back)
    for example in examples(20):
        made = rows(example.inputs, example.items, ready)
        logged = Logged(served.names, "this", tuple(tuple(row) for row in made.tolist()))
        assert audit.see(replace(example, logged=logged))[0].all()
    assert (audit.compared, audit.differing) == (240, 0)
    other = tuple(tuple(row) for row in rows(example.inputs, example.items, plan(fresh)).tolist())
    assert not audit.see(replace(example, logged=Logged(served.names, "this", other)))[0].any()


def test_an_unknown_offer_has_the_mean_and_an_unknown_level_the_offers_own_rate() -> None:
    features = with_rates(dataset()).features
    columns = {column.name: column for column in features.columns}
    column = columns["rates.offer"]
    made = decided(passenger(4), NOW, 4, {})
    strange = msgspec.structs.replace(
        made, profile=msgspec.structs.replace(made.profile, facts={"customer.bar_visits": ("daily", made.now)})
    )
    row = rows(strange, [(BAR, subject(5_000)), (facts("new", "nothing", 0.0), subject(5_000))], plan(features))
    assert row[0, features.names.index("customer.bar_visits")] == UNSEEN
    assert rates_of(row, features).tolist() == [[column.table["bar"][0]] * 3, [column.mean] * 3]
    assert column.mean == pytest.approx(dataset().outcome.mean())
    assert set(column.table) == {"bar", "quiz", "spa"}
    often, never = (columns[NAMES[1]].table["bar"][VISITS.index(level)] for level in ("often", "never"))
    assert often > 0.6 > 0.2 > never, "who often visits the bar takes its offers"


def test_what_fewer_than_ten_customers_did_is_nowhere_in_the_tables() -> None:
    known = dataset()
    few = replace(known, offer=np.where(known.customer < 9, 3, known.offer), offers=(*known.offers, OfferId("rare")))
    features = learnt(few, everything(few))
    column = next(each for each in features.columns if each.name == "rates.offer")
    assert "rare" not in column.table
    spots = np.flatnonzero((few.customer < 25) & (few.rows[:, few.features.names.index(BY[0])] == 2))
    assert 0 < len(np.unique(few.customer[spots])) < 10
    at_few = learnt(few, np.union1d(spots, np.flatnonzero(few.rows[:, few.features.names.index(BY[0])] != 2)))
    told = next(each for each in at_few.columns if each.name == NAMES[1])
    assert all(rates[2] == rates[-1] for rates in told.table.values())


def test_where_nothing_was_learnt_rates_are_missing_and_where_nobody_accepted_they_are_the_mean() -> None:
    items = list(examples(1, 1))
    row = prior(RATED).score(items[0].inputs, items[0].items).rows
    assert np.isnan(row[:, [prior(RATED).features.index(name) for name in NAMES]]).all()
    nobody = replace(dataset(), outcome=np.zeros(len(dataset())))
    assert (rates_of(with_rates(nobody).rows, nobody.features) == 0.0).all()
    alone = replace(dataset(), customer=np.zeros(len(dataset()), dtype=np.intp))
    assert (rates_of(out_of_fold(alone, everything(alone)), alone.features) == 0.0).all()


def test_a_rate_is_drawn_towards_what_is_known_without_it() -> None:
    told = with_rates(dataset())
    column = next(each for each in told.features.columns if each.name == "rates.offer")
    seen, accepted = (
        np.bincount(told.offer, weights=weights).astype(np.float64) for weights in (told.weight, told.outcome)
    )
    expected = smoothed(accepted, seen, np.array(column.mean), np.array(column.evidence))
    assert [column.table[offer][0] for offer in told.offers] == expected.tolist()
    assert ((expected - column.mean) * (accepted / seen - expected) > 0).all(), "between the mean and what came"


def test_what_a_training_says_of_a_dataset_is_what_its_feature_list_says_of_the_decisions() -> None:
    learned = learn(dataset(), RUN)
    features = learned.dataset.features
    assert features == with_rates(dataset()).features
    later = build(world(70), features)
    unfilled = build(world(70), dataset().features)
    assert filled(features, unfilled).tobytes() == later.rows.tobytes()
    assert learned.probability(unfilled).tobytes() == learned.probability(later).tobytes()
    for name in NAMES:
        asked = np.repeat(later.rows[::50], 21, axis=0)
        asked[:, features.names.index(name)] = np.tile(np.linspace(0, 1, 21), len(asked) // 21)
        assert (np.diff(learned.modelled(asked).reshape(-1, 21), axis=1) >= 0).all(), "more accepted, never less likely"


def test_a_model_with_rates_by_what_became_protected_is_refused() -> None:
    features = with_rates(dataset()).features
    hidden = [
        replace(each, protected=each.qualified == "customer.newsletter")
        for each in ATTRIBUTES.by_name.values()
        if each.number < 9_000
    ]
    by_it = FeatureList(features.v, tuple(column for column in features.columns if column.name == NAMES[2]))
    with pytest.raises(InvalidInput) as caught:
        check_protected(by_it, attribute_set(tuple(hidden)))
    assert caught.value.code == "MODEL_PROTECTED"
    assert by_it.reads == {"customer.newsletter"}


def test_a_table_that_does_not_fit_its_levels_is_refused() -> None:
    features = with_rates(dataset()).features
    short = [
        msgspec.structs.replace(column, table={"bar": (0.1, 0.2)}) if column.part is Part.RATES else column
        for column in features.columns
    ]
    no_level = [column for column in features.columns if column.name != BY[0]]
    for columns in (short, no_level):
        with pytest.raises(InvalidInput) as caught:
            plan(FeatureList(features.v, tuple(columns)))
        assert caught.value.code == "FEATURES_INVALID"


def test_undeclared_there_are_none_and_of_strings_nobody_holds_neither() -> None:
    assert not [column for column in feature_list(ATTRIBUTES).columns if column.transform is Transform.LEARNT]
    by_town = replace(ATTRIBUTES, features=replace(EVERY, rates=DeclaredRates(by=("customer.town",))))
    told = partial(feature_list, by_town)
    assert told({"customer.town": ("Pisa",)}).of_part(Part.RATES)[0].name == "rates.offer.customer.town"
    assert told().of_part(Part.RATES) == ()


PEOPLE, TURNS, MANY = 2_000, 6, 400


def liked() -> list[Example]:
    """400 offers, each with an appeal of its own and another at each level of one attribute, and nothing that tells

    them apart but who took them; a few are shown often and most seldom, about 30 times in the median.
    """
    draw = np.random.default_rng(11)
    appeal, at_level = draw.normal(-1.2, 1.0, MANY), draw.normal(0, 0.7, (MANY, len(VISITS)))
    often = np.arange(1, MANY + 1) ** -0.7
    shown = draw.permutation(MANY)[draw.choice(MANY, PEOPLE * TURNS, p=often / often.sum())]
    offers = [facts(f"o{number:04d}", "nothing", float(number % 40)) for number in range(MANY)]
    told = []
    for number, spot in enumerate(shown.tolist()):
        who, turn = divmod(number, TURNS)
        made = decided(passenger(who), NOW - 3 * DAY_MS + turn * 5 * HOUR_MS + who * 1_000, number, {})
        level = VISITS.index(str(made.profile.facts.get("customer.bar_visits", ("seldom", 0))[0]))
        came = int(draw.random() < 1 / (1 + np.exp(-(appeal[spot] + at_level[spot, level]))))
        told.append(Example(made, "prior", ((offers[spot], subject(5_000)),), (came,), (None,), (None,)))
    return told


@pytest.mark.prove
def test_of_many_offers_with_an_appeal_of_their_own_rates_say_which(
    record_property: Callable[[str, str], None],
) -> None:
    """New customers, so only others can tell; the default recipe."""
    log: Examples = partial(list, liked())
    found = []
    for rates in (DeclaredRates(), DeclaredRates(offer=True), DeclaredRates(offer=True, by=BY[:1])):
        attributes = replace(ATTRIBUTES, features=replace(EVERY, rates=rates))
        known = build(log, learn_features(log, attributes))
        margins = cross_validate(known, NEW, Run(0, 1)).margins
        found.append(max(auc(known.outcome, each, known.weight) or 0.0 for each in margins))
    without, alone, by_level = found
    record_property("with", f"AUC {without:.3f}, {alone:.3f} with rates.offer, {by_level:.3f} with its level too")
    assert alone > without + 0.04
    assert by_level > alone + 0.005

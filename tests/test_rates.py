"""Smoothed response rates: of the counters alone, drawn towards everybody's as far as customers are alike."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.dataset import build, learn_features
from scoring.features import NOTHING_LEARNT, FeatureList, Transform, feature_list
from scoring.fit import without_history
from scoring.rates import LEAST_EVIDENCE, MOST_EVIDENCE, Responses, shrinkage, smoothed
from scoring.rows import plan, rows
from tests.scoring_world import ATTRIBUTES, examples, world

FEATURES = learn_features(world(), ATTRIBUTES)
RATES = [spot for spot, column in enumerate(FEATURES.columns) if column.transform is Transform.RATE]


def test_a_row_has_the_rates_of_its_own_counts() -> None:
    dataset = build(world(), FEATURES)
    for spot in RATES:
        column = FEATURES.columns[spot]
        level = column.source.removesuffix(".rate")
        exposed, clicked = (
            dataset.rows[:, FEATURES.names.index(f"history.{level}.{response}.ever")]
            for response in ("exposed", "clicked")
        )
        expected = (clicked + column.evidence * column.mean) / (exposed + column.evidence)
        assert dataset.rows[:, spot].tolist() == pytest.approx(expected.tolist(), abs=1e-12)
        assert 0.2 < column.mean < 0.5
    assert len(RATES) == 4


def test_the_rates_stay_where_the_counts_are_no_columns() -> None:
    names = [FEATURES.names[spot] for spot in RATES]
    alone = FeatureList(1, tuple(c for c in FEATURES.columns if c.name in names or not c.name.startswith("history.")))
    example = list(examples())[-1]
    whole, few = (rows(example.inputs, example.items, plan(features)) for features in (FEATURES, alone))
    assert few[:, [alone.names.index(name) for name in names]].tobytes() == whole[:, RATES].tobytes()


def test_a_customer_without_history_has_everybodys_rate() -> None:
    dataset = build(world(), FEATURES)
    strange = without_history(dataset.rows, FEATURES)
    for spot in RATES:
        assert set(strange[:, spot].tolist()) == {FEATURES.columns[spot].mean}
    first = dataset.rows[dataset.rows[:, FEATURES.names.index("history.any.exposed.ever")] == 0]
    assert len(first) == 60
    assert first[:, RATES].tobytes() == strange[: len(first), RATES].tobytes()


def test_a_rate_never_sees_the_outcome_of_its_own_row() -> None:
    """The same decisions with the outcome of the very last one turned round: no row changes."""
    told = list(examples())
    last = told[-1]
    turned = [*told[:-1], replace(last, outcomes=(1 - last.outcomes[0],))]
    one, other = (build(partial(list, log), FEATURES) for log in (told, turned))
    assert one.rows.tobytes() == other.rows.tobytes()
    assert one.outcome.tobytes() != other.outcome.tobytes()


def test_the_evidence_is_found_again_in_a_world_where_it_is_known() -> None:
    draw = np.random.default_rng(5)
    for mean, evidence in ((0.3, 8.0), (0.02, 40.0), (0.6, 2.0)):
        rate = draw.beta(mean * evidence, (1 - mean) * evidence, 20_000)
        exposed = draw.integers(1, 60, 20_000)
        found = shrinkage(np.column_stack([exposed, draw.binomial(exposed, rate)]).astype(float))
        assert found.mean == pytest.approx(mean, rel=0.05)
        assert found.evidence == pytest.approx(evidence, rel=0.15)


def test_where_nothing_was_clicked_or_shown_nothing_is_learnt() -> None:
    for groups in ([], [[0.0, 0.0]], [[5.0, 0.0], [9.0, 0.0]], [[5.0, 5.0]]):
        assert shrinkage(np.array(groups).reshape(-1, 2)) == NOTHING_LEARNT
    assert set(Responses().shrinkage().values()) == {NOTHING_LEARNT}
    assert feature_list(ATTRIBUTES).columns[-4].evidence == NOTHING_LEARNT.evidence


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=30))
def test_whatever_was_counted_the_evidence_is_bounded_and_a_rate_is_a_rate(counts: list[tuple[int, int]]) -> None:
    groups = np.array([(exposed, min(exposed, clicked)) for exposed, clicked in counts], dtype=float).reshape(-1, 2)
    found = shrinkage(groups)
    assert 0 <= found.mean <= 1
    assert LEAST_EVIDENCE <= found.evidence <= MOST_EVIDENCE
    many = np.array(counts, dtype=float).reshape(-1, 2)
    said = smoothed(many[:, 1], many[:, 0], np.array(found.mean), np.array(found.evidence))
    assert ((said >= 0) & (said <= 1)).all()
    more = smoothed(many[:, 1] + 1, many[:, 0] + 1, np.array(found.mean), np.array(found.evidence))
    assert (more >= said - 1e-12).all()

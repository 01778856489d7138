"""Weights: the inverse of logged propensities, clipped, of mean 1; coarse trees then fit what was rarely shown."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scoring.calibration import sigmoid
from scoring.card import Card
from scoring.dataset import Dataset, build, learn_features
from scoring.fit import Recipe, Run, grow
from scoring.metrics import log_loss
from scoring.model_folder import CARD
from scoring.train import train, weighted
from scoring.weights import CLIP, Weights, effective_rows, inverse_propensity
from tests.scoring_world import ATTRIBUTES, QUICK, world

DATASET = build(world(), learn_features(world(), ATTRIBUTES))
ASKED = Run(0, 1, replace(QUICK, weights=Weights.INVERSE_PROPENSITY))
RARE = 0.05
"""Propensity of the offer that was rarely shown."""


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(1e-6, 1.0)))
def test_they_average_to_one_and_the_rarer_weighs_more_up_to_the_clip(propensity: np.ndarray) -> None:
    weight = inverse_propensity(propensity)
    assert weight is not None
    assert weight.mean() == pytest.approx(1)
    assert (np.diff(weight[np.argsort(propensity)]) <= 1e-12).all()
    assert weight.max() <= weight.min() * CLIP * (1 + 1e-9)
    assert 1 <= effective_rows(weight) + 1e-9 <= len(weight) + 1e-6


def test_they_are_one_over_the_propensity() -> None:
    weight = inverse_propensity(np.array([1.0, 0.5, 0.25, 0.001]))
    assert weight == pytest.approx(np.array([1, 2, 4, CLIP]) * 4 / (7 + CLIP))


def test_a_few_unknown_rows_weigh_as_the_mean_and_more_of_them_turn_it_off() -> None:
    propensity = np.tile([0.5, 0.1], 100)
    propensity[:2] = np.nan, 0.0
    weight = inverse_propensity(propensity)
    assert weight is not None
    assert (weight[:2] == 1).all()
    assert weight.mean() == pytest.approx(1)
    propensity[:4] = np.nan
    assert inverse_propensity(propensity) is None
    assert inverse_propensity(np.empty(0)) is None


def test_nothing_is_weighted_unless_the_recipe_asks_and_the_log_knows() -> None:
    assert weighted(DATASET, Run(0, 1, QUICK)) is DATASET
    unknown = replace(DATASET, propensity=np.full(len(DATASET), np.nan))
    assert weighted(unknown, ASKED) is unknown
    known = replace(DATASET, propensity=np.where(DATASET.offer == 0, 0.1, 0.5))
    assert weighted(known, ASKED).weight == pytest.approx(inverse_propensity(known.propensity))


def biased(rows: int, rare: float, seed: int) -> tuple[Dataset, np.ndarray]:
    """Two offers, one shown with probability `rare`, whose taste is the opposite of the other's; and the truth."""
    draw = np.random.default_rng(seed)
    which, taste = (draw.random(rows) < rare).astype(np.float64), draw.random(rows)
    truth = sigmoid(np.where(which > 0, -1, 1) * (4 * taste - 2))
    names = ("customer.mood", "offer.discount")
    columns = tuple(column for column in DATASET.features.columns if column.name in names)
    assert len(columns) == 2
    made = replace(
        DATASET,
        features=msgspec.structs.replace(
            DATASET.features, columns=tuple(msgspec.structs.replace(column, monotone=0) for column in columns)
        ),
        rows=np.column_stack([taste, which]),
        outcome=(draw.random(rows) < truth).astype(np.float64),
        weight=np.ones(rows),
        propensity=np.where(which > 0, rare, 1 - rare),
    )
    return made, truth


def losses(recipe: Recipe, seed: int) -> tuple[float, float]:
    """Log loss on the offer that was rarely shown: without weights, and with them."""
    log, _ = biased(4_000, RARE, seed)
    asked, _ = biased(4_000, 0.5, 1_000 + seed)
    rare = asked.rows[:, 1] > 0

    def loss(weights: Weights) -> float:
        run = Run(seed, 1, replace(recipe, weights=weights))
        booster = grow(weighted(log, run), np.arange(len(log)), recipe.rounds[-1], run)
        said = sigmoid(np.asarray(booster.predict(asked.rows[rare], raw_score=True, num_threads=1)))
        return log_loss(asked.outcome[rare], said, np.ones(len(said)))

    return loss(Weights.NONE), loss(Weights.INVERSE_PROPENSITY)


def test_coarse_trees_fit_what_was_rarely_shown_better_with_weights() -> None:
    for seed in range(3):
        alike, by_propensity = losses(Recipe(rounds=(60,), leaves=2, columns=1.0), seed)
        assert by_propensity < alike - 0.05


def test_trees_that_can_tell_offers_apart_lose_by_weights_and_so_nobody_gets_them_unasked() -> None:
    assert Recipe().weights is Weights.NONE
    for seed in range(3):
        alike, by_propensity = losses(Recipe(rounds=(100,), columns=1.0), seed)
        assert alike < by_propensity - 0.02


def test_the_card_and_its_pages_say_how_rows_were_weighted(tmp_path: Path) -> None:
    known = replace(DATASET, propensity=np.where(DATASET.offer == 0, 0.1, 0.5))
    folder = train(known, tmp_path, ASKED)
    card = msgspec.json.decode((folder / CARD).read_bytes(), type=Card)
    weight = inverse_propensity(known.propensity)
    assert weight is not None
    said = f"inverse_propensity, at most 20: worth {effective_rows(weight):,.0f} equal rows"
    assert card.weights == said
    assert f"Weights: {said}." in (folder / "card.md").read_text()
    assert said in (folder / "card.html").read_text()

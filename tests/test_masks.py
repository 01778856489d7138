"""Trees as masks say what LightGBM says, to the last bit, in numpy and as machine code."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.features import Rows
from scoring.masks import ZERO, NoMasks, margins, masks_of

try:
    from scoring.masked_trees import AT_ONCE, MaskedTrees
except ImportError:  # no llvmlite for this Python
    AVAILABLE = False
else:
    AVAILABLE = True

NEEDED = pytest.mark.skipif(not AVAILABLE, reason="no llvmlite")
COLUMNS = 6
PECULIAR = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, ZERO, -ZERO, 5e-324, -ZERO / 2, 1e300, -1e300, 1.0])
QUIET = {"verbose": -1, "num_threads": 1, "deterministic": True, "min_data_in_leaf": 1, "min_data_in_bin": 1}


@dataclass(frozen=True, slots=True)
class Forest:
    """How a booster is grown."""

    seed: int
    trees: int = 8
    leaves: int = 31
    bins: int = 63
    missing: str = "nan"
    categories: tuple[int, ...] = ()
    """Columns."""


def grown(forest: Forest, **told: object) -> lightgbm.Booster:
    """On 300 rows: some columns of few values, zeros, missing ones, infinities."""
    draw = np.random.default_rng(forest.seed)
    rows = draw.normal(size=(300, COLUMNS))
    rows[:, 1] = draw.integers(0, 3, 300)
    rows[:, 2] = draw.choice(PECULIAR[1:], 300)
    rows[draw.random(rows.shape) < 0.2] = np.nan if forest.missing != "none" else 0.5
    rows[draw.random(rows.shape) < 0.2] = 0.0
    outcome = (np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1]) + draw.normal(size=300) > 0.5).astype(float)
    how = {"zero_as_missing": forest.missing == "zero", "use_missing": forest.missing != "none"}
    size = {"num_leaves": forest.leaves, "max_bin": forest.bins, "seed": forest.seed}
    params = {"objective": "binary"} | QUIET | how | size | told
    table = lightgbm.Dataset(rows, outcome, params=params, categorical_feature=list(forest.categories))
    booster = lightgbm.Booster(params, table)
    for _ in range(forest.trees):
        booster.update()
    return booster


def asked(booster: lightgbm.Booster, count: int, seed: int) -> Rows:
    """Rows as one decision has them: many columns the same, thresholds themselves among the values."""
    draw = np.random.default_rng(seed)
    text = booster.model_to_string()
    lines = [line.split("=")[1].split() for line in text.split("\n") if line.startswith("threshold=")]
    thresholds = np.array([float(value) for line in lines for value in line] or [0.0])
    with np.errstate(over="ignore"):
        beside = [np.nextafter(thresholds, np.inf), np.nextafter(thresholds, -np.inf)]
    near = np.concatenate([thresholds, *beside, PECULIAR])
    few = draw.choice(near, (1 + int(draw.integers(0, 5)), COLUMNS))
    rows: Rows = few[draw.integers(0, len(few), (count, COLUMNS)), np.arange(COLUMNS)]
    fresh = draw.random((count, COLUMNS)) < 0.3
    rows[fresh] = draw.choice(near, int(fresh.sum()))
    same = draw.random(COLUMNS) < 0.4
    rows[:, same] = rows[:1, same]
    return rows


UNLIKE = Forest(2, trees=3, leaves=15, missing="none")


def said(booster: lightgbm.Booster, rows: Rows) -> bytes:
    """LightGBM does not take empty ones."""
    return np.asarray(booster.predict(rows, raw_score=True, num_threads=1)).tobytes() if len(rows) else b""


def same(booster: lightgbm.Booster, rows: Rows) -> None:
    masks = masks_of(booster.model_to_string())
    assert masks.whole()
    expected = said(booster, rows)
    assert margins(masks, rows).tobytes() == expected
    if AVAILABLE:
        assert MaskedTrees(masks)(rows).tobytes() == expected


forests = st.builds(
    Forest,
    seed=st.integers(0, 10_000),
    trees=st.integers(1, 20),
    leaves=st.sampled_from([2, 3, 7, 31, 32, 33, 63, 64]),
    bins=st.sampled_from([2, 15, 63, 255]),
    missing=st.sampled_from(["nan", "zero", "none"]),
)


def compared(forest: Forest, count: int, seed: int) -> None:
    booster = grown(forest)
    same(booster, asked(booster, count, seed))


@settings(max_examples=15, deadline=None)
@given(forests, st.integers(0, 140), st.integers(0, 1_000))
def test_masks_say_what_the_booster_says(forest: Forest, count: int, seed: int) -> None:
    compared(forest, count, seed)


@pytest.mark.prove
@settings(max_examples=600, deadline=None)
@given(forests, st.integers(0, 400), st.integers(0, 1_000_000))
def test_masks_say_what_the_booster_says_of_many_forests(forest: Forest, count: int, seed: int) -> None:
    compared(forest, count, seed)


def test_thresholds_around_zero_are_asked_what_lightgbm_asks() -> None:
    """Booster.predict takes what is nearer to zero than 1e-35 for zero, before any threshold is asked."""
    text = grown(Forest(3, trees=1, leaves=4)).model_to_string()
    line = next(line for line in text.split("\n") if line.startswith("threshold="))
    for thresholds in ("0 5e-36 -5e-36", "-1e-35 1e-35 0", "1e-40 -1e-300 2e-35", "inf -inf 0"):
        changed = text.replace(line, f"threshold={thresholds}")
        booster = lightgbm.Booster(model_str=_resized(changed))
        rows = np.repeat([*PECULIAR, 6e-36, -6e-36, 2e-35, 3e-35], COLUMNS).reshape(-1, COLUMNS)
        masks = masks_of(changed)
        assert margins(masks, rows).tobytes() == said(booster, rows)
        if AVAILABLE:
            assert MaskedTrees(masks)(rows).tobytes() == said(booster, rows)


def _resized(text: str) -> str:
    """With the size of its one tree as it is now."""
    begin, end = text.index("\nTree=0\n") + 1, text.index("end of trees")
    before, after = text.split("\ntree_sizes=")
    return f"{before}\ntree_sizes={end - begin}{after[after.index(chr(10)) :]}"


@pytest.mark.parametrize("way", [0, 2, 4, 6, 8, 10])
def test_missing_values_go_where_each_node_sends_them(way: int) -> None:
    """decision_type: 2 is left by default; missing is nothing (0), zero (4) or NaN (8)."""
    text = grown(Forest(5, trees=3, leaves=8)).model_to_string()
    lines = [
        f"decision_type={' '.join([str(way)] * len(line.split()))}" if line.startswith("decision_type=") else line
        for line in text.split("\n")
    ]
    sizes = next(spot for spot, line in enumerate(lines) if line.startswith("tree_sizes="))
    blocks = "\n".join(lines).split("\nTree=")
    told = [len(f"Tree={block}\n") for block in blocks[1:-1]]
    told.append(len(f"Tree={blocks[-1]}".split("end of trees")[0]))
    lines[sizes] = f"tree_sizes={' '.join(map(str, told))}"
    booster = lightgbm.Booster(model_str="\n".join(lines))
    same(booster, asked(booster, 200, way))


def test_trees_without_a_split_are_constants() -> None:
    booster = grown(Forest(1, trees=3), min_data_in_leaf=1_000)
    same(booster, np.zeros((3, COLUMNS)))
    same(grown(Forest(1, trees=0)), np.zeros((2, COLUMNS)))


@pytest.mark.parametrize(
    "told",
    [
        {"objective": "multiclass", "num_class": 3},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"linear_tree": True},
        {"forest": replace(UNLIKE, categories=(1,))},
        {"num_leaves": 65},
    ],
    ids=str,
)
def test_trees_that_have_no_masks_are_refused(told: dict[str, Any]) -> None:
    text = grown(**{"forest": UNLIKE} | told).model_to_string()
    with pytest.raises(NoMasks):
        masks_of(text)


@NEEDED
def test_rows_in_threads_of_any_number_and_layout() -> None:
    booster = grown(Forest(9, trees=30))
    trees = MaskedTrees(masks_of(booster.model_to_string()))
    slates = [asked(booster, count, count) for count in (1, 3, 100, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE + 2)]
    expected = [said(booster, slate) for slate in slates]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            assert [found.tobytes() for found in pool.map(trees, slates)] == expected
    assert [trees(np.asfortranarray(slate)).tobytes() for slate in slates] == expected
    assert trees(np.repeat(slates[2], 2, axis=0)[::2]).tobytes() == expected[2]


@NEEDED
@pytest.mark.parametrize("shape", [(3, COLUMNS - 1), (COLUMNS,), (0, COLUMNS + 1)])
def test_rows_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    trees = MaskedTrees(masks_of(grown(Forest(9, trees=2)).model_to_string()))
    with pytest.raises(ValueError, match=r"expected \(n, 6\)"):
        trees(np.zeros(shape))

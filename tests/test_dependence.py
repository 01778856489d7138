"""Partial dependence: what is said if everybody had a value, with the middle half, and nobody's row changed."""

import numpy as np
import pytest

from scoring.dependence import LEVELS, POINTS, ROWS, Dependence, dependence
from scoring.features import Column, FeatureList, Part, Rows, Transform

NUMBER = Column("customer.age", Part.COMMON, "customer.age", Transform.NUMBER)
CODE = Column("customer.town", Part.COMMON, "customer.town", Transform.CODE, levels=("Livorno", "Olbia"))
FLAG = Column("customer.newsletter", Part.COMMON, "customer.newsletter", Transform.FLAG)
FEATURES = FeatureList(1, (NUMBER, CODE, FLAG))
NAMES = FEATURES.names


def rows(count: int = 1_000) -> Rows:
    """Ages from 0 to 1, three towns one of which has no level, a tenth of the ages missing."""
    draw = np.random.default_rng(1)
    age = np.where(draw.random(count) < 0.1, np.nan, draw.random(count))
    return np.column_stack([age, draw.integers(-1, 2, count), draw.integers(0, 2, count)])


def of(name: str) -> Dependence:
    """One column's, of a model that adds them up."""

    def added(table: Rows) -> Rows:
        weighed: Rows = np.nan_to_num(table, nan=5.0) @ np.array([0.1, 0.2, 0.4])
        return weighed

    (found,) = dependence(rows(), FEATURES, [name], added)
    return found


def test_a_number_is_followed_over_its_range_and_the_missing_come_last() -> None:
    found = of("customer.age")
    assert found.ordered
    assert len(found.points) == POINTS + 1
    numbers, missing = found.points[:-1], found.points[-1]
    values = [point.value for point in numbers]
    assert values == sorted(value for value in values if value is not None)
    slope = (numbers[-1].mean - numbers[0].mean) / (numbers[-1].value - numbers[0].value)  # type: ignore[operator]
    assert slope == pytest.approx(0.1)
    assert (missing.label, missing.value) == ("missing", None)
    assert missing.mean == pytest.approx(numbers[0].mean + 0.1 * (5 - numbers[0].value))  # type: ignore[operator]
    assert all(point.low <= point.mean <= point.high for point in found.points)


def test_levels_have_their_names_and_what_has_none_is_unseen() -> None:
    found = of("customer.town")
    assert (found.ordered, [point.label for point in found.points]) == (False, ["unseen", "Livorno", "Olbia"])
    assert found.points[2].mean - found.points[1].mean == pytest.approx(0.2)
    assert [point.label for point in of("customer.newsletter").points] == ["no", "yes"]


def test_the_most_frequent_levels_are_tried_and_no_more() -> None:
    many = FeatureList(1, (Column("t", Part.COMMON, "t", Transform.CODE, levels=tuple(map(str, range(40)))),))
    table = np.concatenate([np.repeat(np.arange(10.0), 20), np.arange(40.0)])[:, None]
    (found,) = dependence(table, many, ["t"], lambda rows: rows[:, 0])
    assert len(found.points) == LEVELS
    assert all(int(point.label) < 10 for point in found.points)


def test_rows_are_not_touched_and_few_are_asked() -> None:
    table, asked = rows(), []

    def say(changed: Rows) -> Rows:
        asked.append(len(changed))
        return changed[:, 2]

    before = table.copy()
    dependence(table, FEATURES, NAMES, say)
    assert np.array_equal(table, before, equal_nan=True)
    assert set(asked) == {ROWS}


def test_a_column_with_one_value_says_nothing_and_neither_do_no_rows() -> None:
    same = np.tile([0.5, 1.0, 0.0], (50, 1))
    assert dependence(same, FEATURES, NAMES, lambda table: table[:, 0]) == ()
    assert dependence(np.empty((0, 3)), FEATURES, NAMES, lambda table: table[:, 0]) == ()
    nothing = np.full((50, 3), np.nan)
    assert dependence(nothing, FEATURES, NAMES, lambda table: np.zeros(len(table))) == ()

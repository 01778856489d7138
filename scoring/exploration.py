"""Exploration: which candidate takes a rank, and the exact probability of that choice. Pure.

Inverse-gap weighting (Abe and Long 1999; Foster and Rakhlin 2020): of K candidates, one whose score lies a share g
below the best is drawn with probability strength / (K x (1 + g)), and the best takes what is left. All of it is
closed-form, and bounded on both sides:

- every candidate has at least strength / (2 K), the floor, whatever the scores and their signs (0 <= g <= 1);
- the best is passed over with a probability below `strength`;
- on average a rank gives up less than strength / 2 of the best score, and never more than `costs_at_most`: where that
  is less, the strength is lowered until it is kept, and with it the floor, to no less than costs_at_most / K.
"""

from collections.abc import Sequence
from itertools import accumulate

from streams.errors import InvalidInput

NO_CAP = 1.0
"""A rank cannot give up more than all."""


def choose(scores: Sequence[float], strength: float, draw: float, costs_at_most: float = NO_CAP) -> tuple[int, float]:
    """One candidate for the next rank -> (index into `scores`, probability of it given what is left).

    `scores` in descending order, finite; `strength` 0 (the best, always) to 1 (nearly even); `draw` in [0, 1).
    Raises InvalidInput EXPLORATION_EMPTY, EXPLORATION_STRENGTH or EXPLORATION_COST.

    >>> choose([4.0, 4.0], 0.5, 0.9)
    (1, 0.25)
    """
    if strength == 0 and scores:
        return 0, 1.0
    chances = probabilities(scores, strength, costs_at_most)
    passed = accumulate(chances)
    index = next((index for index, until in enumerate(passed) if draw < until), len(chances) - 1)
    return index, chances[index]


def probabilities(scores: Sequence[float], strength: float, costs_at_most: float = NO_CAP) -> list[float]:
    """Chance of each candidate to take the rank; they add up to 1. Contract as in `choose`.

    >>> probabilities([4.0, 2.0], 0.5)  # the other is half as good: 0.5 / (2 x 1.5)
    [0.8333333333333334, 0.16666666666666666]
    >>> probabilities([4.0, 2.0], 0.5, costs_at_most=0.0625)  # instead of 1/6 x 1/2, a twelfth of the best score
    [0.875, 0.125]
    """
    _check(scores, strength, costs_at_most)
    best, count = scores[0], len(scores)
    # of scores on both sides of 0 the whole range, so that no share is over 1
    scale = max(abs(best), abs(scores[-1]), best - scores[-1]) or 1.0
    shares = [(best - score) / scale for score in scores[1:]]
    if costs_at_most < strength / 2:
        costs = sum(share / (count * (1.0 + share)) for share in shares)  # at strength 1
        strength = min(strength, costs_at_most / costs) if costs else strength
    others = [strength / (count * (1.0 + share)) for share in shares]
    return [1.0 - sum(others), *others]


def floor(count: int, strength: float, costs_at_most: float = NO_CAP) -> float:
    """The least chance that any of `count` candidates has.

    >>> floor(10, 0.2), floor(10, 0.2, costs_at_most=0.05)
    (0.01, 0.005)
    """
    return min(strength / 2, costs_at_most) / count


def _check(scores: Sequence[float], strength: float, costs_at_most: float) -> None:
    if not scores:
        raise InvalidInput("EXPLORATION_EMPTY", "there is no candidate to choose from; expected at least one score")
    if not 0 <= strength <= 1:
        raise InvalidInput("EXPLORATION_STRENGTH", f"strength is {strength}; expected a number from 0 to 1")
    if not 0 < costs_at_most <= 1:
        message = f"costs_at_most is {costs_at_most}; expected a share above 0, at most 1"
        raise InvalidInput("EXPLORATION_COST", message)

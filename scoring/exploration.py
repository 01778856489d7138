"""Exploration: which candidate takes a rank, and the exact probability of that choice. Pure.

Inverse-gap weighting: of K candidates, one whose score lies a share g below the best is drawn with probability
strength / (K x (1 + g)), and the best takes what is left. So every candidate has a chance, at least half of an even
share of `strength`; the best is passed over with a probability below `strength`; all of it is closed-form.
"""

from collections.abc import Sequence
from itertools import accumulate

from streams.errors import InvalidInput


def choose(scores: Sequence[float], strength: float, draw: float) -> tuple[int, float]:
    """One candidate for the next rank -> (index into `scores`, probability of it given what is left).

    `scores` in descending order, finite; `strength` 0 (the best, always) to 1 (nearly even); `draw` in [0, 1).
    Raises InvalidInput EXPLORATION_EMPTY or EXPLORATION_STRENGTH.

    >>> choose([4.0, 4.0], 0.5, 0.9)
    (1, 0.25)
    """
    if strength == 0 and scores:
        return 0, 1.0
    chances = probabilities(scores, strength)
    passed = accumulate(chances)
    index = next((index for index, until in enumerate(passed) if draw < until), len(chances) - 1)
    return index, chances[index]


def probabilities(scores: Sequence[float], strength: float) -> list[float]:
    """Chance of each candidate to take the rank; they add up to 1. Contract as in `choose`."""
    if not scores:
        raise InvalidInput("EXPLORATION_EMPTY", "there is no candidate to choose from; expected at least one score")
    if not 0 <= strength <= 1:
        raise InvalidInput("EXPLORATION_STRENGTH", f"strength is {strength}; expected a number from 0 to 1")
    best, count = scores[0], len(scores)
    scale = max(abs(best), abs(scores[-1])) or 1.0
    others = [strength / (count * (1.0 + (best - score) / scale)) for score in scores[1:]]
    return [1.0 - sum(others), *others]

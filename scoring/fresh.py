"""Fresh: the newest part of a log, which no model has been trained on, held back so that models can be judged on it."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from scoring.examples import Example, Examples
from streams.ids import Millis

SHARE: Final = 0.2
"""Most of the labelled items that is held back."""
ROWS: Final = 1_000
OF_EACH: Final = 100
"""Enough for a verdict: more would only keep the newest decisions from being learnt from."""
LogAt = Callable[[Millis], Examples]
"""A log as it was known at an instant: decisions up to then, and only outcomes whose windows had closed by then."""


def cutoff(examples: Examples, trained_until: Millis | None = None) -> Millis | None:
    """The instant after which decisions are fresh; None for a log without labelled items. Reads the log once.

    The newest items, until there are ROWS of them and OF_EACH accepted and not, and no more than SHARE of all; never
    before `trained_until`, the last decision that the active model has learnt from.
    """
    known = ((each.inputs.now, outcome) for each in examples() for outcome in each.outcomes)
    items = sorted(known, reverse=True)
    if not items:
        return None
    most = int(len(items) * SHARE)
    accepted = accumulate(outcome for _, outcome in items[:most])
    counted = enumerate(accepted, 1)
    spot = next((n for n, yes in counted if n >= ROWS and min(yes, n - yes) >= OF_EACH), most)
    return max(items[spot][0], trained_until or 0)


def until(examples: Examples, at: Millis) -> Examples:
    """Decisions up to `at`, of a log that knows no windows."""

    def found() -> Iterator[Example]:
        return (example for example in examples() if example.inputs.now <= at)

    return found


def since(examples: Examples, at: Millis) -> Examples:
    """Decisions after `at`."""

    def found() -> Iterator[Example]:
        return (example for example in examples() if example.inputs.now > at)

    return found

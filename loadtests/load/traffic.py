"""Who does what when: every request of a run, due at an instant that no answer can move. Pure and seeded.

Arrivals are a Poisson process at each stage's rate: customers do not wait for each other's answers, so neither does the
load. Who comes is skewed as people are: some open the app again and again, most hardly ever, and whoever has just
looked is likely to look once more.
"""

from bisect import bisect
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from types import MappingProxyType

from loadtests.load.shapes import Stage

DECISION, OUTCOMES, LOCATION, BOOKING, MARKET = "decision", "outcomes", "location", "booking", "market"
MIX: Mapping[str, float] = MappingProxyType({DECISION: 0.60, OUTCOMES: 0.22, LOCATION: 0.13, BOOKING: 0.05})
"""Share of each kind. The market speaks beside them on its own clock, however many people there are."""
REPEATS = 0.45
"""Share of the decisions that are asked for again by somebody who has just looked."""
AGAIN_S = (2.0, 60.0)
"""A repeat comes so long after the look before it: opened, put away, opened again. Decisions are kept 60 to 300 s."""
PAUSE_S = 300.0
"""Whoever has looked does not come anew for so long, but for repeats: nobody opens an app all day."""
REPORTS_S = (1.5, 20.0)
"""So long after a look its outcomes are reported."""
FLAT = 30
"""The n-th most eager customer asks in proportion to 1 / (n + FLAT): Zipf's law, its head as flat as a day is short."""
TRIES = 12
"""So often somebody is drawn who has not just been here; a crowd too small for the rate then comes again."""
DRAWN = 3
"""Of so many who have just looked, the most eager one looks again."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that is due."""

    at: float
    """Seconds from the start."""
    kind: str
    customer: int
    """Index in the crowd."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which of the generators this one is: it sends its own share, for customers of its own."""

    index: int = 0
    of: int = 1

    def __contains__(self, customer: int) -> bool:
        return customer % self.of == self.index


ALONE = Part()


def eagerness(rank: int) -> float:
    """How often the customer at this rank asks, beside the first, whose rank is 0."""
    return (1 + FLAT) / (rank + 1 + FLAT)


def arrivals(seed: int, stages: Sequence[Stage], weights: Sequence[float], part: Part = ALONE) -> list[Arrival]:
    """Every request of a run, by when it is due. `weights`: how often each customer comes.

    The same seed gives the same run; the parts together offer the stages' rates.
    """
    people = _People(Random(f"{seed}:{part.index}:{part.of}"), weights, part)
    due = _due(Random(f"{seed}:due:{part.index}:{part.of}"), stages, part.of)
    return [Arrival(at, *people.come(at)) for at in due]


def _due(rng: Random, stages: Sequence[Stage], parts: int) -> Iterator[float]:
    begins = 0.0
    for stage in stages:
        at = begins
        while True:
            at += rng.expovariate(stage.rate / parts)
            if at >= begins + stage.seconds:
                break
            yield at
        begins += stage.seconds


@dataclass(slots=True)
class _People:
    """Who comes next, and who was here just now."""

    rng: Random
    weights: Sequence[float]
    part: Part
    looked: deque[tuple[float, int]] = field(default_factory=deque)
    """(when, who), the oldest first: those who may look again."""
    unreported: deque[tuple[float, int]] = field(default_factory=deque)
    """Those whose outcomes are not reported yet."""
    last: dict[int, float] = field(default_factory=dict)
    """Customer -> when they last came anew."""
    members: list[int] = field(init=False)
    sums: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.members = [number for number in range(len(self.weights)) if number in self.part]
        self.sums = list(accumulate(self.weights[number] for number in self.members))

    def come(self, at: float) -> tuple[str, int]:
        """(kind, customer)"""
        kind = self.rng.choices(tuple(MIX), tuple(MIX.values()))[0]
        if kind == OUTCOMES:
            found = self._next(self.unreported, at, REPORTS_S)
            if found is not None:
                return OUTCOMES, found
            kind = DECISION  # nobody has anything to report: somebody looks instead
        if kind != DECISION:
            return kind, self._anyone()
        return DECISION, self._looks(at)

    def _looks(self, at: float) -> int:
        again = self._again(at) if self.rng.random() < REPEATS else None
        customer = self._anew(at) if again is None else again
        self.looked.append((at, customer))
        if again is None:
            self.unreported.append((at, customer))
        return customer

    def _anew(self, at: float) -> int:
        """Somebody who has not been here for a while, as far as there are any."""
        for _ in range(TRIES):
            customer = self._anyone()
            if at - self.last.get(customer, -PAUSE_S) >= PAUSE_S:
                break
        self.last[customer] = at
        return customer

    def _again(self, at: float) -> int | None:
        """The most eager of some who looked between 2 and 60 seconds ago."""
        while self.looked and self.looked[0][0] < at - AGAIN_S[1]:
            self.looked.popleft()
        ready = bisect(self.looked, at - AGAIN_S[0], key=lambda look: look[0])
        drawn = (self.looked[self.rng.randrange(ready)][1] for _ in range(DRAWN if ready else 0))
        return max(drawn, key=lambda customer: (self.weights[customer], customer), default=None)

    def _next(self, waiting: deque[tuple[float, int]], at: float, within: tuple[float, float]) -> int | None:
        """The one that has waited longest, if any has waited long enough."""
        while waiting and waiting[0][0] < at - within[1]:
            waiting.popleft()
        if not waiting or waiting[0][0] > at - within[0]:
            return None
        return waiting.popleft()[1]

    def _anyone(self) -> int:
        return self.members[bisect(self.sums, self.rng.random() * self.sums[-1])]

"""Which candidates are looked at, allowed and drawn, so that every eligible offer can be learnt about (idea 10)."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from offers.bits import Positions
from offers.candidates import Candidates, Kept
from offers.inclusion import drawn as to_draw
from offers.proposition import Candidate, Code, Reason, Screening
from streams.bucket import bucket
from streams.record import DecisionInputs

ALLOW = 384
"""A decision with time: offers are looked at in layout order until so many candidates are allowed ..."""
LOOK_AT = 2048
"""... or so many offers were looked at."""
AHEAD = 2
NO_LIMIT = 1 << 62

Rule = Callable[[Candidate, DecisionInputs], Reason | None]


def take(candidates: Candidates, rules: Sequence[Rule], inputs: DecisionInputs) -> Screening:
    """The allowed candidates, in the order looked at, and counts of why the others are not among them."""
    ruled_out: Counter[Code] = Counter()
    ruled_out[Code.INDEX_EXCLUDED] = candidates.index_excluded
    limit = inputs.candidate_limit
    if limit <= 0:
        ruled_out[Code.DEADLINE_EXCEEDED] = candidates.count
        return Screening((), _sorted(ruled_out))
    screen = _Screen(candidates, rules, inputs, ruled_out)
    every_one = candidates.count <= limit + to_draw(limit)  # with no more than both together, all are evaluated
    ahead = LOOK_AT if every_one else min(LOOK_AT, AHEAD * limit)  # no more than will be looked at, as a rule
    looked_at = screen.look(candidates.first(ahead), NO_LIMIT if every_one else limit)
    if looked_at == ahead < LOOK_AT and screen.count < limit:
        looked_at += screen.look(candidates.first(LOOK_AT)[ahead:], limit - screen.count)
    left = candidates.count - looked_at
    if left:
        drawn = draw(inputs.decision_id, left, to_draw(limit))
        at = np.array(candidates.at_ranks([looked_at + rank for rank in drawn]), dtype=np.int64)
        screen.look(at, NO_LIMIT, inclusion=len(drawn) / left)
        ruled_out[Code.BEYOND_CANDIDATE_LIMIT] = left - len(drawn)
    return Screening(candidates.allowed(screen.kept()), _sorted(ruled_out))


class _Screen:
    """One pass over the candidates: looks at offers, keeps or counts."""

    def __init__(
        self, candidates: Candidates, rules: Sequence[Rule], inputs: DecisionInputs, ruled_out: Counter[Code]
    ) -> None:
        self.candidates = candidates
        self.rules = rules
        self.inputs = inputs
        self.ruled_out = ruled_out
        self._blocks: list[Kept] = []

    def look(self, positions: Positions, most: int, inclusion: float = 1.0) -> int:
        """Look at these offers in order until `most` candidates are allowed; how many offers were looked at.

        Of most offers it is known at once that they are allowed. The others are evaluated one by one.
        """
        settled = self.candidates.settled(positions)
        allowed = settled.astype(np.intp)
        before: list[int] = np.cumsum(allowed).tolist()
        found: list[tuple[int, float]] = []
        for at in np.flatnonzero(~settled).tolist():
            if before[at] + len(found) >= most:
                break
            allowed[at] = self._evaluate(int(positions[at]), found)
        looked_at = min(len(positions), int(np.searchsorted(np.cumsum(allowed), most)) + 1)
        self._keep(positions[:looked_at], allowed[:looked_at], (~settled[:looked_at], found), inclusion)
        return looked_at

    def _evaluate(self, position: int, found: list[tuple[int, float]]) -> int:
        """Each candidate of an offer is kept, or the offer is counted under its first reason; how many were kept."""
        first: Reason | None = None
        before = len(found)
        for number, value, doubtful in self.candidates.look(position):
            reason = None if doubtful is None else self._against(doubtful)
            if reason is None:
                found.append((number, value))
            elif first is None:
                first = reason
        if len(found) == before:
            self.ruled_out[Code.NO_SUBJECT if first is None else first.code] += 1
        return len(found) - before

    def _against(self, candidate: Candidate) -> Reason | None:
        for rule in self.rules:
            reason = rule(candidate, self.inputs)
            if reason is not None:
                return reason
        return None

    def _keep(
        self,
        positions: Positions,
        allowed: NDArray[np.intp],
        evaluated: tuple[NDArray[np.bool_], list[tuple[int, float]]],
        inclusion: float,
    ) -> None:
        which, found = evaluated
        kept = np.repeat(positions, allowed)
        about, values = np.zeros(len(kept), dtype=np.intp), self.candidates.catalog.columns.values[kept]
        if found:
            spots = np.flatnonzero(np.repeat(which, allowed))
            about[spots] = [number for number, _ in found]
            values[spots] = [value for _, value in found]
        self._blocks.append(Kept(kept, about, values, np.full(len(kept), inclusion)))

    @property
    def count(self) -> int:
        """How many candidates were kept so far."""
        return sum(len(block.positions) for block in self._blocks)

    def kept(self) -> Kept:
        """The candidates kept, in the order looked at."""
        if len(self._blocks) == 1:
            return self._blocks[0]
        return Kept(
            np.concatenate([block.positions for block in self._blocks]),
            np.concatenate([block.about for block in self._blocks]),
            np.concatenate([block.values for block in self._blocks]),
            np.concatenate([block.inclusion for block in self._blocks]),
        )


def draw(seed: str, among: int, most: int) -> list[int]:
    """At most `most` distinct ranks below `among`, uniform without replacement (Floyd's algorithm), ascending.

    Each rank is drawn with probability min(1, most / among) exactly.

    >>> draw("d-1", 3, 128)
    [0, 1, 2]
    """
    if among <= most:
        return list(range(among))
    chosen: set[int] = set()
    for top in range(among - most, among):
        rank = int(bucket(seed, f"shortlist:{top}") * (top + 1))
        chosen.add(top if rank in chosen else rank)
    return sorted(chosen)


def _sorted(counts: Counter[Code]) -> tuple[tuple[Code, int], ...]:
    return tuple(sorted((code, number) for code, number in counts.items() if number))

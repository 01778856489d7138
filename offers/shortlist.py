"""Which candidates are looked at, allowed and drawn, so that every eligible offer can be learnt about (idea 10)."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice

from offers.catalog import Candidates
from offers.proposition import Candidate, Code, Reason, Screening
from streams.bucket import bucket
from streams.record import DecisionInputs

EVALUATE_ALL = 512
"""With at most so many survivors of the index, every one is evaluated."""
ALLOW = 384
"""Beyond them: offers are looked at in layout order until so many candidates are allowed ..."""
LOOK_AT = 2048
"""... or so many offers were looked at; of those left, DRAW are drawn."""
DRAW = 128

Rule = Callable[[Candidate, DecisionInputs], Reason | None]


def take(candidates: Candidates, rules: Sequence[Rule], inputs: DecisionInputs) -> Screening:
    """The allowed candidates, in the order looked at, and counts of why the others are not among them."""
    ruled_out: Counter[Code] = Counter()
    ruled_out[Code.INDEX_EXCLUDED] = candidates.index_excluded
    if inputs.candidate_limit <= 0:
        ruled_out[Code.DEADLINE_EXCEEDED] = candidates.count
        return Screening((), _sorted(ruled_out))
    screen = _Screen(candidates, rules, inputs, ruled_out)
    looked_at = screen.in_order()
    left = candidates.count - looked_at
    if left:
        drawn = draw(inputs.decision_id, left, min(DRAW, inputs.candidate_limit))
        for position in candidates.at_ranks([looked_at + rank for rank in drawn]):
            screen.look_at(position, inclusion=len(drawn) / left)
        ruled_out[Code.BEYOND_CANDIDATE_LIMIT] = left - len(drawn)
    return Screening(tuple(screen.kept), _sorted(ruled_out))


class _Screen:
    """One pass over the candidates: looks at offers, keeps or counts."""

    def __init__(
        self, candidates: Candidates, rules: Sequence[Rule], inputs: DecisionInputs, ruled_out: Counter[Code]
    ) -> None:
        self.candidates = candidates
        self.rules = rules
        self.inputs = inputs
        self.ruled_out = ruled_out
        self.kept: list[Candidate] = []

    def in_order(self) -> int:
        """Look at offers in layout order as far as the limits allow; how many were looked at."""
        limit = self.inputs.candidate_limit
        every_one = self.candidates.count <= EVALUATE_ALL and limit >= ALLOW
        looked_at = 0
        for position in islice(self.candidates.positions(), LOOK_AT):
            if len(self.kept) >= limit and not every_one:
                break
            self.look_at(position, inclusion=1.0)
            looked_at += 1
        return looked_at

    def look_at(self, position: int, inclusion: float) -> None:
        """Evaluate one offer: each of its candidates is kept, or the offer is counted under its first reason."""
        first: Reason | None = None
        kept, before = self.kept, len(self.kept)
        for candidate in self.candidates.of_offer(position, inclusion):
            settled = candidate.presentable and candidate.uncapped and not candidate.residual
            reason = None if settled else self._against(candidate)
            if reason is None:
                kept.append(candidate)
            elif first is None:
                first = reason
        if len(kept) == before:
            self.ruled_out[Code.NO_SUBJECT if first is None else first.code] += 1

    def _against(self, candidate: Candidate) -> Reason | None:
        for rule in self.rules:
            reason = rule(candidate, self.inputs)
            if reason is not None:
                return reason
        return None


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

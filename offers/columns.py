"""Allowed and ranked candidates as columns: hundreds are a few arrays, and objects are made of those that are shown."""

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from offers.money import worth
from offers.proposition import Candidate, Scored
from offers.standing import LayoutColumns
from scoring.features import Book, Scores
from scoring.lineup import Lineup, lined_up
from streams.ids import OfferId
from streams.record import ScoredCandidate, Subject

Numbers = NDArray[np.float64]


class Allowed(Sequence[Candidate]):
    """n allowed candidates. As a sequence, the candidates themselves, each made when it is asked for."""

    __slots__ = ("_layout", "_made", "_make", "ids", "inclusion", "levers", "lineup", "values")

    def __init__(
        self,
        layout: LayoutColumns,
        lineup: Lineup,
        values: Numbers,
        inclusion: Numbers,
        make: Callable[[int], Candidate],
    ) -> None:
        self._layout = layout
        self.lineup = lineup
        self.values = values
        """(n,) what an acceptance is worth."""
        self.inclusion = inclusion
        """(n,) see Candidate."""
        self.ids = layout.ids
        """Offer ids by position."""
        self.levers: Numbers = layout.levers[lineup.positions]
        self._make = make
        self._made: dict[int, Candidate] = {}

    def __len__(self) -> int:
        return len(self.lineup)

    @overload
    def __getitem__(self, spot: int) -> Candidate: ...
    @overload
    def __getitem__(self, spot: slice) -> tuple[Candidate, ...]: ...
    def __getitem__(self, spot: int | slice) -> Candidate | tuple[Candidate, ...]:
        if isinstance(spot, slice):
            return tuple(self[at] for at in range(*spot.indices(len(self))))
        at = range(len(self))[spot]
        found = self._made.get(at)
        if found is None:
            found = self._made[at] = self._make(at)
        return found

    def only(self, spots: NDArray[np.intp]) -> "Allowed":
        """Those at these places."""
        lineup, chosen = self.lineup, spots.tolist()
        part = Lineup(lineup.book, lineup.positions[spots], lineup.subjects, lineup.about[spots])
        return Allowed(self._layout, part, self.values[spots], self.inclusion[spots], lambda at: self._make(chosen[at]))

    def offers(self) -> set[OfferId]:
        """The offers they are of."""
        return {self.ids[position] for position in self.lineup.positions.tolist()}


def in_columns(candidates: Sequence[Candidate]) -> Allowed:
    """Candidates as columns; an Allowed as it is."""
    if isinstance(candidates, Allowed):
        return candidates
    values = [_worth(each) if each.value is None else each.value for each in candidates]
    layout = LayoutColumns(
        book=Book(()),
        ids=tuple(each.offer.id for each in candidates),
        values=np.array(values, dtype=np.float64),
        levers=np.array([each.offer.lever for each in candidates], dtype=np.float64),
        plain=np.empty(0, dtype=np.uint64),
    )
    lineup = lined_up([(each.offer.facts, each.subject) for each in candidates])
    inclusion = np.array([each.inclusion for each in candidates], dtype=np.float64)
    return Allowed(layout, lineup, layout.values, inclusion, candidates.__getitem__)


def _worth(candidate: Candidate) -> float:
    return worth(candidate.offer, None if candidate.quote is None else candidate.quote.minor)


class Ranked(Sequence[Scored]):
    """Allowed candidates with their numbers, best first. As a sequence, Scored, each made when it is asked for."""

    __slots__ = ("_chances", "_made", "_order", "_ranks", "_rows", "_values", "allowed")

    def __init__(self, allowed: Allowed, scores: Scores, ranks: Numbers) -> None:
        self.allowed = allowed
        self._rows = scores.rows
        self._chances: list[float] = scores.probability.tolist()
        self._values: list[float] = allowed.values.tolist()
        self._ranks: list[float] = ranks.tolist()
        self._order = self._ordered(ranks)
        self._made: dict[int, Scored] = {}

    def _ordered(self, ranks: Numbers) -> list[int]:
        """By rank score; equals by offer id and subject. Names are compared only if there are equals."""
        order = np.argsort(-ranks, kind="stable")
        best_first = ranks[order]
        found: list[int] = order.tolist()
        if (best_first[1:] == best_first[:-1]).any():
            found.sort(key=lambda at: (-self._ranks[at], *self._names(at)))
        return found

    def _names(self, at: int) -> tuple[OfferId, str]:
        lineup = self.allowed.lineup
        subject: Subject = lineup.subjects[lineup.about[at]]
        return self.allowed.ids[lineup.positions[at]], subject.key

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, place: int) -> Scored: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Scored, ...]: ...
    def __getitem__(self, place: int | slice) -> Scored | tuple[Scored, ...]:
        if isinstance(place, slice):
            return tuple(self[at] for at in range(*place.indices(len(self))))
        at = self._order[place]
        found = self._made.get(at)
        if found is None:
            chance, value, rank = self._chances[at], self._values[at], self._ranks[at]
            found = self._made[at] = Scored(self.allowed[at], chance, value, rank, self._rows, at)
        return found

    def logged(self) -> tuple[ScoredCandidate, ...]:
        """As the record has them, best first."""
        lineup, ids, order = self.allowed.lineup, self.allowed.ids, self._order
        keys = [subject.key for subject in lineup.subjects]
        positions, about = lineup.positions.tolist(), lineup.about.tolist()
        inclusion, chances, ranks = self.allowed.inclusion.tolist(), self._chances, self._ranks
        return tuple(
            [
                ScoredCandidate(ids[positions[at]], keys[about[at]], chances[at], ranks[at], inclusion[at])
                for at in order
            ]
        )

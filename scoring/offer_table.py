"""Offer columns, computed once per offer and kept in one array: a decision's 100 offers are one indexed read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from scoring.encoding import Reader, read
from scoring.features import Book, Rows
from scoring.lineup import Lineup
from scoring.offer_rates import LevelRates
from streams.attributes import Value
from streams.ids import Millis, OfferId
from streams.instant import HOUR_MS
from streams.record import FactDict, OfferFacts

MOST = 262_144
"""Offers held; with more the table starts again. At 20 offer columns about 60 MB, if there are so many."""
MET_AT_ONCE = 64
"""So many new offers are computed while a decision may have to wait: 2 ms."""
NONE = -1
"""A cross that names nothing."""
Spots = NDArray[np.intp]
About = tuple[str, str]
"""(level, name): an offer, a collection or a campaign."""


@dataclass(frozen=True, slots=True)
class OfferColumns:
    """What the table computes of an offer."""

    readers: tuple[Reader, ...]
    width: int
    since: tuple[int, ...]
    """Columns in hours from an instant: the table holds minus the instant, the decision's own hours are added."""
    crosses: tuple[tuple[str, str], ...]
    """(offer fact that names another fact, what of that one is meant; empty: itself)."""
    named: Mapping[str, int]
    """Name of a fact -> its column in the whole row."""
    exposures: Callable[[OfferId], int]
    """How many labelled exposures of an offer the model was trained on."""
    rates: LevelRates


@dataclass(slots=True)
class _Generation:
    """Arrays of fixed size. A row is written before `spots` names it and never again: readers need no lock."""

    rows: Rows
    named: Spots
    codes: Spots
    """(size, 3): numbers that stand for the offer's id, its collection and its campaign."""
    declared: Rows
    """(size, 3): starting mean, starting evidence, exposures trained on."""
    rates: Rows
    """(size, rates of an offer): as LevelRates.of says."""
    spots: dict[OfferId, tuple[OfferFacts, int]] = field(default_factory=dict)
    of_book: WeakKeyDictionary[Book, Spots] = field(default_factory=WeakKeyDictionary)
    """Where each offer of a book stands, NONE until it is met."""
    numbers: dict[About, int] = field(default_factory=dict)
    """The code of everything that stands in `codes`."""
    filled: int = 0


class OfferTable:
    """A cache: what it returns depends on the offers alone, never on what it has seen. Thread-safe."""

    def __init__(self, columns: OfferColumns) -> None:
        self._columns = columns
        self._writing = Lock()
        self._generation = self._made(64)

    def find(self, lineup: Lineup) -> "Found":
        """What the table holds of these offers; those met for the first time are computed."""
        generation = self._generation
        known = generation.of_book.get(lineup.book)
        spots = None if known is None else known[lineup.positions]
        if spots is None or NONE in spots:
            with self._writing:
                generation, spots = self._learn(lineup)
        return Found(self, generation, spots)

    def meet(self, book: Book) -> None:
        """Compute a book's offers beforehand, so far as there is room for them beside those that are known."""
        room = MOST // 2
        for begin in range(0, min(len(book.offers), room), MET_AT_ONCE):
            positions = np.arange(begin, min(begin + MET_AT_ONCE, len(book.offers)), dtype=np.intp)
            self.find(Lineup(book, positions, (), np.zeros(len(positions), dtype=np.intp)))

    def block(self, generation: _Generation, spots: Spots, now: Millis) -> Rows:
        """(n, offer columns) at an instant."""
        block: Rows = generation.rows.take(spots, axis=0)
        for column in self._columns.since:
            block[:, column] += now / HOUR_MS
        return block

    def _learn(self, lineup: Lineup) -> tuple[_Generation, Spots]:
        """Called with the lock held."""
        offers = lineup.book.offers
        asked = {position: offers[position] for position in np.unique(lineup.positions).tolist()}
        new = sum(_spot(self._generation, facts) == NONE for facts in asked.values())
        if self._generation.filled + new > len(self._generation.rows):
            self._generation = self._next(len(asked))
        generation = self._generation
        known = generation.of_book.get(lineup.book)
        if known is None:
            known = np.full(len(offers), NONE, dtype=np.intp)
        for position, facts in asked.items():
            known[position] = self._learnt(generation, facts)
        generation.of_book[lineup.book] = known
        return generation, known[lineup.positions]

    def _learnt(self, generation: _Generation, facts: OfferFacts) -> int:
        spot = _spot(generation, facts)
        if spot == NONE:
            spot = generation.filled
            known = _facts(facts)
            generation.rows[spot] = read(known, self._columns.readers, self._columns.width, 0)
            generation.named[spot] = [self._named(known, cross) for cross in self._columns.crosses]
            numbers = generation.numbers
            generation.codes[spot] = [numbers.setdefault(about, len(numbers)) for about in abouts(facts)]
            exposures = self._columns.exposures(facts.offer_id)
            generation.declared[spot] = (facts.starting_mean, facts.starting_evidence, exposures)
            generation.rates[spot] = self._columns.rates.of(facts.offer_id)
            generation.filled += 1
            generation.spots[facts.offer_id] = (facts, spot)
        return spot

    def _named(self, known: FactDict, cross: tuple[str, str]) -> int:
        source, form = cross
        name: Value = known[source][0] if source in known else ""
        if not isinstance(name, str):
            return NONE
        return self._columns.named.get(f"{name}.{form}" if form else name, NONE)

    def _next(self, room: int) -> _Generation:
        """Twice the room with everything known, or, past MOST, an empty one."""
        held = self._generation
        size = 2 * (held.filled + room)
        if size > MOST:
            return self._made(max(MOST, room))
        larger = self._made(size)
        larger.rows[: held.filled] = held.rows[: held.filled]
        larger.named[: held.filled] = held.named[: held.filled]
        larger.codes[: held.filled] = held.codes[: held.filled]
        larger.declared[: held.filled] = held.declared[: held.filled]
        larger.rates[: held.filled] = held.rates[: held.filled]
        larger.spots.update(held.spots)
        larger.numbers.update(held.numbers)
        larger.filled = held.filled
        return larger

    def _made(self, size: int) -> _Generation:
        crosses = len(self._columns.crosses)
        return _Generation(
            rows=np.empty((size, self._columns.width)),
            named=np.empty((size, crosses), dtype=np.intp),
            codes=np.empty((size, 3), dtype=np.intp),
            declared=np.empty((size, 3)),
            rates=np.empty((size, self._columns.rates.width)),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Where a decision's offers stand in the table."""

    table: OfferTable
    generation: _Generation
    spots: Spots

    def rows(self, now: Millis) -> Rows:
        """(n, offer columns)"""
        return self.table.block(self.generation, self.spots, now)

    @property
    def named(self) -> Spots:
        """(n, crosses): the column of the whole row that each cross names, or NONE."""
        return self.generation.named.take(self.spots, axis=0)

    @property
    def codes(self) -> Spots:
        """(n, 3): numbers that stand for each offer's id, its collection and its campaign."""
        return self.generation.codes.take(self.spots, axis=0)

    @property
    def numbers(self) -> Mapping[About, int]:
        """What the codes stand for."""
        return self.generation.numbers

    @property
    def declared(self) -> Rows:
        """(n, 3): starting mean, starting evidence, exposures trained on."""
        return self.generation.declared.take(self.spots, axis=0)

    @property
    def rates(self) -> Rows:
        """(n, rates of an offer): as LevelRates.of says."""
        return self.generation.rates.take(self.spots, axis=0)


def abouts(facts: OfferFacts) -> tuple[About, About, About]:
    """What responses to an offer are tallied under, in the order of the columns of `codes`."""
    return ("offer", facts.offer_id), ("collection", facts.collection), ("campaign", facts.campaign_id)


def _spot(generation: _Generation, facts: OfferFacts) -> int:
    held = generation.spots.get(facts.offer_id)
    if held is None or (held[0] is not facts and held[0] != facts):
        return NONE
    return held[1]


def _facts(offer: OfferFacts) -> FactDict:
    """An offer's facts have no time of their own: they hold as long as the offer does."""
    values: dict[str, Value] = {
        **offer.attributes,
        "offer.collection": offer.collection,
        "offer.id": offer.offer_id,
        "offer.starting_mean": offer.starting_mean,
    }
    return {name: (value, 0) for name, value in values.items()}

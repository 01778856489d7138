"""What shortlist takes from: the survivors of the index, evaluated only as far as they are looked at."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offers import bits
from offers.bits import Positions
from offers.capping import limit_reached
from offers.catalog import Catalog, facts_of
from offers.columns import Allowed
from offers.compiled import Test
from offers.condition import View
from offers.money import Quote, price_of, worth
from offers.proposition import Candidate
from offers.standing import Standing
from offers.wording import Gaps, gaps_of
from scoring.lineup import Lineup
from streams.record import NOTHING, DecisionInputs, Subject


class Ahead:
    """One subject of the decision, and what has been found out about it so far: hundreds of offers ask the same."""

    __slots__ = ("answers", "filled", "number", "quotes", "subject", "view")

    def __init__(self, number: int, subject: Subject, view: View) -> None:
        self.number = number
        """Its place in the lineup's subjects."""
        self.subject = subject
        self.view = view
        """What conditions about it may see."""
        self.answers: dict[Test, bool] = {}
        self.quotes: dict[int, Quote | None] = {}
        self.filled: dict[tuple[Gaps, bool], bool] = {}

    def holds(self, known: Standing) -> bool:
        """Whether the conditions that the index left open hold."""
        for check in known.residual:
            answer = self.answers.get(check.holds)
            if answer is None:
                answer = self.answers[check.holds] = check.holds(self.view)
            if not answer:
                return False
        return True

    def quote(self, known: Standing) -> Quote | None:
        """What an offer costs about this subject."""
        price = known.offer.price
        if price is None or known.quote is not None:
            return known.quote
        number = known.price
        if number not in self.quotes:
            self.quotes[number] = price_of(price, self.subject.facts, self.view.now)
        return self.quotes[number]

    def fills(self, gaps: Gaps, quote: Quote | None) -> bool:
        """Whether every placeholder has a value."""
        if gaps.by_amount:
            return gaps.filled(self.view, quote)
        asked = gaps, quote is None
        found = self.filled.get(asked)
        if found is None:
            found = self.filled[asked] = gaps.filled(self.view, quote)
        return found


Looked = tuple[int, float, Candidate | None]
"""Number of the subject; what an acceptance is worth; the candidate, if something may speak against it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Candidates by what they are: arrays (n,)."""

    positions: NDArray[np.intp]
    about: NDArray[np.intp]
    """Numbers of their subjects."""
    values: NDArray[np.float64]
    inclusion: NDArray[np.float64]


class Candidates:
    """(offer, subject) pairs of one decision, in layout order, lazily; a sound superset of those allowed."""

    def __init__(self, catalog: Catalog, inputs: DecisionInputs) -> None:
        self.catalog = catalog
        self.inputs = inputs
        self._words = catalog.survivors(inputs)
        self.count = bits.count(self._words)
        live = catalog.live(catalog.interval(inputs.now), inputs.seasons)[1]
        self.index_excluded = live - self.count
        self._gaps = catalog.gaps(inputs.request.locale)
        self._touched = catalog.caps.touched(inputs.profile, inputs.now, limit_reached)
        if inputs.counters:
            self._touched = self._touched.also(catalog.shared_limits.touched(inputs.counters))
        self._facts = facts_of(inputs)
        self._ahead_of: dict[str | None, tuple[Ahead, ...]] = {None: (self._ahead(0, NOTHING),)}
        number = 1
        for key, subjects in inputs.subjects.items():
            self._ahead_of[key] = tuple([self._ahead(number + at, subject) for at, subject in enumerate(subjects)])
            number += len(subjects)

    def _ahead(self, number: int, subject: Subject) -> Ahead:
        inputs = self.inputs
        view = View(self._facts, subject.facts, inputs.whereabouts, self.catalog.places, inputs.now)
        return Ahead(number, subject, view)

    def first(self, most: int) -> Positions:
        """Positions of the first survivors, in layout order."""
        return bits.first(self._words, most)

    def positions(self) -> Positions:
        """Positions of all survivors, in layout order."""
        return bits.every(self._words)

    def at_ranks(self, ranks: list[int]) -> list[int]:
        """Positions of the survivors of these ranks."""
        return bits.select(self._words, ranks)

    def settled(self, positions: Positions) -> NDArray[np.bool_]:
        """Of each of these survivors, whether nothing at all can speak against it: most offers of most catalogs."""
        words = self._words & self.catalog.columns.plain
        if self._touched.wide is not None:
            words &= ~self._touched.wide
        flags = bits.flags(words, positions)
        if self._touched.positions and len(positions):
            touched = np.array(list(self._touched.positions), dtype=np.int64)
            spots = np.minimum(np.searchsorted(positions, touched), len(positions) - 1)
            flags[spots[positions[spots] == touched]] = False
        return flags

    def look(self, position: int) -> Iterator[Looked]:
        """The offer's candidates, one per subject; none: it is about something and there is no such thing."""
        known = self.catalog.standing[position]
        capped = position in self._touched
        for ahead in self._ahead_of.get(known.about, ()):
            quote, value = ahead.quote(known), known.value
            if value is None:
                value = worth(known.offer, None if quote is None else quote.minor)
            if not capped and ahead.holds(known) and (known.presentable or self._presentable(position, ahead, quote)):
                yield ahead.number, value, None
            else:
                yield ahead.number, value, self._candidate(position, ahead)

    def _presentable(self, position: int, ahead: Ahead, quote: Quote | None) -> bool:
        """Whether eligibility.presentable() would find nothing, told without naming what."""
        offer = self.catalog.standing[position].offer
        if offer.schedule.own or (quote is None and offer.price is not None):
            return False
        gaps = self._gaps.get(position)
        if gaps is None:
            gaps = self._gaps[position] = gaps_of(offer.representation, self.inputs.request.locale)
        return ahead.fills(gaps, quote)

    def of_offer(self, position: int) -> tuple[Candidate, ...]:
        """The offer's candidates as objects, whatever speaks against them."""
        about = self.catalog.standing[position].about
        return tuple(self._candidate(position, ahead) for ahead in self._ahead_of.get(about, ()))

    def _candidate(self, position: int, ahead: Ahead, inclusion: float = 1.0) -> Candidate:
        known = self.catalog.standing[position]
        uncapped = position not in self._touched
        return Candidate(
            known.offer, ahead.subject, ahead.view, ahead.quote(known), known.residual, inclusion,
            known.presentable, uncapped, known.value,
        )  # fmt: skip

    def allowed(self, kept: Kept) -> Allowed:
        """Those that were kept, as columns."""
        every = [ahead for aheads in self._ahead_of.values() for ahead in aheads]
        subjects = tuple([ahead.subject for ahead in every])
        lineup = Lineup(self.catalog.columns.book, kept.positions, subjects, kept.about)

        def made(at: int) -> Candidate:
            return self._candidate(int(kept.positions[at]), every[kept.about[at]], float(kept.inclusion[at]))

        return Allowed(self.catalog.columns, lineup, kept.values, kept.inclusion, made)

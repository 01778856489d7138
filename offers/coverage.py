"""Which conditions the tests of a deployment have seen hold, and which they have seen fail."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from offers.catalog import Catalog, facts_of, subjects_of
from offers.condition import Leaf, View, holds, leaves
from offers.condition_words import Words
from offers.offer import Offer
from streams.attributes import SUBJECT_SCOPES
from streams.ids import OfferId
from streams.record import NOTHING, DecisionInputs

Number = tuple[OfferId, int]
"""An offer and which of its conditions."""


@dataclass(frozen=True, slots=True)
class Covered:
    """One condition of one offer, and whether any test saw it hold and any saw it fail."""

    offer_id: OfferId
    where: str
    """`file:line:column`."""
    words: str
    held: bool
    failed: bool
    via: str = ""
    """Where its campaign takes it over, if it stands in another file."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every condition of every campaign, in the order of the files."""

    conditions: tuple[Covered, ...]

    @property
    def percent(self) -> float:
        """Of the two things a condition can do, how many the tests have seen; 100 without any condition."""
        seen = sum(each.held + each.failed for each in self.conditions)
        return 100.0 * seen / (2 * len(self.conditions)) if self.conditions else 100.0

    @property
    def never_true(self) -> tuple[Covered, ...]:
        """Conditions that held in no test."""
        return tuple(each for each in self.conditions if not each.held)

    @property
    def never_false(self) -> tuple[Covered, ...]:
        """Conditions that failed in no test."""
        return tuple(each for each in self.conditions if not each.failed)


def coverage(catalog: Catalog, seen: Iterable[DecisionInputs]) -> Coverage:
    """What a number of situations, each with every subject bound, made of every condition of the catalog."""
    asked = {offer.id: tuple(_leaves(offer)) for offer in catalog.layout}
    held: set[Number] = set()
    failed: set[Number] = set()
    for inputs in seen:
        for offer in catalog.layout:
            for view in _views(offer, inputs, catalog):
                for number, leaf in enumerate(asked[offer.id]):
                    if view.subject or not _of_subject(leaf):
                        (held if holds(leaf, view) else failed).add((offer.id, number))
    words = Words(catalog.attributes)
    found = (
        Covered(offer, leaf.where, words.wanted(leaf), (offer, number) in held, (offer, number) in failed, leaf.via)
        for offer, every in asked.items()
        for number, leaf in enumerate(every)
    )
    return Coverage(tuple(sorted(found, key=lambda each: _place(each.where))))


def page(found: Coverage) -> Iterator[str]:
    """For people: what no test has seen, by file, line and column."""
    for each in found.conditions:
        said = [word for word, seen in (("true", each.held), ("false", each.failed)) if not seen]
        if said:
            used = f"; used at {each.via}" if each.via else ""
            yield f"{each.where}: never {' and never '.join(said)}: {each.words}{used}"
    yield f"{found.percent:.1f} % of what {len(found.conditions)} conditions can do was seen"


def _views(offer: Offer, inputs: DecisionInputs, catalog: Catalog) -> Iterator[View]:
    """Of an offer without a subject now: what is asked of the customer and the place is asked all the same."""
    for subject in subjects_of(offer, inputs) or (NOTHING,):
        yield View(facts_of(inputs), subject.facts, inputs.whereabouts, catalog.places, inputs.now)


def _leaves(offer: Offer) -> Iterator[Leaf]:
    for condition in (offer.eligibility, offer.applicability, offer.suitability):
        yield from leaves(condition)


def _of_subject(leaf: Leaf) -> bool:
    return leaf.attribute.split(".")[0] in SUBJECT_SCOPES


def _place(where: str) -> tuple[str, int, int]:
    """`file:line:column` in the order of files, lines and columns."""
    file, _, position = where.partition(":")
    line, _, column = position.partition(":")
    return file, int(line or 0), int(column or 0)

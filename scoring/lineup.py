"""Lineup: the candidates to be scored as columns, so that hundreds of them are two arrays and no objects."""

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from scoring.features import Book, Scorable
from streams.record import Subject

Numbers = NDArray[np.intp]


class Lineup(Sequence[Scorable]):
    """n candidates: which offer of the book, and which of the subjects. As a sequence, the pairs that they are."""

    __slots__ = ("about", "book", "positions", "subjects")

    def __init__(self, book: Book, positions: Numbers, subjects: tuple[Subject, ...], about: Numbers) -> None:
        self.book = book
        self.positions = positions
        """(n,) of the offers in the book."""
        self.subjects = subjects
        self.about = about
        """(n,) places in `subjects`."""

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, spot: int) -> Scorable: ...
    @overload
    def __getitem__(self, spot: slice) -> "Lineup": ...
    def __getitem__(self, spot: int | slice) -> "Scorable | Lineup":
        if isinstance(spot, slice):
            return Lineup(self.book, self.positions[spot], self.subjects, self.about[spot])
        return self.book.offers[self.positions[spot]], self.subjects[self.about[spot]]


def lined_up(items: Sequence[Scorable]) -> Lineup:
    """The pairs as columns; a Lineup as it is. Subjects are told apart by identity."""
    if isinstance(items, Lineup):
        return items
    numbers: dict[int, int] = {}
    subjects: list[Subject] = []
    for _, subject in items:
        if id(subject) not in numbers:
            numbers[id(subject)] = len(subjects)
            subjects.append(subject)
    about = np.array([numbers[id(subject)] for _, subject in items], dtype=np.intp)
    book = Book(tuple(facts for facts, _ in items))
    return Lineup(book, np.arange(len(items), dtype=np.intp), tuple(subjects), about)

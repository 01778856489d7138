"""Which offers may not stand beside each other in one answer: exclusivity groups, and tags that do not go together."""

from collections.abc import Iterable, Iterator

from offers.offer import Offer, Stacking


class Beside:
    """What an answer shows so far, as far as it keeps others out of the same answer."""

    __slots__ = ("_groups", "_shunned", "_tags")

    def __init__(self) -> None:
        self._groups: set[str] = set()
        self._tags: set[str] = set()
        self._shunned: set[str] = set()

    def show(self, stacking: Stacking) -> None:
        """The answer shows such an offer."""
        if stacking.exclusive:
            self._groups.add(stacking.exclusive)
        self._tags.update(stacking.tags)
        self._shunned.update(stacking.not_with)

    def leaves(self, stacking: Stacking) -> bool:
        """Whether the answer may show such an offer too."""
        return (
            stacking.exclusive not in self._groups
            and self._shunned.isdisjoint(stacking.tags)
            and self._tags.isdisjoint(stacking.not_with)
        )


def apart(one: Stacking, other: Stacking) -> str:
    """Why two offers are not shown together, as a word of the file; empty: they may be.

    >>> apart(Stacking(tags=("discount",)), Stacking(not_with=("discount",)))
    'not_with: discount'
    """
    if one.exclusive and one.exclusive == other.exclusive:
        return f"exclusive: {one.exclusive}"
    meeting = (*(tag for tag in one.not_with if tag in other.tags), *(tag for tag in other.not_with if tag in one.tags))
    return f"not_with: {meeting[0]}" if meeting else ""


def excluded_by(offer: Offer, shown: Iterable[Offer]) -> tuple[Offer, str] | None:
    """The first of the shown offers that keeps this one out, and the word by which it does."""
    if offer.stacking is None:
        return None
    found = ((each, apart(offer.stacking, each.stacking)) for each in shown if each.stacking is not None)
    return next((pair for pair in found if pair[1]), None)


def excluded(offers: Iterable[Offer], shown: Iterable[Offer]) -> Iterator[Offer]:
    """Those of some offers that the shown ones keep out."""
    telling = tuple(each for each in shown if each.stacking is not None)
    if telling:
        yield from (offer for offer in offers if excluded_by(offer, telling) is not None)

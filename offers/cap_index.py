"""Which offers this customer's own events may hold back: the others need not be asked about their caps.

A customer has met a handful of offers, a catalog has thousands under a cap. So the question is turned round: each event
counted points to the offers whose caps or suppressions it could touch. A superset: capping.rule_out decides on those.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from offers import bits
from offers.bits import Words
from offers.offer import Limit, Offer
from streams.ids import Millis, OfferId
from streams.profile import MaskedProfile

NOBODY: frozenset[int] = frozenset()
Wide = tuple[str, str, str]
"""(event, `collection` or `all`, name of the collection; empty for all)"""
Reached = Callable[[Limit, Offer, MaskedProfile, Millis], bool]
"""Whether a limit that does not depend on a subject is reached for an offer."""


@dataclass(frozen=True, slots=True)
class Shared:
    """One limit under which many offers stand."""

    limit: Limit
    sample: Offer
    """Any of them: they are counted together."""
    members: Words


@dataclass(frozen=True, slots=True)
class Touched:
    """Offers to be asked about their caps."""

    positions: frozenset[int] = NOBODY
    wide: Words | None = None

    def also(self, positions: frozenset[int]) -> "Touched":
        """These and others."""
        return Touched(self.positions | positions, self.wide)

    def __contains__(self, position: int) -> bool:
        if position in self.positions:
            return True
        return self.wide is not None and bits.holds(self.wide, position)


NONE_TOUCHED = Touched()


class CapIndex:
    """Built once per catalog."""

    def __init__(self, layout: Sequence[Offer]) -> None:
        self._size = len(layout)
        self._of_offer: dict[str, list[int]] = {}
        self._of_campaign: dict[str, list[int]] = {}
        members: dict[tuple[Wide, Limit], list[int]] = {}
        for position, offer in enumerate(layout):
            if offer.limits or offer.suppress:
                self._of_offer.setdefault(offer.id, []).append(position)
            for limit in offer.limits:
                if limit.of == "campaign":
                    self._of_campaign.setdefault(offer.campaign_id, []).append(position)
                elif (wide := _wide(limit, offer)) is not None:
                    members.setdefault((wide, _unplaced(limit)), []).append(position)
        self._wide: dict[Wide, list[Shared]] = {}
        for (wide, limit), found in members.items():
            shared = Shared(limit, layout[found[0]], bits.of_positions(found, self._size))
            self._wide.setdefault(wide, []).append(shared)

    def touched(self, profile: MaskedProfile, now: Millis, reached: Reached) -> Touched:
        """The offers that the customer's events may count against."""
        if not profile.counters and not profile.lifetime:
            return NONE_TOUCHED
        positions: set[int] = set()
        asked: set[Wide] = set()
        for key in (*profile.counters, *profile.lifetime):
            positions.update(self._of_offer.get(OfferId(key[1]), ()))
            positions.update(self._of_campaign.get(key[2], ()))
            asked.add((key[0], "collection", key[3]))
            asked.add((key[0], "all", ""))
        return Touched(frozenset(positions), self._reached(asked, profile, now, reached))

    def _reached(self, asked: Iterable[Wide], profile: MaskedProfile, now: Millis, reached: Reached) -> Words | None:
        words: Words | None = None
        for wide in asked:
            for shared in self._wide.get(wide, ()):
                # a cap that counts apart for each subject: all under it are asked
                if shared.limit.apart or reached(shared.limit, shared.sample, profile, now):
                    words = shared.members if words is None else words | shared.members
        return words


def _wide(limit: Limit, offer: Offer) -> Wide | None:
    """None: of this offer alone, or of a collection by an offer that is in none and so counts nothing."""
    if limit.of == "all":
        return limit.event, "all", ""
    if limit.of == "collection" and offer.facts.collection:
        return limit.event, "collection", offer.facts.collection
    return None


def _unplaced(limit: Limit) -> Limit:
    """The limit wherever it is written: equal ones count equally."""
    return Limit(limit.event, limit.per, limit.of, limit.at_most, limit.window)

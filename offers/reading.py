"""What the one read found, as a decision sees it: the profile with what is pending, and where the customer is."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from offers.answer_store import NOTHING_FOUND, Found
from streams.attributes import Attribute, AttributeSet
from streams.errors import OffingError
from streams.fold import apply_pending
from streams.ids import Millis
from streams.places import Whereabouts
from streams.profile import EMPTY, MaskedProfile, Pending, Profile, ProfileFacts
from streams.profile_mask import mask
from streams.profile_store import PRESENCE_MS, is_behind, read_pending, read_presence, read_profile

logger = logging.getLogger("offing.reading")
UNAVAILABLE = "profile_unavailable"
BEHIND = "profile_behind"
LOCATION_PURPOSE = "location"
UNSAID = "not_determined"
"""A request with this status says nothing of the place: what is known from before may be used."""
NEVER: Millis = 1 << 53


@dataclass(frozen=True, slots=True)
class Reading:
    """A customer as read."""

    profile: MaskedProfile
    whereabouts: Whereabouts
    degraded: tuple[str, ...]
    until: Millis
    """Before this instant the same bytes read the same."""


def seen(found: Found) -> bytes:
    """16 bytes over everything that a Reading is made of."""
    parts = (found.profile or b"", found.presence or b"", *found.pending)
    lengths = ",".join([str(len(part)) for part in parts]).encode()
    return blake2b(b"".join((lengths, *parts)), digest_size=16).digest()


def read(found: Found, own: Sequence[Pending], resolved: Whereabouts, attributes: AttributeSet, now: Millis) -> Reading:
    """The stored profile with the events accepted since and the request's `own`, behind the consent mask.

    Whereabouts are the request's fix; without one, with consent, presence of the last 15 minutes; none if denied.
    """
    profile, lacking = _profile(found, own, attributes)
    masked = mask(profile.facts, attributes, now=now)
    whereabouts, until = resolved, NEVER
    if resolved.status == UNSAID and LOCATION_PURPOSE in masked.purposes:
        presence = presence_of(found)
        if presence is not None and now - presence.at <= PRESENCE_MS:
            whereabouts = presence if presence.at <= now else resolved
            until = presence.at + PRESENCE_MS + 1 if presence.at <= now else presence.at
    forgotten = min((at for at in _forgotten(profile.facts, attributes) if at > now), default=NEVER)
    return Reading(masked, whereabouts, lacking, min(until, forgotten))


def presence_of(found: Found) -> Whereabouts | None:
    """None too for what another version of Offing wrote: it is forgotten in 15 minutes anyway."""
    try:
        return read_presence(found.presence)
    except (OffingError, msgspec.DecodeError):
        return None


def _profile(found: Found, own: Sequence[Pending], attributes: AttributeSet) -> tuple[Profile, tuple[str, ...]]:
    """Says so if the profile cannot be read, or if some of what is pending is out of reach."""
    lacking = (UNAVAILABLE,) if found is NOTHING_FOUND else ()
    try:
        stored = read_profile(found.profile)
    except OffingError as error:
        logger.error("a stored profile cannot be read", extra={"code": error.code})
        stored, lacking = EMPTY, (UNAVAILABLE,)
    if not found.pending and not own:
        return stored, lacking
    pending = read_pending(found.pending)
    profile = apply_pending(stored, (*pending, *own), attributes)
    return profile, (*lacking, BEHIND) if is_behind(pending, stored) else lacking


def _forgotten(facts: ProfileFacts, attributes: AttributeSet) -> Iterator[Millis]:
    """When values pass their retention."""
    known = attributes.by_number
    for number, cell in facts.cells.items():
        yield _past(known.get(number), cell.at)
    for booking in facts.bookings.values():
        for number in booking.values:
            yield _past(known.get(number), booking.at)


def _past(attribute: Attribute | None, at: Millis) -> Millis:
    return NEVER if attribute is None or attribute.retention_ms is None else at + attribute.retention_ms + 1

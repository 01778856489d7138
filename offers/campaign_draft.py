"""A campaign while it is read: its sheet, what it may name, and what its own head says (zone, subject, purposes)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from offers.market_view import MarketView
from offers.offer import Image, Placement, Selector
from streams.attribute_file import unknown_attribute
from streams.attributes import SUBJECT_SCOPES, Attribute, AttributeSet, Kind
from streams.errors import InvalidInput
from streams.findings import did_you_mean, listed, shown
from streams.ids import Millis, PlacementId
from streams.places import Places
from streams.positioned_yaml import Node
from streams.sheet import Sheet, written
from streams.units import DURATIONS, WrittenTime, duration_ms, written_time

ALIAS = "booking.sailing."
"""`booking.sailing.departure` is `sailing.departure`: conditions never mix two subjects."""
ALWAYS_PURPOSES = ("personalised_offers", "location", "social")
"""Purposes that a campaign may need though no attribute is declared with them."""
_SEES = {
    "booking": frozenset({"booking", "sailing", "market"}),
    "sailing": frozenset({"sailing", "market"}),
    "venue": frozenset({"venue"}),
}
"""The facts of each kind of subject."""
_ABOUT = {
    "booking": "'about: booking'",
    "sailing": "'about: booking' or 'about: {sailing: next}'",
    "market": "'about: booking' or 'about: {sailing: next}'",
    "venue": "'about: {venue: here}'",
}


@dataclass(frozen=True, slots=True)
class NamedCondition:
    """An entry of conditions.yaml."""

    node: Node
    """What stands under the name; every node of it knows its file."""
    weight: int
    """Words in it, with those of the conditions that it uses."""
    broken: bool = False
    """It has errors, which are told once, where it stands."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the campaigns of one deployment may name."""

    attributes: AttributeSet
    places: Places
    placements: Mapping[PlacementId, Placement]
    seasons: tuple[str, ...]
    images: Mapping[str, Image]
    placeholders: Mapping[str, Kind]
    """Every name that words may use, whatever the subject."""
    purposes: frozenset[str]
    """Those of the attributes and ALWAYS_PURPOSES."""
    conditions: Mapping[str, NamedCondition] = field(default_factory=dict)
    """What `use:` may name."""
    market: MarketView | None = None
    """What campaigns are held against besides their own files; None: nothing."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One campaign being read."""

    sheet: Sheet
    words: Vocabulary
    zone: str | None = None
    """None: the campaign names no zone, so clock times are UTC, with a warning."""
    about: Selector | None = None
    purposes: tuple[str, ...] = ()
    unbound: bool = False
    """What is read belongs to no campaign yet: it has no subject and no purposes to be judged by."""
    local: str = ""
    """customer | port: the schedule has no zone of its own, it is read on the clock of whoever is asked."""

    def attribute(self, node: Node, name: str) -> Attribute | None:
        """The attribute behind a name at a node, which this campaign may ask about.

        Findings UNKNOWN_ATTRIBUTE, NO_ABOUT or PURPOSE_MISSING; None for the first.
        """
        found = self.words.attributes.of_fact(name)
        if found is None or found.scope == "offer":
            self._unknown(node, name)
            return None
        if self.unbound:
            return found
        self.check_subject(node, name, found)
        if found.purpose is not None and found.purpose not in self.purposes:
            hint = f"Add {found.purpose} to consent.purposes, or leave {name} out."
            message = f"{name} may be used for {found.purpose} only, which this campaign does not ask for."
            self.sheet.error(node, "PURPOSE_MISSING", message, hint)
        return found

    def check_subject(self, node: Node, name: str, found: Attribute) -> None:
        """NO_ABOUT where the offer's subject has no such fact."""
        if found.scope not in SUBJECT_SCOPES or self.sees(found):
            return
        whose = "venue" if _of_venues(found) else found.scope
        about = f"about a {self.about.kind}" if self.about is not None else "about nothing"
        message = f"{name} is a fact of {'the market' if whose == 'market' else 'a ' + whose}; the offer is {about}."
        self.sheet.error(node, "NO_ABOUT", message, f"Give the offer {_ABOUT[whose]}.")

    def sees(self, attribute: Attribute) -> bool:
        """Whether the offer's subject has such a fact."""
        kind = self.about.kind if self.about is not None else ""
        if attribute.scope == "market" and _of_venues(attribute):
            return kind == "venue"
        return attribute.scope in _SEES.get(kind, ())

    def instant(self, node: Node, name: str) -> WrittenTime | None:
        """A written time in the campaign's zone."""
        found = self.sheet.parsed(node, name, self._written)
        if found is None:
            return None
        if self.local and not found.exact:
            hint = f"Write its offset, '{written(node)[:10]}T15:00+01:00', or give the schedule a zone: Europe/Rome."
            message = f"{name} would be another instant on the clock of every {self.local}."
            self.sheet.error(node, "ZONE_MOVES", message, hint)
            return None
        if found.note:
            message, _, hint = found.note.partition(". ")
            self.sheet.warn(node, "TIME_TWICE", f"{message}.", hint)
        if self.zone is None and not found.exact:
            self.sheet.warn(node, "ZONE_MISSING", f"{name} is read as UTC.", "Give the schedule a zone: Europe/Rome.")
        return found

    def duration(self, node: Node, name: str, low: Millis, high: Millis) -> Millis | None:
        """A duration within bounds."""
        found = self.sheet.parsed(node, name, duration_ms)
        if found is not None and not low <= found <= high:
            hint = f"Write {span(low)} to {span(high)}."
            self.sheet.error(node, "OUT_OF_RANGE", f"{name} is {span(found)}.", hint)
            return None
        return found

    def reference(self, node: Node, code: str, name: str, known: Mapping[str, object] | tuple[str, ...]) -> str | None:
        """A name that another file of the deployment declares."""
        text = self.sheet.text(node, name)
        if text is None or text in known:
            return text
        near = did_you_mean(text, known)
        self.sheet.error(
            node,
            code,
            f"there is no {name} {shown(text)}.",
            near or (f"There are: {listed(known)}." if known else "Add it."),
        )
        return None

    def _written(self, text: str) -> WrittenTime:
        return written_time(text, self.zone or "UTC")

    def _unknown(self, node: Node, name: str) -> None:
        attributes = self.words.attributes
        bare, _, key = name.rpartition(".")
        keyed = attributes.by_name.get(bare)
        if name.startswith("offer."):
            message, hint = f"{name} describes the offer itself.", "Ask about the customer, the context or the subject."
        elif keyed is not None and keyed.keys:
            message, hint = f"{bare} has no {keyed.by} {shown(key)}.", f"There are: {listed(keyed.keys)}."
        else:
            message, hint = f"no attribute is called {shown(name)}.", unknown_attribute(name, attributes)
        self.sheet.error(node, "UNKNOWN_ATTRIBUTE", message, hint)


def unaliased(name: str) -> str:
    """`booking.sailing.status` -> `sailing.status`."""
    return name.removeprefix("booking.") if name.startswith(ALIAS) else name


def span(duration: Millis) -> str:
    """A duration for a message, in the largest unit that divides it."""
    for unit in ("y", "d", "h", "min", "s"):
        if duration and duration % DURATIONS[unit] == 0:
            return f"{duration // DURATIONS[unit]} {unit}"
    return f"{duration / 1_000:g} s"


def no_effect(sheet: Sheet, node: Node, name: str, consequence: str) -> None:
    """NO_EFFECT_YET: a key of the language that this version reads and does not act on."""
    message = f"{name} has no effect in this version: {consequence}."
    sheet.warn(node, "NO_EFFECT_YET", message, "Remove it, or keep it for a later one.")


def port_id(places: Places, text: str) -> str:
    """A port by id, name or alias -> its id. Raises InvalidInput UNKNOWN_PLACE."""
    return places.place(f"port:{text.removeprefix('port:')}").id


def venue_id(places: Places, text: str) -> str:
    """A venue's id, with or without `venue:`. Raises InvalidInput UNKNOWN_PLACE."""
    return places.place(f"venue:{text.removeprefix('venue:')}").id


def fence_id(places: Places, text: str) -> str:
    """`fence:elba` -> elba. Raises InvalidInput UNKNOWN_PLACE."""
    kind, colon, name = text.partition(":")
    if not colon or kind != "fence":
        mend = f"Write 'fence:{text}'." if text in places.fences else "Write 'fence:' and its id in fences.geojson."
        raise InvalidInput("UNKNOWN_PLACE", f"{shown(text)} is not a fence. {mend}")
    return places.fence(name).id


def _of_venues(attribute: Attribute) -> bool:
    return attribute.scope == "venue" or (attribute.event or "").startswith("venue.")

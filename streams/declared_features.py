"""What features.yaml declares: which attributes become features, in which form, under which constraint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

UP, DOWN = 1, -1
"""A greater value never lowers, or never raises, the propensity."""
MONOTONE: Mapping[str, int] = MappingProxyType({"offer.discount": UP})
"""Where nothing else is declared: a deeper discount never lowers the propensity."""
CYCLES: Mapping[str, float] = MappingProxyType(
    {"context.local_hour": 24.0, "context.weekday": 7.0, "context.month": 12.0}
)
"""Facts that come round again: they get a sine and a cosine beside their raw value."""
FRIENDS_ON_LINE = "sailing.friends_on_line"
"""How often friends booked the line of this sailing: a feature only where it is listed."""
ORIGIN_DISTANCE, VENUE_DISTANCE = "sailing.origin_distance", "venue.distance"
"""Metres from the customer to where this sailing leaves from, to this venue: features only where they are listed."""
WHERE_LISTED: Mapping[str, str] = MappingProxyType(
    {FRIENDS_ON_LINE: "sailing.line", ORIGIN_DISTANCE: "sailing.origin", VENUE_DISTANCE: "venue.kind"}
)
"""Feature of a subject that costs those who do not list it nothing -> an attribute that is known of such subjects."""
BESIDE = ("offer.id", "offer.starting_mean", "place.fence", "place.status", *WHERE_LISTED)
"""Sources of features that are no attributes."""
ORDERED = ("offer.starting_mean", *WHERE_LISTED)
"""Those of them that are numbers."""
AGAINST_RECENT = "against_recent"
"""A fare over its mean of the 30 days before (streams.fare_history), a fact beside the fare's own."""
LEVELS = ("any", "offer", "collection", "campaign")
"""Whose responses a history column counts: all of the customer's, or those to this candidate's offer, ..."""
RESPONSES = ("exposed", "clicked", "dismissed", "redeemed")
WINDOWS = ("24h", "7d", "ever")
RATE = "rate"
"""Beside the responses: which share of what was exposed was clicked, shrunk towards everybody's."""


@dataclass(frozen=True, slots=True)
class Declared:
    """How one attribute becomes columns."""

    forms: tuple[str, ...] = ()
    """`number`, `code`, `each`, ...; empty: as its type usually does."""
    monotone: int = 0


@dataclass(frozen=True, slots=True)
class Cross:
    """A column that is another fact's value: which one, the offer says."""

    named_by: str
    """The offer attribute whose value is a fact's name."""
    form: str = ""
    """AGAINST_RECENT: the named fare's; empty: the fact itself."""
    monotone: int = 0


OWN: Mapping[str, Cross] = MappingProxyType(
    {
        "own_kind": Cross("offer.affinity"),
        "own_fare": Cross("offer.price_source"),
        "own_room": Cross("offer.room_source"),
    }
)
"""`affinity: customer.bar_visits` makes `own_kind` how often this customer visits this offer's kind of venue."""


@dataclass(frozen=True, slots=True)
class DeclaredHistory:
    """Whose responses are counted, which ones, over which time before the decision."""

    about: tuple[str, ...] = LEVELS
    responses: tuple[str, ...] = RESPONSES[:3]
    windows: tuple[str, ...] = WINDOWS
    rate: bool = True
    """Whether each level has its smoothed response rate too."""


@dataclass(frozen=True, slots=True)
class DeclaredRates:
    """Which response rates of offers are learnt from the log, beside the trees. None unless they are declared."""

    offer: bool = False
    """Which share of those who saw this offer accepted it."""
    by: tuple[str, ...] = ()
    """The same among those at this customer's level of an attribute of the customer or the context: one rate each."""


@dataclass(frozen=True, slots=True)
class DeclaredFeatures:
    """features.yaml."""

    listed: Mapping[str, Declared] | None = None
    """Attribute, fact of a keyed one, or one of BESIDE -> how; None: every attribute that may be a feature."""
    others: bool = False
    """Whether attributes that are not listed are features too, as their type says."""
    crosses: Mapping[str, Cross] = field(default_factory=lambda: OWN)
    """Column -> cross."""
    history: DeclaredHistory = DeclaredHistory()
    rates: DeclaredRates = DeclaredRates()

    def of(self, attribute: str, fact: str = "") -> Declared | None:
        """How an attribute's fact becomes columns; None: it does not.

        >>> EVERY.of("offer.discount"), EVERY.of("offer.affinity")
        (Declared(forms=(), monotone=1), None)
        """
        if self.listed is not None:
            found = self.listed.get(fact) or self.listed.get(attribute)
            if found is not None or not self.others:
                return found
        named = any(cross.named_by == attribute for cross in self.crosses.values())
        return None if named else Declared(monotone=MONOTONE.get(attribute, 0))

    def asked_for(self, name: str) -> Declared | None:
        """How one of WHERE_LISTED becomes a column; None: it is not listed."""
        return None if self.listed is None else self.listed.get(name)

    def recent_of(self, fare: str, attribute: str) -> bool:
        """Whether some feature reads how this fare stands against its recent level."""
        how = self.of(attribute, fare)
        listed = how is not None and AGAINST_RECENT in how.forms
        return listed or any(cross.form == AGAINST_RECENT for cross in self.crosses.values())


EVERY = DeclaredFeatures()
"""Without a file."""

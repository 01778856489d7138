"""What would have to change for an offer to be allowed, in words. One change alone: that one would allow it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from offers.catalog import Catalog, facts_of, subjects_of
from offers.compiled import reason as reason_of
from offers.condition import Condition, View, holds
from offers.condition_words import Words, instant, length, ways
from offers.explain import Verdict
from offers.index import layers
from offers.offer import DEVICE_CLASS, Limit, Offer, RelativeTime, Schedule, Selector, Window
from offers.own_time import instant_of, told
from offers.proposition import Code, Reason
from streams.record import NOTHING, DecisionInputs, Subject

DAYS = ("", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DONE = frozenset({Code.SELECTED, Code.FALLBACK})
ALLOWED = frozenset({Code.OUTRANKED, Code.EXCLUDED_BY, Code.BEYOND_CANDIDATE_LIMIT, Code.DEADLINE_EXCEEDED})
"""Nothing speaks against these: others came first."""
ASIDE = frozenset({Code.FALLBACK_ONLY, Code.PLACEMENT_NOT_ASKED})
"""Nothing about the customer or the moment."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that speaks against an offer, as what it would have to be."""

    code: Code
    words: str
    where: str
    """`file:line:column` of the condition or limit, where there is one."""
    alone: bool
    """It is one thing: a choice among several that need more than one change each is not."""


@dataclass(frozen=True, slots=True)
class Needs:
    """An offer's verdict and everything that would have to change for it to be allowed."""

    verdict: Verdict
    changes: tuple[Change, ...]

    @property
    def shown(self) -> bool:
        """Whether the decision shows it."""
        return any(reason.code in DONE for reason in self.verdict.reasons)

    @property
    def outranked(self) -> bool:
        """Whether it is allowed and others came first."""
        return any(reason.code in ALLOWED for reason in self.verdict.reasons)

    @property
    def single(self) -> Change | None:
        """The one change that would allow it; None if it takes more, or there is nothing it could be about."""
        if len(self.changes) != 1 or self.unbound or self.aside:
            return None
        return self.changes[0] if self.changes[0].alone else None

    @property
    def unbound(self) -> bool:
        """Whether all it lacks is something to be about: what else would then speak against it is not known."""
        return [change.code for change in self.changes] == [Code.NO_SUBJECT]

    @property
    def aside(self) -> bool:
        """Whether it was never meant to stand here: a fallback, or of another placement."""
        return any(reason.code in ASIDE for reason in self.verdict.reasons)


def needs(verdict: Verdict, inputs: DecisionInputs, catalog: Catalog, words: Words) -> Needs:
    """The verdict of explain() on one offer, each of its reasons as a change."""
    offer = catalog.by_id[verdict.offer_id]
    subjects = (subject for subject in subjects_of(offer, inputs) if subject.key == verdict.about)
    teller = _Teller(offer, next(subjects, NOTHING), inputs, catalog, words)
    told = (teller.change(reason) for reason in verdict.reasons if reason.code not in DONE | ALLOWED)
    return Needs(verdict, tuple(told))


class _Teller:
    """Tells the reasons of one offer about one subject."""

    def __init__(self, offer: Offer, subject: Subject, inputs: DecisionInputs, catalog: Catalog, words: Words) -> None:
        self.offer = offer
        self.subject = subject
        self.inputs = inputs
        self.words = words
        self.view = View(facts_of(inputs), subject.facts, inputs.whereabouts, catalog.places, inputs.now)
        self.failing = dict(self._failing())

    def _failing(self) -> Iterator[tuple[Reason, Condition]]:
        for code, conjunct in layers(self.offer):
            if not holds(conjunct, self.view):
                yield reason_of(conjunct, code, self.view), conjunct

    def change(self, reason: Reason) -> Change:
        conjunct = self.failing.get(reason)
        if conjunct is None:
            return Change(reason.code, self._other(reason), reason.where, True)
        found = ways(conjunct, self.view)
        several = [" and ".join(self.words.unmet(leaf, self.view) for leaf in leaves) for leaves in found]
        return Change(reason.code, ", or ".join(several), reason.where, all(len(leaves) == 1 for leaves in found))

    def _other(self, reason: Reason) -> str:
        """What is no condition."""
        tell = _TELLERS.get(reason.code)
        return (reason.detail or reason.code.value) if tell is None else tell(self, reason)

    def _start(self, reason: Reason) -> str:
        schedule = self.offer.schedule
        if schedule.starts is not None and self.inputs.now < schedule.starts:
            return f"from {instant(schedule.starts, self.words.zone)} on"
        return self._relative("from", schedule.starts_relative, reason)

    def _locale(self, reason: Reason) -> str:
        return f"a reader of {' or '.join(self.offer.representation.texts)} (asked for {self.inputs.request.locale})"

    def _about(self, reason: Reason) -> str:
        return "something to be about" if self.offer.about is None else about_words(self.offer.about)

    def _end(self, reason: Reason) -> str:
        schedule = self.offer.schedule
        if schedule.ends is not None and self.inputs.now >= schedule.ends:
            return f"before {instant(schedule.ends, self.words.zone)}"
        return self._relative("before", schedule.ends_relative, reason)

    def _relative(self, word: str, relative: RelativeTime | None, reason: Reason) -> str:
        at = None if relative is None else instant_of(relative, self.subject.facts)
        if at is None or relative is None:
            return reason.detail
        return f"{word} {instant(at, self.words.zone)}, {told(relative)}"

    def _withheld(self, reason: Reason) -> str:
        consent, profile = self.offer.consent, self.inputs.profile
        purposes = [name for name in consent.purposes if name not in profile.purposes]
        channels = [f"channel {name}" for name in consent.channels if name not in profile.channels]
        return f"consent to {' and '.join(purposes + channels)}"

    def _cap(self, reason: Reason) -> str:
        limit = next((limit for limit in (*self.offer.limits, *self.offer.shared) if limit.where == reason.where), None)
        return f"fewer of them ({reason.detail})" if limit is None else f"{_under(limit)} ({reason.detail})"


_TELLERS: Mapping[Code, Callable[[_Teller, Reason], str]] = {
    Code.NOT_STARTED: _Teller._start,
    Code.EXPIRED: _Teller._end,
    Code.NOT_SCHEDULED: lambda teller, reason: _plan(teller.offer.schedule, reason),
    Code.PLACEMENT_NOT_ASKED: lambda teller, reason: f"in {' or '.join(teller.offer.placements)}",
    Code.LOCALE_MISSING: _Teller._locale,
    Code.CONSENT_MISSING: _Teller._withheld,
    Code.NO_SUBJECT: _Teller._about,
    Code.PRICE_UNKNOWN: lambda teller, reason: f"a price ({reason.detail})",
    Code.CONTEXT_MISSING: lambda teller, reason: f"all it needs to be told ({reason.detail})",
    Code.HELD_OUT: lambda teller, reason: f"not {reason.detail}",
    Code.NOT_IN_EXPERIMENT: lambda teller, reason: f"not {reason.detail}",
    Code.SUPPRESSED: lambda teller, reason: f"not {reason.detail}",
    Code.CAP_CUSTOMER_REACHED: _Teller._cap,
    Code.CAP_BOOKING_REACHED: _Teller._cap,
    Code.CAP_DEVICE_CLASS_REACHED: _Teller._cap,
    Code.CAP_SHARED_REACHED: _Teller._cap,
    Code.USED_UP: _Teller._cap,
    Code.BUDGET_SPENT: lambda teller, reason: f"more money ({reason.detail})",
}


def _under(limit: Limit) -> str:
    of = "" if limit.of == "offer" else f" of {'anything' if limit.of == 'all' else 'its ' + limit.of}"
    on = " on devices of this class" if limit.per == DEVICE_CLASS else ""
    return f"{limit.event} fewer than {limit.at_most} times{of}{on} {_window(limit.window)}".rstrip()


def _window(window: Window) -> str:
    if window.kind == "rolling":
        return f"in {length(window.length_ms)}"
    if window.kind in ("visit", "voyage"):
        return f"on this {window.kind}"
    return f"in this {window.unit}" if window.kind == "calendar" else ""


def _plan(schedule: Schedule, reason: Reason) -> str:
    parts = [f"in {' or '.join(schedule.seasons)}"] if schedule.seasons else []
    parts += [f"on {', '.join(DAYS[day] for day in schedule.days)}"] if schedule.days else []
    if schedule.hours is not None:
        begin, end = schedule.hours
        parts.append(f"{begin // 60:02}:{begin % 60:02} to {end // 60:02}:{end % 60:02}")
    if schedule.hours is not None and not schedule.local:
        parts.append(schedule.zone)
    return f"{' '.join(parts)} ({reason.detail})" if reason.detail else " ".join(parts)


def about_words(selector: Selector) -> str:
    """What an offer is about, as something to have: `an open booking`."""
    within = f" within {length(selector.within_ms)}" if selector.within_ms else ""
    if selector.kind == "booking":
        return "an open booking"
    if selector.kind == "sailing":
        which = {"next": "a next sailing", "from_here": "a sailing from here", "any": "a sailing"}
        return which.get(selector.mode, f"a sailing on {selector.line}") + within
    which = {"here": "a venue here", "on_board": "a venue on board the ship they are on"}
    return which.get(selector.mode, f"venue {selector.venue}")

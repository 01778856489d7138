"""Frequency caps and suppression: how often this customer, or all together, have met this offer already."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache

from offers import inclusion, schedule
from offers.budget import spent
from offers.met import ALL, ANY, Apart, met
from offers.offer import DEVICE_CLASS, VISIT, Limit, Offer, Suppression, Window
from offers.own_time import instant_of
from offers.proposition import Candidate, Code, Reason
from offers.shared_limits import series_of
from offers.stacking import Beside
from streams.ids import Millis, OfferId
from streams.instant import moment
from streams.profile import MaskedProfile, bucket_of
from streams.record import DecisionInputs, OfferFacts

REDEEMED = "redeemed"
EXPOSED = "exposed"
"""The one event that an answer itself brings about."""
_CODES = {"booking": Code.CAP_BOOKING_REACHED, DEVICE_CLASS: Code.CAP_DEVICE_CLASS_REACHED}
"""Whose events count together -> the reason; else the customer's."""


def rule_out(candidate: Candidate, inputs: DecisionInputs) -> Reason | None:
    """CAP_..._REACHED, USED_UP, BUDGET_SPENT or SUPPRESSED, or None."""
    return None if candidate.uncapped else next(reached(candidate, inputs), None)


def reached(candidate: Candidate, inputs: DecisionInputs) -> Iterator[Reason]:
    """Every suppression and cap that holds the candidate back."""
    for suppression in candidate.offer.suppress:
        reason = _suppressed(suppression, candidate, inputs)
        if reason is not None:
            yield reason
    for limit in candidate.offer.limits:
        reason = _reached(limit, candidate, inputs)
        if reason is not None:
            yield reason
    for limit in candidate.offer.shared:
        reason = _reached_together(limit, candidate, inputs)
        if reason is not None:
            yield reason


def limit_reached(limit: Limit, offer: Offer, profile: MaskedProfile, now: Millis) -> bool:
    """Whether a cap that counts whatever the events were about is reached for an offer."""
    return counted(profile, (limit.event, limit.of, ANY), offer.facts, _first(limit, profile, now)) >= limit.at_most


def _reached(limit: Limit, candidate: Candidate, inputs: DecisionInputs) -> Reason | None:
    found = _before(limit, candidate, inputs)
    if found < limit.at_most:
        return None
    return Reason(
        _CODES.get(limit.per, Code.CAP_CUSTOMER_REACHED),
        limit.where,
        f"{limit.event} {found} of at most {limit.at_most}",
    )


def _reached_together(limit: Limit, candidate: Candidate, inputs: DecisionInputs) -> Reason | None:
    """Whether what all customers did together, as far as it was read, has reached a limit."""
    found = inputs.counters.get(series_of(limit, candidate.offer.facts).key, 0)
    if found < limit.at_most:
        return None
    if limit.budget is not None:
        return Reason(Code.BUDGET_SPENT, limit.where, spent(limit.budget, found))
    code = Code.USED_UP if limit.event == REDEEMED else Code.CAP_SHARED_REACHED
    return Reason(code, limit.where, f"{limit.event} {found} of at most {limit.at_most} {together(limit)}")


def together(limit: Limit) -> str:
    """Whose events count together."""
    return "by everybody" if limit.per == "campaign" else f"by everybody of the same {limit.per}"


def _before(limit: Limit, candidate: Candidate, inputs: DecisionInputs) -> int:
    """Events of the customer that the limit counts against the candidate."""
    what = limit.event, limit.of, _apart(limit, candidate, inputs)
    return counted(inputs.profile, what, candidate.offer.facts, _first(limit, inputs.profile, inputs.now))


def _apart(limit: Limit, candidate: Candidate, inputs: DecisionInputs) -> Apart:
    """Which events count. A request that does not say its class of devices is held to what was done on any."""
    if not limit.apart:
        return ANY
    return Apart(_about(limit, candidate), (inputs.request.device_class or None) if limit.per == DEVICE_CLASS else None)


def _about(limit: Limit, candidate: Candidate) -> str | None:
    return candidate.subject.key if limit.by_subject else None


def _suppressed(rule: Suppression, candidate: Candidate, inputs: DecisionInputs) -> Reason | None:
    apart = Apart(candidate.subject.key) if rule.until is not None else ANY
    first = None if rule.for_ms is None else bucket_of(inputs.now - rule.for_ms)
    if counted(inputs.profile, (rule.after, "offer", apart), candidate.offer.facts, first) == 0:
        return None
    if rule.until is not None:
        until = instant_of(rule.until, candidate.subject.facts)
        if until is not None and inputs.now >= until:
            return None
    return Reason(Code.SUPPRESSED, rule.where, f"{rule.after} before")


Counted = tuple[str, str, Apart]
"""Which events count: (their kind, of what, about which subject and on which class of devices)."""


def counted(profile: MaskedProfile, what: Counted, offer: OfferFacts, first_bucket: int | None) -> int:
    """Events of this customer from `first_bucket` on (None: ever)."""
    event, of, apart = what
    name = _name(of, offer)
    if not name and of != ALL:
        return 0  # offers in no collection share none
    return met(profile).count((event, of, name), apart, first_bucket)


def _name(of: str, offer: OfferFacts) -> str:
    """Which offer, campaign or collection; empty for all, and for the collection of an offer that is in none."""
    if of == "offer":
        return offer.offer_id
    if of == "campaign":
        return offer.campaign_id
    return offer.collection if of == "collection" else ""


class Room:
    """What is left to show in one answer: no offer twice, none beside one it may not stand beside, and what it shows

    counts in the caps on exposure already. An offer left out by it is OUTRANKED, or EXCLUDED_BY one that is shown. The
    customer's own events are looked up only for a limit that something shown counts in, and once a limit: with a slate
    of 3 and 384 candidates under a policy this is not to be felt.
    """

    def __init__(self, inputs: DecisionInputs) -> None:
        self._inputs = inputs
        self._offers: set[OfferId] = set()
        self._shown: Counter[tuple[str, str, str | None]] = Counter()
        self._found: dict[tuple[int, str, str | None], int] = {}
        self._beside = Beside()
        self._drawn = 0
        """How many of those shown were looked at by chance."""

    def included(self, candidate: Candidate) -> float:
        """Probability with which the candidate was looked at, given what the answer shows."""
        return inclusion.beside(candidate.inclusion, self._drawn, self._inputs.candidate_limit)

    def show(self, candidate: Candidate) -> None:
        """The answer shows this one."""
        offer = candidate.offer.facts
        self._offers.add(offer.offer_id)
        self._drawn += candidate.inclusion < 1.0
        if candidate.offer.stacking is not None:
            self._beside.show(candidate.offer.stacking)
        for of in ("campaign", "collection", ALL):
            name = _name(of, offer)
            if name or of == ALL:
                self._shown.update(((of, name, None), (of, name, candidate.subject.key)))

    def leaves(self, candidate: Candidate) -> bool:
        """Whether the answer may show this one too."""
        offer = candidate.offer
        if offer.facts.offer_id in self._offers:
            return False
        if offer.stacking is not None and not self._beside.leaves(offer.stacking):
            return False
        for limit in offer.limits:  # a plain loop: an exploring placement asks of every candidate at every rank
            if limit.event == EXPOSED and limit.of != "offer" and not self._under(limit, candidate):
                return False
        return True

    def _under(self, limit: Limit, candidate: Candidate) -> bool:
        name, about = _name(limit.of, candidate.offer.facts), _about(limit, candidate)
        here = self._shown[limit.of, name, about]
        if not here:
            return True
        asked = (id(limit), name, about)
        found = self._found.get(asked)
        if found is None:
            found = self._found[asked] = _before(limit, candidate, self._inputs)
        return found + here < limit.at_most


def _first(limit: Limit, profile: MaskedProfile, now: Millis) -> int | None:
    """The first bucket of the limit's window for this customer; None: lifetime."""
    return met(profile).visit_began(bucket_of(now)) if limit.window.kind == VISIT else since(limit, now)


def since(limit: Limit, now: Millis) -> int | None:
    """The first 15-minute bucket of the limit's window at `now`; None: lifetime. It counts every bucket it touches.

    A visit begins when the customer began it (`_first`).
    """
    window = limit.window
    if window.kind in ("lifetime", "voyage"):
        return None
    if window.kind == "rolling":
        return bucket_of(now - window.length_ms)
    return _calendar_bucket(window, now // schedule.QUARTER_MS)


@lru_cache(maxsize=256)
def _calendar_bucket(window: Window, quarter: int) -> int:
    """Days begin on a quarter of an hour of UTC, so a quarter has one answer."""
    return bucket_of(_calendar_start(window, quarter * schedule.QUARTER_MS))


def _calendar_start(window: Window, now: Millis) -> Millis:
    start = schedule.day_start(now, window.zone)
    if window.unit == "day":
        return start
    local = moment(now).astimezone(schedule.zone(window.zone))
    back = local.weekday() if window.unit == "week" else local.day - 1
    # noon, so that a change of the zone's offset on the way cannot reach a neighbouring day
    noon = local.replace(hour=12, minute=0) - timedelta(days=back)
    return schedule.day_start(int(noon.timestamp()) * 1000, window.zone)

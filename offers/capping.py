"""Frequency caps and suppression: how often this customer has met this offer already."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from offers import schedule
from offers.eligibility import instant_of
from offers.offer import Limit, Suppression, Window
from offers.proposition import Candidate, Code, Reason
from streams.ids import Millis
from streams.instant import moment
from streams.profile import CounterKey, MaskedProfile, bucket_of
from streams.record import DecisionInputs, OfferFacts

EVENT, OFFER, CAMPAIGN, COLLECTION, ABOUT = 0, 1, 2, 3, 5
"""Places in a CounterKey."""


def rule_out(candidate: Candidate, inputs: DecisionInputs) -> Reason | None:
    """CAP_..._REACHED or SUPPRESSED, or None."""
    return next(reached(candidate, inputs), None)


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


def _reached(limit: Limit, candidate: Candidate, inputs: DecisionInputs) -> Reason | None:
    about = candidate.subject.key if limit.per == "booking" else None
    found = counted(
        inputs.profile, Counted(limit.event, limit.of, about), candidate.offer.facts, since(limit, inputs.now)
    )
    if found < limit.at_most:
        return None
    code = Code.CAP_BOOKING_REACHED if limit.per == "booking" else Code.CAP_CUSTOMER_REACHED
    return Reason(code, limit.where, f"{limit.event} {found} of at most {limit.at_most}")


def _suppressed(rule: Suppression, candidate: Candidate, inputs: DecisionInputs) -> Reason | None:
    about = candidate.subject.key if rule.until is not None else None
    first = None if rule.for_ms is None else bucket_of(inputs.now - rule.for_ms)
    if counted(inputs.profile, Counted(rule.after, "offer", about), candidate.offer.facts, first) == 0:
        return None
    if rule.until is not None:
        until = instant_of(rule.until, candidate.subject.facts)
        if until is not None and inputs.now >= until:
            return None
    return Reason(Code.SUPPRESSED, rule.where, f"{rule.after} before")


@dataclass(frozen=True, slots=True)
class Counted:
    """Which events count: their kind, of what, and about which subject (None: any)."""

    event: str
    of: str
    about: str | None = None


def counted(profile: MaskedProfile, what: Counted, offer: OfferFacts, first_bucket: int | None) -> int:
    """Events of this customer from `first_bucket` on (None: ever)."""
    total = 0
    for key, buckets in profile.counters.items():
        if _matches(key, what, offer):
            total += _sum(buckets, first_bucket)
    if first_bucket is None:
        total += sum(number for key, number in profile.lifetime.items() if _matches(key, what, offer))
    return total


def _matches(key: CounterKey, what: Counted, offer: OfferFacts) -> bool:
    if key[EVENT] != what.event or (what.about is not None and key[ABOUT] != what.about):
        return False
    match what.of:
        case "offer":
            return key[OFFER] == offer.offer_id
        case "campaign":
            return key[CAMPAIGN] == offer.campaign_id
        case "collection":
            return bool(offer.collection) and key[COLLECTION] == offer.collection  # those in none share none
        case _:
            return True


def _sum(buckets: Mapping[int, int], first_bucket: int | None) -> int:
    if first_bucket is None:
        return sum(buckets.values())
    return sum(number for bucket, number in buckets.items() if bucket >= first_bucket)


def since(limit: Limit, now: Millis) -> int | None:
    """The first 15-minute bucket of the limit's window at `now`; None: lifetime. It counts every bucket it touches."""
    window = limit.window
    if window.kind == "lifetime":
        return None
    if window.kind == "rolling":
        return bucket_of(now - window.length_ms)
    return bucket_of(_calendar_start(window, now))


def _calendar_start(window: Window, now: Millis) -> Millis:
    start = schedule.day_start(now, window.zone)
    if window.unit == "day":
        return start
    local = moment(now).astimezone(schedule.zone(window.zone))
    back = local.weekday() if window.unit == "week" else local.day - 1
    # noon, so that a change of the zone's offset on the way cannot reach a neighbouring day
    noon = local.replace(hour=12, minute=0) - timedelta(days=back)
    return schedule.day_start(int(noon.timestamp()) * 1000, window.zone)

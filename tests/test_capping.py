"""How often a customer has met an offer: every window, whose events count, and what silences an offer."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.capping import counted, reached, rule_out, since
from offers.met import ANY, Apart
from offers.offer import Limit, Offer, RelativeTime, Selector, Suppression, Window
from offers.proposition import Code, Reason
from streams.ids import CampaignId, Millis, OfferId
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant
from streams.profile import BUCKET_MS, CounterKey, MaskedProfile, bucket_of
from streams.record import NOTHING, FactDict, OfferFacts, Subject
from tests.catalogs import NOW, inputs, offer
from tests.deciding import candidate, counters, happened

QUARTER = 15 * MINUTE_MS
ROLLING = Window("rolling", 24 * HOUR_MS)
BOOKINGS = Selector("booking")
B1, B2 = Subject("booking:b1", {"sailing.departure": (NOW + HOUR_MS, NOW)}), Subject("booking:b2")


def limited(*limits: Limit, name: str = "o", collection: str = "fares") -> Offer:
    return offer(name, limits=limits, collection=collection)


def code_of(
    each: Offer, *events: tuple[CounterKey, Millis], subject: Subject = NOTHING, now: Millis = NOW
) -> Code | None:
    situation = inputs(profile=MaskedProfile(counters=counters(*events)), now=now)
    reason = rule_out(candidate(each, situation, subject), situation)
    return None if reason is None else reason.code


def test_a_cap_is_reached_when_its_number_is_and_says_so() -> None:
    twice = limited(Limit("exposed", "customer", "offer", 2, ROLLING, "o.yaml:20:5"))
    shown = happened("exposed", twice)
    assert code_of(twice) is None
    assert code_of(twice, (shown, NOW)) is None
    situation = inputs(profile=MaskedProfile(counters=counters((shown, NOW), (shown, NOW - HOUR_MS))))
    assert rule_out(candidate(twice, situation), situation) == Reason(
        Code.CAP_CUSTOMER_REACHED, "o.yaml:20:5", "exposed 2 of at most 2"
    )


def test_other_events_do_not_count() -> None:
    once = limited(Limit("exposed", "customer", "offer", 1, ROLLING))
    others = [(happened(event, once), NOW) for event in ("clicked", "dismissed", "redeemed")]
    assert code_of(once, *others) is None
    assert code_of(once, *others, (happened("exposed", once, about="booking:b9", placement="web.home"), NOW)) is (
        Code.CAP_CUSTOMER_REACHED
    ), "whatever it was about and wherever"


def test_a_rolling_window_counts_every_bucket_it_touches() -> None:
    once = limited(Limit("exposed", "customer", "offer", 1, Window("rolling", HOUR_MS)))
    now = NOW + 7 * MINUTE_MS
    first = now - HOUR_MS  # 17:07, so the bucket from 17:00 is touched
    assert since(once.limits[0], now) == bucket_of(first)
    assert code_of(once, (happened("exposed", once), NOW - HOUR_MS), now=now) is Code.CAP_CUSTOMER_REACHED
    assert code_of(once, (happened("exposed", once), NOW - HOUR_MS - 1), now=now) is None


@given(st.integers(0, 3 * DAY_MS), st.integers(QUARTER, 4 * DAY_MS), st.integers(0, DAY_MS))
def test_a_rolling_window_never_forgets_what_lies_in_it(age: int, length: int, shift: int) -> None:
    now = NOW + shift
    first = since(Limit("exposed", "customer", "offer", 1, Window("rolling", length)), now)
    assert first is not None
    assert (bucket_of(now - age) >= first) or age > length
    assert (bucket_of(now - age) < first) or age < length + BUCKET_MS


CALENDAR = [
    ("day", "Europe/Rome", "2026-11-21T18:00:00Z", "2026-11-20T23:00:00Z"),
    ("day", "Europe/Rome", "2026-11-20T23:00:00Z", "2026-11-20T23:00:00Z"),
    ("day", "Europe/Rome", "2026-11-20T22:59:59Z", "2026-11-19T23:00:00Z"),
    ("week", "Europe/Rome", "2026-11-22T22:59:59Z", "2026-11-15T23:00:00Z"),
    ("week", "Europe/Rome", "2026-11-22T23:00:00Z", "2026-11-22T23:00:00Z"),
    ("month", "Europe/Rome", "2026-11-21T18:00:00Z", "2026-10-31T23:00:00Z"),
    # across the clock's changes: 25 October and 29 March 2026 in Rome
    ("day", "Europe/Rome", "2026-10-25T20:00:00Z", "2026-10-24T22:00:00Z"),
    ("week", "Europe/Rome", "2026-10-25T20:00:00Z", "2026-10-18T22:00:00Z"),
    ("week", "Europe/Rome", "2026-10-26T20:00:00Z", "2026-10-25T23:00:00Z"),
    ("month", "Europe/Rome", "2026-10-31T20:00:00Z", "2026-09-30T22:00:00Z"),
    ("day", "Europe/Rome", "2026-03-29T20:00:00Z", "2026-03-28T23:00:00Z"),
    ("month", "Europe/Rome", "2026-03-31T20:00:00Z", "2026-02-28T23:00:00Z"),
    ("month", "America/New_York", "2026-03-09T00:30:00Z", "2026-03-01T05:00:00Z"),
    ("day", "Asia/Kathmandu", "2026-11-21T18:14:59Z", "2026-11-20T18:15:00Z"),
    ("day", "Asia/Kathmandu", "2026-11-21T18:15:00Z", "2026-11-21T18:15:00Z"),
    ("month", "UTC", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("unit", "zone", "now", "start"), CALENDAR)
def test_a_calendar_window_begins_at_the_zones_own_midnight(unit: str, zone: str, now: str, start: str) -> None:
    each = limited(Limit("exposed", "customer", "offer", 1, Window("calendar", unit=unit, zone=zone)))
    begins, instant = parse_instant(start), parse_instant(now)
    assert since(each.limits[0], instant) == bucket_of(begins)
    assert code_of(each, (happened("exposed", each), begins), now=instant) is Code.CAP_CUSTOMER_REACHED
    assert code_of(each, (happened("exposed", each), begins - 1), now=instant) is None


@given(st.integers(0, 366 * 24 * 4), st.sampled_from(["day", "week", "month"]),
       st.sampled_from(["Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"]))  # fmt: skip
def test_a_calendar_window_holds_exactly_this_day_week_or_month(quarters: int, unit: str, zone: str) -> None:
    now = parse_instant("2026-01-01T00:00:00Z") + quarters * QUARTER
    first = since(Limit("exposed", "customer", "offer", 1, Window("calendar", unit=unit, zone=zone)), now)
    assert first is not None

    def period(at: Millis) -> tuple[int, ...]:
        local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
        return {
            "day": (local.year, local.month, local.day),
            "week": local.isocalendar()[:2],
            "month": (local.year, local.month),
        }[unit]

    assert period(first * BUCKET_MS) == period(now)
    assert period(first * BUCKET_MS - 1) != period(now)


def test_a_lifetime_counts_what_fell_out_of_the_buckets_too() -> None:
    thrice = limited(Limit("exposed", "customer", "offer", 3))
    shown = happened("exposed", thrice)
    coarse = (*shown[:4], "", "", "")
    recent, long_ago = counters((shown, NOW - 399 * DAY_MS)), {coarse: 2}
    situation = inputs(profile=MaskedProfile(counters=recent, lifetime=long_ago))
    assert rule_out(candidate(thrice, situation), situation) is not None
    fewer = inputs(profile=MaskedProfile(counters=recent, lifetime={coarse: 1}))
    assert rule_out(candidate(thrice, fewer), fewer) is None
    rolling = limited(Limit("exposed", "customer", "offer", 3, Window("rolling", 400 * DAY_MS)))
    assert rule_out(candidate(rolling, situation), situation) is None, "no window reaches what is in no bucket"


WHOSE = [
    ("offer", {"o"}),
    ("campaign", {"o", "sibling"}),
    ("collection", {"o", "fare"}),
    ("all", {"o", "sibling", "fare", "other"}),
]


@pytest.mark.parametrize(("of", "counting"), WHOSE)
def test_whose_events_count(of: str, counting: set[str]) -> None:
    capped = limited(Limit("exposed", "customer", of, 1, ROLLING))
    sibling = Offer(OfferFacts(OfferId("sibling"), CampaignId("c-o"), "cabins"), "", (), capped.representation)
    met = {
        "o": capped, "sibling": sibling, "fare": offer("fare"), "other": offer("other", collection="spa"),
    }  # fmt: skip
    found = {name for name, each in met.items() if code_of(capped, (happened("exposed", each), NOW)) is not None}
    assert found == counting


def test_offers_in_no_collection_share_none() -> None:
    alone = limited(Limit("exposed", "customer", "collection", 1, ROLLING), collection="")
    stranger = offer("stranger", collection="")
    assert code_of(alone, (happened("exposed", stranger), NOW), (happened("exposed", alone), NOW)) is None


def test_friends_bookings_count_in_no_cap() -> None:
    everything = limited(Limit("exposed", "customer", "all", 1), Limit("clicked", "customer", "all", 1))
    booked: CounterKey = ("friend_booked", "", "", "ITLIV-ITOLB", "", "s1", "")
    assert code_of(everything, (booked, NOW)) is None


def test_a_cap_per_booking_counts_that_booking_only() -> None:
    once = limited(Limit("redeemed", "booking", "offer", 1))
    redeemed = happened("redeemed", once, about="booking:b1")
    assert code_of(once, (redeemed, NOW - 90 * DAY_MS), subject=B1) is Code.CAP_BOOKING_REACHED
    assert code_of(once, (redeemed, NOW), subject=B2) is None
    per_collection = limited(Limit("exposed", "booking", "collection", 2))
    other = happened("exposed", offer("other"), about="booking:b1")
    assert code_of(per_collection, (other, NOW), (other, NOW), subject=B1) is Code.CAP_BOOKING_REACHED


def test_a_voyage_is_everything_about_the_same_booking_or_sailing() -> None:
    voyage = Window("voyage")
    twice = limited(Limit("exposed", "customer", "collection", 2, voyage))
    seen = happened("exposed", offer("other"), about="booking:b1"), happened("exposed", twice, about="booking:b1")
    long_ago = [(key, NOW - 90 * DAY_MS) for key in seen]
    assert code_of(twice, *long_ago, subject=B1) is Code.CAP_CUSTOMER_REACHED
    assert code_of(twice, *long_ago, subject=B2) is None
    sailing = Subject("sailing:s1")
    assert code_of(twice, *long_ago, subject=sailing) is None
    assert code_of(twice, *[(happened("exposed", twice, about="sailing:s1"), NOW)] * 2, subject=sailing) is (
        Code.CAP_CUSTOMER_REACHED
    )


def test_what_silences_for_a_time_silences_about_everything() -> None:
    quiet = offer("quiet", about=BOOKINGS, suppress=(Suppression("dismissed", DAY_MS, where="q.yaml:30:3"),))
    dismissed = happened("dismissed", quiet, about="booking:b1")
    now = NOW + 7 * MINUTE_MS
    assert code_of(quiet, (dismissed, NOW - DAY_MS), subject=B2, now=now) is Code.SUPPRESSED
    assert code_of(quiet, (dismissed, NOW - DAY_MS - 1), subject=B2, now=now) is None, "a bucket earlier"
    assert code_of(quiet, (happened("clicked", quiet), NOW), subject=B2) is None
    assert code_of(quiet, (happened("dismissed", offer("other")), NOW), subject=B2) is None


def test_what_silences_until_an_instant_silences_that_subject_until_then() -> None:
    until = RelativeTime("sailing.departure", -30 * MINUTE_MS)
    quiet = offer("quiet", about=BOOKINGS, suppress=(Suppression("dismissed", until=until),))
    dismissed = (happened("dismissed", quiet, about="booking:b1"), NOW - 300 * DAY_MS)
    ends = NOW + HOUR_MS - 30 * MINUTE_MS
    found = [code_of(quiet, dismissed, subject=B1, now=now) for now in (NOW, ends - 1, ends)]
    assert found == [Code.SUPPRESSED, Code.SUPPRESSED, None]
    assert code_of(quiet, dismissed, subject=B2) is None
    timeless = Subject("booking:b1")
    assert code_of(quiet, dismissed, subject=timeless) is Code.SUPPRESSED, "as long as nobody knows when it ends"


def test_every_reason_is_told_suppressions_first() -> None:
    each = offer(
        "each",
        limits=(Limit("exposed", "customer", "offer", 1), Limit("exposed", "customer", "all", 9)),
        suppress=(Suppression("dismissed", DAY_MS), Suppression("clicked", DAY_MS)),
    )
    events = [(happened(event, each), NOW) for event in ("exposed", "clicked", "dismissed")]
    situation = inputs(profile=MaskedProfile(counters=counters(*events)))
    found = [reason.detail for reason in reached(candidate(each, situation), situation)]
    assert found == ["dismissed before", "clicked before", "exposed 1 of at most 1"]


def test_counting_adds_up_placements_devices_and_subjects() -> None:
    each = offer("each")
    keys = [happened("exposed", each, about, placement) for about in ("", "booking:b1") for placement in ("a", "b")]
    profile = MaskedProfile(counters=counters(*[(key, NOW) for key in keys], (keys[0], NOW - DAY_MS)))
    assert counted(profile, ("exposed", "offer", ANY), each.facts, None) == 5
    assert counted(profile, ("exposed", "offer", ANY), each.facts, bucket_of(NOW)) == 4
    assert counted(profile, ("exposed", "offer", Apart("booking:b1")), each.facts, None) == 2
    tablet = (*keys[0][:6], "tablet")
    other = MaskedProfile(counters=counters((tablet, NOW), *[(key, NOW) for key in keys]))
    assert counted(other, ("exposed", "offer", Apart(device="tablet")), each.facts, None) == 1
    assert counted(other, ("exposed", "offer", Apart("booking:b1", "phone")), each.facts, None) == 2


def test_a_class_of_devices_counts_apart_and_who_does_not_say_theirs_is_held_to_all() -> None:
    once = limited(Limit("exposed", "device_class", "offer", 1, where="o.yaml:20:5"))
    profile = MaskedProfile(counters=counters((happened("exposed", once), NOW)))  # on a phone

    def found(context: FactDict) -> Reason | None:
        situation = inputs(profile=profile, context=context)
        return rule_out(candidate(once, situation), situation)

    reached_there = Reason(Code.CAP_DEVICE_CLASS_REACHED, "o.yaml:20:5", "exposed 1 of at most 1")
    assert found({"context.device_class": ("phone", NOW)}) == reached_there
    assert found({"context.device_class": ("tablet", NOW)}) is None
    assert found({}) == reached_there

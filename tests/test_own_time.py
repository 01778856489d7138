"""Schedules that differ from customer to customer, from sailing to sailing and from port to port."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.catalog import Catalog, facts_of
from offers.condition import View
from offers.decide import decide
from offers.local_zone import CUSTOMER, PORT, placed, zone_of
from offers.offer import RelativeTime, Schedule
from offers.own_time import next_changes, untimely
from offers.proposition import Code, Decision
from offers.schedule import status
from streams.attributes import Value
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant
from streams.places import Places, Port, Venue
from streams.record import DecisionInputs, FactDict, Subject
from tests.catalogs import NOW, catalog, inputs, offer
from tests.deciding import declared

PRIOR = declared()
ROME, ATHENS, AZORES, LORD_HOWE = "Europe/Rome", "Europe/Athens", "Atlantic/Azores", "Australia/Lord_Howe"
PLACES = Places(
    ports={
        name: Port(name, name, "XX", zone, 40.0 + number, 10.0)
        for number, (name, zone) in enumerate({"ITLIV": ROME, "GRPIR": ATHENS, "PTPDL": AZORES}.items())
    },
    venues={
        "taverna": Venue("taverna", "Taverna", "restaurant", port="GRPIR"),
        "spa": Venue("spa", "Spa", "spa", on_board=True),
    },
)
EVENING = (18 * 60, 20 * 60)


def known(facts: Mapping[str, Value]) -> FactDict:
    return {name: (value, NOW) for name, value in facts.items()}


def view(facts: Mapping[str, Value], subject: Mapping[str, Value], now: Millis = NOW) -> View:
    empty = inputs()
    return View({**facts_of(empty), **known(facts)}, known(subject), empty.whereabouts, PLACES, now)


def decided(book: Catalog, found: DecisionInputs) -> Decision:
    return decide(found, book, PRIOR)


def codes(plan: Schedule, seen: View) -> list[tuple[Code, str]]:
    return [(reason.code, reason.detail) for reason in untimely(plan, "spa.yaml:2", seen, "sailing:s")]


@pytest.mark.parametrize(
    ("facts", "zone"),
    [
        ({"context.zone": "Asia/Tokyo", "customer.zone": ATHENS}, "Asia/Tokyo"),
        ({"customer.zone": ATHENS}, ATHENS),
        ({"context.zone": "Rome", "customer.zone": ATHENS}, ATHENS),
        ({"context.zone": "../../etc/passwd"}, None),
        ({"context.zone": 7}, None),
        ({"context.nearest_port": "ITLIV"}, None),
        ({}, None),
    ],
)
def test_the_customers_clock_is_the_phones_then_the_registers(facts: Mapping[str, Value], zone: str | None) -> None:
    assert zone_of(CUSTOMER, view(facts, {})) == zone


@pytest.mark.parametrize(
    ("facts", "subject", "zone"),
    [
        ({"context.nearest_port": "ITLIV"}, {"sailing.origin": "GRPIR"}, ATHENS),
        ({"context.nearest_port": "ITLIV"}, {"venue.id": "taverna"}, ATHENS),
        ({"context.nearest_port": "ITLIV"}, {"venue.id": "spa"}, ROME),
        ({"context.nearest_port": "PTPDL"}, {}, AZORES),
        ({"context.nearest_port": "XXXXX", "context.zone": ROME}, {"sailing.origin": "YYYYY"}, None),
        ({}, {"venue.id": "spa"}, None),
    ],
)
def test_the_ports_clock_is_that_of_the_subject_then_of_the_nearest(
    facts: Mapping[str, Value], subject: Mapping[str, Value], zone: str | None
) -> None:
    assert zone_of(PORT, view(facts, subject)) == zone


def test_an_evening_is_that_of_the_port_it_leaves_from() -> None:
    plan = Schedule(
        hours=EVENING, local=PORT
    )  # it is 18:00 in UTC: 19:00 in Rome, 20:00 in Athens, 17:00 on the Azores
    assert codes(plan, view({}, {"sailing.origin": "ITLIV"})) == []
    assert codes(plan, view({}, {"sailing.origin": "GRPIR"})) == [
        (Code.NOT_SCHEDULED, "it is Sat 21 Nov 2026 20:00 in Europe/Athens")
    ]
    assert codes(plan, view({}, {"sailing.origin": "PTPDL"})) == [
        (Code.NOT_SCHEDULED, "it is Sat 21 Nov 2026 17:00 in Atlantic/Azores")
    ]


def test_nobody_is_shown_what_depends_on_a_clock_nobody_knows() -> None:
    plan = Schedule(days=(6,), local=CUSTOMER)
    assert codes(plan, view({}, {})) == [(Code.CONTEXT_MISSING, "context.zone or customer.zone is not known")]
    assert codes(replace(plan, local=PORT), view({}, {})) == [
        (Code.CONTEXT_MISSING, "which port's clock counts is not known")
    ]
    assert codes(plan, view({"context.zone": "Pacific/Kiritimati"}, {})) == [
        (Code.NOT_SCHEDULED, "it is Sun 22 Nov 2026 08:00 in Pacific/Kiritimati")
    ]
    assert codes(plan, view({"context.zone": "Pacific/Pago_Pago"}, {})) == []


WINDOW = Schedule(
    starts_relative=RelativeTime("sailing.departure", -48 * HOUR_MS), ends_relative=RelativeTime("sailing.departure", 0)
)


@pytest.mark.parametrize(
    ("departs_in", "expected"),
    [
        (48 * HOUR_MS + 1, [(Code.NOT_STARTED, "not yet begun for sailing:s")]),
        (48 * HOUR_MS, []),
        (1, []),
        (0, [(Code.EXPIRED, "over for sailing:s")]),
    ],
)
def test_a_window_before_a_departure_holds_its_beginning_and_not_its_end(
    departs_in: Millis, expected: list[tuple[Code, str]]
) -> None:
    assert codes(WINDOW, view({}, {"sailing.departure": NOW + departs_in})) == expected


def test_a_departure_that_is_not_known_is_told_once() -> None:
    assert codes(WINDOW, view({}, {})) == [(Code.CONTEXT_MISSING, "sailing.departure is not known")]


@given(
    st.sampled_from([ROME, "America/New_York", LORD_HOWE, "Asia/Kathmandu"]),
    st.integers(-2 * DAY_MS, 2 * DAY_MS),
    st.sampled_from([(1020, 1320), (1320, 120), (150, 180)]),
)
def test_nothing_of_a_local_clock_changes_before_it_is_said_to(zone: str, shift: int, hours: tuple[int, int]) -> None:
    plan = Schedule(days=(5, 6), hours=hours, local=CUSTOMER)
    now = parse_instant("2026-10-25T01:00:00Z") + shift
    until = min(next_changes((plan,), view({"context.zone": zone}, {}, now)))
    assert until > now
    minutes = [now, *range(-(-now // MINUTE_MS) * MINUTE_MS, until, MINUTE_MS), until - 1]
    assert len({bool(codes(plan, view({"context.zone": zone}, {}, at))) for at in minutes}) == 1
    assert bool(codes(plan, view({"context.zone": zone}, {}, now))) is (status(placed(plan, zone), now, ()) is not None)


def test_an_answer_holds_no_longer_than_the_evening_of_the_customer() -> None:
    evening = offer("evening", schedule=Schedule(hours=(18 * 60, 19 * 60 + 7), local=CUSTOMER))
    book, found = catalog([evening], PLACES), inputs(context=known({"context.zone": ROME}))
    first = decided(book, found)
    assert [item.offer_id for item in first.placements[0].items] == ["evening"]
    assert first.valid_until <= NOW + 7 * MINUTE_MS == first.placements[0].items[0].expires
    later = decided(book, msgspec.structs.replace(found, now=NOW + 7 * MINUTE_MS))
    assert later.placements[0].items == ()
    assert dict(later.ruled_out) == {"NOT_SCHEDULED": 1}
    assert dict(decided(book, inputs(context=known({"context.zone": ATHENS}))).ruled_out) == {"NOT_SCHEDULED": 1}
    assert dict(decided(book, inputs()).ruled_out) == {"CONTEXT_MISSING": 1}


def test_a_catalog_reads_the_customers_clock_only_where_a_schedule_asks_for_it() -> None:
    assert catalog([offer("plain")]).reads.isdisjoint({"context.zone", "customer.zone"})
    assert catalog([offer("plain")]).local_plans == ()
    book = catalog([offer("a", schedule=Schedule(hours=EVENING, local=CUSTOMER, starts=NOW)),
                    offer("b", schedule=Schedule(hours=EVENING, local=CUSTOMER))])  # fmt: skip
    assert book.reads >= {"context.zone", "customer.zone"}
    assert book.local_plans == (Schedule(hours=EVENING, local=CUSTOMER),)


def test_a_subject_of_another_port_is_judged_by_its_own_clock() -> None:
    ports = offer("ports", about=None, schedule=Schedule(hours=EVENING, local=PORT))
    subjects = [Subject(f"sailing:{port}", known({"sailing.origin": port})) for port in ("ITLIV", "GRPIR")]
    seen = [view({}, {name: fact[0] for name, fact in subject.facts.items()}) for subject in subjects]
    assert [bool(codes(ports.schedule, each)) for each in seen] == [False, True]

"""The customers of a load run: the same in every process, people of the world, known by their ids."""

from pathlib import Path

from loadtests.load.checks import SOMEBODY
from loadtests.load.crowd import PREFIX, SOON_MS, context, crowd, placements
from loadtests.world_clock import HOUR_MS
from loadtests.world_lives import AT_HOME, AT_PORT, ON_BOARD
from streams.instant import parse_instant

NOW = parse_instant("2026-11-21T18:00:00Z")
CROWD = crowd(1, 600, NOW)


def test_every_process_makes_the_same_crowd() -> None:
    assert crowd(1, 600, NOW).customers == CROWD.customers
    assert crowd(2, 600, NOW).customers != CROWD.customers


def test_names_are_the_loads_own_and_friends_are_of_the_crowd() -> None:
    names = {customer.person.id for customer in CROWD.customers}
    assert len(names) == 600 and all(name.startswith(PREFIX) for name in names)
    assert {friend for customer in CROWD.customers for friend in customer.person.friends} <= names
    for name in names:
        assert SOMEBODY.findall(f"xx b-{name}-0 yy".encode()) == [name.encode()]


def test_bookings_are_open_now_the_next_departure_first() -> None:
    booked = [customer for customer in CROWD.customers if customer.bookings]
    assert len(booked) > 30
    for customer in booked:
        departures = [booking.sailing.departure for booking in customer.bookings]
        assert departures == sorted(departures)
        assert all(booking.booked_at <= NOW < booking.sailing.arrival for booking in customer.bookings)


def test_whoever_travels_soon_asks_more_and_is_where_the_trip_is() -> None:
    where = set()
    for customer in CROWD.customers:
        session = customer.session(NOW)
        where.add(session.where)
        if customer.bookings:
            leaves = customer.bookings[0].sailing.departure - NOW
            expected = ON_BOARD if leaves <= 0 else AT_PORT if leaves <= 4 * HOUR_MS else AT_HOME
            assert session.where == expected and session.booking == customer.bookings[0].id
    assert where == {AT_HOME, ON_BOARD, AT_PORT}
    soon = [c.eagerness for c in CROWD.customers if c.bookings and c.bookings[0].sailing.departure - NOW <= SOON_MS]
    others = [c.eagerness for c in CROWD.customers if not c.bookings]
    assert sum(soon) / len(soon) > 3 * sum(others) / len(others)


def test_what_an_app_says_of_the_phone_and_has_room_for() -> None:
    for customer in CROWD.customers:
        session = customer.session(NOW)
        said, person = context(customer, session), customer.person
        assert said["device"] == {"class": customer.device} and customer.device in person.devices
        consented = "location" in person.consents and person.location_status in ("precise", "approximate")
        assert ("lat" in said["location"]) == consented
        names = [one["placement"] for one in placements(session)]
        assert ("app.trip.card" in names) == (session.booking is not None) == ("trip" in said)
        assert (names[0] == "app.home.tablet") == (customer.device == "tablet")


def test_an_introduction_tells_of_everyone_and_is_this_runs_own() -> None:
    told = list(CROWD.introductions("l123"))
    assert len({(each["source"], each["id"]) for each in told}) == len(told)
    assert all(str(each["id"]).startswith("l123-") for each in told)
    subjects = {each["subject"] for each in told if each["type"] == "customer.consent"}
    assert subjects == {customer.person.id for customer in CROWD.customers}
    bookings = {booking.id for customer in CROWD.customers for booking in customer.bookings}
    found = [each["data"] for each in told if each["type"] == "customer.booking"]
    assert {data["booking_id"] for data in found if isinstance(data, dict)} == bookings
    assert {"sailing.schedule", "sailing.fare", "sailing.capacity", "venue.capacity"} <= {each["type"] for each in told}


def test_the_crowd_comes_from_a_deployments_places(tmp_path: Path) -> None:
    for name in ("ports.geojson", "venues.geojson"):
        (tmp_path / name).write_text('{"type": "FeatureCollection", "features": []}')
    (tmp_path / "lines.csv").write_text("from,to,kind,great_circle_km\n")
    assert crowd(1, 0, NOW, tmp_path).geography.ports == {}

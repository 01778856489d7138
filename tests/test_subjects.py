"""What a decision can be about: bookings, sailings and venues with their facts, in a total order, at most eight."""

from dataclasses import replace

import msgspec
import pytest

from offers.market_names import market_names
from offers.offer import Selector
from offers.subjects import ARRIVED_MS, MAX_SUBJECTS, Bound, Surroundings, bind, friends_booked, phase_of
from streams.attributes import Attribute, Kind, attribute_set
from streams.declared_features import EVERY, Declared, DeclaredFeatures
from streams.events import Capacity, Fare, VenueCapacity
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS
from streams.market import EMPTY, Market, Sailing
from streams.places import NOWHERE, Fix, Line, Places, Port, Venue, Whereabouts
from streams.profile import BookingFact, CounterKey, MaskedProfile, bucket_of
from streams.record import FactDict, Subject
from tests.catalogs import ATTRIBUTES, NOW, catalog, offer
from tests.geography import BASTIA, LIVORNO, OLBIA, PLACES
from tests.markets import BACK, CORSICA, OUTWARD, booking, sails, told

BOOKINGS = Selector("booking")
NEXT, HERE = Selector("sailing", "next"), Selector("sailing", "from_here")
ABOARD, NEARBY = Selector("venue", "on_board"), Selector("venue", "here")


def at(port: Port, status: str = "precise") -> Whereabouts:
    return PLACES.resolve(Fix(port.lat, port.lon, 20, NOW), status)


def around(
    market: Market = EMPTY, bookings: dict[str, BookingFact] | None = None, where: Whereabouts = NOWHERE,
    now: Millis = NOW, trip: str | None = None,
) -> Surroundings:  # fmt: skip
    return Surroundings(MaskedProfile(bookings=bookings or {}), where, market, now, trip)


def bound(selector: Selector, surroundings: Surroundings, places: Places = PLACES) -> Bound:
    return bind(catalog([offer("o", about=selector)], places), [selector.key], surroundings)


def subjects(selector: Selector, surroundings: Surroundings, places: Places = PLACES) -> tuple[Subject, ...]:
    return bound(selector, surroundings, places).subjects[selector.key]


def keys(selector: Selector, surroundings: Surroundings, places: Places = PLACES) -> list[str]:
    return [subject.key for subject in subjects(selector, surroundings, places)]


def fact(found: Subject, name: str) -> object:
    return found.facts.get(name, (None, 0))[0]


TIMETABLE = told(("s1", sails(2)), ("s2", sails(26)), ("s3", sails(-3)), ("s4", sails(-30)))


def test_open_bookings_stand_by_departure_the_apps_trip_first() -> None:
    mine = {"b1": booking("s2"), "b2": booking("s1"), "b3": booking("s3"), "b9": booking("s1", status="cancelled")}
    assert keys(BOOKINGS, around(TIMETABLE, mine)) == ["booking:b3", "booking:b2", "booking:b1"]
    assert keys(BOOKINGS, around(TIMETABLE, mine, trip="b1")) == ["booking:b1", "booking:b3", "booking:b2"]
    assert keys(BOOKINGS, around(TIMETABLE, mine, trip="b9")) == ["booking:b3", "booking:b2", "booking:b1"]


def test_a_booking_without_a_timetable_stands_last_and_crowds_nobody_out() -> None:
    forgotten = {f"a{n}": booking(f"gone-{n}") for n in range(12)}
    found = keys(BOOKINGS, around(TIMETABLE, {**forgotten, "z1": booking("s1")}))
    assert found[:2] == ["booking:z1", "booking:a0"]
    assert len(found) == MAX_SUBJECTS


def test_a_booking_is_history_twelve_hours_after_arrival() -> None:
    arrival = NOW + 11 * HOUR_MS
    surroundings = around(TIMETABLE, {"b1": booking("s1")})
    found = [keys(BOOKINGS, replace(surroundings, now=arrival + ARRIVED_MS + shift)) for shift in (-1, 0)]
    assert found == [["booking:b1"], []]
    assert bound(BOOKINGS, surroundings).changes_at == arrival + ARRIVED_MS


def test_a_bookings_facts_are_its_own_its_sailings_and_the_markets() -> None:
    market = told(
        ("s1", sails(2)), ("s1", Fare("deck", 4_900), NOW - 5), ("s1", Capacity("inside", 12), NOW - 7),
        ("s1", Fare("helicopter", 90_000)),
    )  # fmt: skip
    (found,) = subjects(BOOKINGS, around(market, {"b1": booking("s1", seat="seat")}))
    departure, heard = NOW + 2 * HOUR_MS, NOW - HOUR_MS
    expected: FactDict = {
        "booking.id": ("b1", heard), "booking.status": ("open", heard), "booking.accommodation": ("seat", heard),
        "booking.phase": ("check_in", NOW), "sailing.id": ("s1", heard), "sailing.line": (OUTWARD, heard),
        "sailing.origin": ("ITLIV", heard), "sailing.destination": ("ITOLB", heard),
        "sailing.departure": (departure, heard), "sailing.arrival": (departure + 9 * HOUR_MS, heard),
        "sailing.departs_in": (2 * HOUR_MS, NOW), "sailing.departs_on": ("2026-11-21", heard),
        "sailing.status": ("scheduled", heard), "market.fare.deck": (4_900, NOW - 5),
        "market.cabins_free.inside": (12, NOW - 7),
    }  # fmt: skip
    assert found.facts == expected
    assert (found.key, found.about) == ("booking:b1", {"booking_id": "b1", "sailing_id": "s1"})
    assert found.changes_at == departure - 90 * MINUTE_MS


def test_facts_never_mix_two_bookings() -> None:
    market = told(("s1", sails(2)), ("s2", sails(26, BACK)), ("s1", Fare("deck", 1_000)), ("s2", Capacity("inside", 3)))
    mine = {"b1": booking("s1", seat="deck"), "b2": booking("s2", BACK, seat="cabin")}
    first, second = subjects(BOOKINGS, around(market, mine))
    names = ("booking.id", "booking.accommodation", "sailing.line", "market.fare.deck", "market.cabins_free.inside")
    assert [fact(first, name) for name in names] == ["b1", "deck", OUTWARD, 1_000, None]
    assert [fact(second, name) for name in names] == ["b2", "cabin", BACK, None, 3]
    assert bound(BOOKINGS, around(market, mine)).consulted == ("s1", "s2")


def test_what_the_market_has_not_said_is_absent() -> None:
    (unknown,) = subjects(BOOKINGS, around(EMPTY, {"b1": booking("s1")}))
    assert sorted(unknown.facts) == [
        "booking.id", "booking.status", "sailing.destination", "sailing.id", "sailing.line", "sailing.origin",
    ]  # fmt: skip
    assert unknown.changes_at == 0
    (lineless,) = subjects(BOOKINGS, around(EMPTY, {"b1": booking("s1", line="")}))
    assert "sailing.line" not in lineless.facts


def test_a_booking_knows_its_line_before_the_timetable_does() -> None:
    (found,) = subjects(BOOKINGS, around(told(("s1", Fare("deck", 900))), {"b1": booking("s1")}))
    assert (fact(found, "sailing.line"), fact(found, "sailing.origin")) == (OUTWARD, "ITLIV")
    assert (fact(found, "market.fare.deck"), fact(found, "sailing.departure")) == (900, None)


def test_a_fare_in_another_currency_is_not_taken_for_the_declared_one() -> None:
    euros = Attribute("market", "fare", 61, Kind.MONEY, unit="EUR", by="product", keys=("deck",), event="sailing.fare")
    bookings = catalog([offer("o", about=BOOKINGS)], PLACES, attributes=attribute_set((euros,)))
    for currency, seen in (("EUR", 4_900), ("CHF", None)):
        market = told(("s1", sails(2)), ("s1", Fare("deck", 4_900, currency)))
        (found,) = bind(bookings, [BOOKINGS.key], around(market, {"b1": booking("s1")})).subjects[BOOKINGS.key]
        assert fact(found, "market.fare.deck") == seen


def test_market_names_come_from_the_declarations() -> None:
    found = market_names(ATTRIBUTES)
    assert found.fares == {"deck": (("market.fare.deck", None),)}
    assert found.rooms == {"inside": (("market.cabins_free.inside", None),)}
    plain = attribute_set((Attribute("sailing", "seats", 70, Kind.INTEGER, unit="seats", event="sailing.capacity"),))
    assert market_names(plain).rooms == {"seats": (("sailing.seats", "seats"),)}


PHASES = [
    (-3 * 60 - 1, "planned", -3 * 60), (-3 * 60, "check_in", -90), (-91, "check_in", -90), (-90, "boarding", 0),
    (0, "on_board", 9 * 60), (9 * 60 - 1, "on_board", 9 * 60), (9 * 60, "arrived", None),
]  # fmt: skip


@pytest.mark.parametrize(("minutes", "phase", "then"), PHASES)
def test_a_trip_goes_through_its_phases(minutes: int, phase: str, then: int | None) -> None:
    departure = NOW + DAY_MS
    sailing = Sailing("s", OUTWARD, departure, departure + 9 * HOUR_MS)
    changes = 0 if then is None else departure + then * MINUTE_MS
    assert phase_of(sailing, departure + minutes * MINUTE_MS) == (phase, changes)


def test_a_cancelled_sailing_has_no_phase_and_nobody_is_on_it() -> None:
    market = told(("s1", sails(-1, status="cancelled")))
    surroundings = around(market, {"b1": booking("s1")})
    (found,) = subjects(BOOKINGS, surroundings)
    assert (fact(found, "booking.phase"), fact(found, "sailing.status")) == (None, "cancelled")
    assert keys(ABOARD, surroundings) == []


def test_the_next_sailing_is_the_first_booked_one_that_has_not_left() -> None:
    mine = {"b1": booking("s2"), "b2": booking("s1"), "b3": booking("s3"), "b4": booking("unknown")}
    (found,) = subjects(NEXT, around(TIMETABLE, mine))
    assert (found.key, found.about, found.changes_at) == ("sailing:s1", {"sailing_id": "s1"}, NOW + 2 * HOUR_MS)
    assert "booking.id" not in found.facts
    assert keys(NEXT, around(TIMETABLE, mine, now=NOW + 2 * HOUR_MS)) == ["sailing:s2"]
    assert keys(NEXT, around(TIMETABLE, {"b3": booking("s3")})) == []
    names = bound(NEXT, around(TIMETABLE, mine)).consulted
    assert names == (f"line:{OUTWARD}", "s1", "s2", "s3", "unknown"), "any of them may become the next"


def test_sailings_of_a_line_are_those_that_depart_within_the_window() -> None:
    market = told(("a", sails(0)), ("b", sails(1)), ("c", sails(72)), ("d", sails(73)), ("e", sails(5, BACK)),
                  ("f", sails(6, status="cancelled")), ("g", sails(7, status="delayed")))  # fmt: skip
    line = Selector("sailing", "line", line=OUTWARD, within_ms=72 * HOUR_MS)
    found = bound(line, around(market))
    assert [each.key for each in found.subjects[line.key]] == ["sailing:b", "sailing:g"]
    assert found.consulted == ("b", "g", f"line:{OUTWARD}")
    assert found.changes_at == NOW + 1, "c enters a millisecond later: it departs before, not at, 72 hours from now"
    assert keys(line, around(market, now=NOW + 1)) == ["sailing:b", "sailing:g", "sailing:c"]
    assert bound(line, around(market, now=NOW + 1)).changes_at == NOW + HOUR_MS + 1


def test_a_line_without_a_sailing_is_consulted_since_one_may_be_added() -> None:
    line = Selector("sailing", "line", line=CORSICA)
    assert bound(line, around(TIMETABLE)) == Bound({line.key: ()}, (f"line:{CORSICA}",), 0)


def test_sailings_from_here_leave_from_the_nearest_port_within_reach() -> None:
    market = told(("a", sails(3)), ("b", sails(2, CORSICA)), ("c", sails(1, BACK)))
    assert keys(HERE, around(market, where=at(LIVORNO))) == ["sailing:b", "sailing:a"]
    assert keys(HERE, around(market, where=at(OLBIA))) == ["sailing:c"]
    far = PLACES.resolve(Fix(45.07, 7.69, 20, NOW), "precise")
    for where in (far, at(LIVORNO, "denied"), NOWHERE):
        assert bound(HERE, around(market, where=where)) == Bound({HERE.key: ()}, (), 0)
    assert bound(HERE, around(market, where=at(LIVORNO))).consulted == (
        "a", "b", f"line:{CORSICA}", f"line:{OUTWARD}",
    )  # fmt: skip


def test_at_most_eight_subjects_the_first_to_depart_of_all_lines() -> None:
    lines = (OUTWARD, BACK, CORSICA)
    market = told(*((f"s{n:02}", sails(24 - n, lines[n % 3])) for n in range(20)))
    found = bound(Selector("sailing", "any"), around(market))
    assert [each.key for each in found.subjects["sailing:any"]] == [f"sailing:s{n}" for n in range(19, 11, -1)]
    assert found.changes_at == 0, "with eight already, what enters the window comes behind them"
    assert {f"line:{line}" for line in lines} < set(found.consulted)


def test_departures_at_one_instant_stand_by_id() -> None:
    market = told(("z", sails(5)), ("a", sails(5, BACK)), ("m", sails(5, CORSICA)))
    assert keys(Selector("sailing", "any"), around(market)) == ["sailing:a", "sailing:m", "sailing:z"]


def test_on_board_there_are_the_ships_venues_from_departure_to_arrival() -> None:
    surroundings = around(TIMETABLE, {"b1": booking("s1")})
    departure, arrival = NOW + 2 * HOUR_MS, NOW + 11 * HOUR_MS
    found = {now: bound(ABOARD, replace(surroundings, now=now)) for now in (NOW, departure, arrival - 1, arrival)}
    assert [[each.key for each in one.subjects[ABOARD.key]] for one in found.values()] == [
        [], ["venue:spa"], ["venue:spa"], [],
    ]  # fmt: skip
    assert found[NOW].changes_at == departure - 90 * MINUTE_MS, "boarding comes first"
    assert found[departure].changes_at == arrival
    assert found[NOW].consulted == ("s1",), "a delay changes who is on board"
    assert found[departure].consulted == ("s1", "venue:spa")


def test_a_venue_of_one_line_is_on_that_lines_ships_only_both_ways() -> None:
    places = Places(PLACES.ports, PLACES.lines, {}, {
        "bar": Venue("bar", "Bar", "bar", on_board=True),
        "grill": Venue("grill", "Grill", "restaurant", line=OUTWARD, on_board=True),
    })  # fmt: skip
    aboard = {
        line: keys(ABOARD, around(told(("s", sails(-1, line))), {"b": booking("s", line)}), places)
        for line in (OUTWARD, BACK, CORSICA)
    }
    assert aboard == {
        OUTWARD: ["venue:bar", "venue:grill"], BACK: ["venue:bar", "venue:grill"], CORSICA: ["venue:bar"],
    }  # fmt: skip


def test_venues_here_are_those_within_reach_nearest_first() -> None:
    venues = {
        "near": Venue("near", "Near", "shop", lat=BASTIA.lat, lon=BASTIA.lon),
        "also": Venue("also", "Also", "shop", lat=BASTIA.lat + 0.05, lon=BASTIA.lon),
        "far": Venue("far", "Far", "shop", lat=BASTIA.lat + 0.3, lon=BASTIA.lon),
        "ship": Venue("ship", "Ship", "bar", on_board=True),
        "nowhere": Venue("nowhere", "Nowhere", "shop"),
    }
    places = Places(PLACES.ports, PLACES.lines, {}, venues)
    assert keys(NEARBY, around(where=at(BASTIA)), places) == ["venue:near", "venue:also"]
    assert keys(NEARBY, around(where=at(BASTIA, "off")), places) == []


def test_a_venue_by_name_is_there_wherever_the_customer_is() -> None:
    market = told(("museum", VenueCapacity(30), NOW - 9))
    museum, gone = Selector("venue", "id", venue="museum"), Selector("venue", "id", venue="gone")
    (found,) = subjects(museum, around(market))
    assert found.facts == {
        "venue.id": ("museum", NOW), "venue.kind": ("museum", NOW), "venue.on_board": (False, NOW),
        "venue.free": (30, NOW - 9),
    }  # fmt: skip
    assert (found.about, found.consulted) == ({"venue_id": "museum"}, ("venue:museum",))
    assert "venue.free" not in subjects(museum, around())[0].facts
    assert keys(gone, around(market)) == []


def friend(sailing: str) -> CounterKey:
    return ("friend_booked", "", "", OUTWARD, "", sailing, "")


def test_friends_on_a_sailing_are_told_with_the_social_purpose_only() -> None:
    counted = {friend("s1"): {bucket_of(NOW): 2, bucket_of(NOW - 29 * DAY_MS): 1, bucket_of(NOW - 31 * DAY_MS): 5},
               friend("s2"): {bucket_of(NOW): 7}}  # fmt: skip
    open_up, shy = MaskedProfile(counters=counted, purposes=("social",)), MaskedProfile(counters=counted)
    assert [friends_booked(open_up, sailing, NOW) for sailing in ("s1", "s2", "s9")] == [3, 7, 0]
    assert friends_booked(shy, "s1", NOW) is None
    line = Selector("sailing", "line", line=OUTWARD)
    for profile, seen in ((open_up, [(3, NOW), (7, NOW)]), (shy, [None, None])):
        found = subjects(line, Surroundings(profile, NOWHERE, TIMETABLE, NOW))
        assert [each.facts.get("sailing.friends_booked") for each in found] == seen


def test_several_selectors_are_bound_at_once_and_consult_together() -> None:
    museum = Selector("venue", "id", venue="museum")
    book = catalog([offer("a", about=BOOKINGS), offer("b", about=museum), offer("c", about=HERE)], PLACES)
    surroundings = around(TIMETABLE, {"b1": booking("s1")})
    found = bind(book, [BOOKINGS.key, museum.key], surroundings)
    assert {key: [each.key for each in made] for key, made in found.subjects.items()} == {
        BOOKINGS.key: ["booking:b1"], museum.key: ["venue:museum"],
    }  # fmt: skip
    assert found.consulted == ("s1", "venue:museum")
    assert bind(book, [], surroundings) == Bound({}, (), 0)


def test_the_day_of_departure_is_that_of_the_port() -> None:
    pacific = Port("NZAKL", "Auckland", "NZ", "Pacific/Auckland", -36.84, 174.77)
    places = Places({**PLACES.ports, "NZAKL": pacific}, {"NZAKL-ITLIV": Line("NZAKL-ITLIV", "NZAKL", "ITLIV", 1.0)})
    market = told(("s", sails(1, "NZAKL-ITLIV")))
    (found,) = subjects(Selector("sailing", "any"), around(market), places)
    assert fact(found, "sailing.departs_on") == "2026-11-22"


def test_a_fare_stands_beside_its_recent_level_where_a_feature_reads_that_and_nowhere_else() -> None:
    today = NOW // DAY_MS
    days = ((today - 40, 9_000, 9_000), (today - 15, 7_000, 7_000), (today, 6_000, 6_000))
    sailing = Sailing("s1", fares={"deck": (6_000, "EUR", NOW - HOUR_MS)}, fare_days={"deck": days})
    fare = Attribute("market", "fare", 1, Kind.MONEY, unit="EUR", keys=("deck",), by="product", event="sailing.fare")
    market = Market(sailings={"s1": sailing})
    mine = around(market, {"b1": booking("s1")})

    def facts(features: DeclaredFeatures) -> FactDict:
        book = catalog([offer("o", about=BOOKINGS)], PLACES, attribute_set((fare,), features))
        (found,) = bind(book, [BOOKINGS.key], mine).subjects[BOOKINGS.key]
        return {name: fact for name, fact in found.facts.items() if name.startswith("market.")}

    plain: FactDict = {"market.fare.deck": (6_000, NOW - HOUR_MS)}
    assert facts(EVERY) == plain
    asked = DeclaredFeatures({"market.fare": Declared(("number", "against_recent"))})
    assert facts(asked) == {**plain, "market.fare.deck.against_recent": (0.75, NOW - HOUR_MS)}
    market.sailings["s1"] = msgspec.structs.replace(sailing, fare_days={"deck": ((today - 6, 9_000, 9_000), *days[2:])})
    assert facts(asked) == plain  # six days are no level

"""A persona is read as strictly as a campaign, and becomes the situation it describes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from shapely import Point

from offers.cases import read_persona_file
from offers.persona import Persona
from offers.persona_place import spot
from streams.errors import InvalidInput
from streams.ids import DecisionId
from streams.instant import HOUR_MS, MINUTE_MS, parse_instant
from tests.golden_case import example

Reader = Callable[..., tuple[Persona | None, list[str]]]
NOW = parse_instant("2026-11-21T18:00:00+01:00")
WHOLE = """
description: somebody in the port
zone: Europe/Rome
now: 2026-11-21 18:00
customer:
  heard: 2 d
  facts: {loyalty_tier: gold, average_spend: 40 EUR, interests: [wine, food], last_trip_at: 2026-10-01}
  purposes: [personalised_offers]
  channels: [app]
  bookings: {b-1: {sailing: s-1, accommodation: seat, party: 2}, b-2: {sailing: s-2, status: cancelled}}
  met:
    - {event: clicked, offer: gold-lounge, about: "booking:b-1", ago: 3 h, times: 2}
    - {offer: gold-lounge, ago: 1 h}
  friends_on: {s-1: 3}
market:
  sailings:
    s-1: {line: ITLIV-ITOLB, departs: 2026-11-21 21:30, takes: 8 h, heard: 10 min, fares: {deck: 45.50 EUR},
          free: {inside: 7}}
  venues: {spa-onda: 3}
  seasons: {summer: true}
location: {at: "port:ITLIV", status: approximate, accuracy_m: 900, ago: 2 min}
request: {locale: de-DE, placements: {app.home.hero: 1}, context: {weather: rain, device_class: tablet}, trip: b-1,
  limit: 9}
"""


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Writes a persona and reads it again: (persona, what was said)."""

    def reader(text: str, name: str = "") -> tuple[Persona | None, list[str]]:
        file = tmp_path / "p.yaml"
        file.write_text(text)
        persona, findings = read_persona_file(file, name, example())
        return persona, [str(finding).removeprefix(f"{tmp_path}/") for finding in findings]

    return reader


def test_everything_a_persona_says_is_in_its_situation(read: Reader) -> None:
    persona, said = read(WHOLE)
    assert (said, persona is not None) == ([], True)
    assert persona is not None and persona.now == NOW
    found = persona.situation(example(), NOW, DecisionId("d"))
    heard = NOW - 48 * HOUR_MS
    assert found.profile.facts == {
        "customer.loyalty_tier": ("gold", heard),
        "customer.average_spend": (4_000, heard),
        "customer.interests": (("food", "wine"), heard),
        "customer.last_trip_at": (parse_instant("2026-10-01T00:00:00+02:00"), heard),
    }
    assert (found.profile.purposes, found.profile.channels) == (("personalised_offers",), ("app",))
    assert {name: (held.sailing_id, held.status) for name, held in found.profile.bookings.items()} == {
        "b-1": ("s-1", "open"), "b-2": ("s-2", "cancelled"),
    }  # fmt: skip
    counted = {(key[0], key[5]): sum(buckets.values()) for key, buckets in found.profile.counters.items()}
    assert counted == {("clicked", "booking:b-1"): 2, ("exposed", ""): 1}, "friends need the purpose social"
    sailing = found.market.sailings["s-1"]
    assert (sailing.departure, sailing.arrival) == (NOW + 210 * MINUTE_MS, NOW + 210 * MINUTE_MS + 8 * HOUR_MS)
    assert sailing.fares == {"deck": (4_550, "EUR", NOW - 10 * MINUTE_MS)}
    assert sailing.free == {"inside": (7, NOW - 10 * MINUTE_MS)}
    assert (found.market.venues["spa-onda"].free, found.market.seasons["summer"][0]) == (3, True)
    whereabouts = found.whereabouts
    assert (whereabouts.status, whereabouts.accuracy_m, whereabouts.at) == ("approximate", 1_000, NOW - 2 * MINUTE_MS)
    request = found.request
    assert (request.locale, request.trip, found.candidate_limit) == ("de-DE", "b-1", 9)
    assert request.context == {"context.weather": ("rain", NOW), "context.device_class": ("tablet", NOW)}


def test_at_another_time_everything_is_as_old_as_it_was(read: Reader) -> None:
    persona, _ = read(WHOLE)
    assert persona is not None
    later = persona.situation(example(), NOW + HOUR_MS, DecisionId("d"))
    assert later.market.sailings["s-1"].free == {"inside": (7, NOW + 50 * MINUTE_MS)}
    assert later.market.sailings["s-1"].departure == NOW + 210 * MINUTE_MS, "the timetable stays"
    assert later.whereabouts.at == NOW + 58 * MINUTE_MS


def test_who_says_nothing_is_asked_for_every_placement_and_is_nowhere(read: Reader) -> None:
    persona, said = read("now: 2026-11-21T18:00Z\n")
    assert persona is not None and said == []
    found = persona.situation(example(), NOW, DecisionId("d"))
    assert [(each.placement, each.limit) for each in found.request.placements] == [
        (placement.id, placement.max_items) for placement in example().placements.values()
    ]
    assert (found.whereabouts.status, found.whereabouts.cell) == ("not_determined", None)


MISTAKES = {
    "customer: {loyalty_tier: gold, facts: {}}": (
        "p.yaml:1:12: UNKNOWN_KEY customer has no key 'loyalty_tier': attributes stand below 'facts'. "
        "Write 'facts: {loyalty_tier: ...}'."
    ),
    "customers: {}": "p.yaml:1:1: UNKNOWN_KEY the persona has no key 'customers'. Did you mean 'customer'?",
    "zone: Europe/Roma": "p.yaml:1:7: ZONE_UNKNOWN 'Europe/Roma' is not a time zone. Did you mean 'Europe/Rome'?",
    "customer: {facts: {pet: yes}}": (
        "p.yaml:1:25: NOT_BOOLEAN customer.pet is 'yes', neither true nor false. Write true."
    ),
    "customer: {facts: {average_spend: 40}}": (
        "p.yaml:1:35: UNIT_MISSING '40' is not an amount of money. Write '40 EUR'."
    ),
    "customer: {purposes: [locations]}": (
        "p.yaml:1:23: UNKNOWN_CHOICE purposes cannot be 'locations'. "
        "One of: location, personalised_offers, social. Did you mean 'location'?"
    ),
    "customer: {bookings: {b: {accommodation: seat}}}": (
        "p.yaml:1:26: KEY_MISSING booking b has no 'sailing'. Add 'sailing:'."
    ),
    "customer: {met: [{offer: gold-lunge, ago: 1 h}]}": "p.yaml:1:26: UNKNOWN_OFFER offer cannot be 'gold-lunge'.",
    "customer: {met: [{offer: gold-lounge, ago: 1}]}": "p.yaml:1:44: UNIT_MISSING '1' is not a duration.",
    "market: {sailings: {s: {line: ITLIV-ITOLB}}}": "p.yaml:1:24: KEY_MISSING sailing s has no 'departs'.",
    "market: {sailings: {s: {line: ITLIV-ITOLBA, departs: 2026-11-21}}}": (
        "p.yaml:1:31: UNKNOWN_PLACE there is no line 'ITLIV-ITOLBA'."
    ),
    "market: {venues: {spa-ondaa: 3}}": (
        "p.yaml:1:19: UNKNOWN_PLACE there is no venue 'spa-ondaa'. Did you mean 'spa-onda'?"
    ),
    "market: {seasons: {sumer: true}}": (
        "p.yaml:1:20: UNKNOWN_SEASON there is no season 'sumer'. Did you mean 'summer'?"
    ),
    "location: {lat: 43.5}": "p.yaml:1:11: KEYS_TOGETHER location has one of 'lat' and 'lon'.",
    "location: fence:terminal-itlv": "p.yaml:1:11: UNKNOWN_PLACE there is no fence 'terminal-itlv'.",
    "request: {context: {month: 3}}": "p.yaml:1:21: UNKNOWN_KEY request.context has no key 'month'.",
    "everybody: {gold-lunge: {redeemed: 3}}": "p.yaml:1:13: UNKNOWN_OFFER everybody cannot be 'gold-lunge'.",
    "everybody: {gold-lounge: {redeems: 3}}": (
        "p.yaml:1:27: UNKNOWN_KEY everybody.gold-lounge has no key 'redeems'. Did you mean 'redeemed'?"
    ),
    "now: 21.11.2026": "p.yaml:1:6: TIME_INVALID '21.11.2026' is not a time.",
}


@pytest.mark.parametrize("written", MISTAKES)
def test_a_mistake_has_its_place_and_its_mend(read: Reader, written: str) -> None:
    persona, said = read(f"{written}\n")
    assert persona is None
    assert [line for line in said if line.startswith(MISTAKES[written])] != [], said


def test_one_of_several_personas_is_taken_by_its_name(read: Reader) -> None:
    text = "personas: {a: {now: 2026-11-21T17:00Z}, b: {now: 2026-11-21T18:00Z}}\n"
    persona, said = read(text, "b")
    assert persona is not None and (persona.now, said) == (parse_instant("2026-11-21T18:00:00Z"), [])
    assert read(text, "c") == (
        None,
        ["p.yaml:1:1: UNKNOWN_PERSONA there is no persona 'c'. Write it under 'personas:' in a file of this folder."],
    )


# places


def test_places_are_ports_venues_fences_and_points() -> None:
    places = example().places
    port = places.ports["ITLIV"].position
    assert spot("port:ITLIV", places) == (port, 20.0)
    assert spot("port:livorno +-1 km", places) == (port, 1_000.0)
    assert spot("43.556,10.302", places) == ((43.556, 10.302), 20.0)
    assert spot(" 43.556, -10.302 ± 50 m ", places) == ((43.556, -10.302), 50.0)
    assert spot("venue:emporio-livorno", places)[0] == places.venues["emporio-livorno"].position
    for name, fence in places.fences.items():
        (lat, lon), accuracy = spot(f"fence:{name} +/- 5 m", places)
        assert fence.area.contains(Point(lon, lat)) and accuracy == 5.0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Livorno", "PLACE_INVALID"), ("", "PLACE_INVALID"), ("95.0,10.0", "LOCATION_INVALID"),
        ("port:nowhere", "UNKNOWN_PLACE"), ("fence:", "UNKNOWN_PLACE"), ("venue:spa-onda", "PLACE_MOVES"),
        ("port:ITLIV +-20", "UNIT_MISSING"),
    ],
)  # fmt: skip
def test_what_is_no_place_is_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        spot(text, example().places)
    assert caught.value.code == code

"""How far it is to what an offer is about: a fact where features.yaml lists it, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from offers.offer import Selector
from offers.subjects import Surroundings, bind
from scoring.features import feature_list
from scoring.rows import plan, rows
from streams.attributes import AttributeSet
from streams.declared_features import EVERY, ORIGIN_DISTANCE, VENUE_DISTANCE, Declared
from streams.distances import geodesic_m
from streams.places import NOWHERE, Fix, Whereabouts
from streams.profile import MaskedProfile
from streams.record import NOTHING, Subject
from tests.catalogs import ATTRIBUTES, NOW, catalog, inputs, offer
from tests.geography import BASTIA, LIVORNO, OLBIA, PLACES
from tests.markets import BACK, OUTWARD, booking, sails, told

LISTED: AttributeSet = replace(
    ATTRIBUTES,
    features=replace(EVERY, listed={ORIGIN_DISTANCE: Declared(), VENUE_DISTANCE: Declared()}, others=True),
)
TIMETABLE = told(("s1", sails(2)), ("s2", sails(26, BACK)), ("s3", sails(30, "nobody-knows")))
MINE = {"b1": booking("s1"), "b2": booking("s2", BACK), "b3": booking("s3", "nobody-knows")}
IN_LIVORNO = PLACES.resolve(Fix(LIVORNO.lat, LIVORNO.lon, 20, NOW), "precise")
BOOKED, MUSEUM, SPA = Selector("booking"), Selector("venue", "id", venue="museum"), Selector("venue", "id", venue="spa")
CELL_M = 4_000
"""The centre of a cell is no farther from anybody in it."""


def bound(selector: Selector, where: Whereabouts, attributes: AttributeSet = LISTED) -> tuple[Subject, ...]:
    made = catalog([offer("o", about=selector)], PLACES, attributes)
    surroundings = Surroundings(MaskedProfile(bookings=MINE), where, TIMETABLE, NOW)
    return bind(made, [selector.key], surroundings).subjects[selector.key]


def test_a_sailing_is_as_far_as_the_port_it_leaves_from() -> None:
    out, back, unknown = bound(BOOKED, IN_LIVORNO)
    assert (out.facts["sailing.line"][0], back.facts["sailing.line"][0]) == (OUTWARD, BACK)
    here, there = (subject.facts[ORIGIN_DISTANCE] for subject in (out, back))
    assert (here[1], there[1]) == (NOW, NOW)
    assert 0 <= here[0] < CELL_M  # type: ignore[operator]
    assert there[0] == pytest.approx(geodesic_m(LIVORNO.position, OLBIA.position), abs=CELL_M)
    assert ORIGIN_DISTANCE not in unknown.facts, "nobody knows where it leaves from"


def test_a_venue_ashore_is_as_far_as_it_stands_and_one_on_board_is_nowhere() -> None:
    (museum,) = bound(MUSEUM, IN_LIVORNO)
    assert museum.facts[VENUE_DISTANCE][0] == pytest.approx(geodesic_m(LIVORNO.position, BASTIA.position), abs=CELL_M)
    assert VENUE_DISTANCE not in bound(SPA, IN_LIVORNO)[0].facts


def test_who_does_not_say_where_they_are_is_at_no_distance_and_undeclared_nobody_is() -> None:
    for where, attributes in ((NOWHERE, LISTED), (IN_LIVORNO, ATTRIBUTES)):
        found = [*bound(BOOKED, where, attributes), *bound(MUSEUM, where, attributes)]
        assert not [name for subject in found for name in subject.facts if name.endswith("distance")]
    assert ORIGIN_DISTANCE not in feature_list(ATTRIBUTES).names


def test_the_row_has_the_distance_of_its_own_subject() -> None:
    features = feature_list(LISTED)
    facts = offer("o").facts
    items = [(facts, subject) for subject in (*bound(BOOKED, IN_LIVORNO)[:2], *bound(MUSEUM, IN_LIVORNO), NOTHING)]
    made = rows(inputs(), items, plan(features))
    origin, venue = (made[:, features.names.index(name)] for name in (ORIGIN_DISTANCE, VENUE_DISTANCE))
    assert origin[:2].tolist() == [subject.facts[ORIGIN_DISTANCE][0] for _, subject in items[:2]]
    assert venue[2] == items[2][1].facts[VENUE_DISTANCE][0]
    assert np.isnan(origin[2:]).all()
    assert np.isnan(venue[[0, 1, 3]]).all()

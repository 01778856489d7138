"""The market: prices never go back in time, and how the stream was cut into batches leaves no trace."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streams import market
from streams.errors import InvalidInput, LogRestarted, Stop
from streams.events import Capacity, Event, EventData, Fare, SailingPosition, Schedule, SeasonOverride, VenueCapacity
from streams.fare_history import lowest_since
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, format_instant
from streams.market import Market, Sailing, VenueState, departures, timetable

NOW: Millis = 1_795_284_251_123
YEAR_2100: Millis = 4_102_444_800_000
LINE = "ITLIV-ITOLB"
SAMPLES = Path(__file__).parent / "samples"
Record = tuple[int, Millis, Event]
TYPES: dict[type, str] = {
    Schedule: "sailing.schedule",
    Fare: "sailing.fare",
    Capacity: "sailing.capacity",
    SailingPosition: "sailing.position",
    VenueCapacity: "venue.capacity",
    SeasonOverride: "season.override",
}


def _event(subject: str, data: EventData, at: Millis = NOW) -> Event:
    return Event("e-1", "booking", TYPES[type(data)], subject, at, data)


def _sails(departure: Millis, line: str = LINE, status: str = "scheduled") -> Schedule:
    return Schedule(line, format_instant(departure), format_instant(departure + 9 * HOUR_MS), status)


def _folded(*events: tuple[str, EventData] | tuple[str, EventData, Millis]) -> Market:
    records = [(offset, NOW, _event(*each)) for offset, each in enumerate(events)]
    return market.fold(market.EMPTY, records, "log-1")


def test_an_older_price_never_wins() -> None:
    found = _folded(
        ("s-1", Fare("adult", 4900), NOW), ("s-1", Fare("adult", 3900), NOW - 1), ("s-1", Fare("car", 9900), 0)
    )
    assert found.sailings["s-1"].fares == {"adult": (4900, "EUR", NOW), "car": (9900, "EUR", 0)}
    assert (found.version, found.sailings["s-1"].changed) == (2, 2)


def test_at_the_same_time_the_later_record_wins() -> None:
    found = _folded(
        ("s-1", Capacity("inside", 3)),
        ("s-1", Capacity("inside", 2)),
        ("v-1", VenueCapacity(9)),
        ("v-1", VenueCapacity(8)),
    )
    assert found.sailings["s-1"].free == {"inside": (2, NOW)}
    assert found.venues == {"v-1": VenueState("v-1", 8, NOW, 3)}


def test_a_clock_in_2100_counts_as_five_minutes_after_the_record() -> None:
    found = _folded(("s-1", Fare("adult", 1), YEAR_2100))
    later = (1, NOW + HOUR_MS, _event("s-1", Fare("adult", 2), NOW + HOUR_MS))
    assert found.sailings["s-1"].fares["adult"] == (1, "EUR", NOW + 5 * MINUTE_MS)
    assert market.fold(found, [later], "log-1").sailings["s-1"].fares["adult"][0] == 2


def test_a_fare_may_come_before_the_schedule() -> None:
    found = _folded(("s-1", Fare("adult", 4900)))
    assert (found.by_line, found.lines_changed, found.sailings["s-1"].departure) == ({}, {}, 0)
    found = _folded(("s-1", Fare("adult", 4900)), ("s-1", _sails(NOW + DAY_MS), 0))
    assert found.sailings["s-1"].fares["adult"][0] == 4900
    assert found.by_line == {LINE: ((NOW + DAY_MS, "s-1"),)}


def test_sailings_of_a_line_are_in_order_of_departure_and_only_those_that_go() -> None:
    found = _folded(
        ("s-3", _sails(NOW + 3 * HOUR_MS)),
        ("s-1", _sails(NOW + HOUR_MS)),
        ("s-2", _sails(NOW + 2 * HOUR_MS, status="delayed")),
        ("s-9", _sails(NOW + 2 * HOUR_MS, status="cancelled")),
        ("other", _sails(NOW + HOUR_MS, line="ITOLB-ITLIV")),
    )
    assert departures(found, LINE, NOW, NOW + DAY_MS, 8) == ("s-1", "s-2", "s-3")
    assert departures(found, LINE, NOW, NOW + DAY_MS, 2) == ("s-1", "s-2")
    assert departures(found, LINE, NOW + HOUR_MS, NOW + 3 * HOUR_MS, 8) == ("s-1", "s-2")
    assert departures(found, LINE, NOW + HOUR_MS + 1, NOW + 3 * HOUR_MS + 1, 8) == ("s-2", "s-3")
    assert departures(found, "no such line", NOW, NOW + DAY_MS, 8) == ()


def test_a_sailing_that_moves_is_found_where_it_is_now_and_both_lines_have_changed() -> None:
    found = _folded(
        ("s-1", _sails(NOW + HOUR_MS)),
        ("s-2", _sails(NOW + 2 * HOUR_MS)),
        ("s-1", _sails(NOW + 4 * HOUR_MS)),
        ("s-2", _sails(NOW + 2 * HOUR_MS, line="ITOLB-ITLIV")),
    )
    assert found.by_line == {LINE: ((NOW + 4 * HOUR_MS, "s-1"),), "ITOLB-ITLIV": ((NOW + 2 * HOUR_MS, "s-2"),)}
    assert found.lines_changed == {LINE: 3, "ITOLB-ITLIV": 3}
    gone = market.fold(found, [(4, NOW, _event("s-1", _sails(NOW + 4 * HOUR_MS, status="cancelled")))], "log-1")
    assert gone.by_line == {"ITOLB-ITLIV": ((NOW + 2 * HOUR_MS, "s-2"),)}
    assert gone.sailings["s-1"].status == "cancelled"
    assert gone.lines_changed[LINE] == 4


def test_what_changes_nothing_moves_the_version_only() -> None:
    found = _folded(("s-1", _sails(NOW + DAY_MS)), ("s-1", Fare("adult", 4900)), ("v-1", VenueCapacity(3)))
    same = [_event("s-1", _sails(NOW + DAY_MS)), _event("s-1", Fare("adult", 4900)), _event("v-1", VenueCapacity(3))]
    stale = [_event("s-1", _sails(NOW), NOW - 1), _event("ship", SailingPosition(43.5, 10.3))]
    wrong = [_event("s-1", Schedule(LINE, "tomorrow", "soon"), NOW + 1)]
    records = [(offset, NOW, each) for offset, each in enumerate([*same, *stale, *wrong], 3)]
    after = market.fold(found, records, "log-1")
    assert after.version == 8
    assert (after.sailings, after.venues, after.lines_changed) == (found.sailings, found.venues, {LINE: 1})


def test_the_same_offsets_again_are_ignored() -> None:
    found = _folded(("s-1", Fare("adult", 4900)), ("s-1", Fare("adult", 3900)))
    again = [(0, NOW, _event("s-1", Fare("adult", 1), NOW + 1)), (1, NOW, _event("s-1", Fare("adult", 2), NOW + 1))]
    assert market.fold(found, again, "log-1") is found
    assert market.fold(found, [], "log-1") is found


def test_a_market_of_another_log_is_refused() -> None:
    found = _folded(("s-1", Fare("adult", 4900)))
    with pytest.raises(LogRestarted, match="log-1") as caught:
        market.fold(found, [(5, NOW, _event("s-1", Fare("adult", 1)))], "log-2")
    assert caught.value.code == "MARKET_EPOCH"


def test_a_season_is_given_back_to_its_dates_and_an_older_override_stays_out() -> None:
    found = _folded(("winter", SeasonOverride(True)), ("summer", SeasonOverride(False)))
    assert (found.seasons, found.seasons_changed) == ({"winter": (True, NOW), "summer": (False, NOW)}, 1)
    records = [
        (2, NOW, _event("winter", SeasonOverride(None), NOW + 5)),
        (3, NOW, _event("winter", SeasonOverride(True), NOW + 4)),
    ]
    found = market.fold(found, records, "log-1")
    assert (found.seasons, found.seasons_changed) == ({"summer": (False, NOW)}, 2)
    back = market.fold(found, [(4, NOW, _event("winter", SeasonOverride(True), NOW + 6))], "log-1")
    assert back.seasons["winter"] == (True, NOW + 6)
    assert (back.released, back.seasons_changed) == ({}, 4)


def test_a_sailing_is_forgotten_two_days_after_its_arrival() -> None:
    found = _folded(("s-1", _sails(NOW)), ("s-2", _sails(NOW + DAY_MS)), ("stub", Fare("adult", 1)))
    arrived = NOW + 9 * HOUR_MS
    for late, left in (
        (2 * DAY_MS, {"s-1", "s-2", "stub"}),
        (2 * DAY_MS + HOUR_MS, {"s-2", "stub"}),
        (40 * DAY_MS, set()),
    ):
        after = market.fold(found, [(9, arrived + late, _event("v-1", VenueCapacity(1)))], "log-1")
        assert after.sailings.keys() == left
        assert {sailing_id for line in after.by_line.values() for _, sailing_id in line} == left - {"stub"}


def test_the_markets_clock_never_goes_back() -> None:
    found = _folded(("v-1", VenueCapacity(1)))
    after = market.fold(found, [(1, NOW - DAY_MS, _event("v-2", VenueCapacity(2)))], "log-1")
    assert (after.version, after.as_of, after.venues["v-2"].as_of) == (1, NOW, NOW - DAY_MS + 5 * MINUTE_MS)


def test_a_fold_shares_what_did_not_change_and_leaves_its_input() -> None:
    found = _folded(("s-1", _sails(NOW)), ("s-2", _sails(NOW, line="ITOLB-ITLIV")), ("v-1", VenueCapacity(3)))
    before = market.encode(found)
    after = market.fold(found, [(3, NOW, _event("s-1", _sails(NOW + 1), NOW + 1))], "log-1")
    assert market.encode(found) == before
    assert after.sailings["s-2"] is found.sailings["s-2"]
    assert after.by_line["ITOLB-ITLIV"] is found.by_line["ITOLB-ITLIV"]


def test_products_lines_venues_and_seasons_are_bounded() -> None:
    records = [(n, NOW, _event("s-1", Fare(f"p-{n}", 1))) for n in range(210)]
    records += [
        (n, NOW, _event(f"season-{n}", SeasonOverride(None if n % 2 else True), NOW + n)) for n in range(210, 2_500)
    ]
    found = market.fold(market.EMPTY, records, "log-1")
    assert len(found.sailings["s-1"].fares) == 200
    assert (len(found.seasons), len(found.released)) == (1_000, 1_000)
    assert "season-2498" in found.seasons and "season-2499" in found.released


@pytest.mark.prove
def test_a_hundred_thousand_sailings_are_the_most() -> None:
    records = [(n, NOW, _event(f"s-{n}", _sails(NOW + n * MINUTE_MS))) for n in range(100_500)]
    found = market.fold(market.EMPTY, records, "log-1")
    assert len(found.sailings) == 99_500
    assert min(found.sailings.values(), key=lambda sailing: sailing.departure).id == "s-1000"
    assert len(found.by_line[LINE]) == 99_500


@pytest.mark.parametrize(("arrival", "code"), [("2026-11-21T08:00:00Z", "SCHEDULE_ORDER"), ("noon", "TIME_INVALID")])
def test_a_schedule_must_have_times_in_order(arrival: str, code: str) -> None:
    with pytest.raises(InvalidInput, match=arrival) as caught:
        timetable(Schedule(LINE, "2026-11-21T21:30:00+01:00", arrival))
    assert caught.value.code == code


_OFFSETS = st.integers(-100 * HOUR_MS, 100 * HOUR_MS)
_SAILINGS = st.sampled_from(("s-1", "s-2", "s-3"))
_SUBJECTS: st.SearchStrategy[tuple[str, EventData]] = st.one_of(
    st.tuples(
        _SAILINGS,
        st.builds(
            _sails,
            _OFFSETS.map(lambda ms: NOW + ms),
            st.sampled_from((LINE, "ITOLB-ITLIV")),
            st.sampled_from(("scheduled", "delayed", "cancelled")),
        ),
    ),
    st.tuples(_SAILINGS, st.builds(Fare, st.sampled_from(("adult", "car")), st.integers(0, 99))),
    st.tuples(_SAILINGS, st.builds(Capacity, st.sampled_from(("inside", "seats")), st.integers(0, 9))),
    st.tuples(st.sampled_from(("v-1", "v-2")), st.builds(VenueCapacity, st.integers(0, 9))),
    st.tuples(st.sampled_from(("winter", "summer")), st.builds(SeasonOverride, st.sampled_from((True, False, None)))),
)
_TIMES = st.one_of(st.integers(NOW - HOUR_MS, NOW + HOUR_MS), st.sampled_from((0, NOW, YEAR_2100)))


@st.composite
def _streams(draw: st.DrawFn, most: int = 40) -> list[Record]:
    """A log: offsets rise, with gaps; recorded times mostly do, over a hundred hours and more, so sailings go."""
    records: list[Record] = []
    offset = -1
    for subject, data in draw(st.lists(_SUBJECTS, max_size=most)):
        offset += draw(st.sampled_from((1, 1, 5)))
        recorded = NOW + draw(st.integers(0, 5 * HOUR_MS)) + len(records) * 5 * HOUR_MS
        records.append((offset, recorded, _event(subject, data, draw(_TIMES) + len(records) * 5 * HOUR_MS)))
    return records


def _check_splits(records: list[Record], seed: int) -> None:
    random = Random(seed)
    whole = market.fold(market.EMPTY, records, "log-1")
    found = market.EMPTY
    start = 0
    while start < len(records):
        end = start + random.randrange(1, 6)
        back = random.randrange(start + 1)  # a batch may begin with what was folded before
        found = market.decode(market.encode(market.fold(found, records[back:end], "log-1")))
        start = end
    assert found == whole
    listed = {
        (sailing.line, sailing.departure, sailing.id)
        for sailing in whole.sailings.values()
        if sailing.departure and sailing.status != "cancelled"
    }
    assert {(line, *each) for line, sailings in whole.by_line.items() for each in sailings} == listed
    assert all(list(sailings) == sorted(sailings) and sailings for sailings in whole.by_line.values())


@settings(max_examples=120, deadline=None)
@given(_streams(), st.integers(0, 2**32))
def test_the_stream_may_be_cut_anywhere_and_replayed(records: list[Record], seed: int) -> None:
    _check_splits(records, seed)


@pytest.mark.prove
@settings(max_examples=5_000, deadline=None)
@given(_streams(most=120), st.integers(0, 2**32))
def test_the_stream_may_be_cut_anywhere_and_replayed_at_length(records: list[Record], seed: int) -> None:
    _check_splits(records, seed)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(("adult", "car")), st.integers(0, 9), _TIMES), min_size=1, max_size=30))
def test_the_newest_price_stands(fares: list[tuple[str, int, Millis]]) -> None:
    found = _folded(*(("s-1", Fare(product, minor), at) for product, minor, at in fares))
    newest: dict[str, tuple[int, str, Millis]] = {}
    for product, minor, time in fares:
        at = min(time, NOW + 5 * MINUTE_MS)
        if at >= newest.get(product, (0, "", 0))[2]:
            newest[product] = (minor, "EUR", at)
    assert found.sailings["s-1"].fares == newest


SAMPLED = Market(
    epoch="log-1",
    version=77,
    as_of=NOW,
    sailings={
        "s-1": Sailing(
            "s-1", LINE, NOW + HOUR_MS, NOW + 9 * HOUR_MS, "delayed", NOW + 1, NOW,
            {"adult": (4900, "EUR", NOW)}, {"inside": (37, NOW - 5)}, 76,
            {"adult": ((20_775, 3900, 5900), (20_778, 4900, 4900))},
        ),
        "s-2": Sailing("s-2", free={"seats": (0, 0)}, changed=3),
    },
    by_line={LINE: ((NOW + HOUR_MS, "s-1"),)},
    venues={"v-1": VenueState("v-1", 12, NOW, 70)},
    seasons={"winter": (True, NOW)},
    released={"summer": NOW - DAY_MS},
    lines_changed={LINE: 76},
    seasons_changed=12,
)  # fmt: skip


def test_the_sample_of_version_2_is_read() -> None:
    assert market.decode((SAMPLES / "market.v2.bin").read_bytes()) == SAMPLED


def test_the_sample_of_version_1_is_read_and_its_history_begins_with_its_fares() -> None:
    sailings = {**SAMPLED.sailings}
    sailings["s-1"] = replace(sailings["s-1"], fare_days={"adult": ((NOW // DAY_MS, 4900, 4900),)})
    assert market.decode((SAMPLES / "market.v1.bin").read_bytes()) == replace(SAMPLED, sailings=sailings)


def test_a_fare_leaves_what_it_was_before() -> None:
    days = [("s-1", Fare("adult", minor), NOW - ago * DAY_MS) for ago, minor in ((40, 7900), (19, 6900), (16, 8900))]
    found = _folded(*days)
    today = NOW // DAY_MS
    assert lowest_since(found.sailings["s-1"].fare_days["adult"], today - 30) == (6900, today - 19)
    late = _folded(*days, ("s-1", Fare("adult", 5900), NOW - 25 * DAY_MS))
    assert lowest_since(late.sailings["s-1"].fare_days["adult"], today - 30) == (5900, today - 25)
    assert late.sailings["s-1"].fares == found.sailings["s-1"].fares
    assert late.sailings["s-1"].changed == 3


def test_a_fare_in_another_currency_begins_a_history_of_its_own() -> None:
    found = _folded(("s-1", Fare("adult", 7900), NOW - 40 * DAY_MS), ("s-1", Fare("adult", 8900, "CHF"), NOW - DAY_MS))
    late = ("s-1", Fare("adult", 100), NOW - 20 * DAY_MS)
    assert found.sailings["s-1"].fare_days == {"adult": ((NOW // DAY_MS - 1, 8900, 8900),)}
    both = market.fold(found, [(2, NOW, _event(*late))], "log-1")
    assert both.sailings["s-1"].fare_days == found.sailings["s-1"].fare_days


@pytest.mark.parametrize(
    ("snapshot", "found"),
    [(b"", "no bytes"), (b"\x09\x80", "format 9"), (market.encode(SAMPLED)[:-3], "cannot be read")],
)
def test_what_is_not_a_snapshot_stops_and_says_the_mend(snapshot: bytes, found: str) -> None:
    with pytest.raises(Stop, match=found) as caught:
        market.decode(snapshot)
    assert caught.value.code == "MARKET_FORMAT"

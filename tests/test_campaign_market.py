"""Campaigns held against a market: what it belies is said, and nothing that it does not know."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from offers.cli import app
from offers.folder import load_folder
from offers.market_source import of_file
from streams.errors import InvalidInput
from streams.events import Capacity, Event, Fare, Schedule, to_bytes
from streams.findings import Severity
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, format_instant, parse_instant
from streams.market_store import MarketStore
from streams.valkey import Keys, connect
from tests import afternoon
from tests.makers import open_log
from tests.markets import told

NOW = parse_instant("2026-11-21T15:00:00+01:00")
DEPARTS = parse_instant("2026-11-21T21:30:00+01:00")
TONIGHT = afternoon.MARKET
CODES = ("ENDS_AFTER_SALE", "LIMIT_ABOVE_STOCK", "PRIOR_PRICE")


@pytest.fixture
def campaigns(tmp_path: Path) -> Path:
    return afternoon.world(tmp_path)


def said(campaigns: Path, changes: dict[str, str], sailings: str = TONIGHT) -> list[str]:
    """`CODE severity` of what the market belies, of the afternoon's file with changes, against these sailings."""
    file = campaigns / afternoon.FILE
    text = afternoon.CAMPAIGN.read_text()
    for right, other in changes.items():
        assert right in text
        text = text.replace(right, other)
    file.write_text(text)
    (campaigns.parent / "market.yaml").write_text(f"zone: Europe/Rome\nnow: 2026-11-21 15:00\n{sailings}")
    loaded = load_folder(campaigns, of_file(str(campaigns.parent / "market.yaml")))
    own = [finding for finding in loaded.findings if finding.path == afternoon.FILE]
    assert {finding.code for finding in own if finding.severity is Severity.ERROR} <= set(CODES), own
    return [f"{finding.code} {finding.severity}" for finding in own if finding.code in CODES]


RELATIVE = "until: 90 min before booking.sailing.departure"
LIMIT = "{count: redemption, per: campaign, at_most: 37, strict: false}"
USES = "uses: {cabins: {kind: inside, quantity: 1, strict: false}}\n"
ALL = "{count: redemption, per: campaign, at_most: NUMBER, strict: false}"


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("until: 2026-11-21 20:00", []),
        ("until: 2026-11-21 20:01", ["ENDS_AFTER_SALE error"]),
        ("until: 90 min before booking.sailing.departure", []),
        ("until: 89 min before booking.sailing.departure", ["ENDS_AFTER_SALE error"]),
        ("days: [sat]", []),
    ],
)
def test_a_campaign_may_last_as_long_as_the_sale(campaigns: Path, until: str, expected: list[str]) -> None:
    assert said(campaigns, {RELATIVE: until}) == expected


def test_a_sale_whose_end_nobody_told_ends_nothing(campaigns: Path) -> None:
    silent = TONIGHT.replace("      sells_until: 2026-11-21 20:00\n", "")
    assert said(campaigns, {RELATIVE: "until: 2026-11-21 23:00"}, silent) == []


def test_of_a_line_without_a_day_the_relative_end_is_a_warning_and_a_fixed_one_is_not_judged(campaigns: Path) -> None:
    line = {", departs_on: 2026-11-21": ""}
    assert said(campaigns, {**line, RELATIVE: "until: 1 h before booking.sailing.departure"}) == [
        "ENDS_AFTER_SALE warning"
    ]
    assert said(campaigns, {**line, RELATIVE: "until: 2026-11-22 12:00"}) == []


def test_what_sells_no_fare_and_no_room_may_outlast_the_sale(campaigns: Path) -> None:
    """A dinner on board does not end with the sale of cabins."""
    price = "price: {from: market.fare.cabin_inside, discount: 30 %, at_least: 25 EUR, round_to: 0.50 EUR, "
    changes = {
        RELATIVE: "until: 2026-11-21 21:30",
        f"{price}prior: lowest_30_days, margin: 62 %}}": "price: {amount: 30 EUR}",
        "    - market.cabins_free: {kind: inside, at_least: 1, fresh_within: 4 h, on_missing: fail}\n": "",
        USES: "",
    }
    assert said(campaigns, changes) == []


@pytest.mark.parametrize(("number", "expected"), [("37", []), ("38", ["LIMIT_ABOVE_STOCK warning"])])
def test_a_limit_may_be_all_there_is(campaigns: Path, number: str, expected: list[str]) -> None:
    assert said(campaigns, {LIMIT: ALL.replace("NUMBER", number)}) == expected
    by_its_condition = {USES: "", LIMIT: ALL.replace("NUMBER", number)}
    assert said(campaigns, by_its_condition) == expected


@pytest.mark.parametrize(("number", "expected"), [("18", []), ("19", ["LIMIT_ABOVE_STOCK warning"])])
def test_what_it_uses_is_what_there_must_be(campaigns: Path, number: str, expected: list[str]) -> None:
    changes = {USES: USES.replace("quantity: 1", "quantity: 2"), LIMIT: ALL.replace("NUMBER", number)}
    assert said(campaigns, changes) == expected


def test_two_sailings_of_the_day_are_added_up(campaigns: Path) -> None:
    second = "    s-late: {line: ITLIV-ITOLB, departs: 2026-11-21 23:30, free: {inside: 10}}\n"
    assert said(campaigns, {LIMIT: ALL.replace("NUMBER", "47")}, TONIGHT + second) == []
    assert said(campaigns, {LIMIT: ALL.replace("NUMBER", "48")}, TONIGHT + second) == ["LIMIT_ABOVE_STOCK warning"]
    unknown = second.replace(", free: {inside: 10}", "")
    assert said(campaigns, {LIMIT: ALL.replace("NUMBER", "300")}, TONIGHT + unknown) == [], "one is not known"


def test_sailings_of_another_day_line_or_status_have_no_say(campaigns: Path) -> None:
    others = TONIGHT.replace("departs: 2026-11-21 21:30", "departs: 2026-11-22 21:30")
    back = TONIGHT.replace("ITLIV-ITOLB", "ITOLB-ITLIV")
    cancelled = TONIGHT.replace("      heard: 8 min\n", "      heard: 8 min\n      status: cancelled\n")
    for sailings in (others, back, cancelled):
        assert said(campaigns, {LIMIT: ALL.replace("NUMBER", "300")}, sailings) == []


@pytest.mark.parametrize(
    ("prior", "earlier", "expected"),
    [
        ("69 EUR", "{40 d: 79 EUR, 19 d: 69 EUR}", []),
        ("69.01 EUR", "{40 d: 79 EUR, 19 d: 69 EUR}", ["PRIOR_PRICE error"]),
        ("79 EUR", "{29 d: 79 EUR}", ["PRIOR_PRICE warning"]),
    ],
)
def test_an_amount_is_held_against_the_history(campaigns: Path, prior: str, earlier: str, expected: list[str]) -> None:
    sailings = TONIGHT.replace("{40 d: 79 EUR, 19 d: 69 EUR, 16 d: 79 EUR}", earlier)
    assert said(campaigns, {"prior: lowest_30_days": f"prior: {prior}"}, sailings) == expected


def test_a_reduction_of_over_30_days_crosses_nothing_out_and_says_so(campaigns: Path) -> None:
    changes = {"prior: lowest_30_days": "prior: 69 EUR", "from: 2026-11-21 15:00": "from: 2026-10-20 15:00"}
    assert said(campaigns, changes) == ["PRIOR_PRICE warning"]


# Where the market comes from


def offing(campaigns: Path, source: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    command = ["campaigns", "check", str(campaigns), "--market", source]
    done = CliRunner().invoke(app, command, color=False, env={"COLUMNS": "300", **(env or {})})
    return done.exit_code, done.output


def test_a_named_persona_s_market_will_do(campaigns: Path) -> None:
    file = campaigns.parent / "personas.yaml"
    block = "".join(f"    {line}\n" for line in TONIGHT.strip().splitlines())
    file.write_text(f"personas:\n  anna:\n    zone: Europe/Rome\n    now: 2026-11-21 15:00\n{block}")
    code, output = offing(campaigns, f"{file}#anna")
    assert (code, "21:30, 37 inside cabins free (21 Nov 14:52)" in output) == (0, True), output
    code, output = offing(campaigns, f"{file}#ana")
    assert (code, "UNKNOWN_PERSONA" in output, "Did you mean 'anna'?" in output) == (1, True, True)


def events() -> Iterator[Event]:
    schedule = Schedule("ITLIV-ITOLB", format_instant(DEPARTS), format_instant(DEPARTS + 9 * HOUR_MS))
    for ago, data, kind in (
        (40 * DAY_MS, Fare("cabin_inside", 7_900), "sailing.fare"),
        (19 * DAY_MS, Fare("cabin_inside", 6_900), "sailing.fare"),
        (HOUR_MS, schedule, "sailing.schedule"),
        (8 * MINUTE_MS, Capacity("inside", 37), "sailing.capacity"),
    ):
        yield Event("e", "booking", kind, "s-tonight", NOW - ago, data)


def test_the_events_of_the_log_will_do(campaigns: Path) -> None:
    file = campaigns.parent / "market.jsonl"
    file.write_bytes(b"\n".join(to_bytes(event) for event in events()))
    code, output = offing(campaigns, str(file))
    assert (code, "21:30, 37 inside cabins free (21 Nov 14:52)" in output) == (0, True), output


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("m.yaml", "market: {sailing: {}}\nnow: 2026-11-21 15:00Z\n", "m.yaml:1:10: UNKNOWN_KEY"),
        ("m.yaml", "market: {sailings: {}}\n", "TIME_MISSING"),
        ("m.yaml", "market: {sailings: {s: {line: ITLIV-ITOLC, departs: 2026-11-21 15:00Z}}}\n", "UNKNOWN_PLACE"),
        ("m.yaml", "a: [", "YAML_SYNTAX"),
        ("m.jsonl", "{}\n", "m.jsonl:1:1: EVENT_MALFORMED"),
        ("m.jsonl", "\n", "is empty"),
    ],
)
def test_a_market_that_cannot_be_read_is_told_with_its_place(
    campaigns: Path, name: str, text: str, expected: str
) -> None:
    (campaigns.parent / name).write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_folder(campaigns, of_file(str(campaigns.parent / name)))
    assert expected in f"{caught.value.code} {caught.value.message}"


def test_a_file_that_is_not_there_is_one_line(campaigns: Path) -> None:
    code, output = offing(campaigns, str(campaigns.parent / "none.jsonl"))
    assert (code, output.startswith("FILE_UNUSABLE")) == (1, True)


def test_the_running_service_s_market_is_read_and_left_as_it_is(campaigns: Path, valkey_url: str) -> None:
    artifacts = campaigns.parent / "artifacts"
    artifacts.mkdir()
    env = {"OFFING_ARTIFACTS": str(artifacts), "OFFING_REDIS_URL": valkey_url, "OFFING_NAMESPACE": "c-market"}
    code, output = offing(campaigns, "live", env)
    assert (code, "MARKET_MISSING" in output) == (1, True), output
    with closing(open_log(artifacts / "log.sqlite")) as log:
        epoch = log.epoch()
    assert epoch
    with closing(connect(valkey_url, "test")) as client:
        schedule = Schedule("ITLIV-ITOLB", "2099-11-21T20:30:00Z", "2099-11-22T05:30:00Z")
        found = told(("s-2099", schedule), ("s-2099", Capacity("inside", 5)))
        store = MarketStore(client, Keys("c-market"))
        code, output = offing(campaigns, "live", env)
        assert (code, "heard nothing" in output) == (1, True), output
        store.save(replace(found, epoch=epoch))
        file = campaigns / afternoon.FILE
        file.write_text(file.read_text().replace("departs_on: 2026-11-21", "departs_on: 2099-11-21"))
        code, output = offing(campaigns, "live", env)
        assert "ITLIV-ITOLB on 2099-11-21: 21:30, 5 inside cabins free" in output
        assert store.version(epoch) == found.version

"""`offing import`: what a file says goes onto the log once, whatever is wrong with it and whatever is killed."""

import csv
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from loadtests.kafka_server import KafkaServer
from offers.cli import app
from offers.folder import load_declared
from offers.import_commands import FOLDER
from offers.import_map import CUSTOMERS, HISTORY
from offers.importing import Job, Progress, Refused, Report, bring, look, prepare
from streams.attributes import AttributeSet
from streams.errors import InvalidInput
from streams.events import Attributes, Booking, Consent, Event, Outcome, Social, parse
from streams.fold import fold
from streams.ids import Millis
from streams.instant import parse_instant
from streams.kafka_log import KafkaLog
from streams.kafka_topics import create
from streams.log import CUSTOMERS as TOPIC
from streams.log import TOPICS, EventLog, LogRecord
from streams.profile import EMPTY, Profile
from streams.profile_mask import mask
from streams.sqlite_log import SqliteLog
from tests.kafka_makers import address_of

NOW = parse_instant("2026-11-22T12:00:00Z")
DEPLOYMENT = Path(__file__).parent / "deployment"
PURPOSE = "consent.purposes.personalised_offers"
PEOPLE = f"""customer_id,at,loyalty_tier,age,interests,newsletter,home_distance,last_trip_at,{PURPOSE}
c-1,2026-10-01T08:00:00Z,gold,44,spa|wine,true,1200.5,2026-08-01T00:00:00+02:00,true
c-2,2026-10-02T08:00:00Z,blue,,,no,,,false
c-3,2026-10-03T08:00:00Z,silver,31,food,,20,,
"""


@pytest.fixture(scope="module")
def attributes() -> AttributeSet:
    found = load_declared(DEPLOYMENT).attributes
    assert found is not None
    return found


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(tmp_path / "log.sqlite", clock=lambda: NOW)) as opened:
        yield opened


def quiet(stage: str, done: float) -> None:
    """Nobody looks."""


def job(path: Path, attributes: AttributeSet, kind: str = CUSTOMERS, mapped: str = "") -> Job:
    file = None
    if mapped:
        file = path.with_suffix(".yaml")
        file.write_text(mapped)
    return prepare(kind, path, file, attributes, NOW)


def written(tmp_path: Path, content: str | bytes, name: str = "people.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def brought(
    work: Job, log: EventLog, progress: Progress = quiet, *, skip_bad: bool = False, restart: bool = False
) -> Report:
    folder = work.table.path.parent / "imports"
    return bring(work, log, folder, progress, skip_bad=skip_bad, restart=restart)


def records(log: EventLog) -> list[LogRecord]:
    return [
        record
        for partition, end in log.end(TOPIC).items()
        for start in range(0, end, 1_000)
        for record in log.read(TOPIC, partition, start, min(1_000, end - start))
    ]


def events(log: EventLog) -> list[Event]:
    return sorted((parse(record.value) for record in records(log)), key=lambda event: (event.subject, event.type))


def profiles(log: EventLog, attributes: AttributeSet) -> dict[str, Profile]:
    """What the consumer would make of the log."""
    found: dict[str, Profile] = {}
    for record in records(log):
        before = found.get(record.key, EMPTY)
        found[record.key] = fold(before, parse(record.value), record.position, record.recorded, attributes).profile
    return found


def findings(error: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [f"{found.line}:{found.column} {found.code} {found.message} {found.hint}" for found in error.value.findings]


def test_a_row_becomes_the_events_of_what_it_says_recorded_at_its_own_time(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    report = brought(job(written(tmp_path, PEOPLE), attributes), log)
    said = [(event.subject, event.type, event.data) for event in events(log)]
    profile = {
        "loyalty_tier": "gold", "age": 44, "home_distance": 1200.5, "last_trip_at": "2026-08-01T00:00:00+02:00",
    }  # fmt: skip
    assert said == [
        ("c-1", "customer.consent", Consent({"personalised_offers": True})),
        ("c-1", "customer.preferences", Attributes({"interests": ["spa", "wine"], "newsletter": True})),
        ("c-1", "customer.profile", Attributes(profile)),
        ("c-2", "customer.consent", Consent({"personalised_offers": False})),
        ("c-2", "customer.preferences", Attributes({"newsletter": False})),
    ], "of the second and third only what needs no consent, which they do not give"
    assert {record.recorded for record in records(log) if record.key == "c-1"} == {
        parse_instant("2026-10-01T08:00:00Z")
    }
    assert report.withheld == {
        "customer.loyalty_tier": 2, "customer.age": 1, "customer.interests": 1, "customer.home_distance": 1,
    }  # fmt: skip
    assert (report.rows, report.bad, report.done) == (3, 0, True)


def test_what_was_imported_is_seen_behind_its_consent(tmp_path: Path, log: SqliteLog, attributes: AttributeSet) -> None:
    brought(job(written(tmp_path, PEOPLE), attributes), log)
    seen = mask(profiles(log, attributes)["c-1"].facts, attributes, now=NOW)
    assert seen.facts["customer.loyalty_tier"] == ("gold", parse_instant("2026-10-01T08:00:00Z"))
    assert seen.purposes == ("personalised_offers",)


def test_what_is_for_a_purpose_needs_a_column_with_the_consent(tmp_path: Path, attributes: AttributeSet) -> None:
    with pytest.raises(Refused) as error:
        job(written(tmp_path, "customer_id,at,age\nc-1,2026-10-01T08:00:00Z,4\n"), attributes)
    assert findings(error) == [
        "1:3 CONSENT_UNMAPPED customer.age needs consent to purpose 'personalised_offers', which no column says. "
        f"Map one to {PURPOSE}, or this one to `ignore`."
    ]


MAPPED = f"""version: 1
separator: semicolon
decimal: comma
columns: {{Kunde: customer_id, Entfernung: home_distance, Freunde: friends, Notiz: ignore}}
values: {{at: 2026-11-01T00:00:00Z, {PURPOSE}: yes, consent.purposes.social: true}}
"""


def test_columns_are_mapped_and_decimals_may_have_commas(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    path = written(tmp_path, 'Kunde;Entfernung;Freunde;Notiz\nc-1;1234,5;c-2|c-3;"so;so"\n')
    brought(job(path, attributes, mapped=MAPPED), log)
    said = {event.type: event.data for event in events(log)}
    assert said["customer.profile"] == Attributes({"home_distance": 1234.5})
    assert said["customer.social"] == Social(["c-2", "c-3"])
    assert said["customer.consent"] == Consent({"personalised_offers": True, "social": True})


OF_OFFERS = "type,customer_id,at,offer_id,campaign_id,collection,placement,rank,decision_id"
HISTORIC = f"""{OF_OFFERS},booking_id,sailing_id,line,booking.party
offer.exposed,c-1,2025-05-01T08:00:00Z,o-1,k-1,fares,app.home,2,,,,,
offer.clicked,c-1,2025-05-01T08:01:00Z,o-1,k-1,fares,app.home,,019dd0a1-52cb-7c3e-9d12-6b1f0c3f8a11,,,,
customer.booking,c-1,2025-05-02T08:00:00Z,,,,,,,b-1,s-1,LIV-OLB,3
offer.redeemed,c-2,2025-06-01T08:00:00Z,o-1,,,,,,,,,
"""


def test_a_history_is_counted_at_its_own_time_however_old(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    report = brought(job(written(tmp_path, HISTORIC), attributes, HISTORY), log)
    found = {event.type: event for event in events(log)}
    assert found["offer.exposed"].data == Outcome("", "o-1", "k-1", "fares", "app.home", rank=2)
    assert found["customer.booking"].data == Booking("b-1", "s-1", "LIV-OLB", attributes={"party": 3})
    assert found["offer.clicked"].source == "offing/outcomes", "of a decision: it counts once, whoever tells it"
    facts = profiles(log, attributes)["c-1"].facts
    assert {key[0]: sum(buckets.values()) for key, buckets in facts.counters.items()} == {"exposed": 1, "clicked": 1}
    assert facts.bookings["b-1"].sailing_id == "s-1"
    assert report.events == {"offer.exposed": 1, "offer.clicked": 1, "customer.booking": 1, "offer.redeemed": 1}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("c-1,2026-10-01T08:00:00Z,golden,,,,,,true", "2:3 ATTRIBUTE_VALUE customer.loyalty_tier is 'golden'. "
         "Write one of blue, silver, gold, platinum."),
        ("c-1,2026-10-01T08:00:00Z,,4.5,,,,,true", "2:4 ATTRIBUTE_VALUE customer.age is '4.5'. Write a whole number."),
        ('c-1,2026-10-01T08:00:00Z,,,,,"1,5",,true', "2:7 ATTRIBUTE_VALUE customer.home_distance is '1,5'. "
         "Write metres such as 1.5, without a sign for thousands."),
        ("c-1,2026-10-01 08:00,,,,,,,true", "2:2 TIME_INVALID at is '2026-10-01 08:00', no time with a zone. "
         "Write 2026-11-21T18:04:11Z or with +01:00."),
        ("c-1,2027-10-01T08:00:00Z,,,,,,,true", "2:2 TIME_IMPLAUSIBLE at is '2027-10-01T08:00:00Z'. Write a time from "
         "2000-01-01T00:00:00Z to now, 2026-11-22T12:00:00Z."),
        (",2026-10-01T08:00:00Z,,,,,,,true", "2:1 CELL_EMPTY customer_id is empty. Fill it in."),
        ("c-1,2026-10-01T08:00:00Z,,,spa;wine,,,,true", "2:5 ATTRIBUTE_VALUE customer.interests is 'spa;wine'. "
         "Write members with '|' between them, of spa, food, wine, beach, kids."),
        ("c-1,2026-10-01T08:00:00Z,,,,,,2026-08-01,true", "2:8 ATTRIBUTE_VALUE customer.last_trip_at is '2026-08-01'. "
         "Write 2026-11-21T18:04:11Z or with +01:00."),
        ("c-1,2026-10-01T08:00:00Z,gold", "2:1 ROW_WIDTH the row has 3 cells. Expected 9, one a column; a text with "
         "',' in it stands in double quotes."),
        ("c-1,2026-10-01T08:00:00Z,,,,maybe,,,true", "2:6 ATTRIBUTE_VALUE customer.newsletter is 'maybe'. "
         "Write true or false."),
        ("c-1,2026-10-01T08:00:00Z,,,,,,,perhaps", f"2:9 CELL_VALUE {PURPOSE} is 'perhaps'. Write true or false."),
        (f"{'c' * 129},2026-10-01T08:00:00Z,,,,,,,true", "2:1 EVENT_VALUE subject has 129 characters; expected at most "
         "128. Mend the row."),
        (f"c-1,2026-10-01T08:00:00Z,{'x' * 200_000},,,,,,", "2:1 FIELD_TOO_LONG a field has more than 131,072 "
         "characters. Shorten it, or close the quotes before it."),
        ('c-1,"2026"10,,,,,,,', "2:1 CSV_MALFORMED the row cannot be read: ',' expected after '\"'. "
         'Double the quotes within quotes: "a ""b"" c".'),
    ],
)  # fmt: skip
def test_a_bad_row_is_told_by_row_column_value_and_mend_and_nothing_is_imported(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet, row: str, told: str
) -> None:
    header, good, *_ = PEOPLE.splitlines()
    with pytest.raises(Refused) as error:
        brought(job(written(tmp_path, f"{header}\n{row}\n{good}\n"), attributes), log)
    assert findings(error) == [told]
    assert not records(log)


def test_bytes_of_another_encoding_are_named_by_their_cell(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    content = "customer_id,at,home_country\nc-1,2026-10-01T08:00:00Z,España\n".encode("cp1252")
    with pytest.raises(Refused) as error:
        brought(job(written(tmp_path, content), attributes), log)
    assert findings(error) == [
        "2:3 ENCODING_INVALID 'Espa\\xf1a' has bytes that are no text in this encoding. "
        "Save as UTF-8, or say `encoding` in --map."
    ]
    brought(job(written(tmp_path, content), attributes, mapped="encoding: cp1252"), log)
    assert events(log)[0].data == Attributes({"home_country": "España"})


def test_a_byte_order_mark_is_no_part_of_the_first_column(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    report = brought(job(written(tmp_path, b"\xef\xbb\xbf" + PEOPLE.encode()), attributes), log)
    assert (report.rows, report.bad) == (3, 0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "1:1 FILE_EMPTY the file is empty. Expected a row of column names."),
        (b"\n\n", "1:1 FILE_EMPTY the file has no row of column names. Write them in its first line."),
        ("customer_id,at\n".encode("utf-16"), "1:1 ENCODING_INVALID the file is in UTF-16. Save it as UTF-8."),
        (b"customer_id,at,at\n", "1:3 COLUMN_TWICE two columns are named 'at'. Rename or remove one."),
        (b"customer_id,,at\n", "1:2 COLUMN_UNNAMED column 2 has no name. Name it."),
        (b"customer_id,at,loyalty_teer\n", "1:3 COLUMN_UNKNOWN column 'loyalty_teer' is nothing that can be imported. "
         "Did you mean 'loyalty_tier'? Map it in `columns` of --map, or to `ignore`."),
        (b"customer_id,newsletter\n", "1:1 COLUMN_MISSING no column is at. Map the column with the time it was so, or "
         "say `values: {at: 2026-11-01T00:00:00Z}` in --map."),
        (b"x" * (2 << 20), "1:1 ROW_TOO_LONG the line has more than 1,048,576 bytes. Is it a CSV file with line "
         "breaks?"),
        (b"PAR1 and no more", "1:1 PARQUET_MALFORMED"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, attributes: AttributeSet, content: bytes, told: str
) -> None:
    with pytest.raises(Refused) as error:
        job(written(tmp_path, content), attributes)
    assert [found[: len(told)] for found in findings(error)] == [told]


def test_a_table_without_rows_imports_nothing(tmp_path: Path, log: SqliteLog, attributes: AttributeSet) -> None:
    report = brought(job(written(tmp_path, "customer_id,at\n"), attributes), log)
    assert (report.rows, report.events, report.done) == (0, {}, True)


def test_quotes_that_never_close_end_the_import_where_they_begin(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    rows = "".join(f"c-{n},2026-10-01T08:00:00Z,DE\n" for n in range(5))
    path = written(tmp_path, f'customer_id,at,home_country\n{rows}c-9,2026-10-01T08:00:00Z,"DE\n{rows}')
    with pytest.raises(Refused) as error:
        brought(job(path, attributes), log, skip_bad=True)
    assert findings(error)[0].startswith("7:1 CSV_MALFORMED the row cannot be read: unexpected end of data.")
    assert look(job(path, attributes), quiet, whole=True).findings[0].line == 7


def test_bad_rows_are_kept_apart_mended_and_imported(tmp_path: Path, log: SqliteLog, attributes: AttributeSet) -> None:
    rows = [f"c-{n},2026-10-01T08:00:00Z,{'DE' if n % 10 else 'D' * 501}" for n in range(40)]
    path = written(tmp_path, "\n".join(["customer_id,at,home_country", *rows]))
    report = brought(job(path, attributes), log, skip_bad=True)
    assert (report.rows, report.bad, report.events) == (40, 4, {"customer.profile": 36})
    letters = Path(report.dead_letters or "")
    assert letters.stat().st_mode & 0o777 == 0o600
    found = list(csv.DictReader(letters.read_text().splitlines()))
    assert [(each["customer_id"], each["import.row"], each["import.code"]) for each in found] == [
        (f"c-{n}", str(n + 2), "ATTRIBUTE_VALUE") for n in (0, 10, 20, 30)
    ]
    mended = written(tmp_path, letters.read_text().replace("D" * 501, "DE"), "mended.csv")
    assert brought(job(mended, attributes), log).events == {"customer.profile": 4}
    assert len(events(log)) == 40


def test_bad_rows_of_another_layout_are_mended_in_that_layout(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    mapped = MAPPED.replace("decimal: comma", "decimal: comma\nencoding: cp1252")
    path = written(tmp_path, "Kunde;Entfernung;Freunde;Notiz\nMärz;1.234,5;c-2|c-3;ü\n".encode("cp1252"))
    report = brought(job(path, attributes, mapped=mapped), log, skip_bad=True)
    content = Path(report.dead_letters or "").read_bytes().replace(b"1.234,5", b"1234,5", 1)
    brought(job(written(tmp_path, content, "mended.csv"), attributes, mapped=mapped), log)
    assert {event.subject for event in events(log)} == {"März"}
    assert {event.type: event.data for event in events(log)}["customer.profile"] == Attributes(
        {"home_distance": 1234.5}
    )


def test_a_dry_run_says_what_would_be_imported_and_does_not(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    report = look(job(written(tmp_path, PEOPLE), attributes), quiet, whole=True)
    assert report.events == {"customer.consent": 2, "customer.preferences": 2, "customer.profile": 1}
    assert (report.rows, report.bad, report.done) == (3, 0, False)


def test_nulls_and_types_of_parquet_are_understood(tmp_path: Path, log: SqliteLog, attributes: AttributeSet) -> None:
    table = pa.table(
        {
            "customer_id": pa.array([1, 2, 3]),
            "at": pa.array([datetime(2026, 10, day, tzinfo=UTC) for day in (1, 2, 3)]),
            "age": pa.array([44.0, None, float("nan")]),
            "interests": pa.array([["spa"], None, []]),
            "newsletter": pa.array([True, None, False]),
            "rating_given": pa.array([Decimal("4.5"), None, None]),
            "loyalty_tier": pa.array(["gold", None, None]).dictionary_encode(),
            PURPOSE: pa.array([True, None, True]),
        }
    )
    pq.write_table(table, tmp_path / "people.parquet", row_group_size=2)
    brought(job(tmp_path / "people.parquet", attributes), log)
    said = [(event.subject, event.data) for event in events(log) if event.type != "customer.consent"]
    assert said == [
        ("1", Attributes({"interests": ["spa"], "newsletter": True})),
        ("1", Attributes({"age": 44, "rating_given": 4.5, "loyalty_tier": "gold"})),
        ("3", Attributes({"interests": [], "newsletter": False})),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Mars/Phobos"])
def test_a_time_of_parquet_that_no_calendar_has_is_a_finding(
    tmp_path: Path, attributes: AttributeSet, zone: str
) -> None:
    at = pa.array([2**62], type=pa.timestamp("ms", tz=zone))
    pq.write_table(pa.table({"customer_id": pa.array(["c-1"]), "at": at}), tmp_path / "people.parquet")
    report = look(job(tmp_path / "people.parquet", attributes), quiet, whole=True)
    assert [finding.code for finding in report.findings] == ["PARQUET_MALFORMED"]


def test_a_time_of_parquet_without_a_zone_is_refused(tmp_path: Path, attributes: AttributeSet) -> None:
    table = pa.table({"customer_id": ["c-1"], "at": pa.array([datetime(2026, 10, 1)]), "newsletter": [True]})  # noqa: DTZ001
    pq.write_table(table, tmp_path / "people.parquet")
    report = look(job(tmp_path / "people.parquet", attributes), quiet, whole=True)
    assert [(each.line, each.column, each.code) for each in report.findings] == [(1, 2, "TIME_INVALID")]


def clicks(tmp_path: Path, number: int, name: str = "clicks.csv") -> Path:
    """Clicks of 400 customers over two years, in no order of time: their ids are forgotten long before the end."""
    start = parse_instant("2024-11-01T00:00:00Z")
    lines = [
        f"offer.clicked,c-{n % 400},{stamp(start + n * 7_919_000 % 60_000_000 * 1_000)},o-{n % 37}"
        for n in range(number)
    ]
    return written(tmp_path, "\n".join(["type,customer_id,at,offer_id", *lines]) + "\n", name)


def stamp(at: Millis) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


class Killed(BaseException):
    """Stands for the end of the process."""


def test_ended_between_the_log_and_its_note_it_goes_on_and_nothing_is_there_twice(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    path = clicks(tmp_path, 3_500)

    def die(stage: str, done: float) -> None:
        if stage == "importing" and done > 0.5:
            raise Killed  # the batch is in the log, and nobody has noted it

    with pytest.raises(Killed):
        brought(job(path, attributes, HISTORY), log, die)
    assert len(records(log)) == 2_000
    report = brought(job(path, attributes, HISTORY), log)
    assert (report.earlier_rows, report.rows, report.events) == (1_000, 3_500, {"offer.clicked": 3_500})
    assert len(records(log)) == 3_500
    again = brought(job(path, attributes, HISTORY), log)
    assert (again.earlier_rows, len(records(log))) == (3_500, 3_500), "a third run has nothing left to do"


def test_ended_on_kafka_it_goes_on_and_nothing_is_there_twice(
    tmp_path: Path, kafka: KafkaServer, namespace: str, attributes: AttributeSet
) -> None:
    path, address = clicks(tmp_path, 2_500), address_of(kafka)
    create(address, namespace, TOPICS)

    def die(stage: str, done: float) -> None:
        if stage == "importing" and done > 0.5:
            raise Killed

    with closing(KafkaLog(address, namespace)) as log:
        with pytest.raises(Killed):
            brought(job(path, attributes, HISTORY), log, die)
    with closing(KafkaLog(address, namespace)) as log:
        report = brought(job(path, attributes, HISTORY), log)
        assert (report.earlier_rows, report.rows) == (1_000, 2_500)
        assert max(Counter(event.id for event in events(log)).values()) == 1
        assert len(events(log)) == 2_500


def test_dead_letters_of_a_batch_that_was_not_noted_are_not_there_twice(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    rows = [f"c-{n},2026-10-01T08:00:00Z,{'DE' if n % 100 else 'D' * 501}" for n in range(2_500)]
    path = written(tmp_path, "\n".join(["customer_id,at,home_country", *rows]))

    def die(stage: str, done: float) -> None:
        if done > 0.7:
            raise Killed

    with pytest.raises(Killed):
        brought(job(path, attributes), log, die, skip_bad=True)
    report = brought(job(path, attributes), log, skip_bad=True)
    found = [each["import.row"] for each in csv.DictReader(Path(report.dead_letters or "").read_text().splitlines())]
    assert found == [str(n + 2) for n in range(0, 2_500, 100)]
    assert (report.bad, len(records(log))) == (25, 2_475)


def test_a_file_that_changed_half_way_is_not_begun_anew(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    path = clicks(tmp_path, 1_500)

    def die(stage: str, done: float) -> None:
        if stage == "importing":
            raise Killed

    with pytest.raises(Killed):
        brought(job(path, attributes, HISTORY), log, die)
    with pytest.raises(InvalidInput, match="another --map") as error:
        brought(job(path, attributes, HISTORY, "columns: {offer_id: offer_id}"), log)
    assert error.value.code == "IMPORT_CHANGED"
    with pytest.raises(InvalidInput, match="another file now") as error:
        brought(job(clicks(tmp_path, 1_501), attributes, HISTORY), log)
    assert error.value.code == "IMPORT_CHANGED"


def test_another_log_is_not_taken_for_the_one_that_has_it(
    tmp_path: Path, log: SqliteLog, attributes: AttributeSet
) -> None:
    path = written(tmp_path, PEOPLE)
    brought(job(path, attributes), log)
    with closing(SqliteLog(tmp_path / "other.sqlite", clock=lambda: NOW)) as other:
        with pytest.raises(InvalidInput) as error:
            brought(job(path, attributes), other)
        assert error.value.code == "IMPORT_OTHER_LOG"
        assert brought(job(path, attributes), other, restart=True).earlier_rows == 0
        assert len(records(other)) == len(records(log)) == 5


def offing(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "offers.cli", "import", *words]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "OFFING_CAMPAIGNS": str(DEPLOYMENT), "OFFING_ARTIFACTS": str(folder)}


def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        offing(folder, *words), env=environment(folder), capture_output=True, text=True, timeout=120, check=False
    )


def test_the_command_tells_a_machine_and_a_person(tmp_path: Path) -> None:
    path = written(tmp_path, PEOPLE.replace("c-2,2026-10-02", "c-2,2026-13-02"))
    env = {"OFFING_CAMPAIGNS": str(DEPLOYMENT), "OFFING_ARTIFACTS": str(tmp_path / "artifacts")}
    told = CliRunner().invoke(app, ["import", "customers", str(path), "--dry-run", "--json"], env=env)
    assert told.exit_code == 1
    assert [found["code"] for found in json.loads(told.stdout)["findings"]] == ["TIME_INVALID"]
    assert not (tmp_path / "artifacts" / FOLDER).exists()
    refused = CliRunner().invoke(app, ["import", "customers", str(path)], env=env)
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[-1] == (
        "IMPORT_REFUSED people.csv has bad rows; nothing is imported. Mend them, or --skip-bad"
    )
    done = CliRunner().invoke(app, ["import", "customers", str(path), "--skip-bad"], env=env)
    assert done.exit_code == 0, done.output
    assert "3 rows of people.csv are imported, 1 of them bad" in done.stdout
    assert "c-2" not in done.output, "nothing of a customer is told or logged"


@pytest.mark.prove
def test_a_file_of_any_size_takes_the_memory_of_a_thousand_rows(
    tmp_path: Path, attributes: AttributeSet, record_property: Callable[[str, object], None]
) -> None:
    peaks = {}
    for rows in (5_000, 40_000):
        work = job(clicks(tmp_path, rows, f"{rows}.csv"), attributes, HISTORY)
        tracemalloc.start()
        with closing(SqliteLog(tmp_path / f"{rows}.sqlite", clock=lambda: NOW)) as log:
            assert brought(work, log).rows == rows
        peaks[rows] = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    assert peaks[40_000] < peaks[5_000] + 3
    record_property("with", f"peak {peaks[5_000]:.1f} MB for 5,000 rows, {peaks[40_000]:.1f} MB for 40,000")


@pytest.mark.prove
def test_20000_rows_killed_half_way_and_resumed_are_what_one_whole_run_makes(
    tmp_path: Path, attributes: AttributeSet, record_property: Callable[[str, object], None]
) -> None:
    path = clicks(tmp_path, 20_000)
    whole, ended = tmp_path / "whole", tmp_path / "ended"
    assert run(whole, "history", str(path)).returncode == 0
    kills = killed_runs(ended, ["history", str(path)], (4_000, 9_000, 15_000))
    done = run(ended, "history", str(path), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["earlier_rows"] >= 4_000
    with (
        closing(SqliteLog(whole / "log.sqlite", clock=lambda: NOW)) as one,
        closing(SqliteLog(ended / "log.sqlite", clock=lambda: NOW)) as other,
    ):
        assert Counter(event.id for event in events(one)) == Counter(event.id for event in events(other))
        facts = {name: profile.facts for name, profile in profiles(one, attributes).items()}
        assert facts == {name: profile.facts for name, profile in profiles(other, attributes).items()}
    clicked = sum(sum(b.values()) for found in facts.values() for b in found.counters.values())
    record_property("with", f"20,000 rows, killed after {kills} rows, {clicked:,} counted clicks alike")


def killed_runs(folder: Path, words: Sequence[str], after: Sequence[int]) -> list[int]:
    """Runs ended by SIGKILL once so many rows are noted; how many were."""
    found = []
    for rows in after:
        with subprocess.Popen(offing(folder, *words), env=environment(folder), stderr=subprocess.DEVNULL) as process:
            deadline = monotonic() + 100
            while noted(folder) < rows and process.poll() is None and monotonic() < deadline:
                sleep(0.002)
            process.send_signal(signal.SIGKILL)
        found.append(noted(folder))
    return found


def noted(folder: Path) -> int:
    for cursor in (folder / FOLDER).glob("*.json"):
        rows = json.loads(cursor.read_bytes())["rows"]
        assert isinstance(rows, int)
        return rows
    return 0

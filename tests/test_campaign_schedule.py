"""`schedule:` as it is written: what each form becomes."""

from dataclasses import replace
from pathlib import Path

import pytest

from offers.condition import leaves
from offers.folder import check_folder, load_folder
from offers.offer import Offer, RelativeTime, Schedule
from streams.findings import Finding
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant
from tests.test_campaign import MINIMAL

HERE = Path(__file__).parent
DEPLOYMENT = load_folder(HERE / "deployment")
AFTERNOON, LATER = parse_instant("2026-11-21T14:00:00Z"), parse_instant("2026-11-22T14:00:00Z")


def departs(offset_ms: int) -> RelativeTime:
    return RelativeTime("sailing.departure", offset_ms)


def read(folder: Path, written: str) -> tuple[Schedule | None, tuple[Finding, ...]]:
    found, findings = read_offer(folder, written)
    return (None if found is None else found.schedule), findings


def read_offer(folder: Path, written: str) -> tuple[Offer | None, tuple[Finding, ...]]:
    (folder / "seasons.yaml").write_bytes((HERE / "deployment" / "seasons.yaml").read_bytes())
    (folder / "images.yaml").write_bytes((HERE / "deployment" / "images.yaml").read_bytes())
    (folder / "placements.yaml").write_text("placements: {app.home.hero: {}}")
    about = MINIMAL.replace("offer: {id: spa-day}", "offer: {id: spa-day, about: booking}")
    (folder / "spa.yaml").write_text(f"schedule: {written}\n{about}")
    assert DEPLOYMENT.attributes is not None and DEPLOYMENT.places is not None
    checked, findings = check_folder(folder, DEPLOYMENT.attributes, DEPLOYMENT.places)
    return (None if checked is None else checked.campaigns[0].offer), findings


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{from: 48 h before booking.sailing.departure}", Schedule(starts_relative=departs(-48 * HOUR_MS))),
        ("{from: sailing.departure, until: 90 min after sailing.arrival}",
         Schedule(starts_relative=departs(0), ends_relative=RelativeTime("sailing.arrival", 90 * MINUTE_MS))),
        ("{from: 2026-11-21 15:00, until: 1 d after from, zone: Europe/Rome}",
         Schedule("Europe/Rome", AFTERNOON, LATER)),
        ("{from: 24 h before until, until: 2026-11-22 15:00, zone: Europe/Rome}",
         Schedule("Europe/Rome", AFTERNOON, LATER)),
        ("{from: 48 h before sailing.departure, until: 30 h after from}",
         Schedule(starts_relative=departs(-48 * HOUR_MS), ends_relative=departs(-18 * HOUR_MS))),
        ("{from: 2 h before until, until: 90 min before sailing.departure}",
         Schedule(starts_relative=departs(-210 * MINUTE_MS), ends_relative=departs(-90 * MINUTE_MS))),
        ("{from: 2026-11-21 15:00, until: 90 min before sailing.departure, zone: Europe/Rome}",
         Schedule("Europe/Rome", AFTERNOON, ends_relative=departs(-90 * MINUTE_MS))),
        ('{zone: port, days: [sat], hours: "17:00-22:00"}', Schedule(days=(6,), hours=(1020, 1320), local="port")),
        ('{zone: customer, from: "2026-11-21T15:00+01:00", hours: "22:00-02:00"}',
         Schedule(starts=AFTERNOON, hours=(1320, 120), local="customer")),
    ],
)  # fmt: skip
def test_a_schedule_becomes_what_it_says(tmp_path: Path, written: str, expected: Schedule) -> None:
    assert read(tmp_path, written) == (expected, ())


def test_a_day_after_is_24_hours_where_the_clocks_change_between(tmp_path: Path) -> None:
    found, findings = read(tmp_path, "{from: 2026-10-24 15:00, until: 1 d after from, zone: Europe/Rome}")
    assert findings == () and found is not None and found.starts is not None
    assert found.ends == found.starts + DAY_MS == parse_instant("2026-10-25T14:00:00+01:00")


def test_an_end_whose_other_end_is_wrong_is_told_once(tmp_path: Path) -> None:
    _, findings = read(tmp_path, "{from: 2026-13-21 15:00, until: 1 d after from, zone: Europe/Rome}")
    assert [(finding.code, finding.column) for finding in findings] == [("TIME_INVALID", 18)]


def test_a_customers_clock_needs_somebody_to_say_which(tmp_path: Path) -> None:
    text = (HERE / "deployment" / "attributes.yaml").read_text()
    bare = "".join(line for line in text.splitlines(keepends=True) if "    zone:" not in line)
    (tmp_path / "attributes.yaml").write_text(bare)
    (tmp_path / "places").symlink_to(HERE / "deployment" / "places")
    read(tmp_path, '{zone: customer, hours: "17:00-22:00"}')
    assert [str(finding) for finding in load_folder(tmp_path).findings] == [
        "spa.yaml:1:18: UNKNOWN_ATTRIBUTE no attribute says on which clock a customer lives. Declare context.zone or "
        "customer.zone in attributes.yaml, of type string, such as Europe/Rome."
    ]


def test_a_clock_from_the_register_needs_the_consent_that_it_is_kept_under(tmp_path: Path) -> None:
    text = (HERE / "deployment" / "attributes.yaml").read_text()
    kept = "    zone: {field: 12, type: string, event: customer.profile, purpose: personalised_offers}\n"
    (tmp_path / "attributes.yaml").write_text(text.replace("    newsletter:", f"{kept}    newsletter:"))
    (tmp_path / "places").symlink_to(HERE / "deployment" / "places")
    read(tmp_path, '{zone: customer, hours: "17:00-22:00"}')
    assert [finding.code for finding in load_folder(tmp_path).findings] == ["PURPOSE_MISSING"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("approaching", ("approaching",)),
        ("{in: [on_board, approaching]}", ("on_board", "approaching")),
        ("{at_least: approaching}", ("arrived",)),
        ("{above: approaching}", ("arrived",)),
        ("{at_most: approaching}", ("planned", "check_in", "boarding", "on_board")),
        ("{below: approaching}", ("planned", "check_in", "boarding", "on_board")),
        ("{at_least: boarding}", ("boarding", "on_board", "arrived")),
        ("{above: boarding}", ("on_board", "arrived")),
        ("{at_most: boarding}", ("planned", "check_in", "boarding")),
        ("{below: boarding}", ("planned", "check_in")),
    ],
)
def test_a_phase_of_a_later_version_has_its_place_among_the_others(
    tmp_path: Path, written: str, expected: tuple[str, ...]
) -> None:
    found = read_offer(tmp_path, f"{{zone: Europe/Rome}}\napplicability:\n  - booking.phase: {written}")[0]
    assert found is not None
    assert found.applicability == replace(next(leaves(found.applicability)), operand=expected)

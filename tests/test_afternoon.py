"""The afternoon of a campaign manager: a cabin upgrade for tonight, from five slips to an answer on a phone."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offers.cli import app
from tests import afternoon

FILE = afternoon.FILE
SAID = {
    "wrong level": "10:41: UNKNOWN_LEVEL customer.loyalty_tier has no level 'oro'. "
    "Lowest first: blue, silver, gold, platinum.",
    "missing unit": "13:26: UNIT_MISSING '30 of port:ITLIV' is not a distance. "
    "Write '30 km of port:ITLIV' (km, m, nmi).",
    "end after sale": "4:43: ENDS_AFTER_SALE '2026-11-21 21:30' Europe/Rome is the departure itself; "
    "cabins on ITLIV-ITOLB sell until 20:00. Write '90 min before booking.sailing.departure'.",
    "limit above stock": "27:49: LIMIT_ABOVE_STOCK warning: 300 redemptions, but 37 inside cabins are free tonight "
    "(as of 14:52): at most 37 can be sold. If that is meant, add 'above_stock: true'.",
    "illegal prior price": "24:102: PRIOR_PRICE 79 EUR may not be crossed out: the lowest price of the last 30 days "
    "was 69 EUR (2 Nov). Write 'lowest_30_days'.",
}
"""What the checker answers to each slip, with line and column of the file as it is typed."""
UNDERSTOOD = (
    f"{FILE}: from Sat 21 Nov 2026 15:00 Rome until 1 h 30 min before sailing.departure",
    f"{FILE}: ITLIV-ITOLB on 2026-11-21: 21:30, 37 inside cabins free (21 Nov 14:52)",
)
"""What it answers to a good file: its dates, and the day it names."""
OFFER = "cabin-upgrade-inside"


@pytest.fixture(scope="module")
def campaigns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the file as it should be."""
    return afternoon.world(tmp_path_factory.mktemp("afternoon"))


def offing(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["campaigns", *arguments], color=False, env={"COLUMNS": "200"})


def check(campaigns: Path, market: str = "market.yaml") -> tuple[int, list[str]]:
    """(exit code, what is said of the afternoon's file)"""
    done = offing("check", str(campaigns), "--market", str(campaigns.parent / market))
    return done.exit_code, [line for line in done.stdout.splitlines() if line.startswith(FILE)]


def simulated(campaigns: Path, persona: str, *arguments: str) -> dict[str, Any]:
    done = offing("simulate", str(campaigns), "--persona", str(campaigns.parent / persona), *arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def item(found: dict[str, Any]) -> dict[str, Any]:
    """The one item of the hero."""
    (shown,) = found["placements"][0]["items"]
    assert isinstance(shown, dict)
    return shown


def verdict(found: dict[str, Any]) -> dict[str, Any]:
    each: dict[str, Any] = next(each for each in found["offers"] if each["offer_id"] == OFFER)
    return each


# Five slips


@pytest.mark.parametrize("mistake", afternoon.MISTAKES)
def test_a_slip_is_answered_with_its_place_and_its_mend(tmp_path: Path, mistake: str) -> None:
    code, said = check(afternoon.world(tmp_path, mistake))
    warning = "warning:" in SAID[mistake]
    assert said == [f"{FILE}:{SAID[mistake]}", *(UNDERSTOOD if warning else ())]
    assert code == (0 if warning else 1)


def test_all_five_are_found_in_one_run(tmp_path: Path) -> None:
    code, said = check(afternoon.world(tmp_path, *afternoon.MISTAKES))
    assert code == 1
    assert sorted(said) == sorted(f"{FILE}:{each}" for each in SAID.values())


def test_more_than_there_is_may_be_meant(tmp_path: Path) -> None:
    campaigns = afternoon.world(tmp_path, "limit above stock")
    file = campaigns / FILE
    file.write_text(file.read_text().replace("at_most: 300,", "at_most: 300, above_stock: true,"))
    code, said = check(campaigns)
    assert (code, [line for line in said if "ABOVE_STOCK" in line]) == (0, [])


# The file as it should be


def test_the_right_file_is_good_and_the_market_answers_to_its_day(campaigns: Path) -> None:
    code, said = check(campaigns)
    assert (code, said) == (0, list(UNDERSTOOD))


def test_a_gold_member_near_the_port_is_shown_it_in_italian(campaigns: Path) -> None:
    shown = item(simulated(campaigns, "gold.yaml"))
    assert (shown["offer_id"], shown["about"]["booking_id"]) == (OFFER, "b-771")
    assert shown["price"]["minor"] == 4_900
    assert shown["price"]["prior"] == {"minor": 6_900, "text": "69,00\xa0€", "basis": "lowest_30_days"}
    words = shown["representation"]
    assert (words["locale"], words["title"]) == ("it", "La tua cabina per stanotte")
    assert words["body"] == "Cabina interna, partenza 21:30: 49,00\xa0€."


def test_and_in_german(campaigns: Path) -> None:
    words = item(simulated(campaigns, "gold.yaml", "--locale", "de-DE"))["representation"]
    assert (words["locale"], words["title"]) == ("de", "Ihre Kabine für heute Nacht")
    assert words["body"] == "Innenkabine, Abfahrt 21:30: 49,00\xa0€."


def test_readers_of_other_languages_are_shown_something_else(campaigns: Path) -> None:
    found = simulated(campaigns, "gold.yaml", "--locale", "fr-FR")
    assert [reason["code"] for reason in verdict(found)["reasons"]] == ["LOCALE_MISSING"]


def test_a_silver_member_is_one_change_away(campaigns: Path) -> None:
    found = verdict(simulated(campaigns, "silver.yaml"))
    assert found["shown"] is False
    assert [(reason["code"], reason["where"]) for reason in found["reasons"]] == [
        ("ELIGIBILITY_FAILED", f"{FILE}:10:7"),
    ]
    assert found["single_change"] == "customer.loyalty_tier gold or higher (is silver)"


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ("2026-11-21 14:59", "NOT_STARTED"),
        ("2026-11-21 15:00", None),
        ("2026-11-21 19:59", None),
        ("2026-11-21 20:00", "EXPIRED"),
    ],
)
def test_it_is_live_from_15_00_and_gone_90_minutes_before_departure(campaigns: Path, now: str, why: str | None) -> None:
    found = verdict(simulated(campaigns, "gold.yaml", "--now", now))
    assert found["shown"] is (why is None)
    assert why is None or [reason["code"] for reason in found["reasons"]] == [why]


def test_a_phone_that_was_shown_it_late_knows_when_it_ends(campaigns: Path) -> None:
    shown = item(simulated(campaigns, "gold.yaml", "--now", "2026-11-21 19:59"))
    assert shown["expires"] == 1_795_287_600_000, "20:00 in Rome, not a quarter of an hour from now"

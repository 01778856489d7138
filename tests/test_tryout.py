"""`campaigns simulate` and `campaigns test` as a campaign manager meets them, on the example operator."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offers.cli import app
from tests.golden_case import DEPLOYMENT

PERSONAS = DEPLOYMENT / "tests" / "personas.yaml"
PAGE = (DEPLOYMENT.parent.parent / "docs" / "campaigns.md").read_text()
TONIGHT = f"{PERSONAS}#gold-tonight"


def place(file: str, words: str) -> str:
    """`file:line:column` of the first line of a campaign that has these words."""
    lines = (DEPLOYMENT / file).read_text().splitlines()
    number, line = next((number, line) for number, line in enumerate(lines, 1) if words in line)
    return f"{file}:{number}:{line.index(words) + 1}"


GOLD = place("cabins/upgrade-livorno-olbia.yaml", "customer.loyalty_tier")


def offing(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["campaigns", *arguments], color=False, env={"COLUMNS": "200"})


def simulated(*arguments: str) -> dict[str, Any]:
    done = offing("simulate", str(DEPLOYMENT), "--persona", TONIGHT, *arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def change(found: dict[str, Any], offer: str) -> str | None:
    """The one change that would allow an offer."""
    return next((each["single_change"] for each in found["offers"] if each["offer_id"] == offer), None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example operator's folder with no tests of its own."""
    made = tmp_path / "campaigns"
    shutil.copytree(DEPLOYMENT, made, ignore=shutil.ignore_patterns("tests"))
    (made / "tests").mkdir()
    return made


# simulate


def test_the_afternoon_shows_the_cabin_and_says_of_the_rest_why_not() -> None:
    done = offing("simulate", str(DEPLOYMENT), "--persona", TONIGHT)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Sat 21 Nov 2026 18:00 Europe/Rome, it-IT, location precise, about ")
    at = lines.index("app.home.hero")
    assert lines[at + 1] == "  1. cabin-upgrade-inside (booking:b-771)  49,00\xa0€  propensity 9.0%"
    assert lines[at + 2] == (
        "     La tua cabina per questa traversata - Partenza alle 21:30: una cabina interna tutta per te a 49,00\xa0€, "
        "30% in meno."
    )
    assert lines.index("One change away:") < lines.index("More than one change away:")
    assert "  gold-lounge (booking:b-771)" in lines[lines.index("Allowed; others came first:") :]


def test_for_silver_the_level_is_the_one_thing_to_change(tmp_path: Path) -> None:
    silver = tmp_path / "silver.yaml"
    silver.write_text(
        "zone: Europe/Rome\nnow: 2026-11-21 18:00\n"
        "customer:\n"
        "  facts: {loyalty_tier: silver}\n"
        "  purposes: [personalised_offers, location]\n"
        "  channels: [app]\n"
        "  bookings: {b-771: {sailing: s-tonight, accommodation: seat}}\n"
        "market:\n"
        "  sailings:\n"
        "    s-tonight: {line: ITLIV-ITOLB, departs: 2026-11-21 21:30, fares: {cabin_inside: 70 EUR},\n"
        "      free: {inside: 37}}\n"
        'location: {at: "port:ITLIV"}\n'
        "request: {locale: it-IT, placements: {app.home.hero: 1}}\n"
    )
    arguments = ["simulate", str(DEPLOYMENT), "--persona", str(silver)]
    found = json.loads(offing(*arguments, "--json").stdout)
    assert change(found, "cabin-upgrade-inside") == "customer.loyalty_tier gold or higher (is silver)"
    line = next(each for each in offing(*arguments).stdout.splitlines() if "cabin-upgrade-inside" in each)
    assert line == (
        f"  cabin-upgrade-inside (booking:b-771): customer.loyalty_tier gold or higher (is silver)  [{GOLD}]"
    )


def test_elsewhere_the_place_is_the_one_thing_to_change() -> None:
    found = simulated("--at", "43.78,11.25 +-20 m")
    told = change(found, "cabin-upgrade-inside")
    assert told is not None
    assert told.startswith("probably within 30 km of port:ITLIV (about ")
    assert [item["offer_id"] for item in found["placements"][0]["items"]] == ["gold-lounge"]
    assert simulated("--at", "fence:terminal-itliv")["location"]["fences"]["terminal-itliv"] >= 2


def test_later_it_says_until_when_it_was() -> None:
    found = simulated("--now", "2026-11-21 20:10")
    told = change(found, "cabin-upgrade-inside")
    assert told == "before Sat 21 Nov 2026 20:00, 1 h 30 min before sailing.departure"


def test_other_placements_and_another_language() -> None:
    found = simulated("--placement", "app.trip.card", "--placement", "app.home.list", "--locale", "de-DE")
    assert [slate["placement"] for slate in found["placements"]] == ["app.trip.card", "app.home.list"]
    words = [item["representation"]["locale"] for slate in found["placements"] for item in slate["items"]]
    assert words and set(words) == {"de"}


def test_the_same_again_is_the_same_again() -> None:
    assert simulated() == simulated()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--at", "port:livrno"], "UNKNOWN_PLACE there is no port 'livrno'"),
        (["--at", "Livorno"], "PLACE_INVALID 'Livorno' is no place"),
        (["--now", "tomorrow"], "TIME_INVALID 'tomorrow' is not a time"),
        (["--placement", "app.home.heroo"], "UNKNOWN_PLACEMENT there is no placement 'app.home.heroo'"),
    ],
)
def test_used_wrongly_exits_2_and_says_how(arguments: list[str], said: str) -> None:
    done = offing("simulate", str(DEPLOYMENT), "--persona", TONIGHT, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_wrong_persona_is_told_with_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(
        "zone: Europe/Rome\nnow: 2026-11-21 18:00\ncustomer: {facts: {loyalty_tier: golden, hom_port: ITLIV}}\n"
    )
    done = offing("simulate", str(DEPLOYMENT), "--persona", str(file))
    assert done.exit_code == 1
    assert f"{file}:3:34: UNKNOWN_LEVEL customer.loyalty_tier has no level 'golden'." in done.stderr
    assert f"{file}:3:42: UNKNOWN_KEY customer.facts has no key 'hom_port'. Did you mean 'home_port'?" in done.stderr


def test_the_pages_persona_gets_the_pages_answer(tmp_path: Path) -> None:
    (written,) = re.findall(r"^```yaml persona\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    answer = PAGE[PAGE.index("One change away:") :].splitlines()[:2]
    file = tmp_path / "me.yaml"
    file.write_text(written)
    lines = offing("simulate", str(DEPLOYMENT), "--persona", str(file)).stdout.splitlines()
    at = lines.index(answer[0])
    without_line = [re.sub(r":\d+:\d+\]$", "]", line) for line in (*lines[at + 1 :], answer[1])]
    assert without_line[-1] in without_line[:-1]


def test_the_pages_tests_pass(folder: Path) -> None:
    (written,) = re.findall(r"^```yaml tests\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    shutil.copy(PERSONAS, folder / "tests")
    (folder / "tests" / "page.yaml").write_text(written)
    done = offing("test", str(folder))
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "1 passed, 0 failed"), done.output


# test


def test_the_examples_tests_pass() -> None:
    done = offing("test", str(DEPLOYMENT), "--json")
    assert done.exit_code == 0, done.stdout
    found = json.loads(done.stdout)
    assert (found["failed"], [each["name"] for each in found["cases"] if not each["good"]]) == (0, [])
    assert found["passed"] >= 20
    assert 10 < found["coverage"]["percent"] < 100


def test_a_failure_says_what_was_expected_what_was_found_and_why(folder: Path) -> None:
    shutil.copy(PERSONAS, folder / "tests")
    (folder / "tests" / "mine.yaml").write_text(
        "cases:\n"
        "  silver-gets-the-cabin:\n"
        "    persona: gold-tonight\n"
        "    customer: {facts: {loyalty_tier: silver}}\n"
        "    expect: {placements: {app.home.hero: [{offer: cabin-upgrade-inside, price: 49.00 EUR}]}}\n"
        "  gold-gets-it:\n"
        "    persona: gold-tonight\n"
        "    expect: {absent: [cabin-upgrade-inside], reasons: {gold-lounge: SELECTED}}\n"
    )
    done = offing("test", str(folder))
    assert done.exit_code == 1
    assert done.stdout.splitlines()[:6] == [
        "FAIL  tests/mine.yaml:2:3: silver-gets-the-cabin",
        "      app.home.hero",
        "        expected: cabin-upgrade-inside {price: 49.00 EUR}",
        "        found:    terminal-emporio {price: none}",
        "        cabin-upgrade-inside (booking:b-771) would need: customer.loyalty_tier gold or higher (is silver)"
        f"  [{GOLD}]",
        "        terminal-emporio (venue:emporio-livorno) is shown",
    ]
    assert done.stdout.splitlines()[6:] == [
        "FAIL  tests/mine.yaml:6:3: gold-gets-it",
        "      absent cabin-upgrade-inside",
        "        expected: not shown",
        "        found:    shown in app.home.hero",
        "      reasons of gold-lounge",
        "        expected: SELECTED",
        "        found:    OUTRANKED",
        "        gold-lounge (booking:b-771) is allowed; others came first",
        "0 passed, 2 failed",
    ]


def test_coverage_names_the_conditions_no_test_has_seen(folder: Path) -> None:
    shutil.copy(PERSONAS, folder / "tests")
    (folder / "tests" / "one.yaml").write_text("cases: {one: {persona: gold-tonight, expect: {fallback: []}}}\n")
    done = offing("test", str(folder), "--coverage", "--fail-under", "99")
    assert done.exit_code == 1
    assert f"{GOLD}: never false: customer.loyalty_tier gold or higher" in done.stdout.splitlines()
    assert "COVERAGE_LOW" in done.stderr
    assert offing("test", str(folder), "--fail-under", "1").exit_code == 0


MISTAKES = {
    "cases: {one: {persona: gold-tonight, expect: {}}}\n": (
        "tests/t.yaml:1:46: TEST_MISSING a case that expects nothing cannot fail."
    ),
    "cases: {one: {persona: gold-tonite, expect: {}}}\n": (
        "tests/t.yaml:1:24: UNKNOWN_PERSONA there is no persona 'gold-tonite'. Did you mean 'gold-tonight'?"
    ),
    "cases: {one: {persona: gold-tonight, expect: {absent: [cabin-upgrade]}}}\n": (
        "tests/t.yaml:1:56: UNKNOWN_OFFER absent cannot be 'cabin-upgrade'."
    ),
    "cases: {one: {zone: Europe/Rome, expect: {}}}\n": (
        "tests/t.yaml:1:14: KEY_MISSING neither case one nor its persona has 'now'."
    ),
    "cases: {one: {persona: gold-tonight, expects: {}}}\n": (
        "tests/t.yaml:1:38: UNKNOWN_KEY case one has no key 'expects'. Did you mean 'expect'?"
    ),
    "cases: {one: {persona: gold-tonight, location: here, expect: {}}}\n": (
        "tests/t.yaml:1:48: PLACE_INVALID 'here' is no place."
    ),
    "personas: {gold-tonight: {}}\n": (
        "tests/t.yaml:1:12: DUPLICATE_ID persona 'gold-tonight' is at tests/personas.yaml:4:3 already."
    ),
    "cases: {o: {persona: gold-tonight, market: {sailings: {s-tonight: {fares: {deck: 70}}}}, expect: {}}}\n": (
        "tests/t.yaml:1:82: UNIT_MISSING '70' is not an amount of money. Write '70 EUR'."
    ),
    "cases: {one: {persona: gold-tonight, expect: {reasons: {gold-lounge: ELIGIBLE}}}}\n": (
        "tests/t.yaml:1:70: UNKNOWN_CHOICE reasons.gold-lounge cannot be 'ELIGIBLE'."
    ),
    "cases: {one: {persona: gold-tonight, request: {context: {weather: foggy}}, expect: {}}}\n": (
        "tests/t.yaml:1:67: UNKNOWN_LEVEL context.weather has no level 'foggy'."
    ),
}


@pytest.mark.parametrize("written", MISTAKES)
def test_a_mistake_in_a_test_is_told_like_one_in_a_campaign(folder: Path, written: str) -> None:
    shutil.copy(PERSONAS, folder / "tests")
    (folder / "tests" / "t.yaml").write_text(written)
    done = offing("test", str(folder))
    assert done.exit_code == 1
    assert [line for line in done.stderr.splitlines() if line.startswith(MISTAKES[written])] != [], done.stderr


def test_a_file_of_another_suffix_is_not_passed_over(folder: Path) -> None:
    shutil.copy(PERSONAS, folder / "tests" / "personas.yml")
    done = offing("test", str(folder))
    assert done.exit_code == 1
    assert "tests/personas.yml:1:1: WRONG_SUFFIX files that end in .yml are not read." in done.stderr


def test_a_folder_without_tests_says_so(folder: Path) -> None:
    done = offing("test", str(folder))
    assert (done.exit_code, done.stdout) == (1, "0 passed, 0 failed\n")
    assert "NO_TESTS" in done.stderr


def test_a_bad_campaign_is_told_before_any_test_runs(folder: Path) -> None:
    file = folder / "loyalty" / "gold-lounge.yaml"
    file.write_text(file.read_text().replace("at_least: gold", "at_least: oro"))
    done = offing("test", str(folder))
    assert done.exit_code == 1
    assert "UNKNOWN_LEVEL customer.loyalty_tier has no level 'oro'." in done.stderr

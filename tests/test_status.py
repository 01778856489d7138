"""`campaigns status`: what became of a campaign in a window, why it was not shown, and who changed it last."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from offers import live, revisions
from offers.cli import app
from offers.decide import decide, record
from offers.ledger import Ledger
from offers.publications import Draft
from offers.revision_changes import load
from offers.shared_limits import series_of
from offers.situation import situate
from scoring.propensity import prior
from streams import lake_counts
from streams.attributes import Value
from streams.ids import CampaignId, CustomerId, Millis, OfferId, RevisionId
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, format_instant
from streams.lake import Lake
from streams.lake_file import LakeFileUnreadable
from streams.profile_form import encode
from streams.profile_scan import Held
from streams.profile_store import presence_bytes
from streams.record import DecisionRecord, PlacementRequest, Request
from streams.record import encode as encode_record
from streams.total_store import TotalWriter
from streams.valkey import Client, Keys
from tests.decision_log import decision_id, outcome
from tests.golden_case import DEPLOYMENT
from tests.live_customers import CATALOG, NOW, Somebody, market, presence, store

CABIN = CampaignId("cabin-upgrade-livorno-olbia")
OFFER = OfferId("cabin-upgrade-inside")
FILE = "cabins/upgrade-livorno-olbia.yaml"
GOLD: dict[str, Value] = {"loyalty_tier": "gold"}
SILVER: dict[str, Value] = {"loyalty_tier": "silver"}
HERO = next(name for name in CATALOG.placements if name == "app.home.hero")


def decided(who: Somebody, number: int, at: Millis = NOW) -> DecisionRecord:
    """Somebody's decision, logged as ever."""
    seen = None if who.seen_ago_ms is None else presence_bytes(presence(who.seen_ago_ms))
    held = Held(CustomerId(f"c-{number:05d}"), encode(who.profile()), seen)
    request = Request(held.customer, (PlacementRequest(HERO, 1),), "it-IT")
    found = live.situation(held, live.Around(NOW, market(), CATALOG.attributes), request)
    inputs = situate(replace(found, decision_id=decision_id(at, number)), CATALOG)
    scores = prior(CATALOG.attributes)
    inputs = msgspec.structs.replace(inputs, now=at)
    return record(inputs, decide(inputs, CATALOG, scores), scores.features)


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def lake(artifacts: Path) -> Lake:
    """Ten decisions: four show the cabin; three are silver, two elsewhere, one has a cabin."""
    seat = Somebody(GOLD, accommodation="seat", seen_ago_ms=MINUTE_MS)
    people = [
        *[seat] * 4,
        *[replace(seat, facts=SILVER)] * 3,
        *[replace(seat, seen_ago_ms=None)] * 2,
        replace(seat, accommodation="cabin_inside"),
    ]
    made = [decided(who, number) for number, who in enumerate(people)]
    lake = Lake(artifacts / "lake")
    lake.append_decisions([(each, encode_record(each)) for each in made])
    told = [outcome(each, "exposed", NOW + MINUTE_MS) for each in made[:4]]
    told += [outcome(each, "clicked", NOW + 2 * MINUTE_MS) for each in made[:2]]
    told += [outcome(made[0], "redeemed", NOW + HOUR_MS), outcome(made[9], "exposed")]
    lake.append_outcomes(told)
    return lake


@pytest.fixture
def ask(artifacts: Path) -> Any:
    def asked(*arguments: str | Path, folder: Path = DEPLOYMENT) -> Result:
        words = ["campaigns", "status", *map(str, arguments), "--now", format_instant(NOW + 2 * HOUR_MS)]
        env = {"OFFING_ARTIFACTS": str(artifacts), "OFFING_CAMPAIGNS": str(folder)}
        return CliRunner().invoke(app, words, color=False, env=env)

    return asked


@pytest.fixture
def book(artifacts: Path) -> Iterator[Ledger]:
    artifacts.mkdir(exist_ok=True)
    with closing(Ledger(f"sqlite:///{artifacts / 'ledger.sqlite'}", "offing")) as found:
        found.migrate()
        yield found


def told(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def place(words: str) -> str:
    lines = (DEPLOYMENT / FILE).read_text().splitlines()
    number, line = next((number, line) for number, line in enumerate(lines, 1) if words in line)
    return f"{FILE}:{number}:{line.index(words) + 1}"


def test_what_became_of_it_and_why_not(lake: Lake, ask: Any) -> None:
    found = told(ask(CABIN, "--json"))
    assert (found["decisions"], found["shown"]) == (10, 4)
    assert found["outcomes"] == {"exposed": 4, "clicked": 2, "dismissed": 0, "redeemed": 1}
    looked = found["looked"]
    assert (looked["decisions"], looked["eligible"], looked["shown"]) == (10, 4, 4)
    gold, near, seat = (place(f"{name}:") for name in ("customer.loyalty_tier", "location", "booking.accommodation"))
    assert looked["why"] == [
        {"code": "ELIGIBILITY_FAILED", "where": gold, "words": "customer.loyalty_tier gold or higher", "decisions": 3},
        {"code": "LOCATION_UNKNOWN", "where": near, "words": "probably within 30 km of port:ITLIV", "decisions": 2},
        {"code": "ELIGIBILITY_FAILED", "where": seat, "words": "booking.accommodation seat or lower", "decisions": 1},
    ]
    assert (found["schedule"], found["stopped"], found["last_change"]) == (None, None, None)


def test_the_page_is_for_people_and_names_no_customer(lake: Lake, ask: Any) -> None:
    lines = ask(CABIN).stdout.splitlines()
    assert lines[0] == f"{CABIN}, marketing.sardinia  [{FILE}:3]"
    assert lines[1:3] == ["  live", "  last change: no publication that is kept here changed it"]
    assert "shown in 4 of 10 decisions; exposed 4, clicked 2, dismissed 0, redeemed 1" in lines[3]
    assert lines[4] == "  money left: no budget"
    assert lines[5].endswith(
        "of the newest 10 decisions that asked for its placements: eligible in 4, shown in 4. Else:"
    )
    assert lines[6] == (
        f"            3  ELIGIBILITY_FAILED customer.loyalty_tier gold or higher  [{place('customer.loyalty_tier:')}]"
    )
    assert "c-0000" not in "".join(lines)


def test_a_window_ends_where_it_says(lake: Lake, ask: Any) -> None:
    found = told(ask(CABIN, "--since", "90 min", "--json"))
    assert (found["decisions"], found["shown"], found["looked"]["decisions"]) == (0, 0, 0)
    assert found["outcomes"] == {"exposed": 0, "clicked": 0, "dismissed": 0, "redeemed": 1}
    assert told(ask(CABIN, "--limit", "3", "--json"))["looked"]["decisions"] == 3


def test_an_outcome_counts_once_however_often_it_was_written(lake: Lake) -> None:
    again = [each for part in lake.parts() for each in lake.outcomes(part)]
    lake.append_outcomes(again[:5])
    records = [each for part in lake.parts() for each in lake.decisions(part)]
    lake.append_decisions([(each, encode_record(each)) for each in records[:6]])
    found = lake_counts.count(lake, OFFER, NOW - DAY_MS, NOW + DAY_MS)
    assert (found.decisions, found.shown, found.outcomes) == (10, 4, {"exposed": 4, "clicked": 2, "redeemed": 1})


def test_a_broken_file_is_left_out_with_a_warning(lake: Lake) -> None:
    part = next((lake.folder / "decisions").rglob("*.parquet")).parent
    (part / "a_b_c.parquet").write_bytes(b"PAR1 but no more")
    with pytest.warns(LakeFileUnreadable, match=r"a_b_c\.parquet is left out"):
        found = lake_counts.count(lake, OFFER, NOW - DAY_MS, NOW + DAY_MS)
    assert (found.decisions, found.shown) == (10, 4)


def test_without_a_lake_everything_is_nought(ask: Any) -> None:
    found = told(ask(CABIN, "--json"))
    assert (found["decisions"], found["shown"], found["looked"]["why"]) == (0, 0, [])


def test_a_campaign_that_changed_meanwhile_is_judged_as_it_is_now(lake: Lake, ask: Any, tmp_path: Path) -> None:
    folder = tmp_path / "head"
    shutil.copytree(DEPLOYMENT, folder)
    file = folder / FILE
    file.write_text(file.read_text().replace("at_least: gold", "at_least: blue"))
    why = told(ask(file, "--json"))["looked"]["why"]
    assert ("ALLOWED_NOW", 3) in {(each["code"], each["decisions"]) for each in why}


def publish(
    book: Ledger, folder: Path, artifacts: Path, message: str, base: RevisionId | None, at: Millis
) -> RevisionId:
    revision = RevisionId(revisions.keep(folder, artifacts).name)
    book.publications.publish(Draft(revision, base, "anna", message), at)
    return revision


def test_who_changed_it_last_is_who_changed_this_campaign(
    ask: Any, book: Ledger, artifacts: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "head"
    shutil.copytree(DEPLOYMENT, folder)
    first = publish(book, folder, artifacts, "all of it", None, NOW - 3 * HOUR_MS)
    file = folder / FILE
    file.write_text(file.read_text().replace("30 %", "40 %"))
    second = publish(book, folder, artifacts, "40 % off", first, NOW - 2 * HOUR_MS)
    (folder / "policies.yaml").write_text((folder / "policies.yaml").read_text().replace("80", "60"))
    publish(book, folder, artifacts, "fewer of everything", second, NOW - HOUR_MS)
    change = told(ask(CABIN, "--json", folder=folder))["last_change"]
    assert change == {
        "number": 2, "revision": second, "at": format_instant(NOW - 2 * HOUR_MS), "by": "anna", "message": "40 % off",
    }  # fmt: skip
    assert told(ask("winter-escape", "--json", folder=folder))["last_change"]["message"] == "all of it"
    shutil.rmtree(artifacts / "revisions" / second)
    assert told(ask(CABIN, "--json", folder=folder))["last_change"] is None


def test_where_the_ledger_decides_what_runs_it_is_the_published_campaign_that_is_told(
    book: Ledger, artifacts: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "head"
    shutil.copytree(DEPLOYMENT, folder)
    (folder / FILE).write_text(
        (folder / FILE).read_text().replace("owner: marketing.sardinia", "owner: marketing.tuscany")
    )
    publish(book, folder, artifacts, "ours now", None, NOW)
    env = {"OFFING_ARTIFACTS": str(artifacts), "OFFING_CAMPAIGNS": str(tmp_path), "OFFING_CAMPAIGNS_FROM": "ledger"}
    done = CliRunner().invoke(app, ["campaigns", "status", CABIN, "--json"], color=False, env=env)
    assert told(done)["owner"] == "marketing.tuscany"


def test_a_stopped_campaign_says_by_whom_and_why(ask: Any, book: Ledger) -> None:
    book.stops.stop(CABIN, "4.90 for 49.00", "ben", NOW)
    found = told(ask(CABIN, "--json"))
    assert found["stopped"] == {"reason": "4.90 for 49.00", "by": "ben", "at": format_instant(NOW)}
    assert ask(CABIN).stdout.splitlines()[1] == f"  stopped {format_instant(NOW)} by ben: 4.90 for 49.00"


@pytest.mark.parametrize(("redeemed", "left"), [(12, "441.20 EUR"), (103, "0.00 EUR")])
def test_what_is_left_of_a_budget_is_told_from_everybodys_redemptions(
    redeemed: int, left: str, client: Client, keys: Keys, valkey_url: str, ask: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "head"
    shutil.copytree(DEPLOYMENT, folder)
    text = (folder / FILE).read_text()
    (folder / FILE).write_text(f"{text}budget: {{amount: 500 EUR, cost: 4.90 EUR, strict: false}}\n")
    line = len(text.splitlines()) + 1
    shared = load(str(folder), Path()).catalog.by_id[OFFER].shared[0]
    field = series_of(shared, CATALOG.by_id[OFFER].facts).field("")
    writer = TotalWriter(client, keys)
    writer.owe(0, [field] * redeemed)
    writer.pay()
    env = {"OFFING_REDIS_URL": valkey_url, "OFFING_NAMESPACE": keys.namespace, "OFFING_ARTIFACTS": str(tmp_path)}
    done = CliRunner().invoke(app, ["campaigns", "status", str(folder / FILE), "--json"], color=False, env=env)
    spent = f"{4.90 * redeemed:.2f} EUR"
    assert told(done)["budgets"] == [
        {"where": f"{FILE}:{line}:9", "amount": "500.00 EUR", "spent": spent, "left": left}
    ]
    assert told(ask(CABIN, "--json"))["budgets"] == []
    assert "  money left: no budget" in ask(CABIN).stdout.splitlines()
    assert "money left: not known" in ask(folder / FILE).stdout
    store(client, keys, [(f"c-{n}", Somebody(GOLD, accommodation="seat", seen_ago_ms=MINUTE_MS)) for n in range(9)])
    words = ["campaigns", "reach", str(folder / FILE), "--now", format_instant(NOW), "--json"]
    steps = told(CliRunner().invoke(app, words, color=False, env=env))["steps"]
    assert [step["text"] for step in steps[-2:]] == ["9", "9" if redeemed == 12 else "<5"]


def test_a_campaign_nobody_knows_is_one_line(ask: Any) -> None:
    done = ask("cabin")
    assert (done.exit_code, done.stderr.split()[0]) == (1, "CAMPAIGN_UNKNOWN")
    assert ask(CABIN, "--since", "24").exit_code == 1

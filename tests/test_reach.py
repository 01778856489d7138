"""`campaigns reach`: the funnel of an offer over the customers stored now, groups under 5 never told."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from offers.cli import app
from offers.experiment import HOLDOUT, arm_of
from offers.reach import FEW, LEAST, Step, told
from offers.revision_changes import load
from streams.attributes import Value
from streams.ids import CustomerId, OfferId
from streams.instant import MINUTE_MS, format_instant
from streams.valkey import Client, Keys
from tests.golden_case import DEPLOYMENT
from tests.live_customers import NOW, Somebody, store

CABIN = "cabin-upgrade-livorno-olbia"
FILE = DEPLOYMENT / "cabins" / "upgrade-livorno-olbia.yaml"
GOLD: dict[str, Value] = {"loyalty_tier": "gold"}
SILVER: dict[str, Value] = {"loyalty_tier": "silver"}


def place(words: str) -> str:
    lines = FILE.read_text().splitlines()
    number, line = next((number, line) for number, line in enumerate(lines, 1) if words in line)
    return f"{FILE.relative_to(DEPLOYMENT)}:{number}:{line.index(words) + 1}"


@pytest.fixture
def ask(valkey_url: str, namespace: str) -> Any:
    def asked(*arguments: str | Path) -> Result:
        words = ["campaigns", "reach", *map(str, arguments), "--now", format_instant(NOW)]
        env = {"OFFING_REDIS_URL": valkey_url, "OFFING_NAMESPACE": namespace, "OFFING_CAMPAIGNS": str(DEPLOYMENT)}
        return CliRunner().invoke(app, words, color=False, env=env)

    return asked


def crowd(client: Client, keys: Keys) -> None:
    near = MINUTE_MS
    groups = [
        (40, Somebody(SILVER)),
        (9, Somebody(GOLD, purposes=("location",), accommodation="seat", seen_ago_ms=near)),
        (30, Somebody(GOLD)),
        (12, Somebody(GOLD, accommodation="cabin_inside", seen_ago_ms=near)),
        (11, Somebody(GOLD, accommodation="seat")),
        (10, Somebody(GOLD, accommodation="seat", seen_ago_ms=40 * MINUTE_MS)),
        (2, Somebody(GOLD | {"open_complaint": True}, accommodation="seat", seen_ago_ms=near)),
        (7, Somebody(GOLD, accommodation="deck", seen_ago_ms=near, exposed=6)),
        (21, Somebody(GOLD, accommodation="seat", seen_ago_ms=near)),
    ]
    store(client, keys, [(f"c-{one}-{two}", who) for one, (number, who) in enumerate(groups) for two in range(number)])


def test_the_funnel_follows_the_conditions_in_the_order_written(client: Client, keys: Keys, ask: Any) -> None:
    crowd(client, keys)
    done = ask(CABIN, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["campaign"], found["offer"], found["status"]) == (CABIN, "cabin-upgrade-inside", None)
    told_ = [(step["words"], step["text"]) for step in found["steps"]]
    assert told_ == [
        ("customers known", "142"),
        ("an open booking", "72"),
        ("sailing.line ITLIV-ITOLB", "72"),
        ("sailing.departs_in at most 16 h", "72"),
        ("booking.accommodation seat or lower", "60"),
        ("customer.loyalty_tier gold or higher", "51"),
        ("probably within 30 km of port:ITLIV", "30"),
        ("market.cabins_free.inside at least 1", "30"),
        ("sailing.status not cancelled or delayed", "30"),
        ("customer.open_complaint not true", "about 30"),
        ("consent to location and personalised_offers and channel app", "about 30"),
        ("a price and every word known, and not over for them", "about 30"),
        ("not held back by a limit", "21"),
    ]
    gold = next(step for step in found["steps"] if step["words"].startswith("customer.loyalty_tier"))
    assert gold["where"] == place("customer.loyalty_tier")


def test_the_file_says_as_much_as_the_id_and_a_page_is_for_people(client: Client, keys: Keys, ask: Any) -> None:
    crowd(client, keys)
    page = ask(FILE)
    assert page.exit_code == 0, page.output
    lines = page.stdout.splitlines()
    assert lines[0].startswith(f"{CABIN} at Sat 21 Nov 2026 18:00 Europe/Rome  [")
    assert lines[1] == "       142  customers known"
    assert lines[6] == f"        51  customer.loyalty_tier gold or higher  [{place('customer.loyalty_tier')}]"
    assert page.stdout.count("c-") == 0
    assert ask(CABIN).stdout == page.stdout


def test_few_are_never_told(client: Client, keys: Keys, ask: Any) -> None:
    store(client, keys, [(f"c-{number}", Somebody(GOLD)) for number in range(4)])
    done = ask(CABIN)
    assert done.exit_code == 0
    assert {line.split()[0] for line in done.stdout.splitlines()[1:]} == {FEW}


def test_nothing_stored_changes_and_nobody_is_fine(client: Client, keys: Keys, ask: Any) -> None:
    assert ask(CABIN).exit_code == 0
    crowd(client, keys)
    before = {name: client.dump(name) for name in client.scan_iter(f"*{keys.namespace}*")}
    assert ask(CABIN).exit_code == 0
    assert {name: client.dump(name) for name in client.scan_iter(f"*{keys.namespace}*")} == before


def test_a_campaign_that_is_not_live_says_so_and_is_counted_all_the_same(
    client: Client, keys: Keys, ask: Any, tmp_path: Path
) -> None:
    crowd(client, keys)
    shutil.copytree(DEPLOYMENT, tmp_path / "campaigns")
    file = tmp_path / "campaigns" / FILE.relative_to(DEPLOYMENT)
    before = "{until: 90 min before booking.sailing.departure, zone: Europe/Rome}"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, "{until: 2026-11-20 15:00, zone: Europe/Rome}"))
    lines = ask(file).stdout.splitlines()
    assert lines[1] == "not live at this time (EXPIRED): nobody is shown it, whatever stands below"
    assert lines[-1].split() == ["21", *"not held back by a limit".split(), f"[{FILE.relative_to(DEPLOYMENT)}:3]"]


def test_who_is_held_out_of_an_experiment_is_left_out(client: Client, keys: Keys, ask: Any, tmp_path: Path) -> None:
    shutil.copytree(DEPLOYMENT, tmp_path / "campaigns")
    file = tmp_path / "campaigns" / FILE.relative_to(DEPLOYMENT)
    file.write_text(f"{file.read_text()}experiment: {{id: cabin-trial, holdout: 40 %}}\n")
    ready = Somebody(GOLD, accommodation="seat", seen_ago_ms=MINUTE_MS)
    store(client, keys, [(f"c-{number}", ready) for number in range(100)])
    experiment = load(str(tmp_path / "campaigns"), Path()).catalog.by_id[OfferId("cabin-upgrade-inside")].experiment
    assert experiment is not None
    held = sum(arm_of(experiment, CustomerId(f"c-{number}"), NOW) == HOLDOUT for number in range(100))
    steps = {step["words"]: step["count"] for step in json.loads(ask(file, "--json").stdout)["steps"]}
    assert 10 < held < 60
    assert steps["consent to location and personalised_offers and channel app"] == 100
    assert steps["in no holdout of an experiment"] == steps["not held back by a limit"] == 100 - held


def test_what_only_an_app_knows_leaves_nobody_out(client: Client, keys: Keys, ask: Any) -> None:
    crowd(client, keys)
    campaign = next(
        file
        for file in DEPLOYMENT.rglob("*.yaml")
        if "context.weather" in file.read_text() and "campaign:" in file.read_text()
    )
    found = json.loads(ask(campaign, "--json").stdout)
    asked = [step for step in found["steps"] if "context.weather" in step["words"]]
    assert asked and all(step["text"] == "when the app asks" and step["count"] is None for step in asked)


def test_a_campaign_nobody_knows_and_one_with_a_mistake(ask: Any, tmp_path: Path) -> None:
    done = ask("cabin-upgrade")
    assert (done.exit_code, done.stderr.split()[0]) == (1, "CAMPAIGN_UNKNOWN")
    assert ask(CABIN, "--dir", tmp_path).exit_code == 1


def test_a_store_that_is_away_is_one_line(namespace: str) -> None:
    env = {"OFFING_REDIS_URL": "redis://127.0.0.1:1", "OFFING_NAMESPACE": namespace}
    done = CliRunner().invoke(app, ["campaigns", "reach", str(FILE)], color=False, env=env)
    assert (done.exit_code, done.stderr.split()[0]) == (1, "STORE_UNAVAILABLE")


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12))
def test_no_funnel_can_be_subtracted_to_fewer_than_five(numbers: list[int]) -> None:
    reached = sorted(numbers, reverse=True)
    funnel = [Step(f"s{number}", "", lambda moment: True) for number in range(len(reached) - 1)]
    lines = told(funnel, reached)
    counts = [line.count for line in lines]
    shown = [count for count in counts if count is not None]
    assert all(count >= LEAST for count in shown)
    assert all(one == other or abs(one - other) >= LEAST for one in shown for other in shown)
    assert all((line.text == FEW) == (number < LEAST) for line, number in zip(lines, reached, strict=True))
    assert all(0 <= count - number < LEAST for count, number in zip(counts, reached, strict=True) if count is not None)

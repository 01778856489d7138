"""`campaigns simulate --customer`: somebody who is stored, looked at there and then; nothing is counted."""

import json
import re
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offers.cli import app
from streams.attributes import Value
from streams.ids import CustomerId
from streams.instant import MINUTE_MS, format_instant
from streams.valkey import Client, Keys
from tests.golden_case import DEPLOYMENT
from tests.live_customers import NOW, Somebody, store

GOLD: dict[str, Value] = {"loyalty_tier": "gold"}


@pytest.fixture
def ask(valkey_url: str, namespace: str) -> Any:
    def asked(*arguments: str) -> Result:
        words = ["campaigns", "simulate", str(DEPLOYMENT), *arguments, "--now", format_instant(NOW)]
        env = {"OFFING_REDIS_URL": valkey_url, "OFFING_NAMESPACE": namespace, "COLUMNS": "200"}
        return CliRunner().invoke(app, words, color=False, env=env)

    return asked


def hero(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    slates = json.loads(done.stdout)["placements"]
    return next(
        [item["offer_id"] for item in slate["items"]] for slate in slates if slate["placement"] == "app.home.hero"
    )


def test_a_stored_customer_sees_what_the_app_would_show(client: Client, keys: Keys, ask: Any) -> None:
    at_port = Somebody(GOLD, accommodation="seat", seen_ago_ms=MINUTE_MS)
    store(client, keys, [("anna", at_port), ("ben", Somebody({"loyalty_tier": "silver"}, accommodation="seat"))])
    assert hero(ask("--customer", "anna", "--placement", "app.home.hero", "--json")) == ["cabin-upgrade-inside"]
    page = ask("--customer", "anna", "--placement", "app.home.hero", "--locale", "it-IT").stdout.splitlines()
    assert page[0].startswith("Sat 21 Nov 2026 18:00 Europe/Rome, it-IT, location precise, about ")
    assert page[3] == "  1. cabin-upgrade-inside (booking:b-1)  49,00\xa0€  propensity 9.0%"
    assert hero(ask("--customer", "ben", "--placement", "app.home.hero", "--json")) != ["cabin-upgrade-inside"]


def test_elsewhere_and_what_one_change_would_do(client: Client, keys: Keys, ask: Any) -> None:
    store(client, keys, [("anna", Somebody(GOLD, accommodation="seat"))])
    found = json.loads(ask("--customer", "anna", "--json").stdout)
    single = {each["offer_id"]: each["single_change"] for each in found["offers"]}
    assert single["cabin-upgrade-inside"] == (
        "probably within 30 km of port:ITLIV (whereabouts not known: not_determined)"
    )
    assert hero(ask("--customer", "anna", "--at", "port:ITLIV", "--json")) == ["cabin-upgrade-inside"]


def test_without_consent_their_place_is_not_known(client: Client, keys: Keys, ask: Any) -> None:
    private = Somebody(GOLD, purposes=("personalised_offers",), accommodation="seat", seen_ago_ms=MINUTE_MS)
    store(client, keys, [("anna", private)])
    found = json.loads(ask("--customer", "anna", "--json").stdout)
    assert found["location"]["status"] == "not_determined"
    reasons = {each["offer_id"]: [one["code"] for one in each["reasons"]] for each in found["offers"]}
    assert reasons["cabin-upgrade-inside"] == ["CONSENT_MISSING", "LOCATION_UNKNOWN"]


def test_nothing_stored_changes_and_no_one_is_named(client: Client, keys: Keys, ask: Any) -> None:
    store(client, keys, [("anna", Somebody(GOLD, accommodation="seat", seen_ago_ms=MINUTE_MS)), ("ben", Somebody())])
    before = {name: client.dump(name) for name in client.scan_iter(f"*{keys.namespace}*")}
    told = ask("--customer", "anna", "--json").stdout
    assert {name: client.dump(name) for name in client.scan_iter(f"*{keys.namespace}*")} == before
    assert "ben" not in told and re.search(r"86[0-9a-f]{6}fff|43\.5", told) is None


def test_whom_to_look_at_is_named_once_and_known(client: Client, keys: Keys, ask: Any) -> None:
    assert keys.profile(CustomerId("anna"))
    done = ask("--customer", "anna")
    assert (done.exit_code, done.stderr.split()[0]) == (1, "CUSTOMER_UNKNOWN")
    assert ask().exit_code == 2
    assert ask("--customer", "anna", "--persona", "p.yaml").exit_code == 2
    assert ask("--customer", "anna", "--at", "port:ITXXX").exit_code == 2
    assert ask("--customer", "a" * 300).exit_code == 2

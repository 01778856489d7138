"""The rest of the afternoon, beside a running service: previewed, its reach known, published, and stopped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from offers.cli import app
from offers.screenshot import browser
from streams.instant import format_instant
from tests import afternoon
from tests.served import Served, children, environment, event, eventually, introduced, served
from tests.service import LIVORNO, NOW

OFFER, CAMPAIGN = "cabin-upgrade-inside", "cabin-upgrade-livorno-olbia"
RIGHT = (
    "price: {from: market.fare.cabin_inside, discount: 30 %, at_least: 25 EUR, round_to: 0.50 EUR, "
    "prior: lowest_30_days, margin: 62 %}"
)
TYPED = "price: {amount: 4.90 EUR, margin: 62 %}"
WITHDRAWN = ("on_stop: {shown: honour_until_expiry}", "on_stop: {shown: withdraw}")
"""The mistake of the afternoon is one that must not be honoured."""
GOLD = [f"c-gold-{number}" for number in range(12)]
SILVER = [f"c-silver-{number}" for number in range(8)]


class Desk:
    """The campaign manager's: a folder, the service's settings, the commands."""

    def __init__(self, root: Path) -> None:
        self.campaigns = afternoon.world(root)
        self.file = self.campaigns / afternoon.FILE
        self.replace(*WITHDRAWN)
        self.artifacts = root / "offing"
        self.settings = {"CAMPAIGNS": str(self.campaigns), "CAMPAIGNS_FROM": "ledger"}

    def replace(self, right: str, wrong: str) -> None:
        text = self.file.read_text()
        assert right in text
        self.file.write_text(text.replace(right, wrong))

    def offing(self, *arguments: str, **more: str) -> str:
        """`offing campaigns ...`; it exits with 0. What it printed."""
        env = {**environment(self.artifacts, **self.settings, **more), "COLUMNS": "200"}
        done = CliRunner().invoke(app, ["campaigns", *arguments], color=False, env=env)
        assert done.exit_code == 0, done.output
        return done.stdout

    def publish(self, message: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.offing("publish", str(self.campaigns), "-m", message, "--author", "ada", "--json")
        )
        return found


@contextmanager
def service(desk: Desk) -> Iterator[Served]:
    """The service, and people whom it knows: gold members and silver ones, all in the port."""
    with served(desk.artifacts, **desk.settings) as running:
        for customer in (*GOLD, *SILVER):
            known = introduced(customer)
            if customer in SILVER:
                silver = {"attributes": {"loyalty_tier": "silver", "open_complaint": False}}
                known[0] = event("customer.profile", customer, silver, f"{customer}-1")
            assert running.post("/v1/events", known).status_code == 202
        yield running


def answer(running: Served, customer: str, *holding: str) -> dict[str, Any]:
    """What the app in the port is told: the offer of the cabin, if it is shown, and what it may no longer show."""
    asked = {
        "locale": "it-IT", "context": {"location": {**LIVORNO, "at": format_instant(NOW)}}, "holding": list(holding),
        "placements": [{"placement": "app.trip.card", "limit": 3}],
    }  # fmt: skip
    found = running.ask(customer, **asked)
    items = [item for item in found["placements"][0]["items"] if item["offer_id"] == OFFER]
    return {"item": items[0] if items else None, "withdrawn": found["withdrawn"], "revision": found["revision"]}


def price(running: Served, customer: str) -> int | None:
    item = answer(running, customer)["item"]
    return item["price"]["minor"] if item else None


def store(running: Served) -> str:
    """The address of the Valkey that the service started for itself."""
    (command,) = [each for each in children(running.process.pid).values() if "valkey-server" in each]
    return f"unix://{command.partition('unixsocket:')[2].split()[0]}"


def test_from_the_file_to_the_phone_and_stopped_in_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    checked = desk.offing("check", str(desk.campaigns), "--market", str(tmp_path / "market.yaml"))
    assert "37 inside cabins free" in checked

    persona, drawn_in = str(tmp_path / "gold.yaml"), tmp_path / "p"
    looked = desk.offing("preview", str(desk.file), "--persona", persona, "--out", str(drawn_in))
    assert "La tua cabina per stanotte" in looked and "Innenkabine, Abfahrt 21:30" in looked
    drawn = {file.name for file in drawn_in.iterdir()}
    assert {"index.html", "app.home.hero.it-IT.html", "app.home.hero.de.html"} <= drawn
    if browser() is not None:
        assert (drawn_in / "app.home.hero.it-IT.png").read_bytes()[:4] == b"\x89PNG"

    first = desk.publish("the cabin upgrade for tonight")
    with service(desk) as running:
        eventually(lambda: [price(running, each) for each in GOLD] == [4_900] * 12, "gold members see it")
        assert [price(running, each) for each in SILVER] == [None] * 8

        def steps() -> list[str]:
            asked = ("reach", str(desk.file), "--now", format_instant(NOW), "--json")
            found = json.loads(desk.offing(*asked, REDIS_URL=store(running)))
            return [step["text"] for step in found["steps"]]

        eventually(lambda: steps()[-1] == "12", "twelve may be shown it")
        assert steps()[0] == "20"

        desk.replace(RIGHT, TYPED)
        second = desk.publish("a round price")
        eventually(lambda: price(running, GOLD[0]) == 490, "the slip is live")
        shown = answer(running, GOLD[0])["item"]["token"]

        desk.offing("stop", CAMPAIGN, "--reason", "4.90 was typed for 49.00", "--author", "ada")
        eventually(lambda: price(running, GOLD[0]) is None, "it is stopped", patience_s=10)
        after = answer(running, GOLD[0], shown)
        assert (after["item"], after["withdrawn"]) == (None, [shown])
        assert after["revision"].startswith(f"{second['revision']}-"), "the same without what is stopped"

        desk.offing("rollback", first["revision"], "--message", "the fare's own price again", "--author", "ada")
        assert price(running, GOLD[0]) is None, "a stop holds across what is published"
        desk.offing("lift", CAMPAIGN, "--author", "ada")
        eventually(lambda: price(running, GOLD[0]) == 4_900, "and the right price is back")

        told = json.loads(desk.offing("history", "--json"))
        assert [each["message"] for each in told] == [
            "the fare's own price again", "a round price", "the cabin upgrade for tonight",
        ]  # fmt: skip

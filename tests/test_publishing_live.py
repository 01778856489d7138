"""Publishing beside constant traffic: 50 one-file changes, 1,000 campaigns, 4 processes; nothing lost or mixed."""

import http.client
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import msgspec
import pytest

from offers import revisions
from offers.ledger import Ledger
from offers.publications import Draft
from offers.runtime import wall_clock
from streams.ids import CampaignId, RevisionId
from tests.served import Served, eventually, served
from tests.service import CAMPAIGNS

NEWSLETTER = Path("campaigns/islands-newsletter.yaml")
TITLE = "The islands in your inbox"
CAMPAIGN = CampaignId("islands-newsletter")
PHONES = 24
EVERY_S = 0.15
"""Between two requests of a phone: 160 a second together, a third of what two busy cores bear."""
ASKED = {
    "placements": [{"placement": "app.home.hero", "limit": 1}, {"placement": "web.home", "limit": 3}],
    "locale": "en",
}


class Answer(msgspec.Struct, frozen=True):
    """One request: when it was sent and answered, what it said."""

    sent: float
    answered: float
    status: int
    revision: str
    title: str


@dataclass
class Phones:
    """Constant traffic, each phone on a connection of its own."""

    running: Served
    going: bool = True
    answers: list[Answer] = field(default_factory=list)

    def phone(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=20)
        with closing(connection):
            turn = monotonic() + EVERY_S * number / PHONES
            while self.going:
                sleep(max(turn - monotonic(), 0.0))
                turn = max(turn + EVERY_S, monotonic())
                self.answers.append(self.ask(connection, f"c-{number}"))

    def ask(self, connection: http.client.HTTPConnection, customer: str) -> Answer:
        sent = monotonic()
        body = msgspec.json.encode({"customer_id": customer, **ASKED})
        connection.request("POST", "/v1/decisions", body, {**self.running.headers, "content-type": "application/json"})
        response = connection.getresponse()
        said = response.read()
        answered = monotonic()
        if response.status != 200:
            return Answer(sent, answered, response.status, "", said.decode()[:200])
        found = msgspec.json.decode(said)
        shown = found["placements"][0]["items"]
        title = shown[0]["representation"]["title"] if shown else ""
        return Answer(sent, answered, 200, found["revision"], title)


@contextmanager
def traffic(running: Served) -> Iterator[Phones]:
    """Phones that ask from now to the end of the block."""
    phones = Phones(running)
    with ThreadPoolExecutor(PHONES) as threads:
        asking = [threads.submit(phones.phone, number) for number in range(PHONES)]
        try:
            yield phones
        finally:
            phones.going = False
        for each in asking:
            each.result()


class Desk:
    """A folder of so many campaigns, kept and published with ever other words."""

    def __init__(self, root: Path, campaigns: int) -> None:
        self.folder = Path(shutil.copytree(CAMPAIGNS, root / "campaigns"))
        self.artifacts = root / "offing"
        words = (
            (CAMPAIGNS / "campaigns/winery-visit.yaml").read_text().replace("app.home.hero, app.trip.card", "web.home")
        )
        for number in range(campaigns - 4):
            named = words.replace("winery-visit-gallura", f"winery-{number}").replace(
                "id: winery-visit", f"id: w-{number}"
            )
            (self.folder / "campaigns" / f"winery-{number}.yaml").write_text(named)
        self.titles: dict[str, str] = {}
        self.newest: RevisionId | None = None

    def prepare(self, title: str) -> RevisionId:
        """One file changed, kept and checked, as `campaigns publish` does before it tells the ledger."""
        (self.folder / NEWSLETTER).write_text((CAMPAIGNS / NEWSLETTER).read_text().replace(TITLE, title))
        kept = revisions.keep(self.folder, self.artifacts)
        assert revisions.loaded_of(kept).campaigns is not None
        self.titles[kept.name] = title
        return RevisionId(kept.name)

    def publish(self, revision: RevisionId, book: Ledger) -> float:
        """The instant at which the ledger had it."""
        book.publications.publish(Draft(revision, self.newest, "ada", "other words"), wall_clock())
        self.newest = revision
        return monotonic()


def p99_ms(answers: list[Answer]) -> float:
    took = sorted(answer.answered - answer.sent for answer in answers)
    return 1000 * took[int(len(took) * 0.99)]


def active_on(running: Served, revision: str, workers: int) -> bool:
    lines = running.get("/metrics").text.splitlines()
    named = [line for line in lines if line.startswith("offing_active{") and f'revision="{revision}"' in line]
    return sum('process="serve' in line for line in named) == workers


def published_under_traffic(root: Path, campaigns: int, activations: int, workers: int) -> str:
    """One line of what was measured; everything that must hold is asserted."""
    desk = Desk(root, campaigns)
    with closing(Ledger(f"sqlite:///{desk.artifacts / 'ledger.sqlite'}", "offing")) as book:
        desk.artifacts.mkdir()
        book.migrate()
        desk.publish(desk.prepare("Words 0"), book)
        settings = {"CAMPAIGNS_FROM": "ledger", "CAMPAIGNS": str(desk.folder), "WORKERS": str(workers)}
        with served(desk.artifacts, **settings) as running:
            with traffic(running) as calm:
                sleep(20.0)
            told: list[tuple[float, str]] = []
            with traffic(running) as busy:
                for number in range(1, activations + 1):
                    revision = desk.prepare(f"Words {number}")
                    sleep(1.0)
                    told.append((desk.publish(revision, book), revision))
                sleep(2.0)
            eventually(lambda: active_on(running, told[-1][1], workers), "a worker has not followed")
    mixed = [each for each in busy.answers if each.status != 200 or desk.titles[each.revision] != each.title]
    assert mixed == [], "a failed request, or words of one revision under the name of another"
    order = list(desk.titles)
    late = [_latest(busy.answers, at, set(order[: order.index(name)])) - at for at, name in told]
    assert {answer.revision for answer in busy.answers} >= {name for _, name in told}
    return (
        f"{campaigns} campaigns, {workers} processes, {len(busy.answers)} answers: {activations} changes active after "
        f"{1000 * sorted(late)[len(late) // 2]:.0f} ms in the middle, {1000 * max(late):.0f} ms at most; "
        f"p99 {p99_ms(calm.answers):.0f} ms without changes, {p99_ms(busy.answers):.0f} ms with them"
    )


def _latest(answers: list[Answer], at: float, old: set[str]) -> float:
    """When the last request was sent that still got an old revision."""
    return max((answer.sent for answer in answers if answer.revision in old), default=at)


@pytest.mark.prove
def test_50_one_file_changes_go_live_beside_constant_traffic(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("with", published_under_traffic(tmp_path, campaigns=1_000, activations=50, workers=4))


@pytest.mark.prove
def test_a_stop_reaches_every_process_beside_constant_traffic_within_a_second(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    desk = Desk(tmp_path, 1_000)
    with closing(Ledger(f"sqlite:///{desk.artifacts / 'ledger.sqlite'}", "offing")) as book:
        desk.artifacts.mkdir()
        book.migrate()
        desk.publish(desk.prepare("Words 0"), book)
        settings = {"CAMPAIGNS_FROM": "ledger", "CAMPAIGNS": str(desk.folder), "WORKERS": "4"}
        late = []
        with served(desk.artifacts, **settings) as running, traffic(running) as phones:
            for _ in range(5):
                sleep(1.5)
                book.stops.stop(CAMPAIGN, "4.90 for 49.00", "ada", wall_clock())
                stopped = monotonic()
                sleep(1.5)
                book.stops.lift(CAMPAIGN, "ada", wall_clock())
                shown = [each.sent for each in phones.answers if each.title and each.sent < stopped + 1.5]
                late.append(max(shown) - stopped)
    assert {answer.status for answer in phones.answers} == {200}
    assert desk.newest is not None
    for answer in phones.answers:
        assert (answer.title == "") == (answer.revision != desk.newest), "a stopped campaign under the stop's name"
    record_property("stopped", f"after {1000 * max(late):.0f} ms at most, {len(phones.answers)} answers")

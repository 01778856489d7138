"""Models activated, rolled back and broken under constant traffic of 4 processes: how soon every worker follows."""

import http.client
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import msgspec
import pytest

from offers.ledger import Ledger
from offers.models import Change
from offers.runtime import wall_clock
from scoring.model_folder import MODEL
from tests.scoring_world import trained
from tests.served import Served, eventually, served

WORKERS, PHONES, TURNS = 4, 16, 8
ASKED = {"placements": [{"placement": "app.home.hero", "limit": 1}], "locale": "en"}


@dataclass
class Traffic:
    """Phones that ask, each on a connection of its own; (sent, status, model, degraded) of every answer."""

    running: Served
    going: bool = True
    answers: list[tuple[float, int, str, tuple[str, ...]]] = field(default_factory=list)

    def phone(self, number: int) -> None:
        headers = {**self.running.headers, "content-type": "application/json"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=20)) as connection:
            while self.going:
                sent = monotonic()
                body = msgspec.json.encode({"customer_id": f"c-{number}-{sent}", **ASKED})
                connection.request("POST", "/v1/decisions", body, headers)
                answer = connection.getresponse()
                said = msgspec.json.decode(answer.read())
                told = said.get("model", ""), tuple(said.get("degraded", ()))
                self.answers.append((sent, answer.status, *told))
                sleep(0.1)

    def last(self, *models: str) -> float:
        """When the last request was sent that got one of these."""
        return max((sent for sent, _, model, _ in self.answers if model in models), default=0.0)


def active_on(running: Served, model: str) -> bool:
    lines = running.get("/metrics").text.splitlines()
    named = [line for line in lines if line.startswith("offing_active{") and f'model="{model}"' in line]
    return sum('process="serve' in line for line in named) == WORKERS


@pytest.mark.prove
def test_every_worker_follows_within_a_second(record_property: Callable[[str, object], None], tmp_path: Path) -> None:
    folder = tmp_path / "offing"
    first, second = (trained(tmp_path / "made", seed=seed) for seed in (0, 1))
    for each in (first, second):
        shutil.copytree(each, folder / "models" / each.name)
    late: list[float] = []
    with (
        served(folder, WORKERS=str(WORKERS)) as running,
        closing(Ledger(f"sqlite:///{folder / 'ledger.sqlite'}", "offing")) as book,
    ):
        for each in (first, second):
            book.models.publish(each.name, Change("tests", wall_clock()))
        traffic = Traffic(running)
        with ThreadPoolExecutor(PHONES) as threads:
            asking = [threads.submit(traffic.phone, number) for number in range(PHONES)]
            try:
                names = ["prior"]
                for turn in range(TURNS):
                    to = (first, second)[turn % 2].name
                    book.models.activate(to, Change("tests", wall_clock()))
                    at, old = monotonic(), names[-1]
                    sleep(2.5)
                    late.append(traffic.last(old) - at)
                    names.append(to)
                target = book.models.rollback(Change("tests", wall_clock()))
                at = monotonic()
                sleep(2.5)
                late.append(traffic.last(names[-1]) - at)
                eventually(lambda: active_on(running, target), "a worker has not followed")
            finally:
                traffic.going = False
            for phone in asking:
                phone.result()
    assert {status for _, status, _, _ in traffic.answers} == {200}
    assert {degraded for _, _, _, degraded in traffic.answers} == {()}
    record_property(
        "with",
        f"{WORKERS} processes, {len(traffic.answers)} answers: {len(late)} changes of model followed after "
        f"{1000 * sorted(late)[len(late) // 2]:.0f} ms in the middle, {1000 * max(late):.0f} ms at most",
    )
    assert max(late) < 1.0


@pytest.mark.prove
def test_a_model_truncated_under_a_restart_leaves_every_worker_on_the_prior_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "offing"
    model = trained(tmp_path / "made")
    broken = Path(shutil.copytree(model, folder / "models" / model.name))
    (broken / MODEL).write_bytes((broken / MODEL).read_bytes()[:-100])
    with closing(Ledger(f"sqlite:///{folder / 'ledger.sqlite'}", "offing")) as book:
        book.migrate()
        book.models.publish(model.name, Change("tests", 1))
        book.models.activate(model.name, Change("tests", 2))
        with served(folder, WORKERS="2") as running:
            answer = running.ask("c-1")
            assert (answer["model"], answer["degraded"]) == ("prior", ["model_unavailable"])
            assert 'offing_reloads_total{result="refused",what="model"}' in running.get("/metrics").text
            book.models.rollback(Change("tests", 3))
            eventually(lambda: running.ask("c-2")["degraded"] == [], "the prior is what is wanted now")

"""`make coupons`: 10,367 real answers go through the public doors, a model learns from the log, and its AUC is told.

python -m loadtests.coupons [--seed S] [--port P]

The respondents' answers come in as a live service would see them: profiles and consents as events, situations in
decisions, what was taken as outcomes. AUC is of rows that the trees had not seen: for new customers in folds by
respondent, for returning ones in random folds with equal shares of takers.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadtests.coupon_answers import Answer, days_of, read
from loadtests.service import Failed, Service, free_port
from loadtests.world_clock import DAY_MS, HOUR_MS, MINUTE_MS, rfc3339
from loadtests.world_doors import DoorClosed, Doors
from loadtests.world_market import Told, event

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".offing" / "coupons"
EXAMPLE = ROOT / "deploy" / "examples" / "coupons"
DATA = EXAMPLE / "in-vehicle-coupon.csv.gz"
DAYS = 38
"""Over which the answers are spread; the longest block has 34."""
SEEN_AFTER_MS, TAKEN_AFTER_MS = MINUTE_MS, 2 * MINUTE_MS
SCOPES = "decide,events,simulate,admin"
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it. 0: the table is printed; 1: a step failed, and which."""
    console = Console(highlight=False)
    chosen = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        asyncio.run(_learn(console, chosen.seed, chosen.port))
    except (Failed, DoorClosed) as error:
        console.print(f"[bold red]the example failed:[/bold red] {escape(str(error))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make coupons", description="Real coupon answers, through the public doors.")
    parser.add_argument("--seed", type=int, default=1, help="of the days, the trees and the folds (default 1)")
    parser.add_argument("--port", type=int, default=0, help="default: 8080 if it is free, else any free one")
    return parser


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


async def _learn(console: Console, seed: int, port: int) -> None:
    began = time.monotonic()
    answers = read(DATA)
    service = Service(FOLDER, EXAMPLE, free_port(port))
    service.empty()
    with console.status("starting the service"):
        secret = await asyncio.to_thread(service.key, "coupons", SCOPES)
    with service.running():
        console.print(f"[bold]Offing[/bold] serves at {service.url}, with {EXAMPLE.relative_to(ROOT)}")
        end = time.time_ns() // 1_000_000
        async with service.client(secret) as client:
            doors = Doors(client)
            last = await _tell(console, doors, answers, Calendar(seed, end))
            await service.in_the_lake(client, last)
        with console.status("training, and judging on people and answers it has not seen"):
            command = ("train", "--activate", "always", "--now", rfc3339(end), "--seed", str(seed))
            trained = await asyncio.to_thread(service.json, *command)
            await asyncio.to_thread(service.wait_for_model, trained["model"])
    _show(console, trained["card"], seed)
    console.print(f"[dim]{time.monotonic() - began:.0f} s in all[/dim]")


class Calendar:
    """When an answer was given, in simulated time: on one of the last DAYS days, at the hour the row says (UTC)."""

    def __init__(self, seed: int, end: int) -> None:
        self.seed = seed
        self.first = (end // DAY_MS - DAYS - 1) * DAY_MS

    def hours(self, answers: Sequence[Answer]) -> list[tuple[int, list[Answer]]]:
        """(instant, the answers given then), in order of time; nobody answers twice in an hour."""
        at: dict[int, list[Answer]] = {}
        for day, answer in days_of(answers, self.seed, DAYS):
            at.setdefault(self.first + day * DAY_MS + answer.hour * HOUR_MS, []).append(answer)
        return sorted(at.items(), key=lambda entry: entry[0])


async def _tell(console: Console, doors: Doors, answers: Sequence[Answer], calendar: Calendar) -> str:
    """Everything through the doors; the last decision's id."""
    profiles = {answer.respondent: answer.profile for answer in answers}
    await doors.send_events(list(_people(profiles, calendar.first)), calendar.first)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f}"))
    last = ""
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("answers", total=len(answers))
        for at, given in calendar.hours(answers):
            decided = await asyncio.gather(*(_ask(doors, answer, at) for answer in given))
            outcomes = [
                told for (_, token), answer in zip(decided, given, strict=True) for told in _became(answer, token, at)
            ]
            await doors.send_outcomes(outcomes, at + TAKEN_AFTER_MS)
            progress.advance(task, len(given))
            last = decided[-1][0]
    if doors.traffic.errors:
        raise Failed(f"the doors refused: {dict(doors.traffic.errors)}")
    return last


def _people(profiles: Mapping[str, Mapping[str, object]], at: int) -> Iterable[Told]:
    """Who answers, and that they agreed to it."""
    for respondent, profile in profiles.items():
        consent: Told = {"purposes": {"personalised_offers": True}}
        yield event("survey", f"{respondent}-consent", "customer.consent", (respondent, at), consent)
        said: Told = {"attributes": dict(profile)}
        yield event("survey", f"{respondent}-profile", "customer.profile", (respondent, at), said)


async def _ask(doors: Doors, answer: Answer, at: int) -> tuple[str, str]:
    """(decision id, token) of the one coupon that the row is about. Raises Failed if another one is shown."""
    wanted = {
        "request_id": f"{answer.respondent}-{at // HOUR_MS}",
        "customer_id": answer.respondent,
        "locale": "en-US",
        "placements": [{"placement": answer.placement, "limit": 1}],
        "context": dict(answer.situation),
    }
    decision: dict[str, Any] = await doors.decide(wanted, at)
    items = decision["placements"][0]["items"]
    if [item["offer_id"] for item in items] != [answer.coupon]:
        raise Failed(f"{answer.placement} should show {answer.coupon}; it showed {items}")
    return decision["decision_id"], items[0]["token"]


def _became(answer: Answer, token: str, at: int) -> Iterable[Told]:
    yield {"token": token, "outcome": "exposed", "at": rfc3339(at + SEEN_AFTER_MS)}
    if answer.taken:
        yield {"token": token, "outcome": "clicked", "at": rfc3339(at + TAKEN_AFTER_MS)}


def _show(console: Console, card: Mapping[str, Any], seed: int) -> None:
    table = Table("held out", "rows", "taken", "AUC", "95 %", "log loss", "ECE")
    for who, judged in card["metrics"].items():
        low, high = judged["auc_interval"]
        taken = f"{judged['positives'] / judged['rows']:.1%}"
        numbers = (
            f"{judged['auc']:.3f}",
            f"{low:.3f}-{high:.3f}",
            f"{judged['log_loss']:.4f}",
            f"{judged['ece']:.3f}",
        )
        table.add_row(who, f"{judged['rows']:,}", taken, *numbers)
    console.print(table)
    console.print(
        f"{card['trees']} trees, {card['calibration']} calibration, {card['customers']} respondents, "
        f"{card['offers']} coupons; again: make coupons ARGS='--seed {seed}'"
    )


if __name__ == "__main__":
    sys.exit(main())

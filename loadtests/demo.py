"""`make demo`: the whole line on one machine, from an empty folder to offers on a phone, checked as it is shown.

python -m loadtests.demo [--once] [--customers N] [--port P] [--seed S]
"""

import argparse
import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import httpx
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from loadtests.demo_scenes import UPGRADE, no_upgrade, upgrade_costs
from loadtests.demo_screen import curl_of, show_model, show_reason, show_report, show_scene
from loadtests.demo_stage import FARES, GIULIA, LOWER_FARE, Stage
from loadtests.service import Failed, Service, free_port
from loadtests.world import Progress as WorldProgress
from loadtests.world import World, WorldReport
from loadtests.world_clock import local, rfc3339
from loadtests.world_doors import DoorClosed

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".offing" / "demo"
CAMPAIGNS = ROOT / "deploy" / "campaigns"
SCOPES = "decide,events,simulate,admin"
CUSTOMERS = 2_000
TOKEN_TTL = "12h"
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it. 0: everything that was shown held; 1: a step failed, and which; 130: interrupted before the end."""
    console = Console(highlight=False, soft_wrap=False)
    chosen = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    held = False
    try:
        began = time.monotonic()
        service = Service(FOLDER, CAMPAIGNS, free_port(chosen.port))
        service.empty()
        with console.status("making a key"):
            secret = service.key("demo", SCOPES)
        with _served(console, service):
            asyncio.run(_play(console, service, secret, chosen))
            held = True
            console.print(f"[bold green]everything shown held[/bold green], {time.monotonic() - began:.0f} s in all")
            if not chosen.once:
                _linger(console, service)
    except Failed as error:
        console.print(f"[bold red]the demo failed:[/bold red] {escape(str(error))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 0 if held else INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make demo", description="Offing from end to end, embedded, in under 3 minutes."
    )
    parser.add_argument("--once", action="store_true", help="exit when everything was shown, do not keep serving")
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help=f"how many people (default {CUSTOMERS})")
    parser.add_argument("--port", type=int, default=0, help="default: 8080 if it is free, else any free one")
    parser.add_argument("--seed", type=int, default=1, help="of the world (default 1)")
    return parser


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def _served(console: Console, service: Service) -> Iterator[None]:
    with console.status("starting the service") as status, service.running():
        status.stop()
        console.print(f"[bold]Offing[/bold] serves at {service.url}, with the campaigns of {_short(service.campaigns)}")
        yield


async def _play(console: Console, service: Service, secret: str, chosen: argparse.Namespace) -> None:
    try:
        await _acts(console, service, secret, chosen)
    except DoorClosed as error:
        raise Failed(f"{error}; {service.said()}") from error


async def _acts(console: Console, service: Service, secret: str, chosen: argparse.Namespace) -> None:
    world = World(chosen.seed, chosen.customers, end=_wall_clock())
    async with service.client(secret) as client:
        report = await _live(console, client, world)
        show_report(console, report)
        with console.status("waiting for the last decision to reach the lake"):
            await service.in_the_lake(client, report.last_decision)
        await asyncio.to_thread(_train, console, service, report)
        stage = Stage(client, max(_wall_clock(), report.end))
        await stage.set_up()
        await _show(console, stage)
        await _show_curl(console, service, stage)


async def _live(console: Console, client: httpx.AsyncClient, world: World) -> WorldReport:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("the world lives", total=1.0, told="")

        def show(step: WorldProgress) -> None:
            day = f"{local(step.at, 'Europe/Rome'):%d %b %H:%M}"
            told = f"{day}  {step.decisions:,} decisions, {step.clicks:,} opened"
            progress.update(task, completed=step.share, told=told)

        report = await world.run(client, show)
    if report.errors or report.events["rejected"]:
        raise Failed(f"the world met errors: {dict(report.errors)}")
    if not report.outcomes["clicked"]:
        raise Failed("nobody opened an offer, so there is nothing to learn from")
    return report


def _train(console: Console, service: Service, report: WorldReport) -> None:
    began = time.monotonic()
    with console.status("training a model from what was logged"):
        trained = service.json("train", "--activate", "always", "--now", rfc3339(report.end))
        service.wait_for_model(trained["model"])
    show_model(console, trained["card"], time.monotonic() - began)
    console.print(f"the running service scores with {trained['model']}; nothing was restarted")


async def _show(console: Console, stage: Stage) -> None:
    departure = f"{local(stage.sailing.departure, 'Europe/Rome'):%H:%M}"
    console.rule(f"Giulia, Gold, a seat on Livorno-Olbia at {departure}")
    usual, lower = upgrade_costs(FARES["cabin_inside"]), upgrade_costs(LOWER_FARE)
    before = await stage.in_livorno("Giulia in Livorno", usual)
    show_scene(console, before, "the cabin comes first")
    show_scene(console, await stage.on_board(), "restaurant, spa and shop; no cabin is sold at sea")
    show_scene(console, await stage.in_olbia(), "what is near, and nothing of the ship")
    after = await stage.fare_falls(lower)
    show_scene(console, after, f"{_euros(before.price(UPGRADE))} became {_euros(after.price(UPGRADE))}")
    show_scene(console, await stage.cabins_sell_out(no_upgrade), "the upgrade is gone")
    console.rule("Jonas, two children, a crossing in three days")
    show_scene(console, await stage.on_a_tablet(), "four wide cards, in German")
    console.rule("Marco, Silver, on Giulia's sailing")
    await stage.cabins_come_back(lower)
    refused, reason, granted = await stage.not_shown()
    show_scene(console, refused)
    show_reason(console, UPGRADE, reason)
    show_scene(console, granted, "that one change, and it is offered")


async def _show_curl(console: Console, service: Service, stage: Stage) -> None:
    """Ask as a phone would, with the customer's own token; what is printed is what was tried."""
    token = service.command("tokens", "mint", "--customer", GIULIA, "--ttl", TOKEN_TTL).strip()
    body = stage.giulia_at_port().phone_body()
    command = curl_of(service.url, token, body)
    said = await (asyncio.to_thread(_pasted, command) if shutil.which("curl") else _sent(service.client(token), body))
    answer = json.loads(said)
    if answer["placements"][0]["items"][0]["offer_id"] != UPGRADE:
        raise Failed(f"the printed curl should be answered with the upgrade; the answer was {str(answer)[:500]}")
    console.rule("Try it")
    console.print(f"[bold]{service.url}/docs[/bold] lists the routes. As Giulia's phone:\n")
    console.print(escape(command), soft_wrap=True)
    console.print()


def _pasted(command: str) -> str:
    """What the command prints in a shell. Raises Failed."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise Failed(f"the printed curl failed ({done.returncode}): {done.stderr.strip()}")
    return done.stdout


async def _sent(client: httpx.AsyncClient, body: Mapping[str, Any]) -> str:
    """The same request where curl is not installed."""
    async with client:
        return (await client.post("/v1/decisions", json=body)).text


def _linger(console: Console, service: Service) -> None:
    console.print(f"serving at {service.url}; Ctrl-C stops it")
    while service.ready() is not None:
        time.sleep(1.0)
    raise Failed(f"the service ended; see {service.log}")


def _euros(minor: int | None) -> str:
    return "nothing" if minor is None else f"{minor / 100:.2f} EUR"


def _short(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    sys.exit(main())

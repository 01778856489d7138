"""`make loadtest`: a target, a crowd, Locust against it, a verdict, and a page.

python -m loadtests.load.command [--shape full|steady|ramp|spike] [--rate N] [--seconds S] [--real | --host URL --key K]

Exit code 0: passed; 1: failed; 2: invalid, or it could not be run at all.
"""

import argparse
import contextlib
import importlib.metadata
import os
import platform
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import msgspec
from rich.console import Console
from rich.markup import escape

from loadtests.load import budget_file, campaign_folder, permission, plan
from loadtests.load.budget import Budget
from loadtests.load.crowd import crowd
from loadtests.load.embedded import embedded
from loadtests.load.introduce import introduce
from loadtests.load.measured import Measured
from loadtests.load.page import page
from loadtests.load.real import real
from loadtests.load.report import document
from loadtests.load.running import Running
from loadtests.load.shapes import SHAPES, USUAL_STEADY_S, seconds_of, shape
from loadtests.load.summary import show
from loadtests.load.verdict import Outcome, judge
from loadtests.service import Failed
from streams.errors import OffingError

ROOT = Path(__file__).parent.parent.parent
OUTPUT = ROOT / ".offing" / "loadtest"
CAMPAIGNS = ROOT / "deploy" / "campaigns"
BUDGET = ROOT / "loadtests" / "budget.yaml"
LOCUSTFILE = ROOT / "loadtests" / "locustfile.py"
CUSTOMERS = 6_000
RATE = 120.0
SPARE_S = 60.0
"""Beyond its own time, so long until a generator that does not end is stopped."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it."""
    console = Console(highlight=False, soft_wrap=True)
    chosen = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        outcome = _run(console, chosen)
    except (OffingError, Failed) as error:
        code = f"{error.code} " if isinstance(error, OffingError) else ""
        console.print(f"[bold red]the load test could not be run:[/bold red] {escape(code + str(error))}")
        return int(Outcome.INVALID)
    except KeyboardInterrupt:
        console.print("stopped: nothing was judged")
        return int(Outcome.INVALID)
    return int(outcome)


def _run(console: Console, chosen: argparse.Namespace) -> Outcome:
    budget = budget_file.read(chosen.budget)
    stages = shape(chosen.shape, chosen.rate, chosen.seconds)
    facts = campaign_folder.read(chosen.campaigns)
    chosen.output.mkdir(parents=True, exist_ok=True)
    with _target(console, chosen) as running:
        ready = permission.ask(running.url, chosen.remote)
        run = f"l{uuid.uuid4().hex[:8]}"
        people = crowd(chosen.seed, chosen.customers, time.time_ns() // 1_000_000)
        told = introduce(running.url, running.key, people, run)
        console.print(f"{chosen.customers:,} customers introduced with {told:,} events")
        running.settle()
        whole = plan.Plan(
            url=running.url,
            run=run,
            seed=chosen.seed,
            now=people.now,
            customers=chosen.customers,
            stages=stages,
            budget=budget,
            facts=facts,
            measured=str(chosen.output / "measured.json"),
            generators=chosen.generators,
            processes=running.processes,
        )
        console.print(f"load: shape {chosen.shape}, {chosen.rate:g}/s, {seconds_of(stages):.0f} s at most")
        measured = _generate(whole, running.key, chosen.output)
    return _told(console, chosen, measured, budget, {"target": {"url": running.url, "what": running.what, **ready}})


@contextlib.contextmanager
def _target(console: Console, chosen: argparse.Namespace) -> Iterator[Running]:
    """The one named, else one of our own. Raises Failed."""
    if chosen.host:
        if not chosen.key:
            raise Failed("--host needs --key: an API key of that service with the scopes decide and events")
        yield Running(chosen.host, chosen.key, "named with --host")
        return
    start, log = real if chosen.real else embedded, chosen.output / "serve.log"
    with start(chosen.campaigns, chosen.seed, history=not chosen.no_past, log=log, say=console.print) as running:
        yield running


def _generate(whole: plan.Plan, key: str, output: Path) -> Measured:
    """Run Locust to its end. Raises Failed if it measured nothing."""
    path = output / "plan.json"
    measured = Path(whole.measured)
    measured.unlink(missing_ok=True)
    plan.write(whole, path)
    ours = ("LOCUST_", "LOADTEST_", "OFFING_")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
        plan.PLAN: str(path),
        plan.KEY: key,
        "PYTHONPATH": str(ROOT),
        "GEVENT_BACKEND": "select",  # epoll's timers are whole milliseconds: requests left .7 ms late, here .2
    }
    call = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
    call += ["--loglevel", "WARNING", "--exit-code-on-error", "0"]
    if whole.generators > 1:
        call += ["--processes", str(whole.generators)]
    log = output / "locust.log"
    with log.open("wb") as out:
        child = subprocess.Popen(call, env=environment, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        try:
            child.wait(seconds_of(whole.stages) + SPARE_S)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"the generator did not end; see {log}") from error
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
    if not measured.exists():
        raise Failed(f"the generator ended with {child.returncode} and measured nothing; see {log}")
    return msgspec.json.decode(measured.read_bytes(), type=Measured)


def _told(
    console: Console, chosen: argparse.Namespace, measured: Measured, budget: Budget, about: dict[str, Any]
) -> Outcome:
    verdict = judge(measured, budget, chosen.generators)
    run = {
        **about,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "shape": chosen.shape,
        "rate": chosen.rate,
        "seed": chosen.seed,
        "customers": chosen.customers,
        "generators": chosen.generators,
        "cores": os.cpu_count(),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "locust": importlib.metadata.version("locust"),
    }
    found = document(verdict, measured, budget, run)
    (chosen.output / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    (chosen.output / "report.html").write_text(page(found), encoding="utf-8")
    show(console, found, chosen.output)
    return verdict.outcome


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make loadtest", description="The world's traffic, a budget, a verdict.")
    parser.add_argument("--shape", choices=tuple(SHAPES), default="full", help="default: steady, then up to the knee")
    parser.add_argument("--rate", type=float, default=RATE, help=f"requests a second (default {RATE:g})")
    parser.add_argument("--seconds", type=float, default=USUAL_STEADY_S, help="of the judged part")
    parser.add_argument("--host", default="", help="a running service, http://127.0.0.1:8080; default: one of our own")
    parser.add_argument("--key", default=os.environ.get(plan.KEY, ""), help="its API key, or LOADTEST_KEY")
    parser.add_argument("--real", action="store_true", help="one of our own on Kafka, Valkey and PostgreSQL")
    parser.add_argument("--remote", help="the one host beyond this machine that is really meant")
    parser.add_argument("--campaigns", type=Path, default=CAMPAIGNS, help="the folder that the target serves")
    parser.add_argument("--budget", type=Path, default=BUDGET, help="default: loadtests/budget.yaml")
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help=f"default {CUSTOMERS}")
    parser.add_argument("--generators", type=int, default=1, help="processes that make the load (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the crowd and of everything it does (default 1)")
    parser.add_argument("--no-past", action="store_true", help="no past and no model: the declared prior scores")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: .offing/loadtest")
    return parser


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

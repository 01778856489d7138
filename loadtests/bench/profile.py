"""Where a decision's time goes: `python -m loadtests.bench.profile`.

One process, no network: a Runtime with a real Valkey, the ASGI app called directly with N requests of the reference
decision (1,000 live offers, 100 scored, three items), each of another customer. Prints CPU per request, the service's
own seconds by stage, the pure steps timed alone, and what cProfile finds. `--cached` asks the same hundred customers;
`--live` and `--crowd` take another catalog or crowd.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import time
from collections.abc import Callable, MutableMapping, Sequence
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import uvloop
from fastapi import FastAPI
from prometheus_client import REGISTRY

from loadtests.bench import model
from loadtests.bench.customers import CROWDS, DENSE_CROWD, Crowd, question
from loadtests.bench.stage import Stage, forget_decisions, now, prepared, store_profiles
from offers import arbitration, capping, eligibility, fallback, shortlist
from offers.api.app import application
from offers.candidates import Candidates
from offers.decide import decide, record
from offers.engine import Engine
from offers.proposition import canonical_bytes
from offers.representation import RenderContext, render
from offers.runtime import Runtime
from offers.situation import situate
from streams import telemetry
from streams.embedded_valkey import EmbeddedValkey
from streams.market import Market
from streams.record import encode

WARM = 300
STEP_PEOPLE = 100
STEP_ROUNDS = 5
TOP = 45
PATH = "/v1/decisions"
NOT_DEGRADED = b'"degraded":[]'


def main() -> None:
    """Parse, prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_500)
    parser.add_argument("--live", type=int, default=1_000, help="live offers in the catalog")
    parser.add_argument("--crowd", default="silver", choices=(*CROWDS, "dense"))
    parser.add_argument("--cached", action="store_true")
    parser.add_argument("--sort", default="tottime", choices=("tottime", "cumtime"))
    chosen = parser.parse_args()
    crowd = DENSE_CROWD if chosen.crowd == "dense" else CROWDS[chosen.crowd]
    with TemporaryDirectory(prefix="ob-", dir="/tmp") as folder:
        valkey = EmbeddedValkey(Path(folder))
        url = valkey.start()
        try:
            stage = prepared(chosen.live, url)
            uvloop.run(_profiled(stage, crowd, chosen))
        finally:
            valkey.stop()


async def _profiled(stage: Stage, crowd: Crowd, chosen: argparse.Namespace) -> None:
    app = application(stage.settings)
    async with app.router.lifespan_context(app):
        running: Runtime = app.state.runtime
        store_profiles([stage], running.engine().catalog.attributes, [(crowd, chosen.requests + WARM)])
        await asyncio.wait_for(asyncio.to_thread(running.tail.ready.wait), 60.0)
        warm = [request(stage, crowd, chosen.requests + number, 0) for number in range(WARM)]
        await ask_all(app, warm)
        engine = running.engine()
        print(f"{chosen.live} live offers, crowd {crowd.name}, model {engine.propensity.form}")
        people = range(chosen.requests) if not chosen.cached else [number % 100 for number in range(chosen.requests)]
        await _say_cost(app, [request(stage, crowd, number, turn) for turn, number in enumerate(people)])
        if not chosen.cached:
            forget_decisions(stage)
            _say_steps(engine, running.tail.market, crowd)
        again = [request(stage, crowd, number, turn + 5_000) for turn, number in enumerate(people)]
        await _say_profile(app, again, chosen.sort)


Sent = tuple[dict[str, Any], bytes]
"""An ASGI scope and a body."""


def request(stage: Stage, crowd: Crowd, number: int, turn: int) -> Sent:
    """One decision asked for."""
    body = msgspec.json.encode(question(crowd, number, turn))
    headers = [
        (b"host", b"127.0.0.1"),
        (b"authorization", f"Bearer {stage.secret}".encode()),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": PATH, "raw_path": PATH.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {},
    }  # fmt: skip
    return scope, body


async def ask_all(app: FastAPI, requests: Sequence[Sent]) -> None:
    """Ask one after the other. Raises RuntimeError for an answer that is none, or that had to do without something."""
    for scope, body in requests:
        status, answer = await _ask(app, {**scope, "state": {}}, body)
        if status != 200 or NOT_DEGRADED not in answer:
            raise RuntimeError(f"{status}: {answer[:300]!r}")


async def _ask(app: FastAPI, scope: dict[str, Any], body: bytes) -> tuple[int, bytes]:
    parts: list[bytes] = []
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, b"".join(parts)


async def _say_cost(app: FastAPI, requests: Sequence[Sent]) -> None:
    """CPU and time per request, and what the service itself says of its stages."""
    before = _stages()
    gc.collect()
    started, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
    await ask_all(app, requests)
    count = len(requests)
    print(f"{count} requests, one after the other, per request:")
    print(f"  {(time.perf_counter() - started) / count * 1e6:8.0f} us on the clock")
    print(f"  {(time.process_time() - cpu) / count * 1e6:8.0f} us of CPU, all threads")
    print(f"  {(time.thread_time() - own) / count * 1e6:8.0f} us of CPU, the event loop")
    print("the service's own stages (offing_stage_seconds), us per request:")
    for name, (number, seconds) in _stages().items():
        times, spent = number - before[name][0], seconds - before[name][1]
        print(f"  {spent / count * 1e6:8.0f} {name} ({times:.0f} times)")


def _stages() -> dict[str, tuple[float, float]]:
    """Stage -> (how often, seconds)."""

    def sample(name: str, stage: str) -> float:
        return REGISTRY.get_sample_value(f"offing_stage_seconds_{name}", {"stage": stage}) or 0.0

    return {stage: (sample("count", stage), sample("sum", stage)) for stage in telemetry.STAGES}


def _say_steps(engine: Engine, market: Market, crowd: Crowd) -> None:
    """The pure steps, one after the other on the same customers; us of CPU per decision."""
    at, catalog, propensity = now(), engine.catalog, engine.propensity
    every = [model.situation_of(crowd, number, catalog, market, at) for number in range(STEP_PEOPLE)]
    inputs = [situate(found, catalog) for found in every]
    rules = (eligibility.rule_out, capping.rule_out)
    allowed = [shortlist.take(Candidates(catalog, each), rules, each) for each in inputs]
    scored = [arbitration.score(kept, propensity, each) for kept, each in zip(allowed, inputs, strict=True)]
    slates = [arbitration.fill(catalog.asked(each), s, each) for s, each in zip(scored, inputs, strict=True)]
    decided = [decide(each, catalog, propensity) for each in inputs]
    counts = sorted(len(kept.kept) for kept in allowed)
    print(f"steps alone, us of CPU ({counts[0]} to {counts[-1]} scored; {dict(decided[0].ruled_out)}):")

    def filled(n: int) -> object:
        return fallback.complete(slates[n], catalog.fallbacks, inputs[n], catalog.places)

    steps: dict[str, Callable[[int], object]] = {
        "situate": lambda n: situate(every[n], catalog),
        "  of it: survivors": lambda n: catalog.survivors(inputs[n]),
        "candidates": lambda n: Candidates(catalog, inputs[n]),
        "take": lambda n: shortlist.take(Candidates(catalog, inputs[n]), rules, inputs[n]),
        "score": lambda n: arbitration.score(allowed[n], propensity, inputs[n]),
        "fill": lambda n: arbitration.fill(catalog.asked(inputs[n]), scored[n], inputs[n]),
        "complete": filled,
        "render": lambda n: render(slates[n], RenderContext(inputs[n], catalog.placements, catalog.attributes)),
        "decide (all of these)": lambda n: decide(inputs[n], catalog, propensity),
        "record and encode": lambda n: encode(record(inputs[n], decided[n], propensity.features)),
        "canonical bytes": lambda n: canonical_bytes(decided[n]),
    }
    for name, step in steps.items():
        best = min(_cpu_of(step) for _ in range(STEP_ROUNDS))
        print(f"  {best * 1e6:8.1f} {name}")


def _cpu_of(step: Callable[[int], object]) -> float:
    """Seconds of CPU of one call, over all customers: nothing is asked of the same one twice in a row."""
    started = time.process_time()
    for number in range(STEP_PEOPLE):
        step(number)
    return (time.process_time() - started) / STEP_PEOPLE


async def _say_profile(app: FastAPI, requests: Sequence[Sent], sort: str) -> None:
    """cProfile's view: it makes small functions look dearer than they are."""
    profile = cProfile.Profile()
    profile.enable()
    await ask_all(app, requests)
    profile.disable()
    said = StringIO()
    pstats.Stats(profile, stream=said).sort_stats(sort).print_stats(TOP)
    lines = said.getvalue().replace(f"{Path.cwd()}/", "").splitlines()
    print("\n".join(line for line in lines if line.strip()))


if __name__ == "__main__":
    main()

"""What else is kept of a customer in Redis, for minutes: cached decisions, answered requests, events not folded yet."""

from statistics import fmean

import httpx

from loadtests.bench.customers import REFERENCE
from loadtests.bench.runs import Asking, Target
from loadtests.bench.scenes import Bench
from loadtests.bench.stage import Stage, keys_of, now
from streams.instant import format_instant
from streams.valkey import connect

PEOPLE = 200
KINDS = ("decision", "request", "pending")


def kept_bytes(bench: Bench, stage: Stage, offing: Target) -> None:
    """MEMORY USAGE of each kind of key, after a decision and an event of each of some customers."""
    bench.runner.once(offing, Asking(REFERENCE, PEOPLE, PEOPLE))
    _tell(stage, offing)
    with connect(stage.settings.redis_url, "bench") as client:
        for kind in KINDS:
            found = keys_of(stage, kind)
            held = fmean(int(client.memory_usage(key) or 0) for key in found)
            bench.found.values[f"redis_bytes_of_a_{kind}"] = held
        client.unlink(*keys_of(stage, "pending"))
    offing.forget()


def _tell(stage: Stage, offing: Target) -> None:
    """One event of each customer; nobody folds it here, so it stays pending."""
    events = [
        {
            "specversion": "1.0", "id": f"kept-{number}", "source": "bench", "type": "customer.preferences",
            "subject": REFERENCE.customer(number), "time": format_instant(now()),
            "data": {"attributes": {"newsletter": True}},
        }
        for number in range(PEOPLE)
    ]  # fmt: skip
    url = f"http://127.0.0.1:{offing.process.port}/v1/events"
    headers = {"authorization": f"Bearer {stage.secret}"}
    httpx.post(url, json=events, headers=headers, timeout=30.0).raise_for_status()

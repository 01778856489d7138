"""What the generator's processes are told: one file, and the key in their environment."""

import os
from pathlib import Path

import msgspec

from loadtests.load.budget import Budget
from loadtests.load.campaign_facts import OfferFacts
from loadtests.load.shapes import Stage

PLAN = "LOADTEST_PLAN"
KEY = "LOADTEST_KEY"


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run."""

    url: str
    run: str
    """Its name, in the ids of its events."""
    seed: int
    now: int
    """The instant for which the crowd was made, ms."""
    customers: int
    stages: tuple[Stage, ...]
    budget: Budget
    facts: dict[str, OfferFacts]
    measured: str
    """Path of the file that the generator writes."""
    connections: int = 96
    generators: int = 1
    processes: dict[str, int] = {}
    """Name -> process id, of the target's processes on this host."""


def write(plan: Plan, path: Path) -> None:
    """For the generator to read."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(plan)))


def read() -> tuple[Plan, str]:
    """(plan, key) of this process's environment. Raises LookupError if there is none: this is no load run."""
    path, key = os.environ.get(PLAN), os.environ.get(KEY)
    if not path or not key:
        raise LookupError(f"{PLAN} and {KEY} are not set; run `make loadtest`, which starts Locust with both")
    return msgspec.json.decode(Path(path).read_bytes(), type=Plan), key

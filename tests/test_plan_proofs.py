"""`campaigns plan` at its size: 100,000 contexts, two processes, an interrupt. All of it is `make prove`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from offers import plan
from offers.contexts import Chunk
from offers.plan import Asked
from offers.plan_page import markdown, page
from offers.plan_report import report
from offers.population import Tally
from tests.docs_tables import ROOT
from tests.golden_case import DEPLOYMENT
from tests.planning import POPULATION, edit, example, people, swapped
from tests.served import eventually


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people(tmp_path_factory.mktemp("contexts") / "contexts.jsonl", POPULATION)


@pytest.fixture
def head(tmp_path: Path) -> Path:
    return example(tmp_path / "head")


@pytest.mark.prove
def test_two_processes_count_what_one_counts(head: Path, population: Path) -> None:
    edit(head, "policies.yaml", swapped("at_most: 80", "at_most: 1"))
    asked = Asked(str(DEPLOYMENT), str(head), Path(), by="customer.loyalty_tier")
    prepared = plan.prepare(asked)
    raw = tuple(population.read_bytes().splitlines(keepends=True))
    pieces = [Chunk(raw[at : at + 40], str(population), at + 1) for at in range(0, POPULATION, 40)]
    seen: list[int] = []
    together = plan.of_chunks(prepared, asked, iter(pieces), seen.append)
    alone = Tally()
    for piece in pieces:
        alone.merge(plan.of_chunks(prepared, asked, [piece]))
    assert seen == [40] * 4
    assert report(prepared, together) == report(prepared, alone)
    assert list(page(report(prepared, together))) == list(page(report(prepared, alone)))
    assert "".join(markdown(report(prepared, alone)))


MANY = 100_000


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20,000 people who look five times in a day."""
    return people(tmp_path_factory.mktemp("crowd") / "contexts.jsonl", MANY)


WEIGHED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""
"""Runs a command and says what the largest of its processes held, in KiB."""


def plan_command(head: Path, contexts_file: Path) -> list[str]:
    words = ["campaigns", "plan", "--base", str(DEPLOYMENT), "--head", str(head), "--contexts", str(contexts_file)]
    return [sys.executable, "-m", "offers.cli", *words, "--limit", str(MANY), "--json"]


@pytest.mark.prove
def test_one_campaign_changed_and_a_hundred_thousand_decisions_made_again(
    head: Path, crowd: Path, record_property: Callable[[str, object], None]
) -> None:
    edit(head, "fares/winter-escape.yaml", swapped("starting_propensity: ", "lever: 1.5\n  starting_propensity: "))
    begun = monotonic()
    done = subprocess.run(plan_command(head, crowd), capture_output=True, check=True, cwd=ROOT)
    record_property("took", f"{monotonic() - begun:.0f} s")
    found = json.loads(done.stdout)["population"]
    assert (found["decisions"], found["customers"]) == (MANY, MANY // 5)
    assert 0 < found["changed"] < found["decided_twice"] < MANY
    assert found["value_difference"]["low"] <= found["value_difference"]["mean"] <= found["value_difference"]["high"]


@pytest.mark.prove
def test_a_policy_changed_and_a_hundred_thousand_decisions_made_twice(
    head: Path, crowd: Path, record_property: Callable[[str, object], None]
) -> None:
    edit(head, "policies.yaml", swapped("at_most: 80", "at_most: 3"))
    begun = monotonic()
    done = subprocess.run([sys.executable, "-c", WEIGHED, *plan_command(head, crowd)], capture_output=True, cwd=ROOT)
    took_s = monotonic() - begun
    found = json.loads(done.stdout)["population"]
    assert found["decided_twice"] == found["decisions"] == MANY
    largest_mb = int(done.stderr.split()[-1]) // 1024
    record_property("took", f"{took_s:.0f} s, its largest process {largest_mb} MB")
    assert largest_mb < 600


@pytest.mark.prove
def test_an_interrupted_plan_ends_with_all_its_processes(head: Path, crowd: Path) -> None:
    edit(head, "policies.yaml", swapped("at_most: 80", "at_most: 3"))
    planning = subprocess.Popen(
        plan_command(head, crowd), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, start_new_session=True
    )
    children = Path(f"/proc/{planning.pid}/task/{planning.pid}/children")
    eventually(lambda: len(children.read_text().split()) >= 3, "its processes did not start")
    started = [Path(f"/proc/{child}") for child in children.read_text().split()]
    os.killpg(planning.pid, signal.SIGINT)
    out, errors = planning.communicate(timeout=60)
    assert (planning.returncode, out) == (130, b"")
    assert errors.decode() == "interrupted; nothing is told of a part\n"
    eventually(lambda: not any(each.exists() for each in started), "a process outlived its plan")

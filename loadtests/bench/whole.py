"""The whole bench, in order: which world is prepared, which services run beside each other, what is asked of them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from rich.console import Console

from loadtests.bench import by_hand, parts
from loadtests.bench.opened import Ground, floor, handrolled, offing
from loadtests.bench.runs import Runner, Target
from loadtests.bench.scenes import Bench, Found
from loadtests.bench.stage import Stage, prepared, store_profiles
from streams.attribute_file import load_attributes
from streams.settings import SETTINGS

LIMIT = "OFFING_CANDIDATES"
"""How many candidates a decision scores: three quarters in order of prior value, a quarter drawn."""
SCORED = 100


def measured(ground: Ground, url: str, console: Console, *, quick: bool) -> Found:
    """Everything, or with `quick` what is needed to work on the hot path. `url`: a Valkey."""
    bench = Bench(Runner(ground.folder, ground.on.rest), console, Found())
    with ExitStack() as held:
        bench.say("preparing 1,000 live offers, the model, the customers")
        stage = _peopled(1_000, url)
        base = held.enter_context(floor(ground))
        thousand = held.enter_context(offing(ground, stage))
        parts.warm(bench, base, thousand)
        parts.reference(bench, base, thousand, 40.0 if quick else 75.0)
        if not quick:
            parts.dense(bench, 1_000, thousand, 10.0)
            _beside_hand(bench, ground, stage, thousand, 25.0)
    if not quick:
        _ten_thousand(bench, ground, url)
        _hundred_thousand(bench, ground, url)
    return bench.found


def _peopled(live: int, url: str) -> Stage:
    """A stage with everybody in it, as Offing keeps them and as the hand-rolled service does."""
    stage = prepared(live, url)
    attributes = load_attributes(stage.settings.campaigns / "attributes.yaml")
    store_profiles([stage], attributes, parts.PEOPLE.items())
    by_hand.store(stage, attributes, parts.PEOPLE.items())
    return stage


def _beside_hand(bench: Bench, ground: Ground, stage: Stage, of_offing: Target, seconds: float) -> None:
    live = int(stage.settings.namespace.rpartition("-")[2])
    with handrolled(ground, stage) as other:
        parts.agree(bench, of_offing, other)
        parts.beside_hand(bench, live, of_offing, other, seconds)


def _ten_thousand(bench: Bench, ground: Ground, url: str) -> None:
    bench.say("preparing 10,000 live offers")
    stage = _peopled(10_000, url)
    with offing(ground, stage) as target:
        parts.warm(bench, target)
        parts.of_size(bench, 10_000, target, 30.0)
        _beside_hand(bench, ground, stage, target, 25.0)


def _hundred_thousand(bench: Bench, ground: Ground, url: str) -> None:
    """One process serves both: loading so many campaigns takes minutes."""
    limit = {LIMIT: str(SCORED)} if any(setting.name == LIMIT for setting in SETTINGS) else {}
    bench.say("preparing 100,000 live offers")
    stages = [_peopled(1_000, url), _peopled(100_000, url)]
    with _all(ground, stages, limit) as (few, many):
        parts.warm(bench, few, many)
        if limit:
            parts.hundredfold(bench, few, many, 30.0)
        else:
            bench.found.notes.append(f"p50_100k_over_1k_offers needs the setting {LIMIT}, which is not there")
            parts.of_size(bench, 100_000, many, 30.0)


@contextmanager
def _all(ground: Ground, stages: Sequence[Stage], settings: dict[str, str]) -> Iterator[list[Target]]:
    with ExitStack() as held:
        yield [held.enter_context(offing(ground, stage, settings)) for stage in stages]

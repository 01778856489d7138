"""The whole bench, in order: which world is prepared, which services run beside each other, what is asked of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from loadtests.bench import by_hand, parts
from loadtests.bench.folding import measure_folding
from loadtests.bench.kept import kept_bytes
from loadtests.bench.memory import measure_memory
from loadtests.bench.opened import Ground, floor, handrolled, offing
from loadtests.bench.runs import Target
from loadtests.bench.scenes import Bench
from loadtests.bench.scoring import measure_scoring, told
from loadtests.bench.stage import Stage, prepared, store_profiles
from loadtests.service import Failed
from streams.attribute_file import load_attributes
from streams.errors import OffingError

LIMIT = "OFFING_CANDIDATES"
"""How many candidates a decision scores: three quarters in order of prior value, a quarter drawn."""
SCORED = 100
FOLDS = 3
"""Runs, of which the median counts."""


@dataclass(frozen=True, slots=True)
class Around:
    """What every part needs."""

    bench: Bench
    ground: Ground
    url: str
    """Of a Valkey."""


def measured(around: Around, names: Sequence[str]) -> list[str]:
    """These of PARTS, one after the other. Which of them failed, and why: the others are told all the same."""
    failed = []
    for name in names:
        try:
            PARTS[name](around)
        except (Failed, OffingError) as error:
            failed.append(f"{name}: {error}")
    return failed


def _quick(around: Around) -> None:
    _thousand(around, seconds=40.0, whole=False)


def _thousand(around: Around, *, seconds: float = 75.0, whole: bool = True) -> None:
    bench, ground = around.bench, around.ground
    bench.say("preparing 1,000 live offers, the model, the customers")
    stage = _peopled(1_000, around.url)
    with floor(ground) as base, offing(ground, stage) as target:
        parts.warm(bench, base, target)
        parts.reference(bench, base, target, seconds)
        if whole:
            kept_bytes(bench, stage, target)
            parts.dense(bench, 1_000, target, 10.0)
            _beside_hand(around, stage, target)


def _ten_thousand(around: Around) -> None:
    bench = around.bench
    bench.say("preparing 10,000 live offers")
    stage = _peopled(10_000, around.url)
    with offing(around.ground, stage) as target:
        parts.warm(bench, target)
        parts.of_size(bench, 10_000, target, 30.0)
        _beside_hand(around, stage, target)


def _beside_hand(around: Around, stage: Stage, of_offing: Target) -> None:
    live = int(stage.settings.namespace.rpartition("-")[2])
    with handrolled(around.ground, stage) as other:
        parts.agree(around.bench, live, of_offing, other)
        parts.beside_hand(around.bench, live, of_offing, other, 25.0)


def _hundred_thousand(around: Around) -> None:
    """One process serves both cases: loading so many campaigns takes minutes."""
    bench, ground = around.bench, around.ground
    limit = {LIMIT: str(SCORED)}
    bench.say("preparing 100,000 live offers")
    small, large = _peopled(1_000, around.url), _peopled(100_000, around.url)
    began = monotonic()
    with offing(ground, large, limit) as many, offing(ground, small, limit) as few:
        resident = many.process.resident_mb() / 1_024
        bench.found.notes.append(
            f"100,000 offers: ready after {monotonic() - began:.0f} s, holding {resident:.1f} GiB."
        )
        parts.warm(bench, few, many)
        parts.hundredfold(bench, few, many, 30.0)


def _scoring(around: Around) -> None:
    """The scorer alone, in this process."""
    around.bench.say("scoring 100 candidates, beside Booster.predict")
    found = measure_scoring()
    around.bench.found.values |= {
        "booster_over_compiled_100_rows": found.booster_over_compiled,
        "scoring_step_over_booster": found.step_over_booster,
        "booster_predict_100_rows_us": found.booster_us,
        "scoring_step_us": found.step_us,
    }
    around.bench.found.notes.append(told(found))


def _folding(around: Around) -> None:
    """From Kafka to Valkey, in a process of its own."""
    around.bench.say("folding three weeks of the world")
    found = measure_folding(runs=FOLDS)
    around.bench.found.values |= {"fold_events_per_s": found.events_per_s, "fold_cpu_us_per_event": found.cpu_us}
    told = (
        f"{found.events:,} customer events of the world, {found.locations:,} of them locations, read from {found.log}"
    )
    around.bench.found.notes.append(f"Folding: {told}, {found.batch:.0f} in a batch.")


def _memory(around: Around) -> None:
    """In a Valkey of its own."""
    around.bench.say("filling a Valkey with 200,000 customers")
    found = measure_memory()
    around.bench.found.values["redis_bytes_per_customer"] = found.known.bytes_per_customer
    mean = found.mean
    told = (
        f"{mean.attributes} attributes, {mean.bookings} bookings, {mean.friends} friends, {mean.counted} counted events"
    )
    with_names = f"{found.unknown.bytes_per_customer:.0f} bytes with names that the dictionary does not know"
    around.bench.found.notes.append(f"Memory: {found.customers:,} customers, in the mean {told}; {with_names}.")


PARTS: Mapping[str, Callable[[Around], None]] = {
    "quick": _quick,
    "1k": _thousand,
    "10k": _ten_thousand,
    "100k": _hundred_thousand,
    "scoring": _scoring,
    "folding": _folding,
    "memory": _memory,
}
"""By name; the whole bench is all but the first."""


def _peopled(live: int, url: str) -> Stage:
    """A stage with everybody in it, as Offing keeps them and as the hand-rolled service does."""
    stage = prepared(live, url)
    attributes = load_attributes(stage.settings.campaigns / "attributes.yaml")
    store_profiles([stage], attributes, parts.PEOPLE.items())
    by_hand.store(stage, attributes, parts.PEOPLE.items())
    return stage

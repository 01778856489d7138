"""The parts of the bench: the reference decision, beside the hand-rolled service, and by the size of the catalog."""

from loadtests.bench.agreement import differing
from loadtests.bench.campaigns import SCORED
from loadtests.bench.customers import CROWDS, DENSE_CROWD, REFERENCE, Crowd
from loadtests.bench.runs import Asking, Sample, Target, slope
from loadtests.bench.scenes import Bench, Scene
from loadtests.service import Failed
from offers.inclusion import DRAWN
from offers.shortlist import ALLOW

WIDE = 16
"""Connections at which throughput is measured."""
CACHED_PEOPLE = 100
PEOPLE = {crowd: 1_000 if crowd == REFERENCE else 300 for crowd in (*CROWDS.values(), DENSE_CROWD)}
"""How many of each crowd there are."""
AGREEING = 20
"""Of each crowd, whose answers by both services are compared."""


def warm(bench: Bench, *targets: Target) -> None:
    """Before anything is counted."""
    for target in targets:
        bench.runner.run(target, Asking(REFERENCE, 500, 500, WIDE))


def reference(bench: Bench, floor: Target, offing: Target, seconds: float) -> None:
    """The reference decision, alone and at 16 connections, cached and not; more and fewer candidates; half load."""
    others = [(tier, crowd) for tier, crowd in CROWDS.items() if crowd != REFERENCE]
    told = bench.in_turn(
        [
            Scene("floor", floor, Asking(REFERENCE, 800, 800)),
            Scene("1,000 offers, 100 scored", offing, Asking(REFERENCE, 400, 400)),
            Scene("1,000 offers, cached", offing, Asking(REFERENCE, 600, CACHED_PEOPLE)),
            *(Scene(_scored(1_000, tier), offing, Asking(crowd, 250, 250)) for tier, crowd in others),
            Scene("floor, 16 connections", floor, Asking(REFERENCE, 2_000, 1_000, WIDE)),
            Scene("1,000 offers, 16 connections", offing, Asking(REFERENCE, 1_000, 1_000, WIDE)),
            Scene("1,000 offers, cached, 16 connections", offing, Asking(REFERENCE, 1_200, CACHED_PEOPLE, WIDE)),
        ],
        seconds,
    )
    wide = told["1,000 offers, 16 connections"]
    asking = Asking(REFERENCE, 1_000, 1_000, WIDE, rate=wide.per_s / 2)
    half = bench.in_turn([Scene("1,000 offers, half load", offing, asking)], seconds / 4)["1,000 offers, half load"]
    bench.found.values |= _reference_values(told, half)


def _reference_values(told: dict[str, Sample], half: Sample) -> dict[str, float | None]:
    base, base_wide = told["floor"], told["floor, 16 connections"]
    decision, wide = told["1,000 offers, 100 scored"], told["1,000 offers, 16 connections"]
    cached_wide = told["1,000 offers, cached, 16 connections"]
    points = [(float(number), told[_scored(1_000, tier)].p50_ms) for tier, number in SCORED.items()]
    return {
        "floor_p50_ms": base.p50_ms,
        "floor_per_s": base_wide.per_s,
        "decision_p50_ms": decision.p50_ms,
        "decision_cpu_ms": decision.service_cpu_ms,
        "decision_per_s": wide.per_s,
        "decision_cached_p50_ms": told["1,000 offers, cached"].p50_ms,
        "decision_cached_per_s": cached_wide.per_s,
        "decision_p50_over_floor": decision.p50_ms / base.p50_ms,
        "decision_p50_at_half_load_ms": half.p50_ms,
        "decision_p99_ms": half.p99_ms,
        "decision_p99_over_p50_at_half_load": half.p99_ms / half.p50_ms,
        "per_candidate_ms": slope(points),
        "throughput_over_floor_uncached": wide.per_s / base_wide.per_s,
        "throughput_over_floor_cached": cached_wide.per_s / base_wide.per_s,
    }


def _scored(live: int, tier: str) -> str:
    return f"{live:,} offers, {SCORED[tier]} scored"


def agree(bench: Bench, live: int, offing: Target, by_hand: Target) -> None:
    """Raises Failed if the two show any of some customers something else: then they do not do the same work.

    Where more survive the index than Offing scores, it draws some of them, and the other service scores them all.
    """
    crowds = [crowd for crowd in PEOPLE if crowd != DENSE_CROWD or live // 4 <= ALLOW + ALLOW // DRAWN]
    differ = [found for crowd in crowds for found in differing(offing, by_hand, crowd, AGREEING)]
    if differ:
        raise Failed(f"{len(differ)} customers are shown something else: {differ[0]}")
    told = f"{AGREEING * len(crowds)} customers of {len(crowds)} crowds are shown the same by both services"
    bench.found.notes.append(f"{live:,} offers: {told}.")


def beside_hand(bench: Bench, live: int, offing: Target, by_hand: Target, seconds: float) -> None:
    """Throughput beside the hand-rolled service."""
    few = max(64, 200_000 // live)
    name = f"{live:,} offers, 16 connections, beside by hand"
    other = f"by hand, {live:,} offers, 16 connections"
    told = bench.in_turn(
        [
            Scene(name, offing, Asking(REFERENCE, 1_000, 1_000, WIDE)),
            Scene(other, by_hand, Asking(REFERENCE, few, few, WIDE)),
            Scene(f"by hand, {live:,} offers, 100 scored", by_hand, Asking(REFERENCE, few // 2, few // 2)),
        ],
        seconds,
    )
    bench.found.values[f"throughput_over_handrolled_{live // 1_000}k"] = told[name].per_s / told[other].per_s


def of_size(bench: Bench, live: int, offing: Target, seconds: float) -> None:
    """One catalog: sparse and dense, cached and not."""
    scenes = [Scene(_scored(live, tier), offing, Asking(crowd, 250, 250)) for tier, crowd in CROWDS.items()]
    scenes += [
        Scene(f"{live:,} offers, cached", offing, Asking(REFERENCE, 400, CACHED_PEOPLE)),
        Scene(f"{live:,} offers, 16 connections", offing, Asking(REFERENCE, 600, 600, WIDE)),
    ]
    bench.in_turn([*scenes, *_dense(live, offing)], seconds)


def dense(bench: Bench, live: int, offing: Target, seconds: float) -> None:
    """A quarter of all offers survive the index."""
    bench.in_turn(_dense(live, offing), seconds)


def _dense(live: int, offing: Target) -> list[Scene]:
    return [
        Scene(f"{live:,} offers, {live // 4:,} survive", offing, Asking(DENSE_CROWD, 150, 150)),
        Scene(f"{live:,} offers, {live // 4:,} survive, cached", offing, Asking(DENSE_CROWD, 300, CACHED_PEOPLE)),
    ]


def hundredfold(bench: Bench, few: Target, many: Target, seconds: float) -> None:
    """100,000 live offers beside 1,000, both scoring 100 (75 in order, 25 drawn): a quarter survives, or 100 do."""

    def scene(name: str, target: Target, crowd: Crowd) -> Scene:
        return Scene(f"limit 75 + 25: {name}", target, Asking(crowd, 300, 300))

    told = bench.in_turn(
        [
            scene("1,000 offers, 100 survive", few, REFERENCE),
            scene("100,000 offers, 25,000 survive", many, DENSE_CROWD),
            scene("100,000 offers, 100 survive", many, REFERENCE),
        ],
        seconds,
    )
    one, quarter, hundred = (sample.p50_ms for sample in told.values())
    bench.found.values |= {
        "p50_100k_over_1k_offers": max(quarter, hundred) / one,
        "p50_100k_over_1k_offers_25000_survive": quarter / one,
        "p50_100k_over_1k_offers_100_survive": hundred / one,
    }

"""Cases run: what was expected, what was found, and of what is missing why. `offing campaigns test`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from offers.cases import Case
from offers.catalog import Catalog
from offers.changes import Needs
from offers.coverage import Coverage
from offers.expectations import NONE, Expect, Expected, told
from offers.proposition import Decision, PlacementSlate
from offers.simulation import Simulation, simulate
from scoring.features import Propensity
from streams.ids import OfferId
from streams.units import Money, minor_digits


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that was not met."""

    what: str
    """A placement, `absent`, `fallback`, or the reasons of an offer."""
    expected: str
    found: str
    why: tuple[str, ...] = ()
    """Of each offer concerned, what became of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case and what came of it."""

    case: Case
    simulation: Simulation
    failures: tuple[Failure, ...]

    @property
    def good(self) -> bool:
        """Whether every expectation was met."""
        return not self.failures


def run(case: Case, catalog: Catalog, propensity: Propensity) -> Outcome:
    """The case decided and compared. Its draws follow from its name."""
    simulation = simulate(case.persona, case.now, case.name, catalog, propensity)
    return Outcome(case, simulation, tuple(_failures(case, simulation)))


def _failures(case: Case, found: Simulation) -> Iterator[Failure]:
    expect, decision = case.expect, found.decision
    offers = {each.verdict.offer_id: each for each in found.offers}
    slates = {str(slate.placement): slate for slate in decision.placements}
    for name, wanted in expect.placements.items():
        yield from _placement(name, wanted, slates.get(name), offers)
    shown = {item.offer_id: slate.placement for slate in decision.placements for item in slate.items}
    for offer in expect.absent:
        if offer in shown:
            yield Failure(f"absent {offer}", "not shown", f"shown in {shown[offer]}")
    for offer, codes in expect.reasons.items():
        reasons = tuple(reason.code.value for reason in offers[offer].verdict.reasons)
        if codes != reasons:
            yield Failure(f"reasons of {offer}", _listed(codes), _listed(reasons), (_why(offers[offer]),))
    yield from _of_the_whole(expect, decision)


def _of_the_whole(expect: Expect, decision: Decision) -> Iterator[Failure]:
    fell_back = tuple(str(slate.placement) for slate in decision.placements if slate.fallback)
    problems = {str(slate.placement): slate.problem for slate in decision.placements if slate.problem is not None}
    yield from _same("fallback", expect.fallback, fell_back)
    yield from _same("degraded", expect.degraded, decision.degraded)
    if expect.problems is not None:
        said = (f"{name}: {problem}" for name, problem in problems.items())
        yield from _same("problems", [f"{name}: {problem}" for name, problem in expect.problems.items()], said)


def _same(what: str, expected: Iterable[str] | None, found: Iterable[str]) -> Iterator[Failure]:
    if expected is not None and sorted(expected) != sorted(found := list(found)):
        yield Failure(what, _listed(expected), _listed(found))


def _placement(
    name: str, wanted: tuple[Expected, ...], slate: PlacementSlate | None, offers: dict[OfferId, Needs]
) -> Iterator[Failure]:
    if slate is None:
        yield Failure(name, _items(wanted), "not asked for: name it in 'request.placements'")
        return
    like = [*wanted, *([{}] * len(slate.items))]
    found = tuple(told(item, how) for item, how in zip(slate.items, like, strict=False))
    if found == tuple(wanted):
        return
    names = [*(str(item["offer"]) for item in wanted), *(item.offer_id for item in slate.items)]
    shown = {item.offer_id for item in slate.items}
    expected = {str(item["offer"]) for item in wanted}
    odd = [each for each in dict.fromkeys(names) if (each in shown) is not (each in expected)]
    why = tuple(_why(offers[OfferId(each)]) for each in odd if OfferId(each) in offers)
    yield Failure(name, _items(wanted), _items(found), why)


def _why(each: Needs) -> str:
    name = each.verdict.offer_id + (f" ({each.verdict.about})" if each.verdict.about else "")
    if each.shown:
        return f"{name} is shown"
    if each.outranked:
        return f"{name} is allowed; others came first"
    changes = "; ".join(change.words for change in each.changes)
    where = next((change.where for change in each.changes if change.where), "")
    return f"{name} would need: {changes}" + (f"  [{where}]" if where else "")


def _items(items: Iterable[Expected]) -> str:
    return _listed(_item(item) for item in items)


def _item(item: Expected) -> str:
    rest = ", ".join(f"{key}: {_text(value)}" for key, value in item.items() if key != "offer")
    return f"{item['offer']} {{{rest}}}" if rest else str(item["offer"])


def _text(value: object) -> str:
    if isinstance(value, Money):
        digits = minor_digits(value.currency)
        return f"{value.minor / 10**digits:.{digits}f} {value.currency}"
    return _listed(map(str, value)) if isinstance(value, tuple) else str(value)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or NONE


def lines(outcome: Outcome) -> Iterator[str]:
    """For people: one line, and of a failure what was expected and what was found."""
    case = outcome.case
    yield f"{'pass' if outcome.good else 'FAIL'}  {case.where}: {case.name}"
    for failure in outcome.failures:
        yield f"      {failure.what}"
        yield f"        expected: {failure.expected}"
        yield f"        found:    {failure.found}"
        yield from (f"        {why}" for why in failure.why)


def told_json(outcomes: Iterable[Outcome], covered: Coverage) -> dict[str, Any]:
    """For machines."""
    every = tuple(outcomes)
    return {
        "passed": sum(outcome.good for outcome in every),
        "failed": sum(not outcome.good for outcome in every),
        "cases": [
            {"name": each.case.name, "where": each.case.where, "good": each.good, "failures": each.failures}
            for each in every
        ],
        "coverage": {
            "percent": round(covered.percent, 1),
            "never_true": [{"where": each.where, "condition": each.words} for each in covered.never_true],
            "never_false": [{"where": each.where, "condition": each.words} for each in covered.never_false],
        },
    }

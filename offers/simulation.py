"""What one persona would see there and then, and of everything else why not: `offing campaigns simulate`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from offers.catalog import Catalog
from offers.changes import Change, Needs, needs
from offers.condition_words import Words, instant, metres
from offers.decide import decide
from offers.explain import explain
from offers.persona import Persona
from offers.proposition import Decision, Item
from offers.reply import experiments
from offers.situation import Situation, situate
from scoring.features import Propensity
from streams.ids import DecisionId, Millis
from streams.instant import format_instant
from streams.places import Whereabouts
from streams.record import DecisionInputs


@dataclass(frozen=True, slots=True)
class Simulation:
    """One decision about a persona, with what became of every offer."""

    inputs: DecisionInputs
    """With every subject bound, as the explanation needs them."""
    decision: Decision
    offers: tuple[Needs, ...]
    """In layout order."""
    zone: str
    nearest: tuple[str, float] | None
    """The nearest port and the way to it in metres, if anything is known of the whereabouts."""


def simulate(persona: Persona, now: Millis, name: str, catalog: Catalog, propensity: Propensity) -> Simulation:
    """The decision at `now`. Its id, and with it every draw, follows from `name`."""
    return simulated(persona.situation(catalog, now, decision_id(name)), persona.zone, catalog, propensity)


def simulated(found: Situation, zone: str, catalog: Catalog, propensity: Propensity) -> Simulation:
    """The decision about a situation, its times told by the clock of `zone`."""
    inputs = situate(found, catalog, every_subject=True)
    decision = decide(inputs, catalog, propensity)
    words = Words(catalog.attributes, zone)
    offers = tuple(needs(verdict, inputs, catalog, words) for verdict in explain(inputs, catalog, decision))
    return Simulation(inputs, decision, offers, zone, catalog.places.nearest_port(inputs.whereabouts))


def decision_id(name: str) -> DecisionId:
    """An id that follows from a name."""
    digest = blake2b(name.encode(), digest_size=16).hexdigest()
    return DecisionId(f"{digest[:8]}-{digest[8:12]}-7{digest[13:16]}-8{digest[17:20]}-{digest[20:]}")


def page(found: Simulation) -> Iterator[str]:
    """For people, line by line."""
    yield f"{instant(found.inputs.now, found.zone)} {found.zone}, {found.inputs.request.locale}, {_standing(found)}"
    scores = {(item.placement, item.rank): item.score for item in found.decision.shown}
    for slate in found.decision.placements:
        yield ""
        note = " (fallback)" if slate.fallback else f" ({slate.problem})" if slate.problem else ""
        yield f"{slate.placement}{note}"
        for item in slate.items:
            score = scores.get((slate.placement, item.rank))
            yield f"  {item.rank}. {_item(item)}" + ("" if score is None else f"  propensity {score:.1%}")
            words = item.representation
            yield f"     {words.title} - {words.body}" if words.sms is None else f"     {words.sms}"
    yield from _group("Experiments", _arms(found.decision))
    yield from _groups(found)


def _arms(decision: Decision) -> list[str]:
    """The arm of each offer that is shown or held out."""
    return [f"{each.offer_id}: {each.arm} of {each.experiment}" for each in decision.assigned]


def _groups(found: Simulation) -> Iterator[str]:
    rest = [each for each in found.offers if not each.shown]
    single = [(each, each.single) for each in rest if each.single is not None]
    yield from _group("One change away", [_line(each, [change]) for each, change in single if change is not None])
    yield from _group("Allowed; others came first", [_name(each) for each in rest if each.outranked])
    unbound = [each for each in rest if each.unbound]
    yield from _group("Nothing it could be about now", [_line(each, each.changes) for each in unbound])
    far = [each for each in rest if not (each.single or each.outranked or each.aside or each.unbound)]
    yield from _group("More than one change away", [_line(each, each.changes) for each in far])
    yield from _group("Not for these placements, or a fallback", [_name(each) for each in rest if each.aside])


def _group(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield f"{title}:"
        yield from (f"  {line}" for line in lines)


def _line(each: Needs, changes: Sequence[Change]) -> str:
    where = f"  [{changes[0].where}]" if changes and changes[0].where else ""
    return f"{_name(each)}: {'; '.join(change.words for change in changes)}{where}"


def _name(each: Needs) -> str:
    return each.verdict.offer_id + (f" ({each.verdict.about})" if each.verdict.about else "")


def _item(item: Item) -> str:
    about = f" ({item.subject})" if item.subject else ""
    price = f"  {item.price.text}" if item.price is not None else ""
    price += f" instead of {item.price.prior.text}" if item.price is not None and item.price.prior is not None else ""
    return f"{item.offer_id}{about}{price}"


def _standing(found: Simulation) -> str:
    where: Whereabouts = found.inputs.whereabouts
    if where.cell is None or found.nearest is None:
        return f"location {where.status}"
    port, away = found.nearest
    fences = "".join(f", in fence:{fence}" for fence, _ in where.fences)
    return f"location {where.status}, about {metres(away)} from port:{port}{fences}"


def told(found: Simulation) -> dict[str, Any]:
    """For machines."""
    return {
        "at": format_instant(found.inputs.now),
        "locale": found.inputs.request.locale,
        "location": {"status": found.inputs.whereabouts.status, "fences": dict(found.inputs.whereabouts.fences)},
        "model": found.decision.model,
        "placements": [msgspec.to_builtins(slate) for slate in found.decision.placements],
        "experiments": experiments(found.decision),
        "offers": [_told(each) for each in found.offers],
    }


def _told(each: Needs) -> dict[str, Any]:
    verdict, single = each.verdict, each.single
    return {
        "offer_id": verdict.offer_id,
        "about": verdict.about,
        "shown": each.shown,
        "allowed": verdict.allowed,
        "reasons": [
            {"code": reason.code, "where": reason.where, "detail": reason.detail} for reason in verdict.reasons
        ],
        "changes": [change.words for change in each.changes],
        "single_change": None if single is None else single.words,
    }

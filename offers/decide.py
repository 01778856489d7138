"""THE DECISION. Pure: the same inputs, catalog and propensity give the same bytes, today and in a replay."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from offers import arbitration, capping, eligibility, fallback, shortlist, stacking, validity
from offers.apart import apart
from offers.candidates import Candidates
from offers.catalog import Catalog
from offers.columns import Ranked
from offers.proposition import Code, Decision, PlacementSlate, Screening, Slate, Slot, canonical_bytes
from offers.representation import RenderContext, render
from scoring.features import Propensity
from streams.record import VERSION, DecisionInputs, DecisionRecord, ShownItem

ENGINE = "offing-0.1.0"
DEADLINE_SHORT = "deadline_short"
"""Fewer candidates were looked at than a decision with time would have looked at."""


Worked = tuple[Screening, Ranked, tuple[Slate, ...]]
"""What was allowed, its numbers, and what was chosen of it."""
RULES: tuple[shortlist.Rule, ...] = (eligibility.rule_out, capping.rule_out)


def decide(inputs: DecisionInputs, catalog: Catalog, propensity: Propensity) -> Decision:
    """Which offers to show this person, here, now, in their language."""
    return _conclude(inputs, catalog, propensity, choose(inputs, catalog, propensity))


def choose(
    inputs: DecisionInputs, catalog: Catalog, propensity: Propensity, rules: Sequence[shortlist.Rule] = RULES
) -> Worked:
    """The choice itself. Nothing is rendered yet."""
    allowed, scored = ranked(inputs, catalog, propensity, rules)
    slates = arbitration.fill(catalog.asked(inputs), scored, inputs)
    return allowed, scored, fallback.complete(slates, catalog.fallbacks, inputs, catalog.places)


def ranked(
    inputs: DecisionInputs, catalog: Catalog, propensity: Propensity, rules: Sequence[shortlist.Rule] = RULES
) -> tuple[Screening, Ranked]:
    """What may be shown, with its numbers, best first; reads top to bottom as its steps."""
    candidates = Candidates(catalog, inputs)  # lazy (offer, subject), layout order, a sound superset
    fitting = shortlist.take(candidates, rules, inputs)
    allowed = apart(fitting, catalog.arms, inputs)  # experiments: who is shown nothing, who is in which arm
    return allowed, arbitration.score(allowed, propensity, inputs)


def _conclude(inputs: DecisionInputs, catalog: Catalog, propensity: Propensity, worked: Worked) -> Decision:
    allowed, scored, slates = worked
    placements = render(slates, RenderContext(inputs, catalog.placements, catalog.attributes))
    return Decision(
        decision_id=inputs.decision_id,
        now=inputs.now,
        revision=inputs.revision,
        model=propensity.model,
        degraded=_degraded(inputs, allowed),
        placements=placements,
        ruled_out=_counts(allowed, scored, slates, catalog),
        candidates=scored.logged(),
        shown=tuple(_shown_items(slates, placements)),
        valid_until=validity.valid_until(inputs, catalog, slates),
        consulted=inputs.consulted,
        assigned=allowed.assigned,
    )


def _counts(
    allowed: Screening, scored: Ranked, slates: tuple[Slate, ...], catalog: Catalog
) -> tuple[tuple[str, int], ...]:
    """How many offers are not shown, by why; those allowed and not chosen are OUTRANKED, or EXCLUDED_BY one shown."""
    shown = {
        slot.candidate.offer.id: slot.candidate.offer
        for slate in slates
        for slot in slate.slots
        if slot.scored is not None
    }
    every = scored.allowed.offers()
    left = (catalog.by_id[offer_id] for offer_id in every if offer_id not in shown)
    excluded = sum(1 for _ in stacking.excluded(left, shown.values()))
    outranked = len(every) - len(shown) - excluded
    counts = dict(allowed.ruled_out)
    if excluded:
        counts[Code.EXCLUDED_BY] = excluded
    if outranked:
        counts[Code.OUTRANKED] = outranked
    return tuple(sorted((str(code), number) for code, number in counts.items()))


def _degraded(inputs: DecisionInputs, allowed: Screening) -> tuple[str, ...]:
    """What this decision had to do without; a deadline that cost candidates is such a thing."""
    cut = {Code.DEADLINE_EXCEEDED, Code.BEYOND_CANDIDATE_LIMIT} & {code for code, _ in allowed.ruled_out}
    found = len(allowed.kept) + allowed.held
    short = inputs.candidate_limit < inputs.candidates_with_time and found >= inputs.candidate_limit
    return tuple(sorted({*inputs.degraded, DEADLINE_SHORT})) if short and cut else inputs.degraded


def _shown_items(slates: tuple[Slate, ...], placements: tuple[PlacementSlate, ...]) -> Iterator[ShownItem]:
    """What was rendered, in order, with the numbers it was chosen by."""
    for slate, rendered in zip(slates, placements, strict=True):
        for item in rendered.items:
            yield _shown(slate, item.rank, slate.slots[item.rank - 1])


def _shown(slate: Slate, rank: int, slot: Slot) -> ShownItem:
    candidate, scored = slot.candidate, slot.scored
    return ShownItem(
        offer=candidate.offer.facts,
        about=candidate.subject.key,
        placement=slate.placement,
        rank=rank,
        score=scored.score if scored is not None else None,
        propensity=slot.propensity,
        value=scored.value if scored is not None else 0.0,
        row=scored.row if scored is not None else (),
    )


def record(inputs: DecisionInputs, decision: Decision, features: tuple[str, ...]) -> DecisionRecord:
    """The log's line for a decision: its inputs, and what a replay must find again."""
    return DecisionRecord(
        v=VERSION,
        inputs=inputs,
        model=decision.model,
        engine=ENGINE,
        features=features,
        candidates=decision.candidates,
        shown=decision.shown,
        digest=digest(decision),
        assigned=decision.assigned,
    )


def digest(decision: Decision) -> str:
    """BLAKE2b-128 of the decision's canonical bytes, in hex."""
    return blake2b(canonical_bytes(decision), digest_size=16).hexdigest()

"""Every offer's reasons, by the plain evaluator on the same inputs: slow, complete, and the index's reference."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from offers import arms, capping, compiled, quiet, schedule
from offers.catalog import Catalog, consents, facts_of, quoted, subjects_of
from offers.condition import View, holds, leaves
from offers.eligibility import obstacles
from offers.index import layers
from offers.locale import choose
from offers.offer import Offer
from offers.proposition import Candidate, Code, Decision, Reason
from offers.stacking import excluded_by
from streams.attributes import SUBJECT_SCOPES
from streams.ids import OfferId
from streams.record import NOTHING, DecisionInputs, Subject


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one offer."""

    offer_id: OfferId
    where: str
    """`file:line` of its campaign."""
    about: str
    """The subject it was nearest to being allowed for; empty: none, or about nothing."""
    allowed: bool
    reasons: tuple[Reason, ...]
    """Everything against it, or SELECTED, FALLBACK, OUTRANKED. One reason alone: changing it would allow the offer,

    if there is something it could be about: without a subject that was not looked for.
    """


def verdicts(inputs: DecisionInputs, catalog: Catalog) -> tuple[Verdict, ...]:
    """Every offer of the catalog, in layout order, judged without the index."""
    return tuple(judge(offer, inputs, catalog) for offer in catalog.offers(inputs))


def explain(inputs: DecisionInputs, catalog: Catalog, decision: Decision) -> tuple[Verdict, ...]:
    """verdicts(), with what the decision did to the allowed ones."""
    shown = {item.offer.offer_id: item for item in decision.shown}
    scored = {candidate.offer_id for candidate in decision.candidates}
    late = any(code == Code.DEADLINE_EXCEEDED for code, _ in decision.ruled_out)
    unseen = Code.DEADLINE_EXCEEDED if late else Code.BEYOND_CANDIDATE_LIMIT
    chosen = [catalog.by_id[name] for name, item in shown.items() if item.score is not None]

    def concluded(verdict: Verdict) -> Verdict:
        item = shown.get(verdict.offer_id)
        if item is not None:
            code = Code.FALLBACK if item.score is None else Code.SELECTED
            return replace(verdict, about=item.about, allowed=True, reasons=(Reason(code),))
        if not verdict.allowed:
            return verdict
        if verdict.offer_id not in scored:
            return replace(verdict, reasons=(Reason(unseen),))
        return replace(verdict, reasons=(_passed_over(catalog.by_id[verdict.offer_id], chosen),))

    return tuple(concluded(verdict) for verdict in verdicts(inputs, catalog))


def _passed_over(offer: Offer, chosen: Iterable[Offer]) -> Reason:
    """Why an allowed offer is not shown: one that is keeps it out, or others came first."""
    found = excluded_by(offer, chosen)
    if found is None or offer.stacking is None:
        return Reason(Code.OUTRANKED)
    return Reason(Code.EXCLUDED_BY, offer.stacking.where, f"{found[0].id} is shown; {found[1]}")


def judge(offer: Offer, inputs: DecisionInputs, catalog: Catalog) -> Verdict:
    """One offer: allowed if some subject of it has no reason against it; else the subject with the fewest, and of

    those the one that came furthest."""
    general = tuple(_general(offer, inputs, catalog))
    subjects = subjects_of(offer, inputs)
    if not subjects:
        reasons = (*general, *_shared(offer, inputs, catalog))
        if not reasons or (offer.about is not None and offer.about.key in inputs.subjects):
            reasons = (*reasons, Reason(Code.NO_SUBJECT, offer.where))
        return Verdict(offer.id, offer.where, "", False, reasons)
    judged = [(general + tuple(_specific(offer, subject, inputs, catalog)), subject) for subject in subjects]
    reasons, nearest = min(judged, key=lambda pair: (len(pair[0]), -_came(offer, pair[1], inputs, catalog)))
    return Verdict(offer.id, offer.where, nearest.key, not reasons, reasons)


def _came(offer: Offer, subject: Subject, inputs: DecisionInputs, catalog: Catalog) -> int:
    """How many conditions hold before the first that does not: the spa that is full is nearer than the restaurant."""
    view = _view(subject, inputs, catalog)
    return sum(1 for _ in takewhile(lambda part: holds(part[1], view), layers(offer)))


def allowed(offer: Offer, inputs: DecisionInputs, catalog: Catalog) -> tuple[str, ...]:
    """Keys of the subjects for which nothing speaks against the offer."""
    if any(True for _ in _general(offer, inputs, catalog)):
        return ()
    subjects = subjects_of(offer, inputs)
    return tuple(s.key for s in subjects if not any(True for _ in _specific(offer, s, inputs, catalog)))


def against(offer: Offer, about: str, inputs: DecisionInputs, catalog: Catalog) -> tuple[Reason, ...]:
    """Everything that speaks against one offer about one subject; NO_SUBJECT if there is no such subject now."""
    subject = next((subject for subject in subjects_of(offer, inputs) if subject.key == about), None)
    general = tuple(_general(offer, inputs, catalog))
    if subject is None:
        return (*general, Reason(Code.NO_SUBJECT, offer.where))
    return (*general, *_specific(offer, subject, inputs, catalog))


def _general(offer: Offer, inputs: DecisionInputs, catalog: Catalog) -> Iterator[Reason]:
    """What does not depend on a subject."""
    if offer.campaign_id in catalog.stopped:
        yield Reason(Code.CAMPAIGN_STOPPED, offer.where, f"campaign {offer.campaign_id} is stopped until it is lifted")
    if offer.fallback:
        yield Reason(Code.FALLBACK_ONLY, offer.where, "shown only where a placement would stay empty")
    code = schedule.status(offer.schedule, inputs.now, inputs.seasons)
    if code is not None:
        yield Reason(code, offer.where)
    yield from _misplaced(offer, inputs, catalog)
    if choose(inputs.request.locale, offer.representation) is None:
        written = ", ".join(offer.representation.texts)
        yield Reason(Code.LOCALE_MISSING, offer.where, f"{inputs.request.locale} asked, {written} written")
    if not consents(offer.consent, inputs.profile.purposes, inputs.profile.channels):
        wanted = ", ".join((*offer.consent.purposes, *offer.consent.channels))
        yield Reason(Code.CONSENT_MISSING, offer.where, f"needs {wanted}")
    if catalog.arms.any and (apart := arms.against(offer, inputs, catalog.arms.holdout)) is not None:
        yield apart


def _misplaced(offer: Offer, inputs: DecisionInputs, catalog: Catalog) -> Iterator[Reason]:
    """Nothing was asked where it stands, or only what is in quiet hours."""
    known = {wanted.placement for wanted in inputs.request.placements} & set(catalog.placements)
    asked = known.intersection(offer.placements)
    silent = catalog.silent(inputs.now)
    if not asked:
        yield Reason(Code.PLACEMENT_NOT_ASKED, offer.where, f"it is for {', '.join(offer.placements)}")
    elif asked <= silent.keys():
        rule = silent[min(asked)]
        yield Reason(Code.QUIET_HOURS, rule.where, quiet.told(rule))


def _view(subject: Subject, inputs: DecisionInputs, catalog: Catalog) -> View:
    return View(facts_of(inputs), subject.facts, inputs.whereabouts, catalog.places, inputs.now)


def _specific(offer: Offer, subject: Subject, inputs: DecisionInputs, catalog: Catalog) -> Iterator[Reason]:
    """What speaks against this offer about this subject."""
    view = _view(subject, inputs, catalog)
    for code, conjunct in layers(offer):
        if not holds(conjunct, view):
            yield compiled.reason(conjunct, code, view)
    candidate = Candidate(offer, subject, view, quoted(offer, subject, inputs.now))
    yield from obstacles(candidate, inputs)
    yield from capping.reached(candidate, inputs)


def _shared(offer: Offer, inputs: DecisionInputs, catalog: Catalog) -> Iterator[Reason]:
    """Of an offer without a subject: the conditions that ask nothing of one."""
    view = _view(NOTHING, inputs, catalog)
    for code, conjunct in layers(offer):
        about_subject = any(leaf.attribute.split(".")[0] in SUBJECT_SCOPES for leaf in leaves(conjunct))
        if not about_subject and not holds(conjunct, view):
            yield compiled.reason(conjunct, code, view)

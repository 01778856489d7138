"""What a placement shows when nothing was chosen for it: its fallback offer, whatever the conditions and caps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from offers import schedule
from offers.catalog import consents, facts_of, quoted, subjects_of
from offers.condition import View
from offers.eligibility import presentable
from offers.locale import choose
from offers.offer import Offer
from offers.proposition import Candidate, Slate, Slot
from streams.ids import PlacementId
from streams.places import Places
from streams.record import DecisionInputs


def complete(
    slates: Sequence[Slate], fallbacks: Mapping[PlacementId, Offer], inputs: DecisionInputs, places: Places
) -> tuple[Slate, ...]:
    """Every slate, the empty ones with their placement's fallback; without one, or in quiet hours, it stays empty.

    Conditions and caps are not asked. What may never be passed over still is: the consent an offer needs, its schedule,
    a locale to write it in, and everything its words and price are made of.
    """
    return tuple(
        slate if slate.slots or slate.problem else _completed(slate, fallbacks, inputs, places) for slate in slates
    )


def _completed(slate: Slate, fallbacks: Mapping[PlacementId, Offer], inputs: DecisionInputs, places: Places) -> Slate:
    offer = fallbacks.get(slate.placement)
    if offer is None or not _may_be_shown(offer, inputs):
        return slate
    facts = facts_of(inputs)
    for subject in subjects_of(offer, inputs):
        view = View(facts, subject.facts, inputs.whereabouts, places, inputs.now)
        candidate = Candidate(offer, subject, view, quoted(offer, subject, inputs.now))
        if presentable(candidate, inputs) is None:
            return replace(slate, slots=(Slot(candidate, scored=None, propensity=None),), fallback=True)
    return slate


def _may_be_shown(offer: Offer, inputs: DecisionInputs) -> bool:
    return (
        consents(offer.consent, inputs.profile.purposes, inputs.profile.channels)
        and schedule.status(offer.schedule, inputs.now, inputs.seasons) is None
        and choose(inputs.request.locale, offer.representation) is not None
    )

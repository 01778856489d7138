"""Builders for logged decisions and their outcomes."""

import uuid
from collections.abc import Sequence

from scoring.features import Propensity, Scorable
from streams.attributes import Value
from streams.ids import CampaignId, CustomerId, DecisionId, Millis, ModelId, OfferId, PlacementId, RevisionId
from streams.lake_rows import LoggedOutcome
from streams.profile import MaskedProfile
from streams.record import (
    NOTHING,
    DecisionInputs,
    DecisionRecord,
    FactDict,
    OfferFacts,
    Request,
    ShownItem,
)
from tests.makers import NOW

HOME = PlacementId("app.home.hero")
REVISION = RevisionId("r-000000000001")


def decision_id(at: Millis = NOW, number: int = 0) -> DecisionId:
    """A UUIDv7 at this instant."""
    return DecisionId(str(uuid.UUID(int=at << 80 | 7 << 76 | 2 << 62 | number)))


def offer(name: str = "spa", mean: float = 0.05, **attributes: str | float | bool) -> OfferFacts:
    """An offer called `name` of a campaign of the same name; attributes by short name."""
    values: dict[str, Value] = {f"offer.{key}": value for key, value in attributes.items()}
    return OfferFacts(OfferId(name), CampaignId(f"campaign-{name}"), "collection", values, mean)


def inputs(at: Millis = NOW, customer: str = "c-1", *, number: int = 0, **facts: str | float | bool) -> DecisionInputs:
    """A decision about a customer with these attributes, known since an hour."""
    known: FactDict = {f"customer.{name}": (value, at - 3_600_000) for name, value in facts.items()}
    request = Request(CustomerId(customer), (), "it")
    return DecisionInputs(decision_id(at, number), at, REVISION, request, profile=MaskedProfile(facts=known))


def record(made: DecisionInputs, items: Sequence[Scorable], propensity: Propensity | None = None) -> DecisionRecord:
    """The record of a decision that showed these items; with the scores and rows of `propensity` if there is one."""
    scores = None if propensity is None else propensity.score(made, items)
    shown = tuple(
        ShownItem(
            offer=facts,
            about=subject.key,
            placement=HOME,
            rank=rank,
            score=0.1 if scores is None else float(scores.probability[rank - 1]),
            propensity=1.0,
            value=1.0,
            row=() if scores is None else tuple(scores.rows[rank - 1].tolist()),
        )
        for rank, (facts, subject) in enumerate(items, 1)
    )
    model = ModelId("prior") if propensity is None else propensity.model
    return DecisionRecord(1, made, model, "test", () if propensity is None else propensity.features, (), shown, "")


def simple(at: Millis = NOW, customer: str = "c-1", number: int = 0) -> DecisionRecord:
    """A decision that showed one offer about nothing."""
    return record(inputs(at, customer, number=number), [(offer(), NOTHING)])


def scorables(of: DecisionRecord) -> tuple[Scorable, ...]:
    """The shown items as they were scored, for a replay of their rows. Fallbacks were not scored."""
    subjects = {subject.key: subject for bound in of.inputs.subjects.values() for subject in bound}
    scored = (item for item in of.shown if item.propensity is not None)
    return tuple((item.offer, subjects.get(item.about, NOTHING)) for item in scored)


def outcome(
    of: DecisionRecord, event: str, at: Millis | None = None, *, event_id: str = "", item: int = 0
) -> LoggedOutcome:
    """What became of one shown item; at the decision's instant unless another is given."""
    made, shown = of.inputs, of.shown[item]
    return LoggedOutcome(
        decision_id=made.decision_id,
        about=shown.about,
        offer_id=shown.offer.offer_id,
        placement=shown.placement,
        event=event,
        at=made.now if at is None else at,
        recorded=made.now if at is None else at,
        source="test",
        event_id=event_id or f"{made.decision_id}-{shown.offer.offer_id}-{event}",
        customer_id=made.request.customer_id,
        origin=made.origin,
    )

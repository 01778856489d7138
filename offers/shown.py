"""What became of a shown offer: an outcome's token resolved, so that no event on the log carries one."""

from msgspec.structs import replace

from offers.caller import Caller
from offers.decision_id import time_of
from offers.tokens import OfferToken
from streams.bucket import tag
from streams.errors import InvalidInput, NotAllowed
from streams.events import Event, Outcome
from streams.ids import Millis
from streams.instant import format_instant

SOURCE = "offing/outcomes"
APP_OUTCOMES = frozenset({"offer.exposed", "offer.clicked", "offer.dismissed"})
"""Each happens once per (decision, about, offer, placement)."""
OUTCOMES = APP_OUTCOMES | {"offer.redeemed"}


def outcome_of(token: OfferToken) -> Outcome:
    """The event's data."""
    return Outcome(
        decision_id=token.decision_id,
        offer_id=token.offer_id,
        campaign_id=token.campaign_id,
        collection=token.collection,
        placement=token.placement,
        about=token.about,
        device_class=token.device_class,
        rank=token.rank,
    )


def judged(event: Event, token: OfferToken) -> Event:
    """The event, not before its decision. Raises NotAllowed NOT_YOURS, InvalidInput TOKEN_EXPIRED.

    Expiry is judged at the event's corrected time, and not for redemptions: those are the operator's own word.
    """
    if event.subject != token.customer_id:
        raise NotAllowed("NOT_YOURS", "this token was given to another customer; send the subject it was given to")
    if event.type in APP_OUTCOMES and token.expired(event.time):
        message = f"the token ended at {format_instant(token.expires)}, before {event.type} at "
        raise InvalidInput("TOKEN_EXPIRED", f"{message}{format_instant(event.time)}; ask for a new decision")
    return event


def not_before_decision(time: Millis, token: OfferToken, now: Millis) -> Millis:
    """An outcome follows its decision: a slow clock that says otherwise is put right."""
    decided = time_of(token.decision_id)
    return time if decided is None else max(time, min(decided, now))


def counted_once(event: Event) -> Event:
    """With an id made of what happened, so that however often it is told, by whomever, it counts once."""
    data = event.data
    if event.type not in APP_OUTCOMES or not isinstance(data, Outcome) or not data.decision_id:
        return event
    number = tag((event.type, data.decision_id, data.about, data.offer_id, data.placement), 16)
    return replace(event, id=f"{number:032x}", source=SOURCE)


def require_token(caller: Caller, event_type: str) -> None:
    """An app's outcome is believed only with the token it was given. Raises InvalidInput TOKEN_MISSING."""
    if caller.kind == "customer":
        raise InvalidInput("TOKEN_MISSING", f"{event_type} needs data: {{token}}, the token that came with the offer")

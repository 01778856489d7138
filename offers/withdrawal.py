"""Which of the offers an app still shows may no longer be shown."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from offers.catalog import Catalog
from offers.explain import against
from offers.proposition import Code
from offers.situation import Situation, situate
from offers.tokens import OfferToken, OfferTokens
from streams.errors import OffingError
from streams.record import DecisionInputs, PlacementRequest

STAYS = frozenset(
    {
        Code.CAP_CUSTOMER_REACHED,
        Code.CAP_BOOKING_REACHED,
        Code.CAP_DEVICE_CLASS_REACHED,
        Code.CAP_SHARED_REACHED,
        Code.FALLBACK_ONLY,
        Code.QUIET_HOURS,
    }
)
"""No reason to take back what is being shown: a cap is often reached by this very showing."""
OUT_OF_TIME = frozenset({Code.NOT_STARTED, Code.EXPIRED, Code.NOT_SCHEDULED, Code.CAMPAIGN_STOPPED})
"""All that takes back a fallback."""


def withdrawn(holding: Sequence[str], found: Situation, catalog: Catalog, tokens: OfferTokens) -> tuple[str, ...]:
    """Those tokens that are forged, foreign, expired, stopped, or whose offer no longer fits; in the order held."""
    if not holding:
        return ()
    held = {text: _read(text, tokens) for text in holding}
    inputs = seen([token for token in held.values() if token], found, catalog)
    return tuple(text for text, token in held.items() if token is None or not _stays(token, inputs, catalog))


def seen(held: Sequence[OfferToken], found: Situation, catalog: Catalog) -> DecisionInputs:
    """What the held offers are judged on: their placements, and no other subjects than what they are about."""
    placements = {token.placement: PlacementRequest(token.placement, 1) for token in held}
    asked = msgspec.structs.replace(found.request, placements=tuple(placements.values()))
    offers = (catalog.by_id.get(token.offer_id) for token in held)
    about = {offer.about.key for offer in offers if offer is not None and offer.about is not None}
    return situate(replace(found, request=asked), catalog, only=about)


def _read(text: str, tokens: OfferTokens) -> OfferToken | None:
    try:
        return tokens.read(text)
    except OffingError:
        return None


def _stays(token: OfferToken, inputs: DecisionInputs, catalog: Catalog) -> bool:
    offer = catalog.offer(token.offer_id, inputs)
    if offer is None or token.customer_id != inputs.request.customer_id or token.expired(inputs.now):
        return False
    if token.placement not in offer.placements or token.placement not in catalog.placements:
        return False
    codes = {reason.code for reason in against(offer, token.about, inputs, catalog)}
    if offer.on_stop.honours_shown:
        codes.discard(Code.CAMPAIGN_STOPPED)
    return codes.isdisjoint(OUT_OF_TIME) if offer.fallback else codes <= STAYS

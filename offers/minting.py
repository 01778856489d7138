"""Offer tokens for every item of a decision."""

import logging

from offers.proposition import Decision, Item, PlacementSlate
from offers.tokens import OfferToken, OfferTokens
from streams.errors import OffingError
from streams.ids import CampaignId, OfferId, PlacementId
from streams.record import Request

logger = logging.getLogger("offing.minting")
Minted = tuple[tuple[str, ...], ...]
"""Tokens per placement, per item."""


def mint(decision: Decision, request: Request, tokens: OfferTokens) -> Minted:
    """A token for each item; empty for one whose ids are too long together: it is shown, its outcomes are lost."""
    collections = {shown.offer.offer_id: shown.offer.collection for shown in decision.shown}

    def minted(slate: PlacementSlate, item: Item) -> str:
        token = OfferToken(
            decision_id=decision.decision_id,
            placement=PlacementId(slate.placement),
            rank=item.rank,
            offer_id=OfferId(item.offer_id),
            campaign_id=CampaignId(item.campaign_id),
            collection=collections[OfferId(item.offer_id)],
            about=item.subject,
            customer_id=request.customer_id,
            device_class=request.device_class,
            expires=item.expires,
        )
        try:
            return tokens.mint(token)
        except OffingError as error:
            logger.error("an item goes out without a token: %s", error.code, extra={"code": error.code})
            return ""

    return tuple([tuple([minted(slate, item) for item in slate.items]) for slate in decision.placements])

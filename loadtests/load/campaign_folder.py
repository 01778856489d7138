"""A campaign folder -> what the load's checks must know of its offers."""

from collections.abc import Iterator
from pathlib import Path

from loadtests.load.campaign_facts import OfferFacts
from offers.condition import Leaf, conjuncts
from offers.folder import load_folder
from offers.offer import Offer
from streams.errors import InvalidInput

ROOM = ("market.cabins_free.", "market.vehicle_space.")


def read(campaigns: Path) -> dict[str, OfferFacts]:
    """By offer id. Raises InvalidInput CAMPAIGNS_INVALID if the folder has errors: it is not what the target serves."""
    loaded = load_folder(campaigns)
    if loaded.campaigns is None:
        first = next(iter(loaded.findings), "nothing could be read")
        message = f"{campaigns} has errors ({first}); name the folder that the target serves with --campaigns"
        raise InvalidInput("CAMPAIGNS_INVALID", message)
    return {campaign.offer.id: _facts(campaign.offer) for campaign in loaded.campaigns.campaigns}


def _facts(offer: Offer) -> OfferFacts:
    rooms = tuple(sorted(set(_rooms(offer))))
    words = offer.representation
    return OfferFacts(tuple(words.texts), words.others, () if offer.fallback else rooms)


def _rooms(offer: Offer) -> Iterator[str]:
    """Of the conditions that must all hold and want at least one."""
    for layer in (offer.eligibility, offer.applicability):
        for condition in conjuncts(layer):
            if not isinstance(condition, Leaf) or condition.negated or condition.low < 1:
                continue
            for prefix in ROOM:
                if condition.attribute.startswith(prefix):
                    yield condition.attribute.removeprefix(prefix)

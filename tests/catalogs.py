"""Makers of offers, catalogs and decision inputs: small worlds for tests of deciding."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from offers.catalog import Catalog
from offers.condition import ALWAYS, All, Condition
from offers.offer import Campaign, CampaignFolder, Image, Offer, Placement, Representation, Text
from offers.season import Season
from streams.attributes import Attribute, AttributeSet, Kind, attribute_set
from streams.ids import CampaignId, CustomerId, DecisionId, OfferId, PlacementId, RevisionId
from streams.instant import parse_instant
from streams.places import Places
from streams.profile import MaskedProfile
from streams.record import DecisionInputs, FactDict, OfferFacts, PlacementRequest, Request, Subject

NOW = parse_instant("2026-11-21T18:00:00Z")
HERO = PlacementId("app.home.hero")
TIERS = ("blue", "silver", "gold", "platinum")
ATTRIBUTES = attribute_set(
    (
        Attribute("customer", "tier", 1, Kind.ENUM, TIERS, ordered=True),
        Attribute("customer", "age", 2, Kind.INTEGER),
        Attribute("customer", "tastes", 3, Kind.SET),
        Attribute("customer", "home", 4, Kind.STRING),
        Attribute("customer", "newsletter", 5, Kind.BOOLEAN),
        Attribute("booking", "accommodation", 40, Kind.ENUM, ("deck", "seat", "cabin")),
        Attribute("market", "cabins_free", 60, Kind.INTEGER, by="kind", keys=("inside",), event="sailing.capacity"),
        Attribute("market", "fare", 61, Kind.MONEY, by="product", keys=("deck",), event="sailing.fare"),
        Attribute("context", "weather", 80, Kind.ENUM, ("sunny", "rainy")),
    )
)
TEXT = Text("Titolo", "Corpo", "Vai", "Immagine", "Perché sì")


def representation(locales: Sequence[str] = ("it", "en"), others: str | None = "en") -> Representation:
    """Plain words in some locales."""
    image = Image("i", "#123456")
    return Representation(
        image, "https://app.example/{token}", "https://www.example", {locale: TEXT for locale in locales}, others
    )


def offer(name: str, *, eligibility: Condition = ALWAYS, **more: Any) -> Offer:
    """An offer on the hero placement, worth 10."""
    facts = OfferFacts(OfferId(name), CampaignId(f"c-{name}"), more.pop("collection", "fares"))
    settings: dict[str, Any] = {"placements": (HERO,), "representation": representation(), **more}
    return Offer(facts=facts, where=f"{name}.yaml:1", eligibility=eligibility, **settings)


def catalog(
    offers: Iterable[Offer], places: Places | None = None, attributes: AttributeSet = ATTRIBUTES, **more: Any
) -> Catalog:
    """A catalog of these offers with the hero placement."""
    campaigns = tuple(Campaign(each.campaign_id, "tests", each, f"{each.id}.yaml") for each in offers)
    placements = more.pop("placements", {HERO: Placement(HERO, max_items=3)})
    seasons: tuple[Season, ...] = more.pop("seasons", ())
    folder = CampaignFolder(campaigns, placements, seasons, holdout=more.pop("holdout", None))
    return Catalog(RevisionId("r-test"), folder, attributes, places or Places())


def inputs(
    facts: FactDict | None = None, *, subjects: dict[str, tuple[Subject, ...]] | None = None, **more: Any
) -> DecisionInputs:
    """A customer with these facts asks for three items of the hero placement."""
    profile = more.pop("profile", MaskedProfile(facts=facts or {}))
    asked = Request(
        CustomerId("c-1"), more.pop("asked", (PlacementRequest(HERO, 3),)), more.pop("locale", "it"),
        more.pop("context", {}),
    )  # fmt: skip
    made = DecisionInputs(
        DecisionId("019dd0a1-52cb-7c3e-9d12-6b1f0c3f8a11"), NOW, RevisionId("r-test"), asked,
        profile=profile, subjects=subjects or {},
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


def every(*conditions: Condition) -> Condition:
    """All of these."""
    return All(conditions)

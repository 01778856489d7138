"""The campaign language: one YAML file -> one Campaign, or findings with line, column and the mend.

Its parts are read by the modules beside it: campaign_schedule, campaign_conditions, campaign_price, campaign_text, ...
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from offers.campaign_arms import Around, read_looks
from offers.campaign_budget import read_budget
from offers.campaign_conditions import read_layer
from offers.campaign_draft import Draft, Vocabulary
from offers.campaign_experiment import read_experiment
from offers.campaign_inherit import LAYERS
from offers.campaign_limits import read_limits, read_suppress
from offers.campaign_market import check_market
from offers.campaign_offer import ID, ID_EXAMPLE, OfferPart, read_about, read_offer
from offers.campaign_price import price_facts, read_price, read_value
from offers.campaign_prior import read_prior
from offers.campaign_representation import read_representation
from offers.campaign_schedule import read_local, read_schedule, read_zone
from offers.campaign_stacking import read_stacking
from offers.campaign_stop import read_on_stop
from offers.campaign_text import Written, read_languages, read_texts
from offers.campaign_uses import read_uses
from offers.offer import Campaign, Consent, Offer, Price, Representation
from streams.findings import did_you_mean, listed, shown
from streams.ids import CampaignId, PlacementId
from streams.positioned_yaml import MapNode, Node
from streams.record import OfferFacts
from streams.sheet import Sheet

LANGUAGE = 1
REQUIRED = ("campaign", "owner", "offer", "placements", "representation", "text")
KEYS = (
    "campaign", "owner", "language", "description", "schedule", "languages", *LAYERS, "offer", "price", "limits",
    "suppress", "consent", "placements", "representation", "text", "experiment", "on_stop", "uses", "budget",
    "group",
)  # fmt: skip
OWNER = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
OWNER_EXAMPLE = "'marketing.sardinia'"
_WHOLE = "the campaign"


@dataclass(frozen=True, slots=True)
class ReadCampaign:
    """A campaign with the places of its ids, for findings across files."""

    campaign: Campaign
    campaign_node: Node
    offer_node: Node
    experiment_node: Node | None = None


def read_campaign(sheet: Sheet, words: Vocabulary, root: Node) -> ReadCampaign | None:
    """One campaign, or None after an error; every mistake is in the sheet's findings."""
    fields = sheet.fields(root, _WHOLE, KEYS, REQUIRED)
    draft = _draft(sheet, words, fields)
    campaign_id = sheet.matching(fields["campaign"], "campaign", ID, ID_EXAMPLE) if "campaign" in fields else None
    owner = sheet.matching(fields["owner"], "owner", OWNER, OWNER_EXAMPLE) if "owner" in fields else None
    _check_head(sheet, fields)
    part = read_offer(draft, fields.get("offer"))
    offer = _offer(draft, fields, CampaignId(campaign_id or ""), part)
    check_market(draft, fields, offer)
    if part.fallback:
        _check_fallback(draft, fields, offer)
    if sheet.failed or offer is None or owner is None:
        return None
    found = Campaign(offer.campaign_id, owner, offer, sheet.path)
    offer_node = _inner(fields["offer"], "id") or fields["offer"]
    return ReadCampaign(found, fields["campaign"], offer_node, _inner(fields.get("experiment"), "id"))


def check_shared(draft: Draft, fields: Mapping[str, Node]) -> None:
    """What a group or the defaults say, by itself: findings that are the same whatever campaign inherits it."""
    if "owner" in fields:
        draft.sheet.matching(fields["owner"], "owner", OWNER, OWNER_EXAMPLE)
    read_schedule(draft, fields.get("schedule"))
    if _inner(fields.get("languages"), "write") is not None:
        read_languages(draft, fields.get("languages"), None)
    for layer in LAYERS:
        read_layer(draft, fields.get(layer), layer)
    read_limits(draft, fields.get("limits"), "of the campaign")
    read_suppress(draft, fields.get("suppress"))
    _purposes(draft, _inner(fields.get("consent"), "purposes"))
    _consent(draft, fields.get("consent"))
    _placements(draft, fields.get("placements"))
    read_experiment(draft, fields.get("experiment"))


def _draft(sheet: Sheet, words: Vocabulary, fields: Mapping[str, Node]) -> Draft:
    """The head that everything else is read against: zone, subject, purposes."""
    zone = read_zone(sheet, fields.get("schedule"))
    about = read_about(sheet, words, _inner(fields.get("offer"), "about"))
    draft = Draft(sheet, words, zone, about, local=read_local(fields.get("schedule")))
    return replace(draft, purposes=_purposes(draft, _inner(fields.get("consent"), "purposes")))


def _check_head(sheet: Sheet, fields: Mapping[str, Node]) -> None:
    if "language" in fields:
        version = sheet.integer(fields["language"], "language", 1, 1_000)
        if version is not None and version > LANGUAGE:
            hint = "Upgrade Offing, or write 'language: 1'."
            sheet.error(fields["language"], "LANGUAGE_VERSION", f"this Offing reads language {LANGUAGE}.", hint)
    if "description" in fields:
        sheet.sentence(fields["description"], "description", 2_000)


def _offer(draft: Draft, fields: Mapping[str, Node], campaign_id: CampaignId, part: OfferPart) -> Offer | None:
    """The offer with everything that decides about it. All of it is read, so that one run shows every mistake."""
    price = read_price(draft, fields.get("price"))
    value = read_value(draft, _inner(fields.get("offer"), "value"), fields.get("price"), price)
    schedule = read_schedule(draft, fields.get("schedule"))
    price = read_prior(draft, _inner(fields.get("price"), "prior"), price, schedule)
    eligibility, applicability, suitability = (read_layer(draft, fields.get(layer), layer) for layer in LAYERS)
    limits = read_limits(draft, fields.get("limits"), part.collection)
    limits += read_budget(draft, fields.get("budget"), price)
    stock = read_uses(draft, fields.get("uses"))
    suppress = read_suppress(draft, fields.get("suppress"))
    consent = _consent(draft, fields.get("consent"))
    stacking = read_stacking(draft, fields.get("offer"), part.fallback)
    placements = _placements(draft, fields.get("placements"))
    representation = _representation(draft, fields, price, placements)
    experiment = read_experiment(draft, fields.get("experiment"))
    around = Around(draft, fields, KEYS, None, placements)
    if representation is None:
        read_looks(around)
        return None
    offer = Offer(
        facts=_facts(campaign_id, part, price),
        where=f"{draft.sheet.path}:{fields['campaign'].line if 'campaign' in fields else 1}",
        placements=placements,
        representation=representation,
        schedule=schedule,
        about=draft.about,
        eligibility=eligibility,
        applicability=applicability,
        suitability=suitability,
        stock=stock,
        consent=consent,
        limits=limits,
        suppress=suppress,
        price=price,
        value=value,
        lever=part.lever,
        ttl_s=part.ttl_s,
        goal=part.goal,
        on_stop=read_on_stop(draft, fields.get("on_stop")),
        fallback=part.fallback,
        experiment=experiment,
        stacking=stacking,
    )
    return replace(offer, looks=read_looks(replace(around, offer=offer)))


def _facts(campaign_id: CampaignId, part: OfferPart, price: Price | None) -> OfferFacts:
    return OfferFacts(
        part.id,
        campaign_id,
        part.collection,
        {**price_facts(price), **part.attributes},
        starting_mean=part.mean,
        starting_evidence=part.evidence,
        goal_event=part.goal.event,
        goal_within_ms=part.goal.within_ms,
    )


def _check_fallback(draft: Draft, fields: Mapping[str, Node], offer: Offer | None) -> None:
    """A fallback is what remains for everyone: FALLBACK_UNFIT if it cannot be; FALLBACK_IGNORES what nobody asks."""
    node = _inner(fields["offer"], "fallback") or fields["offer"]
    reasons = {
        "it is about something that not everyone has": draft.about is not None,
        "it needs consent": "consent" in fields,
        "it is part of an experiment": "experiment" in fields,
        "it shows nothing to readers of other languages": offer is not None and offer.representation.others is None,
        "its words need to know where the customer is": offer is not None and _says_distance(offer.representation),
    }
    for reason, holds in reasons.items():
        if holds:
            hint = "Take that out, or mark another offer."
            draft.sheet.error(node, "FALLBACK_UNFIT", f"a fallback is for everyone, and {reason}.", hint)
    for key in (*LAYERS, "limits", "suppress", "uses", "budget"):
        if key in fields:
            draft.sheet.warn(fields[key], "FALLBACK_IGNORES", f"a fallback ignores '{key}'.", "Remove it.")
    if "schedule" in fields:
        message = "outside its schedule, a placement that falls back on it stays empty."
        draft.sheet.warn(fields["schedule"], "FALLBACK_IGNORES", message, "Remove the schedule.")


def _says_distance(representation: Representation) -> bool:
    texts = (text for each in representation.every for text in each.texts.values())
    words = (part for text in texts for part in (text.title, text.body, text.button, text.why, text.sms))
    return any("{distance" in part for part in words)


def _representation(
    draft: Draft, fields: Mapping[str, Node], price: Price | None, placements: tuple[PlacementId, ...]
) -> Representation | None:
    languages = read_languages(draft, fields.get("languages"), fields.get("text"))
    written = Written(draft, price, "price" in fields, placements)
    texts = read_texts(written, fields.get("text"), languages)
    return read_representation(written, fields.get("representation"), texts, languages.others)


def _placements(draft: Draft, node: Node | None) -> tuple[PlacementId, ...]:
    if node is None:
        return ()
    items = draft.sheet.one_or_more(node, "placements")
    found = [draft.reference(item, "UNKNOWN_PLACEMENT", "placement", _names(draft)) for item in items]
    return tuple(dict.fromkeys(PlacementId(name) for name in found if name is not None))


def _names(draft: Draft) -> tuple[str, ...]:
    return tuple(draft.words.placements)


def _purposes(draft: Draft, node: Node | None) -> tuple[str, ...]:
    """The purposes the campaign asks for; one that nobody else names is a warning."""
    if node is None:
        return ()
    found = []
    for item in draft.sheet.one_or_more(node, "consent.purposes"):
        purpose = draft.sheet.text(item, "consent.purposes")
        if purpose is None:
            continue
        found.append(purpose)
        if purpose not in draft.words.purposes:
            hint = did_you_mean(purpose, draft.words.purposes) or f"Known: {listed(sorted(draft.words.purposes))}."
            message = f"no attribute is declared for the purpose {shown(purpose)}: who never granted it sees nothing."
            draft.sheet.warn(item, "UNKNOWN_PURPOSE", message, hint)
    return tuple(sorted(set(found)))


def _consent(draft: Draft, node: Node | None) -> Consent:
    """Purposes, which were read before, and channels."""
    if node is None:
        return Consent()
    fields = draft.sheet.fields(node, "consent", ("purposes", "channels"))
    if "channels" not in fields:
        return Consent(draft.purposes)
    known = tuple(sorted({placement.channel for placement in draft.words.placements.values()}))
    channels = draft.sheet.words(fields["channels"], "consent.channels", known, "UNKNOWN_CHANNEL")
    return Consent(draft.purposes, tuple(sorted(channels)))


def _inner(node: Node | None, key: str) -> Node | None:
    """The value of a key of a mapping, where both are there."""
    found = node.entries.get(key) if isinstance(node, MapNode) else None
    return None if found is None else found[1]

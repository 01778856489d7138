"""What the app shows, item by item: words in the customer's language, picture, links, price, and how long it holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from offers import money, schedule
from offers.condition import leaves
from offers.locale import choose, conventions
from offers.money import Quote
from offers.offer import SMS, ImageVariant, Offer, Placement, Price, RelativeTime, Schedule
from offers.own_time import instant_of, own_plan
from offers.prior_price import prior_of
from offers.proposition import Candidate, Item, Offline, Picture, PlacementSlate, PriceTag, PriorTag, Shown, Slate, Slot
from offers.wording import Wording, Writing, wording
from streams.attributes import AttributeSet, attribute_set
from streams.ids import Millis, PlacementId
from streams.instant import MINUTE_MS, format_instant
from streams.record import DecisionInputs

SCHEMA = 2
"""The form of `Shown`; apps send the newest that they know as context.app.representation."""
PERSONALISED_PRICE = "personalised_price"
"""Disclosure: the price was reduced for reasons that lie with this customer."""
PRICE_AND_STOCK = Offline(show=False, because="PRICE_AND_STOCK")
SHOWN_OFFLINE = Offline(show=True)
STOCK = ("market.", "venue.free")
"""Facts that may be gone by the time a phone is back online."""
UNDECLARED = attribute_set(())
MAX_CHANGES = 8
DEPARTURE = RelativeTime("sailing.departure", 0)
ARRIVAL = RelativeTime("sailing.arrival", 0)


@dataclass(frozen=True, slots=True)
class RenderContext:
    """What rendering reads besides the slates."""

    inputs: DecisionInputs
    placements: Mapping[PlacementId, Placement]
    attributes: AttributeSet = UNDECLARED
    """Only for the currency of money in words."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """What is the same for every customer of an offer in a placement."""

    wordings: Mapping[str, Wording]
    """Written locale -> its templates."""
    placeholder: str
    variants: tuple[dict[str, str | int], ...]
    offline: Offline
    disclosures: tuple[str, ...]


class OfferKey:
    """An offer as a key: by identity, which is cheap, and holding the offer, so that no other can take its place."""

    __slots__ = ("offer",)

    def __init__(self, offer: Offer) -> None:
        self.offer = offer

    def __hash__(self) -> int:
        return id(self.offer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OfferKey) and self.offer is other.offer


def render(slates: Sequence[Slate], context: RenderContext) -> tuple[PlacementSlate, ...]:
    """The slates as they are shown, in their order; an empty one stays empty.

    Never raises for a candidate. One that cannot be written in the customer's language, or a word of which is missing,
    is left out whole rather than shown in part: eligibility and fallback keep such candidates from coming here.
    """
    return tuple(_slate(slate, context) for slate in slates)


def _slate(slate: Slate, context: RenderContext) -> PlacementSlate:
    placement = context.placements.get(slate.placement) or Placement(slate.placement)
    items = (_item(slot, rank, placement, context) for rank, slot in enumerate(slate.slots, 1))
    shown = tuple(item for item in items if item is not None)
    return PlacementSlate(slate.placement, slate.fallback, placement.refresh_after_s, shown, slate.problem)


def _item(slot: Slot, rank: int, placement: Placement, context: RenderContext) -> Item | None:
    candidate, inputs = slot.candidate, context.inputs
    offer = candidate.offer
    quote = candidate.quote
    locale = choose(inputs.request.locale, offer.representation)
    if locale is None or (offer.price is not None and quote is None):
        return None
    writing = Writing(offer, candidate.view, quote, conventions(inputs.request.locale, locale), context.attributes)
    fixed = _fixed(OfferKey(offer), placement.id if placement.id in offer.representation.at else None)
    shown = _shown(writing, fixed, placement)
    if shown is None:
        return None
    return Item(
        offer_id=offer.id,
        campaign_id=offer.campaign_id,
        rank=rank,
        about=candidate.subject.about,
        subject=candidate.subject.key,
        expires=expires(candidate, inputs.now, inputs.seasons),
        representation=shown,
        offline=fixed.offline,
        price=_tag(candidate, writing.conventions.formats),
    )


def _shown(writing: Writing, fixed: Fixed, placement: Placement) -> Shown | None:
    to = writing.conventions
    words = fixed.wordings[to.written]
    templates = (words.title, words.body, words.button, words.alt, words.why)
    title, body, button, alt, why = (template.fill(writing.word) for template in templates)
    link, web = words.link.fill(writing.link_part), words.web.fill(writing.link_part)
    if title is None or body is None or button is None or alt is None or why is None or link is None or web is None:
        return None
    message = None
    if placement.channel == SMS:
        message = words.sms.fill(lambda hole: writing.sms_word(hole, web))
        if not message:
            return None
    return Shown(
        schema=SCHEMA,
        locale=to.written,
        dir=to.direction,
        title=title,
        body=body,
        button=button,
        image=Picture(alt, fixed.placeholder, fixed.variants),
        action={"link": link, "web": web},
        why_shown=why,
        opt_out=placement.opt_out,
        disclosures=fixed.disclosures,
        sms=message,
    )


def _tag(candidate: Candidate, locale: str) -> PriceTag | None:
    quote, price = candidate.quote, candidate.offer.price
    if quote is None or price is None:
        return None
    as_of = None if quote.as_of is None else _since(quote.as_of)
    prior = _prior_tag(price, candidate, quote, locale)
    return PriceTag(quote.minor, quote.currency, money.text(quote.minor, quote.currency, locale), as_of, prior)


def _prior_tag(price: Price, candidate: Candidate, quote: Quote, locale: str) -> PriorTag | None:
    prior = prior_of(price, candidate.subject.facts, quote)
    return (
        None if prior is None else PriorTag(prior.minor, money.text(prior.minor, quote.currency, locale), prior.basis)
    )


_since = lru_cache(maxsize=16_384)(format_instant)


@lru_cache(maxsize=65_536)
def _fixed(key: OfferKey, placement: PlacementId | None) -> Fixed:
    """`placement`: one in which the offer looks different; None: any other."""
    offer = key.offer
    representation = offer.representation if placement is None else offer.representation.at[placement]
    layers = offer.eligibility, offer.applicability, offer.suitability, offer.stock
    wordings = {
        locale: wording(text, representation.link, representation.web) for locale, text in representation.texts.items()
    }
    asked = {leaf.attribute for layer in layers for leaf in leaves(layer)}
    told = {hole.name for words in wordings.values() for hole in words.holes}
    source = offer.price.source or "" if offer.price is not None else ""
    perishable = any(name.startswith(STOCK) for name in (*asked, *told, source))
    reduced = offer.price is not None and offer.price.discount > 0
    personal = reduced and any(name.startswith("customer.") for name in asked)
    return Fixed(
        wordings,
        representation.image.placeholder,
        tuple(_variant(variant) for variant in representation.image.variants),
        PRICE_AND_STOCK if perishable else SHOWN_OFFLINE,
        (*((PERSONALISED_PRICE,) if personal else ()), *offer.disclosures),
    )


def _variant(variant: ImageVariant) -> dict[str, str | int]:
    return {"url": variant.url, "w": variant.w, "h": variant.h, "bytes": variant.bytes, "sha256": variant.sha256}


def expires(candidate: Candidate, now: Millis, seasons: tuple[str, ...]) -> Millis:
    """The instant from which the item must not be shown: the first of its time to live, the end of its schedule or of

    today's hours, its relative end, and the departure of the sailing it is about (once on board: the arrival).
    """
    return min((now + candidate.offer.ttl_s * 1_000, *_ends(candidate, now, seasons)))


def _ends(candidate: Candidate, now: Millis, seasons: tuple[str, ...]) -> Iterator[Millis]:
    plan, facts = candidate.offer.schedule, candidate.subject.facts
    if plan.ends is not None:
        yield plan.ends
    days_and_hours = own_plan(plan, candidate.view) if plan.days or plan.hours is not None else None
    if days_and_hours is not None:
        yield _closes(days_and_hours, now // MINUTE_MS, seasons)
    if plan.ends_relative is not None and (at := instant_of(plan.ends_relative, facts)) is not None:
        yield at
    sails = (instant_of(DEPARTURE, facts), instant_of(ARRIVAL, facts))
    yield from [at for at in sails if at is not None and at > now][:1]


@lru_cache(maxsize=4_096)
def _closes(plan: Schedule, minute: int, seasons: tuple[str, ...]) -> Millis:
    """When a plan's days and hours end next, seen from a minute since the epoch; looked for over MAX_CHANGES changes,

    so at worst some hours early. Hours begin and end on whole minutes.
    """
    at = minute * MINUTE_MS
    for _ in range(MAX_CHANGES):
        changes = schedule.next_change(plan, at)
        at = at if changes is None else changes
        if changes is None or schedule.status(plan, at, seasons) is not None:
            break
    return at

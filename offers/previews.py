"""What an offer looks like before anybody sees it: every placement in every language, written by what writes answers.

Facts come from a persona's subject where there is one; what is missing is filled with examples, which are named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from offers.campaign_segments import link_width
from offers.condition import View
from offers.example_facts import Example
from offers.locale import choose, conventions
from offers.money import Quote, price_of
from offers.offer import SEGMENTS, Offer, Placement
from offers.proposition import Candidate, Item, Slate, Slot
from offers.representation import RenderContext, render
from offers.sms import Message, measure
from offers.template import Hole
from offers.text_widths import seen
from offers.wording import Writing, holes_of, missing_placeholders
from streams.attributes import AttributeSet, Kind
from streams.ids import OfferId, PlacementId
from streams.places import Places
from streams.record import NOTHING, DecisionInputs, FactDict, Subject

MEASURED = ("title", "body", "button")
_FILTERS = {Kind.DATETIME: ("date", "time"), Kind.MONEY: ("money",), Kind.DISTANCE: ("distance",)}
_PORTS = ("sailing.origin", "sailing.destination")
_UNTOLD = ("booking.id", "sailing.id", "sailing.line", "venue.id")
"""Facts that links need; nobody reads them."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What previews are drawn from."""

    offer: Offer
    placements: tuple[Placement, ...]
    attributes: AttributeSet
    places: Places
    inputs: DecisionInputs
    """Whose `now` it is; with a persona, their locale, whereabouts and subjects."""
    invented: bool = True
    """Whether nobody's facts are shown: then all that is said are examples."""


@dataclass(frozen=True, slots=True)
class Length:
    """How long a text is, of how long it may be there."""

    name: str
    characters: int
    most: int | None
    """None: the placement says no limit."""

    @property
    def fits(self) -> bool:
        """Whether the placement shows it whole."""
        return self.most is None or self.characters <= self.most

    def __str__(self) -> str:
        """`title 27/40`"""
        return f"{self.name} {self.characters}" + ("" if self.most is None else f"/{self.most}")


@dataclass(frozen=True, slots=True)
class Preview:
    """An offer in one placement and language."""

    offer_id: OfferId
    placement: Placement
    locale: str
    """In whose ways numbers and dates are written: `de-AT`."""
    item: Item | None
    """As an answer has it, `{token}` still in its links; None: some placeholder has no value."""
    lengths: tuple[Length, ...] = ()
    examples: tuple[str, ...] = ()
    """`market.fare.deck 79,00 €`: what was made up."""
    missing: tuple[str, ...] = ()
    """Placeholders without a value."""
    message: Message | None = None
    """What it takes as an SMS, its link with the token that answers bring."""


def previews(scene: Scene, locales: Sequence[str] = ()) -> tuple[Preview, ...]:
    """Every placement x locale, in the order of the file; without `locales`, every language that is written."""
    asked = locales or tuple(scene.offer.representation.texts)
    return tuple(
        _preview(scene, placement, _reader(scene, locale)) for placement in scene.placements for locale in asked
    )


def _reader(scene: Scene, locale: str) -> str:
    """The persona's own way of reading a language, where it is theirs."""
    theirs = scene.inputs.request.locale
    same = not scene.invented and choose(theirs, scene.offer.representation) == locale
    return theirs if same else locale


def _preview(scene: Scene, placement: Placement, locale: str) -> Preview:
    offer = scene.offer
    holes = holes_of(offer.representation, locale)
    subject = _subject(scene)
    made = _made(scene, holes, subject)
    whole = msgspec.structs.replace(subject, facts={**made, **subject.facts})
    quote = _quote(offer, whole.facts, scene)
    if offer.price is not None and quote is None and offer.price.source is not None:
        again = Example(offer, scene.attributes, scene.places, scene.inputs.now).facts(())
        made[offer.price.source] = whole.facts[offer.price.source] = again[offer.price.source]
        quote = _quote(offer, whole.facts, scene)
    request = msgspec.structs.replace(scene.inputs.request, locale=locale)
    inputs = msgspec.structs.replace(scene.inputs, request=request)
    view = View({**made, **request.context}, whole.facts, inputs.whereabouts, scene.places, inputs.now)
    candidate = Candidate(offer, whole, view, quote)
    slate = Slate(placement.id, (Slot(candidate, None, None),))
    (drawn,) = render((slate,), RenderContext(inputs, {placement.id: placement}, scene.attributes))
    item = drawn.items[0] if drawn.items else None
    read = {hole.name for hole in holes} | {offer.price.source if offer.price is not None else None}
    message = None if item is None else _message(item, offer, placement)
    return Preview(
        offer_id=offer.id,
        placement=placement,
        locale=locale,
        item=item,
        lengths=() if item is None else _lengths(item, placement, message),
        message=message,
        examples=tuple(_told(scene, {name: made[name] for name in made if name in read}, candidate, locale)),
        missing=missing_placeholders(offer.representation, view, quote, locale) if item is None else (),
    )


def _subject(scene: Scene) -> Subject:
    """The persona's first subject of this offer; else one without facts."""
    about = scene.offer.about
    if about is None:
        return NOTHING
    bound = scene.inputs.subjects.get(about.key)
    return bound[0] if bound else Subject(f"{about.kind}:example", {}, {f"{about.kind}_id": "example"})


def _made(scene: Scene, holes: Sequence[Hole], subject: Subject) -> FactDict:
    known = {*subject.facts, *scene.inputs.request.context}
    return Example(scene.offer, scene.attributes, scene.places, scene.inputs.now).facts(holes, known)


def _quote(offer: Offer, facts: FactDict, scene: Scene) -> Quote | None:
    return None if offer.price is None else price_of(offer.price, facts, scene.inputs.now)


def _message(item: Item, offer: Offer, placement: Placement) -> Message | None:
    words = item.representation
    if words.sms is None:
        return None
    content = offer.representation.at.get(placement.id, offer.representation)
    web = words.action["web"]
    return measure(words.sms.replace(web, web.ljust(link_width(content.web, offer, placement.id), "x")))


def _lengths(item: Item, placement: Placement, message: Message | None) -> tuple[Length, ...]:
    limits = dict(placement.limits)
    if message is not None:
        return (Length(SEGMENTS, message.segments, limits.get(SEGMENTS)),)
    return tuple(Length(key, seen(getattr(item.representation, key)), limits.get(key)) for key in MEASURED)


def _told(scene: Scene, made: FactDict, candidate: Candidate, locale: str) -> Iterator[str]:
    """Each made-up fact as the reader's language writes it."""
    written = choose(locale, scene.offer.representation)
    if written is None:
        return
    ways = conventions(locale, written)
    writing = Writing(candidate.offer, candidate.view, candidate.quote, ways, scene.attributes)
    for name in made:
        attribute = scene.attributes.of_fact(name)
        if attribute is None or name in _UNTOLD:
            continue
        filters = ("port",) if name in _PORTS else _FILTERS.get(attribute.kind, ("",))
        words = [writing.word(Hole(name, chosen)) for chosen in filters]
        yield f"{name} {', '.join(word for word in words if word is not None)}"


def told(preview: Preview) -> dict[str, Any]:
    """For machines."""
    item = preview.item
    return {
        "offer_id": preview.offer_id,
        "placement": preview.placement.id,
        "channel": preview.placement.channel,
        "locale": preview.locale,
        "representation": None if item is None else msgspec.to_builtins(item.representation),
        "price": None if item is None or item.price is None else msgspec.to_builtins(item.price),
        "lengths": {each.name: {"characters": each.characters, "limit": each.most} for each in preview.lengths},
        "fits": all(each.fits for each in preview.lengths),
        "examples": list(preview.examples),
        "missing": list(preview.missing),
        "sms": None if preview.message is None else asdict(preview.message),
    }


def placements_of(offer: Offer, known: dict[PlacementId, Placement]) -> tuple[Placement, ...]:
    """The placements where an offer may stand, in the order of its file."""
    return tuple(known[name] for name in offer.placements)

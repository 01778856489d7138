"""The words of an offer for one customer: what each placeholder stands for, and how it is written in their locale.

A placeholder whose value is missing is never shown empty: `missing_placeholders` rules the candidate out beforehand.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote as percent_encoded

import msgspec

from offers import formats, money, sms
from offers.condition import View
from offers.local_zone import zone_of
from offers.locale import Conventions, choose
from offers.money import Quote, saved_percent
from offers.offer import Offer, Representation, Text
from offers.plurals import words_for
from offers.template import LINK, TOKEN, Hole, Template, compiled
from streams.attributes import AttributeSet, Value

MAX_VALUE = 120
"""Characters of one filled placeholder; longer ones are cut and end in an ellipsis."""
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""Control characters, separators and direction overrides: they could disguise or break the words around them."""
_ISOLATE = "\u2068{}\u2069"
"""First strong isolate: in right-to-left words, a Latin name or number keeps its own direction; so does a Hebrew or

Arabic name in words that run left to right."""
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")


@dataclass(frozen=True, slots=True)
class Wording:
    """The templates of one offer in one locale."""

    title: Template
    body: Template
    button: Template
    alt: Template
    why: Template
    link: Template
    web: Template
    sms: Template
    holes: tuple[Hole, ...]
    """Every placeholder once, but for the token of the links and the link of the SMS."""


class Writing(msgspec.Struct, frozen=True):
    """What the placeholders of one candidate are written from."""

    offer: Offer
    view: View
    quote: Quote | None
    conventions: Conventions
    attributes: AttributeSet

    def word(self, hole: Hole) -> str | None:
        """A placeholder as part of a text; None: its value is missing."""
        value = value_of(hole, self.view, self.quote)
        if value is None:
            return None
        text = _styled(hole, value, self)
        apart = self.conventions.direction == "rtl" or not (text.isascii() or _RIGHT_TO_LEFT.search(text) is None)
        return _ISOLATE.format(text) if apart else text

    def sms_word(self, hole: Hole, link: str) -> str | None:
        """A placeholder as part of a text message, in characters that the shorter alphabet has where it can be."""
        if hole.name == LINK:
            return link
        word = self.word(hole)
        return None if word is None else sms.plain(word)

    def link_part(self, hole: Hole) -> str | None:
        """A placeholder as part of a link, percent-encoded and not localised; the token stays in place."""
        if hole.name == TOKEN:
            return "{token}"
        value = value_of(hole, self.view, self.quote)
        if value is None:
            return None
        return _encoded(_styled(hole, value, self) if hole.filter else _plain(_bare(value)))


@lru_cache(maxsize=65_536)
def wording(text: Text, link: str, web: str) -> Wording:
    """The compiled templates of a text and its links."""
    words = (text.title, text.body, text.button, text.alt, text.why, text.sms)
    title, body, button, alt, why, message = (compiled(part) for part in words)
    to, to_web = _link(link), _link(web)
    texts = (title, body, button, alt, why, message)
    in_words = [hole for template in texts for hole in template.holes if hole.name != LINK]
    in_links = [hole for hole in (*to.holes, *to_web.holes) if hole.name != TOKEN]
    return Wording(title, body, button, alt, why, to, to_web, message, tuple(dict.fromkeys(in_words + in_links)))


def missing_placeholders(
    representation: Representation, view: View, quote: Quote | None, locale: str
) -> tuple[str, ...]:
    """Names that the words this customer would get cannot be filled with (CONTEXT_MISSING); empty: all is there.

    Without a locale to write in (LOCALE_MISSING) there are no words, so nothing is missing.
    """
    holes = holes_of(representation, locale)
    return tuple(dict.fromkeys(hole.name for hole in holes if value_of(hole, view, quote) is None))


def holes_of(representation: Representation, locale: str) -> tuple[Hole, ...]:
    """The placeholders of the words that a customer with this locale gets, wherever they are; without words none."""
    written = choose(locale, representation)
    if written is None:
        return ()
    if not representation.at:
        return wording(representation.texts[written], representation.link, representation.web).holes
    every = (wording(each.texts[written], each.link, each.web).holes for each in representation.every)
    return tuple(dict.fromkeys(hole for holes in every for hole in holes))


Filled = Callable[[View, Quote | None], bool]
"""Whether a placeholder has a value."""


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """What may be missing from some words. One for all words with the same placeholders, so that it can be a key."""

    fillers: tuple[Filled, ...]
    by_amount: bool
    """Whether it matters what the price is, not only that there is one: then one subject has no one answer."""

    def filled(self, view: View, quote: Quote | None) -> bool:
        """Whether every placeholder has a value."""
        for filler in self.fillers:
            if not filler(view, quote):
                return False
        return True


def gaps_of(representation: Representation, locale: str) -> Gaps:
    """holes_of(), each as the question whether it can be filled."""
    return _gaps(holes_of(representation, locale))


@lru_cache(maxsize=4_096)
def _gaps(holes: tuple[Hole, ...]) -> Gaps:
    by_amount = any(hole.name == "discount" or (hole.name == "price" and not _is_money(hole)) for hole in holes)
    return Gaps(tuple(_filled(hole) for hole in holes), by_amount)


def _is_money(hole: Hole) -> bool:
    return hole.filter in ("", "money")


def _filled(hole: Hole) -> Filled:
    """value_of(hole, ...) is not None, with what is known of the placeholder looked up once."""
    name, chosen = hole.name, hole.filter
    if name == "price" and _is_money(hole):
        return lambda view, quote: quote is not None
    if name in _FINDERS or chosen:
        return lambda view, quote: value_of(hole, view, quote) is not None

    def filled(view: View, quote: Quote | None) -> bool:
        fact = view.subject.get(name) or view.facts.get(name)
        return fact is not None and (isinstance(fact[0], str) or _fitting("", fact[0], view) is not None)

    return filled


def always_complete(representation: Representation, quote: Quote | None) -> bool:
    """Whether nothing can be missing whoever reads it: no placeholder but the token, and the price if there is one.

    Told from the texts alone: parsing the templates of 100,000 offers would take a minute.
    """
    known = [f"{{{TOKEN}}}", f"{{{LINK}}}"]
    if quote is not None:
        known += ["{price}", "{discount}"] if saved_percent(quote) is not None else ["{price}"]
    words = [link for each in representation.every for link in (each.link, each.web)]
    for text in (text for each in representation.every for text in each.texts.values()):
        words += (text.title, text.body, text.button, text.alt, text.why, text.sms)
    return not any("{" in word and _holes_beyond(word, known) for word in words)


def _holes_beyond(word: str, known: list[str]) -> bool:
    for name in known:
        word = word.replace(name, "")
    return "{" in word


def value_of(hole: Hole, view: View, quote: Quote | None) -> Value | None:
    """What a placeholder stands for; None: missing, or nothing its filter can write."""
    found = _FINDERS.get(hole.name)
    value = _fact(hole.name, view) if found is None else found(view, quote)
    return None if value is None else _fitting(hole.filter, value, view)


def _fact(name: str, view: View) -> Value | None:
    fact = view.subject.get(name) or view.facts.get(name)
    return None if fact is None else fact[0]


def _price(view: View, quote: Quote | None) -> Value | None:
    return None if quote is None else quote.minor


def _discount(view: View, quote: Quote | None) -> Value | None:
    return None if quote is None else saved_percent(quote)


def _distance(view: View, quote: Quote | None) -> Value | None:
    return _fact("context.nearest_port_distance", view)


def _venue_name(view: View, quote: Quote | None) -> Value | None:
    venue = view.places.venues.get(str(_fact("venue.id", view)))
    return None if venue is None else venue.name


_FINDERS: Mapping[str, Callable[[View, Quote | None], Value | None]] = MappingProxyType(
    {"price": _price, "discount": _discount, "distance": _distance, "venue.name": _venue_name}
)


def _fitting(chosen: str, value: Value, view: View) -> Value | None:
    """A value if the filter can write it; a port's id becomes its name."""
    if chosen == "port":
        port = view.places.ports.get(str(value))
        return None if port is None else port.name
    if isinstance(value, bool) or (isinstance(value, int | float) and not abs(value) < formats.LARGEST):
        return None
    if chosen in ("time", "date"):
        return value if isinstance(value, int) and 0 < value < formats.LAST_INSTANT else None
    return None if chosen and not isinstance(value, int | float) else value


def _styled(hole: Hole, value: Value, writing: Writing) -> str:
    """A value in the customer's conventions."""
    if not isinstance(value, int | float):
        return _plain(_bare(value))
    if hole.forms:
        locale = writing.conventions.formats
        return words_for(hole.forms, value, formats.number(value, locale), locale)
    return _STYLES[hole.filter or _USUAL.get(hole.name, "number")](hole.name, value, writing)


def _money(name: str, value: float, writing: Writing) -> str:
    return money.text(int(value), _currency(name, writing), writing.conventions.formats)


def _currency(name: str, writing: Writing) -> str:
    """The quote's, or the one that the fact was declared in."""
    if name == "price" and writing.quote is not None:
        return writing.quote.currency
    declared = writing.attributes.of_fact(name)
    return "EUR" if declared is None or declared.unit is None else declared.unit


def _zone(name: str, writing: Writing) -> str:
    """Where a time is told: an arrival in the port of destination, all else in the port of origin of the sailing,

    without a sailing in the zone of the offer's schedule, or of the clock that it is read on.
    """
    view = writing.view
    end = "sailing.destination" if name == "sailing.arrival" else "sailing.origin"
    port = view.places.ports.get(str(_fact(end, view)))
    if port is not None:
        return port.zone
    plan = writing.offer.schedule
    return (zone_of(plan.local, view) if plan.local else None) or plan.zone


_USUAL: Mapping[str, str] = MappingProxyType({"price": "money", "discount": "percent", "distance": "distance"})
_STYLES: Mapping[str, Callable[[str, float, Writing], str]] = MappingProxyType(
    {
        "money": _money,
        "percent": lambda name, value, to: formats.percent(int(value), to.conventions.formats),
        "distance": lambda name, value, to: formats.distance(value, to.conventions.formats, to.conventions.miles),
        "time": lambda name, value, to: formats.time(int(value), _zone(name, to), to.conventions.formats),
        "date": lambda name, value, to: formats.date(int(value), _zone(name, to), to.conventions.formats),
        "number": lambda name, value, to: formats.number(value, to.conventions.formats),
    }
)


def _bare(value: Value) -> str:
    """A value as it is, for links and for what is a text already."""
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _plain(text: str) -> str:
    """At most MAX_VALUE characters of one line, nothing invisible that could change what stands around it."""
    if len(text) <= MAX_VALUE and text.isprintable():
        return text
    shown = _UNSHOWN.sub("", " ".join(text.splitlines()))
    return shown if len(shown) <= MAX_VALUE else f"{shown[: MAX_VALUE - 1]}…"


@lru_cache(maxsize=16_384)
def _encoded(text: str) -> str:
    return percent_encoded(text, safe="")


def _link(text: str) -> Template:
    """A link's template; braces that are meant as such are encoded, so that `{token}` is the token only."""
    parts = compiled(text).parts
    return Template(
        tuple(part.replace("{", "%7B").replace("}", "%7D") if isinstance(part, str) else part for part in parts)
    )

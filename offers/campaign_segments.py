"""What an SMS may come to at worst: each placeholder as wide as its language writes it, the link with its token."""

from collections.abc import Iterator
from dataclasses import dataclass

from offers import formats, money, sms
from offers.locale import conventions
from offers.offer import Offer
from offers.plurals import NUMBER
from offers.sms import Message, measure
from offers.template import TOKEN, Hole, Template, compiled
from offers.text_widths import WIDTHS, width
from offers.tokens import OfferToken, OfferTokens, TokenKeys
from streams.ids import CustomerId, DecisionId, PlacementId
from streams.instant import DAY_MS, parse_instant

MONTHS = tuple(parse_instant(f"2026-{month:02}-28T22:58:00Z") for month in range(1, 13))
ZONE = "UTC"
DEAREST = 1_234
"""In major units of a currency: ten characters with its sign."""
CUSTOMER = CustomerId("c-00000000-0000-7000-8000-000000000000")
DECISION = DecisionId("01970000-0000-7000-8000-000000000000")
ABOUT = "sailing:ITLIV-ITOLB/2026-11-21T21:30"
_KINDS = {"price": "money", "discount": "percent"}
_WIDE = "x"


@dataclass(frozen=True, slots=True)
class Filled:
    """A message with its placeholders at their widest."""

    template: Template
    locale: str
    link: int
    """Characters of its link."""
    currency: str

    @property
    def parts(self) -> Iterator[tuple[str | Hole, str]]:
        """(as written, filled)"""
        for part in self.template.parts:
            yield part, part if isinstance(part, str) else sms.plain(self._widest(part))

    @property
    def message(self) -> Message:
        """What it takes."""
        return measure("".join(filled for _, filled in self.parts))

    def told(self, most: int) -> tuple[str, str]:
        """(what it takes and why, the mend)"""
        found = self.message
        about = " with its placeholders filled" if self.template.holes else ""
        said = f"takes {found.segments} segments of {sms.EACH[found.encoding]}{about}"
        if not found.forced_by:
            return said, f"Shorten it by {found.units - _room(found.encoding, most)} characters."
        plain = "".join(sign if not sms.foreign(sign) else _WIDE for _, filled in self.parts for sign in filled)
        source = next(part for part, filled in self.parts if found.forced_by in filled)
        whence = f" (of {{{source.name}}})" if isinstance(source, Hole) else ""
        said += f" instead of {measure(plain).segments}, since {found.forced_by!r}{whence} is not in GSM-7"
        return said, "Write it without, or shorten it."

    def _widest(self, hole: Hole) -> str:
        ways = conventions(self.locale, self.locale).formats
        if hole.forms:
            return max((words.replace(NUMBER, "9" * WIDTHS["number"]) for _, words in hole.forms), key=len)
        match _KINDS.get(hole.name, hole.filter or hole.name):
            case "money":
                return money.text(DEAREST * 10 ** money.digits(self.currency), self.currency, ways)
            case "time":
                return formats.time(MONTHS[0], ZONE, ways)
            case "date":
                return max((formats.date(at, ZONE, ways) for at in MONTHS), key=_worst)
            case "link":
                return _WIDE * self.link
            case _:
                return _WIDE * width(hole)


def currency_of(offer: Offer) -> str:
    """That of its price."""
    return "EUR" if offer.price is None else offer.price.currency


def link_width(web: str, offer: Offer, placement: PlacementId) -> int:
    """Characters of a web address with everything in it."""
    return sum(_part(part, offer, placement) for part in compiled(web).parts)


def _part(part: str | Hole, offer: Offer, placement: PlacementId) -> int:
    if isinstance(part, str):
        return len(part)
    return len(_token(offer, placement)) if part.name == TOKEN else width(part)


def _token(offer: Offer, placement: PlacementId) -> str:
    """A token as long as this offer's are."""
    about = "" if offer.about is None else ABOUT
    said = OfferToken(
        DECISION, placement, 1, offer.id, offer.campaign_id, offer.facts.collection, about, CUSTOMER, "phone",
        MONTHS[-1] + DAY_MS,
    )  # fmt: skip
    return OfferTokens(TokenKeys("example", {"example": bytes(32)})).mint(said)


def _worst(text: str) -> tuple[bool, int]:
    return sms.foreign(sms.plain(text)) != "", len(text)


def _room(encoding: str, segments: int) -> int:
    return sms.ONE[encoding] if segments == 1 else sms.EACH[encoding] * segments

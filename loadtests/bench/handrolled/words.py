"""An offer in the customer's language: str.format over the file's texts, babel behind a cache."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_currency

from loadtests.bench.handrolled.rules import Offer

HOLE = re.compile(r"\{([a-z_.]+)(?:\|([a-z]+))?\}")
OTHERS = "en"
ZONE = ZoneInfo("Europe/Rome")


class Words:
    """The texts of all offers as templates."""

    def __init__(self, offers: list[Offer], images: dict[str, Any]) -> None:
        self.images = images
        self.templates = {
            (offer.id, language): {name: _template(part) for name, part in text.items()}
            for offer in offers
            for language, text in offer.texts.items()
        }

    def of(self, offer: Offer, subject: dict[str, Any], price: int, locale: str) -> dict[str, Any]:
        """What the app shows; `{token}` still stands in the links."""
        language = locale[:2] if locale[:2] in offer.texts else OTHERS
        conventions = conventions_of(language, locale[3:5])
        values = {"price": money(price, conventions)}
        if "sailing.departure" in subject:
            departure = subject["sailing.departure"]
            values["sailing_departure_date"] = day(departure, conventions)
            values["sailing_departure_time"] = clock(departure, conventions)
        text = {name: part.format_map(values) for name, part in self.templates[offer.id, language].items()}
        image = self.images[offer.image]
        return {
            "schema": 2,
            "locale": language,
            "dir": "ltr",
            "title": text["title"],
            "body": text["body"],
            "button": text["button"],
            "image": {"alt": text["alt"], "placeholder": image["placeholder"], "variants": image["variants"]},
            "action": {"link": offer.link, "web": offer.web},
            "why_shown": text["why"],
            "opt_out": "app://privacy/offers",
        }


def _template(text: str) -> str:
    """`{sailing.departure|date}` becomes a name that str.format knows."""
    return HOLE.sub(lambda found: "{" + "_".join((found[1].replace(".", "_"), *filter(None, (found[2],)))) + "}", text)


@lru_cache(maxsize=1_024)
def conventions_of(language: str, territory: str) -> str:
    """The CLDR locale of numbers and dates."""
    name = f"{language}_{territory}"
    try:
        Locale.parse(name)
    except (UnknownLocaleError, ValueError):
        return language
    return name


@lru_cache(maxsize=65_536)
def money(cents: int, locale: str) -> str:
    """A price in euros."""
    return str(format_currency(Decimal(cents) / 100, "EUR", locale=locale))


@lru_cache(maxsize=65_536)
def day(at_ms: int, locale: str) -> str:
    """A day."""
    return str(format_date(_local(at_ms), "long", locale=locale))


@lru_cache(maxsize=65_536)
def clock(at_ms: int, locale: str) -> str:
    """A time of day."""
    return str(format_time(_local(at_ms), "short", locale=locale))


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZONE)

"""What the checks know of an offer: in which languages it is written, and what it cannot be sold without. Pure."""

from collections.abc import Mapping

import msgspec

Facts = Mapping[str, "OfferFacts"]
"""By offer id."""


class OfferFacts(msgspec.Struct, frozen=True):
    """One offer."""

    locales: tuple[str, ...]
    """It is written in these."""
    others: str | None = None
    """What everyone else reads; None: it is not shown to them."""
    rooms: tuple[str, ...] = ()
    """Kinds of room (inside, car, ...) of which its sailing must have at least one free."""


def written_for(locale: str, facts: OfferFacts) -> tuple[str, ...]:
    """The locales that somebody with this locale may be shown the offer in; empty: it must not be shown to them.

    The same language, of Chinese the same characters; without any of these what the campaign has for everyone else.

    >>> offer = OfferFacts(("it", "en", "zh-Hant"), "en")
    >>> [written_for(locale, offer) for locale in ("it-IT", "zh-TW", "fr-FR")]
    [('it',), ('zh-Hant',), ('en',)]
    """
    close = tuple(written for written in facts.locales if _reads(locale, written))
    return close or ((facts.others,) if facts.others is not None else ())


def _reads(locale: str, written: str) -> bool:
    language = locale.partition("-")[0]
    if written.partition("-")[0] != language:
        return False
    return language != "zh" or _traditional(locale) == _traditional(written)


def _traditional(locale: str) -> bool:
    return not {"Hant", "TW", "HK", "MO"}.isdisjoint(locale.split("-"))

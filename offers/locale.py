"""Which of the written locales a customer reads, and the conventions their numbers and dates are written in.

The customer's locale is a BCP 47 tag or an Accept-Language list, as the app sent it. Distances between languages are
CLDR's (langcodes); later entries of a list cost a little more, as in ICU's LocaleMatcher. Nothing here ever fails: what
cannot be read matches nothing, and what matches nothing gets the locale that the campaign declared for others.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from babel import Locale, localedata
from langcodes import Language, tag_distance

from offers.offer import Representation

MAX_DISTANCE = 20
"""CLDR: up to 5 another region, up to 12 a language read without effort (da, nb), up to 20 a language that nearly all
its speakers read and live with (ca -> es in Spain, br -> fr in France). Unrelated languages are 80 apart, scripts 50.
"""
COST_OF_LATER = 5
"""What each further entry of the customer's list adds: `ca, en` gets English rather than Spanish."""
MAX_LENGTH = 256
MAX_ENTRIES = 16
TRADITIONAL = frozenset({"TW", "HK", "MO"})
"""Where Chinese languages are written with traditional characters, whatever else is likely of the language."""
RIGHT_TO_LEFT = frozenset({"Adlm", "Arab", "Aran", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"})
MILES = frozenset({"US", "GB", "AS", "GU", "MP", "PR", "UM", "VI"})
"""Where roads are measured in miles (CLDR, unit preference `length-road`)."""

_SCRIPTS = frozenset(Locale("en").scripts)
_TERRITORIES = frozenset(Locale("en").territories)
_TAG = re.compile(r"([a-z]{2,3}(?:-[a-z]{3}){0,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|[0-9]{3}))?(?:-[a-z0-9-]*)?", re.ASCII)
_RANGE = re.compile(r"\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*", re.ASCII)
_QUALITY = re.compile(r"[01]\.?|0?\.[0-9]{1,6}|1\.0{1,6}", re.ASCII)

Subtags = tuple[str, str, str]
"""(language, script, territory) as written in a tag; empty where it says none."""
Ranges = tuple[tuple[str, float], ...]
"""(language range, quality 0 to 1), in the order written."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """How words of one locale are written for one customer."""

    written: str
    """The locale of the words."""
    formats: str
    """CLDR locale of numbers and dates: the language of the words, the customer's territory (`en_SE`)."""
    direction: str
    """ltr | rtl"""
    miles: bool


def choose(locale: str, representation: Representation) -> str | None:
    """The written locale this customer gets: the closest, else `others`, else None (LOCALE_MISSING)."""
    return closest(_bounded(locale), tuple(representation.texts), representation.others)


@lru_cache(maxsize=8_192)
def closest(locale: str, supported: tuple[str, ...], others: str | None = None) -> str | None:
    """The closest of `supported` within MAX_DISTANCE, else `others` unless the customer refuses it (`;q=0`).

    `*` names no language, so it gets `others` too. Ties go to the earlier entry of the customer's list, then to the
    locale that says most like it.

    >>> closest("de-AT,de;q=0.9,en;q=0.8", ("it", "de", "en"))
    'de'
    >>> closest("zh-TW", ("zh-Hans", "en"), "en")
    'en'
    """
    ranges = _ranges(locale)
    allowed = [tag for tag in supported if not _refused(tag, ranges)]
    ranked = [
        (distance + COST_OF_LATER * place, place, _unlike(want, have), index)
        for place, want in enumerate(_wanted(ranges))
        for index, have in enumerate(allowed)
        if (distance := _distance(want, have)) <= MAX_DISTANCE
    ]
    if ranked:
        return allowed[min(ranked)[-1]]
    return None if others is None or _refused(others, ranges) else others


def parse_accept_language(header: str) -> tuple[str, ...]:
    """The languages of an Accept-Language list (RFC 9110, 12.5.4), best first; `*` stands for any other.

    Refused (`q=0`) and malformed entries are left out, repeated ones count once with their first place.

    >>> parse_accept_language("*;q=0.8, en, es")
    ('en', 'es', '*')
    """
    return _best_first(_ranges(_bounded(header)))


@lru_cache(maxsize=8_192)
def conventions(locale: str, written: str) -> Conventions:
    """How words written in `written` are shown to a customer with this locale.

    >>> conventions("de-AT", "de").formats, conventions("sv-SE", "en").formats, conventions("en-GB", "en").miles
    ('de_AT', 'en_SE', True)
    """
    named, likely = _territory(_bounded(locale))
    words = _full(written)
    language, script = words.language or "und", words.script or "Latn"
    known = (f"{language}_{script}_{likely}", f"{language}_{script}", f"{language}_{likely}", language, "en_001")
    direction = "rtl" if script in RIGHT_TO_LEFT else "ltr"
    return Conventions(written, next(name for name in known if localedata.exists(name)), direction, named in MILES)


def _bounded(locale: str) -> str:
    """The beginning of an overlong list, cut between two entries."""
    return locale if len(locale) <= MAX_LENGTH else locale[:MAX_LENGTH].rpartition(",")[0]


def _ranges(header: str) -> Ranges:
    found = []
    for entry in header.split(",")[:MAX_ENTRIES]:
        name, *parameters = (part.strip() for part in entry.split(";"))
        tag = re.split(r"[.@]", name)[0].replace("_", "-")  # phones send POSIX names too: de_DE.UTF-8
        quality = next((value[2:] for value in parameters if value[:2].lower() == "q="), "1")
        if _RANGE.fullmatch(tag.lower()) and _QUALITY.fullmatch(quality):
            found.append((tag, float(quality)))
    return tuple(found)


def _wanted(ranges: Ranges) -> list[str]:
    """Tags to match, best first."""
    return [tag for tag in _best_first(ranges) if tag != "*"]


def _best_first(ranges: Ranges) -> tuple[str, ...]:
    """What is not refused, each once; a sort keeps the order of equals."""
    best: dict[str, str] = {}
    for tag, quality in sorted(ranges, key=lambda entry: -entry[1]):
        if quality > 0:
            best.setdefault(tag.lower(), tag)
    return tuple(best.values())


def _refused(tag: str, ranges: Ranges) -> bool:
    """Whether the most specific range that covers a tag has quality 0."""
    covering = [
        (0 if name == "*" else len(name), quality)
        for name, quality in ranges
        if name == "*" or f"{tag}-".lower().startswith(f"{name}-".lower())
    ]
    return bool(covering) and max(covering)[1] == 0


@lru_cache(maxsize=8_192)
def _distance(want: str, have: str) -> int:
    """CLDR's distance from what is wanted to what is written; 0 for the same tag."""
    if want.lower() == have.lower():
        return 0
    tag = _reduced(want)
    if tag is None:
        return MAX_DISTANCE + 1
    try:
        return int(tag_distance(tag, have))
    except ValueError:
        return MAX_DISTANCE + 1


def _reduced(tag: str) -> str | None:
    """A tag without variants and extensions, its script written out where a territory decides it; None: no tag.

    langcodes remembers every tag it ever saw, so strangers' tags are cut down to what they can mean.
    """
    language, script, territory = _subtags(tag)
    if not language:
        return None
    if not script and territory in TRADITIONAL and _full(f"{language}-{territory}").script == "Hans":
        script = "Hant"
    return "-".join(part for part in (language, script, territory) if part)


def _subtags(tag: str) -> Subtags:
    """What a tag says itself; scripts and territories that do not exist are left out."""
    found = _TAG.fullmatch(tag.lower())
    if found is None:
        return "", "", ""
    language, script, territory = found[1], (found[2] or "").title(), (found[3] or "").upper()
    return language, script if script in _SCRIPTS else "", territory if territory in _TERRITORIES else ""


def _unlike(want: str, have: str) -> tuple[bool, bool, bool, bool]:
    """How two tags of equal distance differ as written: itself, language, territory, script."""
    mine, theirs = _subtags(want), _subtags(have)
    return (want.lower() != have.lower(), mine[0] != theirs[0], mine[2] != theirs[2], mine[1] != theirs[1])


def _full(tag: str) -> Language:
    """A tag with its likely script and territory; `und` for none."""
    try:
        return Language.get(tag).maximize()
    except ValueError:
        return Language.get("und")


def _territory(locale: str) -> tuple[str, str]:
    """(the first territory that the list names, or empty; that or the likely one of its first tag)."""
    tags = _wanted(_ranges(locale))
    named = next((territory for tag in tags if (territory := _subtags(tag)[2])), "")
    first = next((tag for tag in map(_reduced, tags) if tag), "und")
    return named, named or _full(first).territory or "ZZ"

"""Plural forms: `one {# cabina} other {# cabine}`, `#` for the number. Which number takes which form is CLDR's."""

import re
from functools import lru_cache

from babel import Locale

from streams.errors import InvalidInput
from streams.findings import did_you_mean, listed, shown

CATEGORIES = ("zero", "one", "two", "few", "many", "other")
NUMBER = "#"
SAMPLES = (*range(201), 1_000, 10_000, 100_000)
"""Whole numbers by which a language's forms are told: an offer counts cabins and nights, not millions."""
FRACTIONS = (0.0, 0.5, 1.5, 2.5, 5.5)
SHOWN = 3
Forms = tuple[tuple[str, str], ...]
"""(category or `=3`, words), in the order written."""

_FORM = re.compile(r"\s*(=?[^\s{}=]+)\s*\{([^{}]*)\}")
_EXACT = re.compile(r"=(0|[1-9][0-9]{0,5})")
_DIGIT = re.compile(r"\d")


def parse_forms(text: str) -> Forms:
    """Raises InvalidInput PLACEHOLDER_SYNTAX or PLURAL_UNKNOWN, with what to write instead.

    >>> parse_forms("=0 {nessuna} one {# cabina} other {# cabine}")
    (('=0', 'nessuna'), ('one', '# cabina'), ('other', '# cabine'))
    """
    found: dict[str, str] = {}
    end = 0
    while (match := _FORM.match(text, end)) is not None:
        word, words = match[1], match[2].strip()
        if word not in CATEGORIES and not _EXACT.fullmatch(word):
            mend = did_you_mean(word, CATEGORIES) or f"Write {listed(CATEGORIES)}, or a number such as '=0'."
            raise InvalidInput("PLURAL_UNKNOWN", f"there is no plural form {shown(word)}. {mend}")
        if word in found:
            raise InvalidInput("PLACEHOLDER_SYNTAX", f"the plural form '{word}' is written twice")
        found[word] = words
        end = match.end()
    if not found or text[end:].strip():
        left = shown(text[end:].strip() or text)
        raise InvalidInput(
            "PLACEHOLDER_SYNTAX", f"{left} is no plural form; write 'plural one {{# night}} other {{# nights}}'"
        )
    return tuple(found.items())


def words_for(forms: Forms, value: float, written: str, locale: str) -> str:
    """The words for a number, which is `written` so; those of its own (`=0`) first, `other` where a form is missing.

    >>> words_for((("one", "# miejsce"), ("few", "# miejsca"), ("other", "# miejsc")), 4, "4", "pl")
    '4 miejsca'
    """
    known = dict(forms)
    words = known.get(f"={value:g}")
    if words is None:
        words = known.get(category(locale, value), known.get("other", ""))
    return words.replace(NUMBER, written)


@lru_cache(maxsize=4_096)
def category(locale: str, value: float) -> str:
    """The CLDR category of a number in a CLDR locale (`pl`, `pt_PT`)."""
    whole = int(value)
    return str(_rule(locale)(whole if whole == value else value))


@lru_cache(maxsize=256)
def _rule(locale: str):  # type: ignore[no-untyped-def]  # babel's PluralRule has no types
    return Locale.parse(locale).plural_form


@lru_cache(maxsize=512)
def needed(locale: str, whole: bool = True) -> dict[str, tuple[str, ...]]:
    """Category -> the first numbers that take it, in CLDR's order; `other` always, since it stands in for all.

    `whole`: the number counts things, so that it has no fractions.

    >>> {name: numbers[:2] for name, numbers in needed("pl").items()}
    {'one': ('1',), 'few': ('2', '3'), 'many': ('0', '5'), 'other': ()}
    """
    numbers = SAMPLES if whole else (*SAMPLES, *FRACTIONS)
    found: dict[str, list[str]] = {"other": []}
    for number in numbers:
        found.setdefault(category(locale, number), []).append(f"{number:g}")
    return {name: tuple(found[name][: SHOWN + 1]) for name in CATEGORIES if name in found}


def language(locale: str) -> str:
    """Its name in English: `Polish`."""
    return str(Locale.parse(locale).get_language_name("en"))


def missing(forms: Forms, locale: str, whole: bool = True) -> tuple[str, ...]:
    """Categories that the language needs and the forms lack, each with the numbers that take it.

    >>> missing((("one", "1"), ("other", "#")), "pl")
    ('few (2, 3, 4)', 'many (0, 5, 6)')
    """
    known = {name for name, _ in forms}
    lacks = ((name, numbers) for name, numbers in needed(locale, whole).items() if name not in known)
    return tuple(f"{name} ({', '.join(numbers[:SHOWN])})" if numbers else name for name, numbers in lacks)


def strange(forms: Forms, locale: str) -> tuple[str, ...]:
    """Categories that are written and that the language has not.

    >>> strange((("one", "1"), ("few", "#"), ("other", "#")), "it")
    ('few',)
    """
    known = {str(tag) for tag in _rule(locale).tags} | {"other"}
    return tuple(name for name, _ in forms if name in CATEGORIES and name not in known)


def stuck(forms: Forms, locale: str) -> tuple[tuple[str, str], ...]:
    """(category, another number that takes it) of forms with a number of their own: `one {1 ...}` is said of 21 too.

    >>> stuck((("one", "1 каюта"), ("few", "# каюты"), ("other", "# кают")), "ru")
    (('one', '21'),)
    """
    found = []
    for name, words in forms:
        numbers = needed(locale).get(name, ())
        if name in CATEGORIES and _DIGIT.search(words) and NUMBER not in words and len(numbers) > 1:
            found.append((name, numbers[1]))
    return tuple(found)

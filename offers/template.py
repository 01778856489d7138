"""Templates of words and links: `{name}`, `{name|filter}`, `{name|plural one {#} other {#}}`, `{{` and `}}` for braces.

Parsed once, filled often.
`parse` is for the campaign checker and knows which names exist; `compiled` is for texts that were checked.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType

from offers.plurals import Forms, parse_forms
from streams.attributes import BUILT_IN, SUBJECT_SCOPES, AttributeSet, Kind
from streams.errors import InvalidInput

TOKEN = "token"
"""Known in links only; it stays in place until the answer mints the token."""
LINK = "link"
"""Known in text messages only: the web address of the offer."""
FILTERS: Mapping[str, frozenset[Kind]] = MappingProxyType(
    {
        "time": frozenset({Kind.DATETIME}),
        "date": frozenset({Kind.DATETIME}),
        "number": frozenset({Kind.INTEGER, Kind.NUMBER}),
        "money": frozenset({Kind.MONEY}),
        "port": frozenset({Kind.STRING, Kind.ENUM}),
        "distance": frozenset({Kind.DISTANCE}),
        "plural": frozenset({Kind.INTEGER, Kind.NUMBER}),
    }
)
"""Filter -> the kinds of value that it can write."""
SPECIAL: Mapping[str, Kind] = MappingProxyType(
    {"price": Kind.MONEY, "discount": Kind.NUMBER, "distance": Kind.DISTANCE, "venue.name": Kind.STRING}
)
"""Names that are no attribute: the candidate's price, what it really saves in percent, the way to the nearest port."""
ALIAS = "booking.sailing."
"""`booking.sailing.departure` is `sailing.departure`."""

_BUILT_IN_KINDS = MappingProxyType({**{attribute.qualified: attribute.kind for attribute in BUILT_IN}, **SPECIAL})
_NEEDS_FILTER = frozenset({Kind.DATETIME, Kind.MONEY, Kind.DISTANCE})
_NO_WORDS = {Kind.BOOLEAN: "a yes or no", Kind.DURATION: "a duration"}
PLURAL = "plural"
_PIECE = re.compile(r"\{\{|\}\}|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|[{}]|[^{}]+")


@dataclass(frozen=True, slots=True)
class Hole:
    """A placeholder."""

    name: str
    """A fact's name, or one of SPECIAL, or `token`."""
    filter: str = ""
    """One of FILTERS; empty: as its kind is usually written."""
    forms: Forms = ()
    """Of the filter `plural`."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text in pieces: literals and holes, in order."""

    parts: tuple[str | Hole, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The placeholders, in the order written."""
        return tuple(part for part in self.parts if isinstance(part, Hole))

    def fill(self, write: Callable[[Hole], str | None]) -> str | None:
        """The text with every hole written; None if one cannot be. What is written is never read as a template.

        >>> compiled("{price} until {{{x|time}}}").fill(lambda hole: hole.name)
        'price until {x}'
        """
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        pieces = []
        for part in self.parts:
            piece = part if isinstance(part, str) else write(part)
            if piece is None:
                return None
            pieces.append(piece)
        return "".join(pieces)


def placeholders(attributes: AttributeSet) -> dict[str, Kind]:
    """Every name that words may use in a deployment, with its kind: the subject's facts and SPECIAL."""
    known = dict(SPECIAL)
    for name, attribute in attributes.by_name.items():
        if attribute.scope in SUBJECT_SCOPES:
            known |= {f"{name}.{key}": attribute.kind for key in attribute.keys} or {name: attribute.kind}
    return known


def parse(text: str, names: Collection[str], kinds: Mapping[str, Kind] = _BUILT_IN_KINDS) -> Template:
    """A checked template. `names` are the placeholders known here, `kinds` tells what they hold, where known.

    Raises InvalidInput PLACEHOLDER_SYNTAX, PLACEHOLDER_UNKNOWN, FILTER_UNKNOWN, FILTER_MISSING or FILTER_UNFIT, with
    the nearest spelling or what to write instead.
    """
    template = compiled(text)
    for hole in template.holes:
        if hole.name not in names:
            mend = _nearest(hole.name, names) or f"Known here: {', '.join(sorted(names))}."
            raise InvalidInput("PLACEHOLDER_UNKNOWN", f"there is no placeholder '{{{hole.name}}}'. {mend}")
        _check_filter(hole, kinds.get(hole.name))
    return template


@lru_cache(maxsize=65_536)
def compiled(text: str) -> Template:
    """A text in pieces; its names are not looked up. Raises InvalidInput PLACEHOLDER_SYNTAX or FILTER_UNKNOWN."""
    parts: list[str | Hole] = []
    for piece in _PIECE.findall(text):
        part = _part(piece)
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    return Template(tuple(parts))


def _part(piece: str) -> str | Hole:
    if piece in ("{{", "}}"):
        return piece[0]
    if piece in ("{", "}"):
        raise InvalidInput("PLACEHOLDER_SYNTAX", f"a single '{piece}' opens or closes nothing; write '{piece * 2}'")
    if piece[0] != "{":
        return piece
    name, _, chosen = (part.strip() for part in piece[1:-1].partition("|"))
    if not name or "{" in name:
        raise InvalidInput("PLACEHOLDER_SYNTAX", f"'{piece}' names nothing; write for example '{{price}}'")
    chosen, forms = _forms(chosen)
    if chosen not in FILTERS and piece.find("|") >= 0:
        mend = _nearest(chosen, FILTERS) or f"There are {', '.join(FILTERS)}."
        raise InvalidInput("FILTER_UNKNOWN", f"there is no filter '{chosen}' (in '{piece}'). {mend}")
    return Hole(name.removeprefix("booking.") if name.startswith(ALIAS) else name, chosen, forms)


def _forms(chosen: str) -> tuple[str, Forms]:
    """`plural one {#} other {#}` -> (plural, its forms); any other filter as it is."""
    word = re.split(r"[\s{]", chosen, maxsplit=1)[0]
    return (PLURAL, parse_forms(chosen[len(PLURAL) :])) if word == PLURAL else (chosen, ())


def _check_filter(hole: Hole, kind: Kind | None) -> None:
    if kind is None or (not hole.filter and hole.name in SPECIAL):
        return
    if kind in _NO_WORDS:
        raise InvalidInput("FILTER_UNFIT", f"'{{{hole.name}}}' is {_NO_WORDS[kind]}, which has no words; leave it out")
    fitting = " or ".join(f"'{{{hole.name}|{_example(name)}}}'" for name, written in FILTERS.items() if kind in written)
    if not hole.filter and kind in _NEEDS_FILTER:
        raise InvalidInput("FILTER_MISSING", f"'{{{hole.name}}}' is a bare number ({kind}). Write {fitting}")
    if hole.filter and kind not in FILTERS[hole.filter]:
        mend = fitting or f"'{{{hole.name}}}'"
        raise InvalidInput("FILTER_UNFIT", f"'{hole.filter}' cannot write {hole.name} ({kind}). Write {mend}")


def _example(name: str) -> str:
    return f"{name} one {{# ...}} other {{# ...}}" if name == PLURAL else name


def _nearest(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'?" if near else ""

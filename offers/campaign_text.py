"""`languages:` and `text:` - the words in each language, and where they differ by placement."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from langcodes import Language

from offers.campaign_draft import Draft
from offers.campaign_plurals import check_plural
from offers.offer import SMS, Price, Text
from offers.template import LINK, SPECIAL, TOKEN, Template, parse
from streams.errors import InvalidInput
from streams.findings import did_you_mean, listed, shown
from streams.ids import PlacementId
from streams.positioned_yaml import MapNode, Node, TextNode

LANGUAGE_KEYS = ("write", "others", "because")
TEXT_KEYS = ("title", "body", "button", "alt", "why")
"""What an app shows."""
SMS_KEYS = ("sms", "why")
"""What a text message needs: the reason is told to whoever asks."""
AT = "at"
NOTHING = "nothing"
USUAL_OTHERS = "en"
MAX_TEXTS = {"title": 80, "body": 300, "button": 30, "alt": 200, "why": 200, "sms": 670}
"""Characters as written, placeholders included."""


@dataclass(frozen=True, slots=True)
class Languages:
    """Which languages a campaign is written in."""

    write: tuple[str, ...]
    others: str | None
    """Shown to everyone else; None: nothing is."""


@dataclass(frozen=True, slots=True)
class Written:
    """Reads templates of one campaign."""

    draft: Draft
    price: Price | None
    priced: bool
    """Whether the file has a price at all; it may have mistakes."""
    placements: tuple[PlacementId, ...] = ()
    """Where it stands."""

    @property
    def needed(self) -> tuple[str, ...]:
        """The keys that its placements need in every language."""
        known = self.draft.words.placements
        messages = {known[name].channel == SMS for name in self.placements}
        if messages == {True}:
            return SMS_KEYS
        return (*TEXT_KEYS, SMS_KEYS[0]) if True in messages else TEXT_KEYS

    def placement(self, word: TextNode) -> PlacementId | None:
        """One of its placements, by its name below `at`; UNKNOWN_PLACEMENT for any other."""
        if word.text in self.placements:
            return PlacementId(word.text)
        hint = did_you_mean(word.text, self.placements) or f"It stands in {listed(self.placements)}."
        message = f"the campaign does not stand in {shown(word.text)}."
        self.draft.sheet.error(word, "UNKNOWN_PLACEMENT", message, hint)
        return None

    def template(self, node: Node, name: str, text: str, locale: str | None) -> None:
        """Findings of one text, or of a link, which is in no locale."""
        names, link = self.draft.words.placeholders, locale is None
        own = {TOKEN: None} if link else {LINK: None} if name.endswith(f".{SMS_KEYS[0]}") else {}
        try:
            template = parse(text, {**names, **own}, names)
        except InvalidInput as error:
            message, stop, mend = error.message.partition(". ")
            if not link and f"{{{TOKEN}}}" in message:
                mend = "The token goes into links only."
            self.draft.sheet.error(node, error.code, f"{name}: {message}{stop.strip()}", mend)
            return
        self._check_holes(node, template)
        for hole in template.holes:
            if hole.forms and locale is not None:
                check_plural(self.draft, node, name, hole, locale)

    def _check_holes(self, node: Node, template: Template) -> None:
        for hole in template.holes:
            if hole.name in ("price", "discount") and not self._has(hole.name):
                hint = "Add 'price:'." if hole.name == "price" else "Add 'discount:' to the price."
                message = f"{{{hole.name}}} is written, but the campaign has none."
                self.draft.sheet.error(node, "PLACEHOLDER_EMPTY", message, hint)
            elif hole.name == "venue.name":
                self.draft.attribute(node, "venue.id")
            elif hole.name not in (*SPECIAL, TOKEN, LINK):
                self.draft.attribute(node, hole.name)

    def _has(self, name: str) -> bool:
        return self.priced if name == "price" or self.price is None else self.price.discount > 0


def read_languages(draft: Draft, node: Node | None, text: Node | None) -> Languages:
    """`languages:`, or what the keys of `text` say."""
    given = tuple(text.entries) if isinstance(text, MapNode) else ()
    fields = draft.sheet.fields(node, "languages", LANGUAGE_KEYS) if node is not None else {}
    if "because" in fields:
        draft.sheet.sentence(fields["because"], "languages.because")
    write = _write(draft, fields["write"]) if "write" in fields else given
    usual = USUAL_OTHERS if USUAL_OTHERS in write else next(iter(write), None)
    return Languages(write, _others(draft, fields["others"], write) if "others" in fields else usual)


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of a campaign, by locale in the order of the file."""

    usual: Mapping[str, Text]
    at: Mapping[PlacementId, Mapping[str, Text]]
    """Where they differ by placement: the whole text."""


def read_texts(written: Written, node: Node | None, languages: Languages) -> Texts:
    """`text:`"""
    if node is None:
        return Texts({}, {})
    draft = written.draft
    entries = draft.sheet.entries(node, "text", "words by language: {it: {title: ..., body: ...}}")
    texts: dict[str, Text] = {}
    at: dict[PlacementId, dict[str, Text]] = {}
    for locale, (word, value) in entries.items():
        if draft.sheet.parsed(word, "text", _tag) is None:
            continue
        if locale not in languages.write:
            hint = f"Add {locale} to languages.write, or remove the text."
            draft.sheet.error(word, "LOCALE_UNDECLARED", f"languages.write does not list {shown(locale)}.", hint)
        texts[locale] = text = _text(written, value, locale)
        for placement, differs in _differing(written, value, locale):
            at.setdefault(placement, {})[locale] = replace(text, **differs)
    for locale in languages.write:
        if isinstance(node, MapNode) and locale not in entries:
            hint = f"Add '{locale}: {{title: ..., body: ..., button: ..., alt: ..., why: ...}}'."
            draft.sheet.error(node, "TEXT_MISSING", f"nothing is written in {shown(locale)}.", hint)
    return Texts(texts, {placement: {**texts, **differs} for placement, differs in at.items()})


@lru_cache(maxsize=4_096)
def _tag(text: str) -> str:
    """A BCP 47 tag in its usual spelling. Raises InvalidInput LOCALE_INVALID."""
    usual = _standard(text) or _standard(text.replace("_", "-"))
    if usual is None:
        raise InvalidInput("LOCALE_INVALID", f"{shown(text)} is not a language of BCP 47. Write one such as 'it'.")
    if usual != text:
        raise InvalidInput("LOCALE_INVALID", f"{shown(text)} is not the usual spelling. Write '{usual}'.")
    return usual


def _standard(text: str) -> str | None:
    try:
        language = Language.get(text, normalize=True)
    except ValueError:
        return None
    return language.to_tag() if language.is_valid() and language.language is not None else None


def _write(draft: Draft, node: Node) -> tuple[str, ...]:
    items = draft.sheet.one_or_more(node, "languages.write")
    found = [draft.sheet.parsed(item, "languages.write", _tag) for item in items]
    return tuple(dict.fromkeys(locale for locale in found if locale is not None))


def _others(draft: Draft, node: Node, write: tuple[str, ...]) -> str | None:
    choice = draft.sheet.text(node, "languages.others")
    if choice is None or choice == NOTHING or choice in write:
        return choice if choice in write else None
    hint = f"Write '{NOTHING}' or one of {listed(write)}."
    draft.sheet.error(node, "LOCALE_UNDECLARED", f"languages.others is {shown(choice)}, which is not written.", hint)
    return None


def _text(written: Written, node: Node, locale: str) -> Text:
    """What one language says in every placement, or in all but those under `at`."""
    sheet = written.draft.sheet
    entries = sheet.fields(node, f"text.{locale}", (*MAX_TEXTS, AT))
    for key in written.needed:
        if isinstance(node, MapNode) and key not in node.entries:
            message = f"text.{locale} has no '{key}'."
            sheet.error(node, "TEXT_MISSING", message, f"Add '{key}:', written in {shown(locale)}.")
    found = {key: _words(written, entries[key], locale, key) for key in MAX_TEXTS if key in entries}
    return Text(**{key: found.get(key, "") for key in MAX_TEXTS})


def _differing(written: Written, node: Node, locale: str) -> Iterator[tuple[PlacementId, dict[str, str]]]:
    """(placement, the texts that it has instead) of `at`."""
    differs = _inner(node, AT)
    if differs is None:
        return
    sheet, name = written.draft.sheet, f"text.{locale}.{AT}"
    for word, value in sheet.entries(differs, name, "placements, and what they say instead").values():
        placement = written.placement(word)
        fields = sheet.fields(value, f"{name}.{word.text}", tuple(MAX_TEXTS))
        found = {key: _words(written, each, locale, key, f".{AT}.{word.text}") for key, each in fields.items()}
        if placement is not None:
            yield placement, found


def _inner(node: Node, key: str) -> Node | None:
    found = node.entries.get(key) if isinstance(node, MapNode) else None
    return None if found is None else found[1]


def _words(written: Written, node: Node, locale: str, key: str, where: str = "") -> str:
    name = f"text.{locale}{where}.{key}"
    if isinstance(node, MapNode):
        message = f"{name} begins with a brace, so YAML takes it for a mapping."
        written.draft.sheet.error(node, "WRONG_TYPE", message, "Put the text in double quotes.")
        return ""
    text = written.draft.sheet.sentence(node, name, MAX_TEXTS[key])
    if text is not None:
        written.template(node, name, text, locale)
    return text or ""

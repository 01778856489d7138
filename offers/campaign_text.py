"""`languages:`, `text:` and `representation:` - the words in each language, the picture, the links."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from langcodes import Language

from offers.campaign_draft import Draft
from offers.campaign_plurals import check_plural
from offers.offer import Image, Price, Representation, Text
from offers.template import SPECIAL, TOKEN, Template, parse
from streams.errors import InvalidInput
from streams.findings import listed, shown
from streams.positioned_yaml import MapNode, Node, TextNode

LANGUAGE_KEYS = ("write", "others", "because")
TEXT_KEYS = ("title", "body", "button", "alt", "why")
REPRESENTATION_KEYS = ("image", "link", "web")
NOTHING = "nothing"
USUAL_OTHERS = "en"
MAX_TEXTS = {"title": 80, "body": 300, "button": 30, "alt": 200, "why": 200}
"""Characters as written, placeholders included."""
MAX_LINK = 500
_LINK = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{1,31})://(?P<host>[A-Za-z0-9.:_-]+)(?:[/?#][!#-;=?-\[\]_a-z{|}~]*)?")
_NOT_FOR_APPS = frozenset({"http", "javascript", "data", "file", "ftp", "blob", "vbscript", "about", "intent"})


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

    def template(self, node: Node, name: str, text: str, locale: str | None) -> None:
        """Findings of one text, or of a link, which is in no locale."""
        names, link = self.draft.words.placeholders, locale is None
        try:
            template = parse(text, names if not link else {**names, TOKEN: None}, names)
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
            elif hole.name not in SPECIAL and hole.name != TOKEN:
                self.draft.attribute(node, hole.name)

    def _has(self, name: str) -> bool:
        return self.priced if name == "price" or self.price is None else self.price.discount > 0


def read_languages(draft: Draft, node: Node | None, text: Node | None) -> Languages:
    """`languages:`, or what the keys of `text` say."""
    given = tuple(text.entries) if isinstance(text, MapNode) else ()
    fields = draft.sheet.fields(node, "languages", LANGUAGE_KEYS) if node is not None else {}
    if "because" in fields:
        draft.sheet.text(fields["because"], "languages.because")
    write = _write(draft, fields["write"]) if "write" in fields else given
    usual = USUAL_OTHERS if USUAL_OTHERS in write else next(iter(write), None)
    return Languages(write, _others(draft, fields["others"], write) if "others" in fields else usual)


def read_texts(written: Written, node: Node | None, languages: Languages) -> dict[str, Text]:
    """The words by locale, in the order of the file."""
    if node is None:
        return {}
    draft = written.draft
    entries = draft.sheet.entries(node, "text", "words by language: {it: {title: ..., body: ...}}")
    texts = {}
    for locale, (word, value) in entries.items():
        if draft.sheet.parsed(word, "text", _tag) is None:
            continue
        if locale not in languages.write:
            hint = f"Add {locale} to languages.write, or remove the text."
            draft.sheet.error(word, "LOCALE_UNDECLARED", f"languages.write does not list {shown(locale)}.", hint)
        texts[locale] = _text(written, value, locale)
    for locale in languages.write:
        if isinstance(node, MapNode) and locale not in entries:
            hint = f"Add '{locale}: {{title: ..., body: ..., button: ..., alt: ..., why: ...}}'."
            draft.sheet.error(node, "TEXT_MISSING", f"nothing is written in {shown(locale)}.", hint)
    return texts


def read_representation(
    written: Written, node: Node | None, texts: Mapping[str, Text], others: str | None
) -> Representation | None:
    """Picture, links and words; None if there is no picture."""
    if node is None:
        return None
    draft = written.draft
    fields = draft.sheet.fields(node, "representation", REPRESENTATION_KEYS, REPRESENTATION_KEYS)
    links = {key: _link(written, fields[key], key) for key in ("link", "web") if key in fields}
    image = _image(draft, fields["image"]) if "image" in fields else None
    if image is None or not texts:
        return None
    return Representation(image, links.get("link", ""), links.get("web", ""), texts, others)


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
    """The five texts of one language."""
    sheet = written.draft.sheet
    entries = sheet.fields(node, f"text.{locale}", TEXT_KEYS)
    for key in TEXT_KEYS:
        if isinstance(node, MapNode) and key not in node.entries:
            message = f"text.{locale} has no '{key}'."
            sheet.error(node, "TEXT_MISSING", message, f"Add '{key}:', written in {shown(locale)}.")
    found = {key: _words(written, value, locale, key) for key, value in entries.items()}
    return Text(**{key: found.get(key, "") for key in TEXT_KEYS})


def _words(written: Written, node: Node, locale: str, key: str) -> str:
    name = f"text.{locale}.{key}"
    if isinstance(node, MapNode):
        message = f"{name} begins with a brace, so YAML takes it for a mapping."
        written.draft.sheet.error(node, "WRONG_TYPE", message, "Put the text in double quotes.")
        return ""
    text = written.draft.sheet.text(node, name, MAX_TEXTS[key])
    if text is not None:
        written.template(node, name, text, locale)
    return text or ""


def _link(written: Written, node: Node, key: str) -> str:
    """A link with a fixed scheme and host."""
    name, sheet = f"representation.{key}", written.draft.sheet
    text = sheet.text(node, name, MAX_LINK)
    if text is None or not isinstance(node, TextNode):
        return ""
    match = _LINK.fullmatch(text)
    if match is None or (match["scheme"] != "https" and (key == "web" or match["scheme"] in _NOT_FOR_APPS)):
        kinds = "an https link" if key == "web" else "an https link or one of the app, 'app://...'"
        hint = f"Write {kinds}; placeholders stand behind the host, other letters than ASCII percent-encoded."
        sheet.error(node, "LINK_INVALID", f"{name} {shown(text)} is not a link to trust.", hint)
    written.template(node, name, text, None)
    return text


def _image(draft: Draft, node: Node) -> Image | None:
    name = draft.reference(node, "UNKNOWN_IMAGE", "image", draft.words.images)
    return None if name is None else draft.words.images.get(name)

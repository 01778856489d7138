"""`representation:` - the picture and the links, and where they differ by placement; joined with the words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from offers.campaign_draft import Draft
from offers.campaign_text import AT, Texts, Written
from offers.offer import Image, Representation
from streams.findings import shown
from streams.ids import PlacementId
from streams.positioned_yaml import Node, TextNode

NAME = "representation"
REPRESENTATION_KEYS = ("image", "link", "web")
MAX_LINK = 500
_LINK = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{1,31})://(?P<host>[A-Za-z0-9.:_-]+)(?:[/?#][!#-;=?-\[\]_a-z{|}~]*)?")
_NOT_FOR_APPS = frozenset({"http", "javascript", "data", "file", "ftp", "blob", "vbscript", "about", "intent"})


@dataclass(frozen=True, slots=True)
class Differs:
    """A picture and links; None: as everywhere else."""

    image: Image | None
    link: str | None
    web: str | None


def read_representation(written: Written, node: Node | None, texts: Texts, others: str | None) -> Representation | None:
    """Picture, links and words; None if there is no picture."""
    if node is None:
        return None
    fields = written.draft.sheet.fields(node, NAME, (*REPRESENTATION_KEYS, AT), REPRESENTATION_KEYS)
    usual = _look(written, NAME, fields)
    at = _differing(written, fields[AT]) if AT in fields else {}
    if usual.image is None or not texts.usual:
        return None
    whole = Representation(usual.image, usual.link or "", usual.web or "", texts.usual, others)
    every = {
        placement: Representation(
            look.image or whole.image,
            look.link or whole.link,
            look.web or whole.web,
            texts.at.get(placement, texts.usual),
            others,
        )
        for placement in written.placements
        if (look := at.get(placement, SAME)) is not SAME or placement in texts.at
    }
    return Representation(whole.image, whole.link, whole.web, whole.texts, others, every)


SAME = Differs(None, None, None)


def _look(written: Written, name: str, fields: Mapping[str, Node]) -> Differs:
    links = {key: _link(written, fields[key], f"{name}.{key}", key) for key in ("link", "web") if key in fields}
    image = _image(written.draft, fields["image"]) if "image" in fields else None
    return Differs(image, links.get("link"), links.get("web"))


def _differing(written: Written, node: Node) -> dict[PlacementId, Differs]:
    """What each placement under `at` shows instead."""
    sheet, found = written.draft.sheet, {}
    for word, value in sheet.entries(node, f"{NAME}.{AT}", "placements, and what they show instead").values():
        placement, name = written.placement(word), f"{NAME}.{AT}.{word.text}"
        look = _look(written, name, sheet.fields(value, name, REPRESENTATION_KEYS))
        if placement is not None:
            found[placement] = look
    return found


def _link(written: Written, node: Node, name: str, key: str) -> str:
    """A link with a fixed scheme and host."""
    sheet = written.draft.sheet
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

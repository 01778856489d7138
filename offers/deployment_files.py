"""The files beside the campaigns: placements.yaml, seasons.yaml, images.yaml, policies.yaml."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from offers.campaign_draft import Draft, Vocabulary
from offers.campaign_limits import read_policies
from offers.campaign_offer import ID, ID_EXAMPLE
from offers.campaign_seasons import read_season
from offers.campaign_text import MAX_TEXTS
from offers.offer import SEGMENTS, SMS, Image, ImageVariant, Limit, Placement
from offers.season import Season
from streams.ids import OfferId, PlacementId
from streams.instant import DAY_MS, SECOND_MS
from streams.positioned_yaml import MapNode, Node, TextNode, read_file, shared
from streams.sheet import Sheet
from streams.units import duration_ms, share

PLACEMENTS, SEASONS, IMAGES, POLICIES = "placements.yaml", "seasons.yaml", "images.yaml", "policies.yaml"
PLACEMENT_KEYS = ("channel", "max_items", "refresh_after", "fallback", "explore", "opt_out", "limits")
EXPLORE_KEYS = ("strength", "costs_at_most")
LIMITED = ("title", "body", "button")
MOST = {**MAX_TEXTS, SEGMENTS: 10}
POLICY_KEYS = ("version", "limits", "holdout", "defaults", "duties", "quiet_hours", "budgets", "approvals")
VARIANT_KEYS = ("url", "w", "h", "bytes", "sha256")
MAX_ITEMS = 30
MAX_VARIANTS = 3
PLACEMENT = re.compile(r"(?=.{1,64}$)[a-z0-9_]+(\.[a-z0-9_]+)*")
CHANNEL = re.compile(r"[a-z][a-z0-9_]{0,31}")
COLOUR = re.compile(r"#[0-9a-f]{6}")
SHA256 = re.compile(r"[0-9a-f]{64}")
HTTPS = re.compile(r"https://[A-Za-z0-9.:-]+/[!-~]*")
OPT_OUT = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+")
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Fallback:
    """Which offer a placement falls back on, and where it says so."""

    placement: PlacementId
    offer_id: OfferId
    node: Node


def read_placements(folder: Path, sheet: Sheet) -> tuple[dict[PlacementId, Placement], tuple[Fallback, ...]]:
    """Placement id -> placement, and their fallbacks, to be checked once the offers are known."""
    entries = _entries(folder / PLACEMENTS, sheet, "placements", required=True)
    found = _things(sheet, entries, PLACEMENT, "'app.home.hero'", _placement)
    placements = {placement.id: placement for placement in found.values()}
    return placements, tuple(_fallbacks(placements, entries))


def _fallbacks(
    placements: Mapping[PlacementId, Placement], entries: Mapping[str, tuple[TextNode, Node]]
) -> Iterator[Fallback]:
    for placement in placements.values():
        node = entries[placement.id][1]
        if placement.fallback is not None and isinstance(node, MapNode):
            yield Fallback(placement.id, placement.fallback, node.entries["fallback"][1])


def read_seasons(folder: Path, sheet: Sheet) -> tuple[Season, ...]:
    """The seasons, by name."""
    found = _things(sheet, _entries(folder / SEASONS, sheet, "seasons"), ID, "'summer'", read_season)
    return tuple(found[name] for name in sorted(found))


def read_images(folder: Path, sheet: Sheet) -> dict[str, Image]:
    """Image id -> image."""
    return _things(sheet, _entries(folder / IMAGES, sheet, "images"), ID, ID_EXAMPLE, _image)


def policy_fields(folder: Path, sheet: Sheet) -> dict[str, Node]:
    """The keys of policies.yaml, whose nodes know their file: campaigns take some of them over."""
    root = _root(folder / POLICIES, sheet)
    if root is None:
        return {}
    fields = sheet.fields(shared(root, POLICIES), POLICIES, POLICY_KEYS)
    if "version" in fields:
        sheet.integer(fields["version"], "version", 1, 1)
    return fields


def read_global_limits(fields: Mapping[str, Node], sheet: Sheet, words: Vocabulary) -> tuple[Limit, ...]:
    """The caps of policies.yaml, which hold for every campaign."""
    return read_policies(Draft(sheet, words), fields.get("limits"))


def _root(file: Path, sheet: Sheet) -> Node | None:
    if not file.exists():
        return None
    root, findings = read_file(file, sheet.path)
    sheet.findings.extend(findings)
    return root


def _entries(file: Path, sheet: Sheet, key: str, required: bool = False) -> Mapping[str, tuple[TextNode, Node]]:
    root = _root(file, sheet)
    if root is None:
        if required and not sheet.findings:
            missing = TextNode("", True, 1, 1)
            sheet.error(missing, "FILE_MISSING", f"there is no {file.name}.", f"Add it, with '{key}:' in it.")
        return {}
    fields = sheet.fields(root, file.name, ("version", key), (key,))
    if "version" in fields:
        sheet.integer(fields["version"], "version", 1, 1)
    return sheet.entries(fields[key], key, "a name and what it stands for") if key in fields else {}


def _things(
    sheet: Sheet,
    entries: Mapping[str, tuple[TextNode, Node]],
    form: re.Pattern[str],
    example: str,
    read: Callable[[Sheet, str, Node], Thing],
) -> dict[str, Thing]:
    found: dict[str, Thing] = {}
    for name, (word, node) in entries.items():
        if sheet.matching(word, "the name", form, example) is not None:
            found[name] = read(sheet, name, node)
    return found


def _placement(sheet: Sheet, name: str, node: Node) -> Placement:
    fields = sheet.fields(node, name, PLACEMENT_KEYS)
    usual = Placement(PlacementId(name))
    channel = _matching(sheet, fields, "channel", CHANNEL, "'app'")
    max_items = sheet.integer(fields["max_items"], "max_items", 1, MAX_ITEMS) if "max_items" in fields else None
    strength, costs = _explore(sheet, name, fields["explore"]) if "explore" in fields else (None, None)
    fallback = _matching(sheet, fields, "fallback", ID, "the id of an offer")
    return Placement(
        usual.id,
        channel=channel or usual.channel,
        max_items=max_items or usual.max_items,
        refresh_after_s=_refresh_s(sheet, fields) or usual.refresh_after_s,
        fallback=OfferId(fallback) if fallback is not None else None,
        explore=strength or usual.explore,
        opt_out=_matching(sheet, fields, "opt_out", OPT_OUT, "a link, 'app://privacy/offers'") or usual.opt_out,
        limits=_limits(sheet, name, fields) if "limits" in fields else usual.limits,
        explore_costs_at_most=costs or usual.explore_costs_at_most,
    )


def _explore(sheet: Sheet, name: str, node: Node) -> tuple[float | None, float | None]:
    """How strongly a placement explores, and the share of value that it may cost: a strength alone, or both."""
    if not isinstance(node, MapNode):
        return sheet.number(node, "explore", 0, 1), None
    fields = sheet.fields(node, f"{name}.explore", EXPLORE_KEYS, ("strength",))
    strength = sheet.number(fields["strength"], "strength", 0, 1) if "strength" in fields else None
    capped = fields.get("costs_at_most")
    costs = None if capped is None else sheet.parsed(capped, "costs_at_most", share)
    if capped is not None and costs == 0:
        sheet.error(capped, "OUT_OF_RANGE", "costs_at_most is 0 %.", "Write at least 0.1 %, or 'explore: 0' for none.")
    return strength, costs


def _limits(sheet: Sheet, name: str, placement: Mapping[str, Node]) -> tuple[tuple[str, int], ...]:
    """How many characters of a text the placement shows; of an SMS, how many segments it sends."""
    channel = placement.get("channel")
    known = (SEGMENTS,) if isinstance(channel, TextNode) and channel.text == SMS else LIMITED
    fields = sheet.fields(placement["limits"], f"{name}.limits", known)
    found = [(key, sheet.integer(value, f"{name}.limits.{key}", 1, MOST[key])) for key, value in fields.items()]
    return tuple((key, most) for key, most in found if most is not None)


def _refresh_s(sheet: Sheet, fields: Mapping[str, Node]) -> int | None:
    node = fields.get("refresh_after")
    found = sheet.parsed(node, "refresh_after", duration_ms) if node is not None else None
    if node is None or found is None:
        return None
    if not 10 * SECOND_MS <= found <= DAY_MS:
        sheet.error(node, "OUT_OF_RANGE", "refresh_after is out of range.", "Write '10 s' to '1 d'.")
    return found // SECOND_MS


def _image(sheet: Sheet, name: str, node: Node) -> Image:
    fields = sheet.fields(node, name, ("placeholder", "variants"), ("placeholder",))
    placeholder = _matching(sheet, fields, "placeholder", COLOUR, "a colour in small letters, '#2b4a6f'")
    items = sheet.items(fields["variants"], f"{name}.variants") if "variants" in fields else ()
    if len(items) > MAX_VARIANTS:
        message = f"{name} has {len(items)} variants."
        sheet.error(fields["variants"], "OUT_OF_RANGE", message, f"Keep {MAX_VARIANTS}: answers go over bad networks.")
    variants = [_variant(sheet, item) for item in items]
    return Image(name, placeholder or "", tuple(variant for variant in variants if variant is not None))


def _variant(sheet: Sheet, node: Node) -> ImageVariant | None:
    fields = sheet.fields(node, "a variant", VARIANT_KEYS, VARIANT_KEYS)
    url = _matching(sheet, fields, "url", HTTPS, "an https address")
    sha256 = _matching(sheet, fields, "sha256", SHA256, "the 64 hex digits of the file's SHA-256")
    w, h, size = (
        sheet.integer(fields[key], key, 1, most) if key in fields else None
        for key, most in (("w", 10_000), ("h", 10_000), ("bytes", 10_000_000))
    )
    if url is None or sha256 is None or w is None or h is None or size is None:
        return None
    return ImageVariant(url, w, h, size, sha256)


def _matching(sheet: Sheet, fields: Mapping[str, Node], key: str, form: re.Pattern[str], example: str) -> str | None:
    return sheet.matching(fields[key], key, form, example) if key in fields else None

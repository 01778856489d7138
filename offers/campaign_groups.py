"""What campaigns inherit: groups/NAME.yaml for those with `group: NAME`, `defaults:` and `duties:` of policies.yaml."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from offers.campaign import LANGUAGE, ReadCampaign, check_shared
from offers.campaign_conditions import read_layer
from offers.campaign_draft import Draft, Vocabulary
from offers.campaign_inherit import INHERITED, Duty, Inheritance
from offers.campaign_offer import ID, ID_EXAMPLE
from offers.campaign_schedule import read_local, read_zone
from offers.offer import Selector
from streams.positioned_yaml import ListNode, MapNode, Node, TextNode, read_file, shared
from streams.sheet import Sheet

FOLDER = "groups"
KEYS = ("language", "description", *INHERITED)
DUTY_KEYS = ("require", "disclosures")
CODE = re.compile(r"(?=.{1,64}$)[a-z][a-z0-9]*(_[a-z0-9]+)*")


def read_inheritance(folder: Path, policies: Mapping[str, Node]) -> Inheritance:
    """What there is to inherit, unchecked. `policies`: the keys of policies.yaml."""
    groups: dict[str, Node | None] = {}
    for name, file in _files(folder):
        root, _ = read_file(file, _path(folder, file))
        groups[name] = shared(root, _path(folder, file)) if isinstance(root, MapNode) else None
    return Inheritance(groups, policies.get("defaults"), dict(_duties(policies.get("duties"))))


def check_inheritance(folder: Path, known: Inheritance, words: Vocabulary, policies: Sheet) -> tuple[Sheet, ...]:
    """A sheet for each group, with every mistake that is one whatever campaign has it."""
    sheets = []
    for name, file in _files(folder):
        sheet = Sheet(_path(folder, file))
        sheets.append(sheet)
        if file.suffix != ".yaml":
            message = f"files that end in {file.suffix} are not read."
            sheet.error(_top(), "WRONG_SUFFIX", message, "Rename it to .yaml.")
            continue
        if not ID.fullmatch(name):
            message = f"a group has the name of its file, and '{name}' has the wrong form."
            sheet.error(_top(), "NAME_INVALID", message, "Call it by small letters, digits and hyphens: sardinia.yaml.")
        root, findings = read_file(file, sheet.path)
        sheet.findings.extend(findings)
        if root is not None:
            _check(sheet, words, root, "a group", KEYS)
    if known.defaults is not None:
        _check(policies, words, known.defaults, "defaults", INHERITED)
    return tuple(sheets)


def check_duties(node: Node | None, words: Vocabulary, sheet: Sheet) -> None:
    """What policies.yaml says of collections, by itself."""
    draft = Draft(sheet, words, "UTC", unbound=True)
    entries = {} if node is None else sheet.entries(node, "duties", "collections and what the law asks of them")
    for name, (word, value) in entries.items():
        sheet.matching(word, "the collection", ID, ID_EXAMPLE)
        fields = sheet.fields(value, f"the duty of {name}", DUTY_KEYS)
        if isinstance(value, MapNode) and not value.entries:
            sheet.error(value, "EMPTY_VALUE", f"the duty of {name} asks nothing.", "Add 'require:' or 'disclosures:'.")
        read_layer(draft, fields.get("require"), "require")
        for item in sheet.one_or_more(fields["disclosures"], "disclosures") if "disclosures" in fields else ():
            sheet.matching(item, "disclosures", CODE, "a code that the app knows: 'drink_responsibly'")


def with_disclosures(read: ReadCampaign, known: Inheritance) -> ReadCampaign:
    """The campaign with the disclosures of its collection's duty."""
    duty = known.duties.get(read.campaign.offer.facts.collection)
    if duty is None or not duty.disclosures:
        return read
    offer = replace(read.campaign.offer, disclosures=duty.disclosures)
    return replace(read, campaign=replace(read.campaign, offer=offer))


def _duties(node: Node | None) -> Iterator[tuple[str, Duty]]:
    for name, (_, value) in node.entries.items() if isinstance(node, MapNode) else ():
        fields = {key: found for key, (_, found) in value.entries.items()} if isinstance(value, MapNode) else {}
        said = fields.get("disclosures")
        items = said.items if isinstance(said, ListNode) else () if said is None else (said,)
        yield name, Duty(fields.get("require"), tuple(item.text for item in items if isinstance(item, TextNode)))


def names(folder: Path) -> tuple[str, ...]:
    """The groups of a folder, sorted."""
    return tuple(sorted(name for name, file in _files(folder) if file.suffix == ".yaml"))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(name, file) of each group."""
    for file in sorted((folder / FOLDER).rglob("*.y*ml")):
        yield file.relative_to(folder / FOLDER).with_suffix("").as_posix(), file


def _path(folder: Path, file: Path) -> str:
    return file.relative_to(folder).as_posix()


def _check(sheet: Sheet, words: Vocabulary, root: Node, name: str, known: tuple[str, ...]) -> None:
    fields = sheet.fields(root, name, known)
    if "language" in fields:
        sheet.integer(fields["language"], "language", LANGUAGE, LANGUAGE)
    if "description" in fields:
        sheet.text(fields["description"], "description", 2_000)
    zone = read_zone(sheet, fields.get("schedule")) or "UTC"
    draft = Draft(sheet, words, zone, Selector("booking"), unbound=True, local=read_local(fields.get("schedule")))
    check_shared(draft, fields)


def _top() -> Node:
    return TextNode("", True, 1, 1)

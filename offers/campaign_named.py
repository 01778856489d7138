"""conditions.yaml: conditions with a name, for `use:` in any layer of any campaign, group or other named condition."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from offers.campaign_conditions import MAX_WEIGHT, NAMED_FILE, USE, read_layer, uses, weight
from offers.campaign_draft import Draft, NamedCondition, Vocabulary
from offers.campaign_offer import ID
from streams.findings import has_errors
from streams.positioned_yaml import ListNode, MapNode, Node, TextNode, read_file, shared
from streams.sheet import Sheet

MAX_CIRCLES = 10
"""Told in one run."""
Entries = Mapping[str, tuple[TextNode, Node]]


def read_named(folder: Path, sheet: Sheet, words: Vocabulary) -> dict[str, NamedCondition]:
    """Name -> condition, each checked by itself: what depends on the campaign is judged where it is used."""
    entries = {
        name: (word, node)
        for name, (word, node) in _entries(folder, sheet).items()
        if sheet.matching(word, "the name", ID, "small letters, digits and hyphens: 'gold-nearby'") is not None
    }
    order = tuple(_order(sheet, entries))
    found = {name: NamedCondition(node, 0, broken=True) for name, (_, node) in entries.items()}
    for name in order:
        weighed = weight(entries[name][1], found)
        found[name] = NamedCondition(entries[name][1], weighed)
        if weighed > MAX_WEIGHT:
            found[name] = NamedCondition(entries[name][1], 0, broken=True)
            message = f"condition '{name}' has {weighed:,} words with all that it uses."
            sheet.error(entries[name][0], "CONDITION_TOO_BIG", message, f"Keep it under {MAX_WEIGHT:,}.")
    draft = Draft(sheet, replace(words, conditions=found), zone="UTC", unbound=True)
    for name in order:
        before = len(sheet.findings)
        if not found[name].broken:
            read_layer(draft, found[name].node, f"condition {name}")
            found[name] = replace(found[name], broken=has_errors(sheet.findings[before:]))
    return found


def names(folder: Path) -> tuple[str, ...]:
    """The names that a folder declares, sorted, whatever is wrong with what they stand for."""
    return tuple(sorted(name for name in _entries(folder, Sheet(NAMED_FILE)) if ID.fullmatch(name)))


def _entries(folder: Path, sheet: Sheet) -> Entries:
    file = folder / NAMED_FILE
    if not file.exists():
        return {}
    root, findings = read_file(file, NAMED_FILE)
    sheet.findings.extend(findings)
    if root is None:
        return {}
    fields = sheet.fields(shared(root, NAMED_FILE), NAMED_FILE, ("version", "conditions"), ("conditions",))
    if "version" in fields:
        sheet.integer(fields["version"], "version", 1, 1)
    node = fields.get("conditions")
    return {} if node is None else sheet.entries(node, "conditions", "a name and its conditions")


def _order(sheet: Sheet, entries: Entries) -> Iterator[str]:
    """The names, each after those that it uses, but for those in a circle: CONDITION_CIRCLE at its first one."""
    using = {name: set(_used(node)) & entries.keys() for name, (_, node) in entries.items()}
    for _ in range(MAX_CIRCLES):
        try:
            yield from TopologicalSorter(using).static_order()
        except CycleError as error:
            circle = set(error.args[1])
            _say_circle(sheet, error.args[1][:0:-1], entries)
            using = {name: used - circle for name, used in using.items() if name not in circle}
        else:
            return


def _say_circle(sheet: Sheet, circle: list[str], entries: Entries) -> None:
    """`circle`: names, each using the next and the last the first."""
    at = min(range(len(circle)), key=lambda at: entries[circle[at]][0].line)
    told = [*circle[at:], *circle[: at + 1]]
    message = f"condition '{circle[at]}' uses itself: {' -> '.join(told)}."
    sheet.error(entries[circle[at]][0], "CONDITION_CIRCLE", message, "Take one of these uses out.")


def _used(node: Node) -> Iterator[str]:
    """Every name that a node uses, at any depth."""
    if isinstance(node, MapNode):
        for key, (_, value) in node.entries.items():
            yield from uses(value) if key == USE else _used(value)
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from _used(item)

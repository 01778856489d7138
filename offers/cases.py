"""Tests beside the campaigns: `tests/*.yaml` of a deployment -> cases, each a persona, a time and what is expected.

A file has `personas:`, `cases:` or both. A case names a persona, or is one, or adds to the one it names: mappings are
merged, everything else that the case says replaces what the persona says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from offers.campaign_draft import Draft
from offers.catalog import Catalog
from offers.expectations import Expect, read_expect
from offers.persona import KEYS as PERSONA_KEYS
from offers.persona import Persona, read_persona, vocabulary
from streams.findings import Finding, did_you_mean, has_errors, shown
from streams.ids import Millis
from streams.positioned_yaml import MapNode, Node, TextNode, read_file
from streams.sheet import Sheet

FOLDER = "tests"
FILE_KEYS = ("personas", "cases")
CASE_KEYS = ("persona", *PERSONA_KEYS, "expect")


@dataclass(frozen=True, slots=True)
class Case:
    """One test."""

    name: str
    where: str
    """`file:line:column`."""
    persona: Persona
    now: Millis
    expect: Expect


def read_cases(folder: Path, catalog: Catalog) -> tuple[tuple[Case, ...], tuple[Finding, ...]]:
    """Every case of a deployment's tests, and what is wrong with them; those with errors are left out."""
    files = [(Sheet(file.relative_to(folder).as_posix()), file) for file in sorted((folder / FOLDER).rglob("*.y*ml"))]
    reader = CaseReader(catalog)
    fields = [(sheet, reader.file(sheet, file)) for sheet, file in files]
    for sheet, found in fields:
        reader.personas(sheet, found.get("personas"))
    cases = [case for sheet, found in fields for case in reader.cases(sheet, found.get("cases"))]
    return tuple(cases), tuple(finding for sheet, _ in files for finding in sorted(sheet.findings))


def read_case(file: Path, catalog: Catalog) -> tuple[Case | None, tuple[Finding, ...]]:
    """A file that is one case: its keys at the top."""
    sheet = Sheet(file.name)
    root, findings = read_file(file, sheet.path)
    sheet.findings.extend(findings)
    reader = CaseReader(catalog)
    case = None if root is None else reader.case(sheet, file.stem, root)
    return case, tuple(sheet.findings)


def read_persona_file(file: Path, name: str, catalog: Catalog) -> tuple[Persona | None, tuple[Finding, ...]]:
    """A file that is one persona; with a name, that one of a file of `personas:`."""
    sheet = Sheet(file.as_posix())
    reader = CaseReader(catalog)
    root, findings = read_file(file, sheet.path)
    sheet.findings.extend(findings)
    if root is not None and name:
        reader.personas(sheet, reader.known(sheet, root).get("personas"))
        named = TextNode(name, True, 1, 1)
        root = reader.named(sheet, named)
    persona = None if root is None else reader.persona(sheet, root, "the persona", PERSONA_KEYS)
    return (None if sheet.failed else persona), tuple(sheet.findings)


def read_personas(file: Path, catalog: Catalog) -> tuple[dict[str, Persona], tuple[Finding, ...]]:
    """Every persona of a file of `personas:`, by name, and what is wrong with them."""
    sheet = Sheet(file.as_posix())
    reader = CaseReader(catalog)
    reader.personas(sheet, reader.file(sheet, file).get("personas"))
    personas = {
        name: reader.persona(sheet, node, name, PERSONA_KEYS)
        for name, (node, _) in reader.by_name.items()
        if name not in reader.broken
    }
    return personas, tuple(dict.fromkeys(sheet.findings))


class CaseReader:
    """Reads cases; remembers the personas they may name."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.words = vocabulary(catalog)
        self.by_name: dict[str, tuple[MapNode, str]] = {}
        """Persona -> (its keys, where)."""
        self.broken: set[str] = set()
        """Personas with errors, which are told once, where they stand."""
        self.used: dict[str, str] = {}
        """Case -> where."""

    def file(self, sheet: Sheet, file: Path) -> dict[str, Node]:
        if file.suffix != ".yaml":
            top = TextNode("", True, 1, 1)
            sheet.error(top, "WRONG_SUFFIX", f"files that end in {file.suffix} are not read.", "Rename it to .yaml.")
            return {}
        root, findings = read_file(file, sheet.path)
        sheet.findings.extend(findings)
        return {} if root is None else self.known(sheet, root)

    def known(self, sheet: Sheet, root: Node) -> dict[str, Node]:
        return sheet.fields(root, "a file of tests", FILE_KEYS)

    def personas(self, sheet: Sheet, node: Node | None) -> None:
        """Remember them; each is checked by itself."""
        if node is None:
            return
        for name, (word, value) in sheet.entries(node, "personas", "personas by their name").items():
            if name in self.by_name:
                message = f"persona {shown(name)} is at {self.by_name[name][1]} already."
                sheet.error(word, "DUPLICATE_ID", message, "Take another name.")
                continue
            before = len(sheet.findings)
            self.persona(sheet, value, f"persona {name}", PERSONA_KEYS)
            if isinstance(value, MapNode):
                self.by_name[name] = value, sheet.where(word)
            if has_errors(sheet.findings[before:]):
                self.broken.add(name)

    def persona(self, sheet: Sheet, node: Node, name: str, known: tuple[str, ...]) -> Persona:
        fields = sheet.fields(node, name, known)
        return read_persona(sheet, fields, self.catalog)

    def cases(self, sheet: Sheet, node: Node | None) -> Iterator[Case]:
        if node is None:
            return
        for name, (word, value) in sheet.entries(node, "cases", "cases by their name").items():
            if name in self.used:
                message = f"case {shown(name)} is at {self.used[name]} already."
                sheet.error(word, "DUPLICATE_ID", message, "Take another name.")
                continue
            self.used[name] = sheet.where(word)
            case = self.case(sheet, name, value, word)
            if case is not None:
                yield case

    def case(self, sheet: Sheet, name: str, node: Node, word: TextNode | None = None) -> Case | None:
        """One case; None with errors."""
        before = len(sheet.findings)
        own = sheet.fields(node, f"case {name}", CASE_KEYS, ("expect",))
        base = self.named(sheet, own["persona"]) if "persona" in own else None
        if "persona" in own and base is None:
            return None
        said = {key: value for key, value in own.items() if key in PERSONA_KEYS}
        fields = said if base is None else _over({key: value for key, (_, value) in base.entries.items()}, said)
        persona = read_persona(sheet, fields, self.catalog)
        draft = Draft(sheet, self.words, persona.zone)
        expect = read_expect(draft, own["expect"], self.catalog) if "expect" in own else Expect()
        if "now" not in fields:
            hint = "Add 'now: 2026-11-21 18:00' and 'zone: Europe/Rome'."
            sheet.error(node, "KEY_MISSING", f"neither case {name} nor its persona has 'now'.", hint)
        if persona.now is None or has_errors(sheet.findings[before:]):
            return None
        return Case(name, sheet.where(word or node), persona, persona.now, expect)

    def named(self, sheet: Sheet, node: Node) -> MapNode | None:
        """The persona of that name; None if there is none, or it has errors of its own."""
        name = sheet.text(node, "persona")
        if name is None or name in self.broken:
            return None
        if name not in self.by_name:
            hint = did_you_mean(name, self.by_name) or "Write it under 'personas:' in a file of this folder."
            sheet.error(node, "UNKNOWN_PERSONA", f"there is no persona {shown(name)}.", hint)
            return None
        return self.by_name[name][0]


def _over(base: Mapping[str, Node], said: Mapping[str, Node]) -> dict[str, Node]:
    merged = dict(base)
    for key, value in said.items():
        merged[key] = _merged(base[key], value) if key in base else value
    return merged


def _merged(base: Node, said: Node) -> Node:
    """What a case says over what its persona says. The placements asked for are one thing, as `[...]` is."""
    if not isinstance(base, MapNode) or not isinstance(said, MapNode):
        return said
    entries = dict(base.entries)
    for key, (word, value) in said.entries.items():
        whole = key not in entries or key == "placements"
        entries[key] = word, value if whole else _merged(entries[key][1], value)
    return MapNode(entries, said.line, said.column)

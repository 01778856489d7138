"""Golden decisions of the campaign language: a YAML file for each construct, with its campaigns and what they do.

A file has `files` (policies.yaml and the like, in place of those of tests/deployment), `campaigns` by their id, each
with what BASE does not say, and `cases` as the tests beside campaigns have them (offers.cases).
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from offers.cases import Case, CaseReader
from offers.catalog import Catalog
from offers.folder import LoadedFolder, check_folder, load_folder
from streams.ids import RevisionId
from streams.positioned_yaml import MapNode, read_file
from streams.sheet import Sheet

HERE = Path(__file__).parent
FOLDER = HERE / "golden_language"
SHARED = ("images.yaml", "seasons.yaml")
PLACEMENTS = """placements:
  app.home.hero: {channel: app}
  app.trip.card: {channel: app, max_items: 3}
  web.home: {channel: web, max_items: 10}
  sms.trip: {channel: sms}
"""
BASE = """campaign: {id}
owner: onboard.spa
schedule: {{zone: Europe/Rome}}
offer: {{id: {id}}}
placements: [web.home]
representation: {{image: sea, link: "https://app.example/{id}?ot={{token}}", web: "https://www.example/{id}?ot={{token}}"}}
text:
  en: {{title: Title of {id}, body: Body, button: Book, alt: The sea, why: We show this to everyone.}}
"""


@dataclass(frozen=True, slots=True)
class Language:
    """One file, read."""

    cases: tuple[Case, ...]
    catalog: Catalog


def names() -> list[str]:
    """Every golden decision of the language."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def campaigns(name: str) -> dict[str, str]:
    """The campaign files of a golden file, by their ids."""
    found = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return {key: head + _rest(key, head) for key, head in found["campaigns"].items()}


def files(name: str) -> dict[str, str]:
    """The files beside its campaigns."""
    found: dict[str, str] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text()).get("files", {})
    return found


@cache
def deployment() -> LoadedFolder:
    """What the campaigns may ask, and where."""
    return load_folder(HERE / "deployment")


def load(name: str, folder: Path) -> Language:
    """The golden file `name`, written out as a deployment into an empty folder and read from there."""
    for file in SHARED:
        (folder / file).write_bytes((HERE / "deployment" / file).read_bytes())
    (folder / "placements.yaml").write_text(PLACEMENTS)
    for file, text in files(name).items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text)
    for key, text in campaigns(name).items():
        (folder / f"{key}.yaml").write_text(text)
    known = deployment()
    assert known.attributes is not None and known.places is not None
    found, findings = check_folder(folder, known.attributes, known.places)
    assert found is not None, [str(finding) for finding in findings]
    catalog = Catalog(RevisionId("r-golden"), found, known.attributes, known.places)
    return Language(_cases(name, catalog), catalog)


def _cases(name: str, catalog: Catalog) -> tuple[Case, ...]:
    root, findings = read_file(FOLDER / f"{name}.yaml", name)
    assert isinstance(root, MapNode) and not findings, findings
    sheet, reader = Sheet(f"{name}.yaml"), CaseReader(catalog)
    if "personas" in root.entries:
        reader.personas(sheet, root.entries["personas"][1])
    cases = tuple(reader.cases(sheet, root.entries["cases"][1]))
    assert not sheet.findings, [str(finding) for finding in sheet.findings]
    return cases


def _rest(key: str, head: str) -> str:
    """What BASE says and a campaign does not."""
    said = set(re.findall(r"^(\w+):", head, re.MULTILINE))
    sections = re.split(r"^(?=\w)", BASE.format(id=key), flags=re.MULTILINE)
    return "".join(part for part in sections if part.partition(":")[0] not in said)

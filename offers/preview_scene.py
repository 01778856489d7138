"""Where previews get their facts: one campaign by its file or id, with a persona's facts or with none."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from offers import cases, revisions
from offers.catalog import Catalog
from offers.folder import LoadedFolder, campaign_files, load_campaign, load_folder
from offers.offer import Campaign
from offers.persona import Persona
from offers.previews import Scene
from offers.simulation import decision_id
from offers.situation import situate
from streams.attribute_file import FILE as ATTRIBUTES
from streams.errors import InvalidInput, NotFound
from streams.findings import Finding, Severity, has_errors, shown
from streams.ids import CustomerId, Millis, RevisionId
from streams.record import DecisionInputs, Request

NOBODY = CustomerId("c-example")
PREVIEW = RevisionId("r-preview")
_ID = re.compile(r"^campaign: *[\"']?([a-z0-9-]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a campaign is."""

    folder: Path
    """The deployment."""
    file: Path


def place_of(campaign: str, folder: Path | None, usual: Path) -> Place:
    """A file's own deployment is looked for above it; an id is looked up in `folder`, or in the `usual` one.

    Raises NotFound CAMPAIGN_UNKNOWN, InvalidInput FOLDER_MISSING.
    """
    file = Path(campaign)
    if not file.is_file():
        return Place(folder or usual, file_of(campaign, folder or usual))
    file = file.resolve()
    above = file.parents if folder is None else (folder.resolve(),)
    found = next((each for each in above if (each / ATTRIBUTES).is_file() and file.is_relative_to(each)), None)
    if found is None:
        raise InvalidInput("FOLDER_MISSING", f"{campaign} is in no folder with {ATTRIBUTES}; name it with --dir")
    return Place(found, file)


def file_of(campaign: str, folder: Path) -> Path:
    """The file of a campaign. Raises NotFound CAMPAIGN_UNKNOWN."""
    for file in campaign_files(folder) if folder.is_dir() else ():
        found = _ID.search(file.read_text(errors="replace"))
        if found is not None and found[1] == campaign:
            return file
    raise NotFound("CAMPAIGN_UNKNOWN", f"{shown(campaign)} is neither a file nor a campaign of {folder}; see --dir")


def example_scene(place: Place, now: Millis) -> tuple[Scene, LoadedFolder]:
    """Nobody's facts; what is wrong with other campaigns does not matter. Raises InvalidInput CAMPAIGN_INVALID."""
    loaded = load_campaign(place.folder, place.file)
    if loaded.campaigns is None or loaded.attributes is None or loaded.places is None:
        raise InvalidInput("CAMPAIGN_INVALID", _lines(loaded.findings))
    (campaign,) = loaded.campaigns.campaigns
    placements = tuple(loaded.campaigns.placements[name] for name in campaign.offer.placements)
    inputs = DecisionInputs(decision_id("preview"), now, PREVIEW, Request(NOBODY, (), ""))
    return Scene(campaign.offer, placements, loaded.attributes, loaded.places, inputs), loaded


def persona_scene(place: Place, named: str, now: Millis) -> tuple[Scene, LoadedFolder]:
    """The facts of a persona (a file, or `file#name`); `now` where it says none. Raises InvalidInput."""
    loaded = load_folder(place.folder)
    catalog = revisions.compiled(revisions.fingerprint(place.folder), loaded)
    campaign = _campaign(loaded, place)
    persona = _persona(named, catalog)
    inputs = situate(
        persona.situation(catalog, persona.now or now, decision_id("preview")), catalog, every_subject=True
    )
    placements = tuple(catalog.placements[name] for name in campaign.offer.placements)
    return Scene(campaign.offer, placements, catalog.attributes, catalog.places, inputs, invented=False), loaded


def _campaign(loaded: LoadedFolder, place: Place) -> Campaign:
    path = place.file.resolve().relative_to(place.folder.resolve()).as_posix()
    known = loaded.campaigns.campaigns if loaded.campaigns is not None else ()
    found = next((each for each in known if each.path == path), None)
    if found is None:
        raise NotFound("CAMPAIGN_UNKNOWN", f"{path} is no campaign of {place.folder}")
    return found


def _persona(named: str, catalog: Catalog) -> Persona:
    file, _, name = named.partition("#")
    persona, findings = cases.read_persona_file(Path(file), name, catalog)
    if has_errors(findings):
        raise InvalidInput("PERSONA_INVALID", _lines(findings))
    if persona is None:
        raise InvalidInput("UNKNOWN_PERSONA", f"{file} has no persona {shown(name)}")
    return persona


def _lines(findings: Iterable[Finding]) -> str:
    return "\n".join(str(finding) for finding in findings if finding.severity is Severity.ERROR)

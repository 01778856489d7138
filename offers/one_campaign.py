"""One campaign of a folder as a catalog of its own: what is wrong with others does not matter."""

from dataclasses import replace
from pathlib import Path

from offers.catalog import Catalog
from offers.folder import load_campaign
from offers.offer import Campaign
from offers.preview_scene import PREVIEW, place_of
from streams.errors import InvalidInput
from streams.findings import Severity


def one_campaign(campaign: str, folder: Path | None, usual: Path) -> tuple[Catalog, Campaign]:
    """By its file, or by its id in `folder` or the `usual` one; under the limits of policies.yaml as ever.

    Raises NotFound CAMPAIGN_UNKNOWN, InvalidInput CAMPAIGN_INVALID, FOLDER_MISSING.
    """
    place = place_of(campaign, folder, usual)
    loaded = load_campaign(place.folder, place.file)
    if loaded.campaigns is None or loaded.attributes is None or loaded.places is None:
        wrong = (str(finding) for finding in loaded.findings if finding.severity is Severity.ERROR)
        raise InvalidInput("CAMPAIGN_INVALID", "\n".join(wrong))
    found = loaded.campaigns
    # what placements fall back on is another campaign, which is not loaded here
    placements = {name: replace(placement, fallback=None) for name, placement in found.placements.items()}
    catalog = Catalog(PREVIEW, replace(found, placements=placements), loaded.attributes, loaded.places)
    return catalog, found.campaigns[0]

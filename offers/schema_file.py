"""JSON Schemas as files of the campaign folder, named in its files' first lines: editors complete and underline."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offers import campaign_groups, campaign_named
from offers.beside_schema import beside
from offers.campaign_conditions import GROUPS, USE
from offers.campaign_schema import CONDITION, Names, schema
from offers.deployment_files import POLICIES, policy_fields
from streams.attribute_file import FILE as ATTRIBUTES
from streams.attribute_file import load_attributes
from streams.attributes import SCOPES, attribute_set
from streams.sheet import Sheet

FOLDER = Path("schema")
"""In the campaign folder."""
CAMPAIGN = "campaign"
KINDS = (CAMPAIGN, *sorted(beside(schema(attribute_set(())), attribute_set(()))))
"""What stands in a file -> `schema/KIND.json`."""
NAMES = rf"^({'|'.join(scope for scope in SCOPES if scope != 'offer')})(\.|$)"
"""What a condition may ask where no attributes are declared."""


def page(folder: Path | None, kind: str = CAMPAIGN) -> str:
    """The schema for a folder's attributes, for whatever attributes if there is no folder.

    Raises InvalidInput ATTRIBUTES_INVALID.
    """
    return _written(_schemas(folder)[kind])


def write(folder: Path) -> tuple[Path, ...]:
    """Write the folder's schemas into it; returns the files. Raises InvalidInput ATTRIBUTES_INVALID."""
    made = {folder / FOLDER / f"{kind}.json": _written(found) for kind, found in _schemas(folder).items()}
    (folder / FOLDER).mkdir(exist_ok=True)
    for file, text in made.items():
        file.write_text(text, encoding="utf-8")
    return tuple(made)


def _schemas(folder: Path | None) -> dict[str, Mapping[str, Any]]:
    campaign = for_any_attributes() if folder is None else of_folder(folder)
    known = attribute_set(()) if folder is None else load_attributes(folder / ATTRIBUTES)
    return {CAMPAIGN: campaign, **beside(campaign, known)}


def _written(found: Mapping[str, Any]) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def of_folder(folder: Path) -> dict[str, Any]:
    """The language of a folder, with what it declares. Raises InvalidInput ATTRIBUTES_INVALID."""
    return schema(load_attributes(folder / ATTRIBUTES), of_names(folder))


def of_names(folder: Path) -> Names:
    """What a folder declares besides its attributes."""
    policies = policy_fields(folder, Sheet(POLICIES))
    return Names(campaign_named.names(folder), campaign_groups.names(folder), "defaults" in policies)


def for_any_attributes() -> dict[str, Any]:
    """The language without a deployment: whatever is declared somewhere may be asked, in any form."""
    found = schema(attribute_set(()), Names(groups=("",), defaults=True))
    found["properties"]["group"] = {"type": "string"}
    condition = found["$defs"]["condition"]["anyOf"][0]
    kept = {key: condition["properties"][key] for key in (*GROUPS, "location")}
    kept[USE] = {"type": ["string", "array"]}
    asked = {**condition, "properties": kept, "patternProperties": {NAMES: {}}}
    found["$defs"]["condition"] = {"anyOf": [asked, {"type": "array", "items": CONDITION, "minItems": 1}]}
    found["properties"]["offer"]["properties"]["attributes"] = {"type": "object"}
    return found

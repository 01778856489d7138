"""What the campaign language consists of, and what of it a campaign uses: both as words like `limits.count: click`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from offers.campaign_conditions import GROUPS
from offers.campaign_leaves import ALL_TESTS
from offers.campaign_location import KEYS as LOCATION_KEYS
from offers.campaign_policies import QUIET_KEYS
from offers.campaign_schema import MODIFIERS
from offers.campaign_seasons import KEYS as SEASON_KEYS
from offers.deployment_files import EXPLORE_KEYS, PLACEMENT_KEYS, POLICY_KEYS
from offers.schema_file import for_any_attributes
from offers.template import FILTERS

LAYERS = ("eligibility", "applicability", "suitability")
TESTS = {*ALL_TESTS, *GROUPS, *LOCATION_KEYS, *MODIFIERS, "use"}
WINDOWS = ("rolling", "calendar day", "calendar week", "calendar month", "lifetime", "visit", "voyage")
ZONES = ("port", "customer")
VENUES = ("here", "on_board")
RELATIVE = ("before", "after from")
FILES = {
    "policies": {*POLICY_KEYS, *QUIET_KEYS, "at_most", "require", "disclosures", "by", "owners", "collections"},
    "seasons": {*SEASON_KEYS},
    "placements": {*PLACEMENT_KEYS, *EXPLORE_KEYS},
}
"""The keys of the files beside the campaigns, at whatever depth."""
Schema = Mapping[str, Any]


def whole() -> set[str]:
    """Every construct: the keys and words of the schema, the tests of conditions, and what texts may say."""
    found = set(_of_schema(_campaign(), ""))
    found |= {f"condition: {test}" for test in TESTS}
    for key in ("limits.window", "budget.window"):
        found |= {f"{key}: {kind}" for kind in WINDOWS if key.startswith("limits") or not kind.startswith("v")}
    found |= {f"schedule.zone: {word}" for word in ZONES} | {f"schedule.until: {word}" for word in RELATIVE}
    found |= {f"filter: {word}" for word in FILTERS if word}
    found |= {f"{file}.yaml: {key}" for file, keys in FILES.items() for key in keys}
    return found | {f"offer.about.venue: {word}" for word in VENUES}


def used_beside(file: str, read: Any) -> set[str]:
    """The constructs of a file beside the campaigns, by its name."""
    name = file.removesuffix(".yaml")
    return {f"{file}: {key}" for key in _keys(read) if key in FILES.get(name, ())}


def used(campaign: Mapping[str, Any]) -> set[str]:
    """The constructs of one campaign file, as an editor reads it."""
    found = set(_of_instance(_campaign(), campaign, ""))
    for layer in LAYERS:
        found |= {f"condition: {key}" for key in _keys(campaign.get(layer)) if key in TESTS}
    for key in ("limits.window", "budget.window"):
        first, last = key.split(".")
        for item in _listed(campaign.get(first)):
            found |= {f"{key}: {kind}" for kind in WINDOWS if str(item.get(last, "")).startswith(kind)}
    found |= {f"filter: {word}" for word in re.findall(r"\|(\w+)", str(campaign.get("text"))) if word in FILTERS}
    schedule, about = campaign.get("schedule", {}), campaign.get("offer", {}).get("about")
    found |= {f"schedule.zone: {word}" for word in ZONES if schedule.get("zone") == word}
    found |= {f"schedule.until: {word}" for word in RELATIVE if re.search(rf" {word}\b", str(schedule.get("until")))}
    venue = about.get("venue") if isinstance(about, Mapping) else None
    return found | {f"offer.about.venue: {word}" for word in VENUES if venue == word}


def _campaign() -> Schema:
    found = for_any_attributes()
    return {**found, "properties": {key: each for key, each in found["properties"].items() if key not in LAYERS}}


def _of_schema(schema: Schema, path: str) -> Iterator[str]:
    for branch in schema.get("anyOf", ()):
        yield from _of_schema(branch, path)
    for word in (*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())):
        if word != "":
            yield f"{path}: {word}"
    for key, inner in schema.get("properties", {}).items():
        yield _below(path, key)
        yield from _of_schema(inner, _below(path, key))
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from _of_schema(schema[key], path)


def _of_instance(schema: Schema, value: Any, path: str) -> Iterator[str]:
    for branch in schema.get("anyOf", ()):
        yield from _of_instance(branch, value, path)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _of_entry(schema, key, inner, path)
    elif isinstance(value, list):
        for item in value:
            yield from _of_instance(schema.get("items", {}), item, path)
    elif value in schema.get("enum", ()) or value == schema.get("const"):
        yield f"{path}: {value}"


def _of_entry(schema: Schema, key: str, value: Any, path: str) -> Iterator[str]:
    if key in schema.get("properties", {}):
        yield _below(path, key)
        yield from _of_instance(schema["properties"][key], value, _below(path, key))
    elif isinstance(schema.get("additionalProperties"), Mapping):
        yield from _of_instance(schema["additionalProperties"], value, path)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return value if isinstance(value, list) else [value] if isinstance(value, Mapping) else []


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)

"""JSON Schemas (2020-12) of the files beside the campaigns, by what stands in them.

As of campaigns: whatever the checker accepts, the schema accepts; what names refer to is the checker's.
"""

import re
from collections.abc import Iterable, Mapping

from offers.campaign_approvals import NOBODY
from offers.campaign_experiment import HOLDOUT_KEYS
from offers.campaign_groups import KEYS as GROUP_KEYS
from offers.campaign_inherit import INHERITED
from offers.campaign_offer import ID
from offers.campaign_policies import QUIET_KEYS
from offers.campaign_schedule import DAYS
from offers.campaign_schema import (
    CONDITION,
    DURATION,
    FLAG,
    IDENTIFIER,
    MONEY,
    SCALAR,
    SHARE,
    TEXT,
    Schema,
    list_of,
    object_of,
    one_or_more,
)
from offers.campaign_seasons import FORMS as SEASON_FORMS
from offers.deployment_files import (
    CHANNEL,
    COLOUR,
    EXPLORE_KEYS,
    HTTPS,
    LIMITED,
    MAX_ITEMS,
    MAX_VARIANTS,
    MOST,
    OPT_OUT,
    PLACEMENT,
    PLACEMENT_KEYS,
    POLICY_KEYS,
    SHA256,
    VARIANT_KEYS,
)
from offers.offer import SEGMENTS
from streams import attribute_file, feature_file
from streams.attributes import SCOPES, AttributeSet, Kind
from streams.declared_features import AGAINST_RECENT, BESIDE, LEVELS, RATE, RESPONSES
from streams.events import CONTRACTS

VERSION: Schema = {"const": 1}
NUMBER_TO_ONE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
YEAR_DAY: Schema = {"examples": ["easter - 14 d", "06-01"], **TEXT}


def beside(campaign: Schema, attributes: AttributeSet) -> dict[str, Schema]:
    """The name of a kind of file -> its schema. `campaign`: the schema of the folder's campaigns."""
    keys = campaign["properties"]
    conditions = _named("conditions", ID, CONDITION)
    made: Mapping[str, Schema] = {
        "attributes": _attributes(),
        "conditions": {**conditions, "$defs": campaign["$defs"]},
        "features": _features(attributes),
        "group": {**object_of({key: keys[key] for key in GROUP_KEYS}), "$defs": campaign["$defs"]},
        "images": _named("images", ID, _image()),
        "placements": _named("placements", PLACEMENT, _placement()),
        "policies": {**_policies(keys), "$defs": campaign["$defs"]},
        "seasons": _named("seasons", ID, {"anyOf": [_season(form) for form in SEASON_FORMS]}),
    }
    head = {"$schema": campaign["$schema"]}
    return {name: {**head, "title": f"Offing {name}", **found} for name, found in made.items()}


def _form(form: re.Pattern[str]) -> Schema:
    return {"type": "string", "pattern": f"^{form.pattern}$"}


def _by_name(form: re.Pattern[str], what: Schema) -> Schema:
    return {"type": "object", "propertyNames": _form(form), "additionalProperties": what}


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _named(key: str, form: re.Pattern[str], what: Schema) -> Schema:
    """A file of `version` and one key, below which things stand by their names."""
    return object_of({"version": VERSION, key: _by_name(form, what)}, (key,))


def _placement() -> Schema:
    known = {
        "channel": _form(CHANNEL),
        "max_items": _whole(1, MAX_ITEMS),
        "refresh_after": DURATION,
        "fallback": IDENTIFIER,
        "explore": {
            "anyOf": [
                NUMBER_TO_ONE,
                object_of(dict(zip(EXPLORE_KEYS, (NUMBER_TO_ONE, SHARE), strict=True)), EXPLORE_KEYS[:1]),
            ]
        },
        "opt_out": _form(OPT_OUT),
        "limits": object_of({key: _whole(1, MOST[key]) for key in (*LIMITED, SEGMENTS)}),
    }
    return object_of({key: known[key] for key in PLACEMENT_KEYS})


def _image() -> Schema:
    known = {
        "url": _form(HTTPS),
        "w": _whole(1, 10_000),
        "h": _whole(1, 10_000),
        "bytes": _whole(1, 10_000_000),
        "sha256": _form(SHA256),
    }
    variants = list_of(object_of({key: known[key] for key in VARIANT_KEYS}, VARIANT_KEYS))
    return object_of(
        {"placeholder": _form(COLOUR), "variants": {**variants, "maxItems": MAX_VARIANTS}}, ["placeholder"]
    )


def _season(form: str) -> Schema:
    known = {"holidays": TEXT, "around": DURATION, "dates": one_or_more(TEXT), "from": YEAR_DAY, "until": YEAR_DAY}
    keys = SEASON_FORMS[form]
    required = [*(keys if form == "from" else (form,)), "zone"]
    return object_of({**{key: known[key] for key in keys}, "zone": TEXT}, required)


def _policies(campaign: Mapping[str, Schema]) -> Schema:
    rule = object_of({"by": one_or_more(TEXT), "self": FLAG}, ("by",))
    quiet = {"hours": TEXT, "days": one_or_more({"enum": DAYS}), "zone": TEXT, "channels": one_or_more(_form(CHANNEL))}
    duty = {"require": CONDITION, "disclosures": one_or_more(TEXT)}
    rules: Schema = {"type": "object", "additionalProperties": rule}
    known: Mapping[str, Schema] = {
        "version": VERSION,
        "limits": campaign["limits"],
        "holdout": object_of({"id": IDENTIFIER, "share": SHARE}, HOLDOUT_KEYS),
        "defaults": object_of({key: campaign[key] for key in INHERITED}),
        "duties": _by_name(ID, {**object_of(duty), "minProperties": 1}),
        "quiet_hours": one_or_more(object_of({key: quiet[key] for key in QUIET_KEYS}, ("hours", "channels"))),
        "budgets": {"type": "object", "additionalProperties": object_of({"at_most": MONEY}, ("at_most",))},
        "approvals": object_of(
            {"collections": rules, "owners": rules, "everything_else": {"anyOf": [{"const": NOBODY}, rule]}}
        ),
    }
    return object_of({key: known[key] for key in POLICY_KEYS})


def _attributes() -> Schema:
    known: Mapping[str, Schema] = {
        "field": _whole(1, attribute_file.FIRST_RESERVED - 1),
        "type": {"enum": [str(kind) for kind in Kind]},
        "unit": {"examples": ["EUR"], **TEXT},
        "levels": {"type": "array", "items": SCALAR, "maxItems": attribute_file.MAX_LEVELS},
        "ordered": FLAG,
        "by": _form(attribute_file.NAME),
        "keys": {"type": "array", "items": _form(attribute_file.NAME)},
        "event": {"enum": sorted(CONTRACTS)},
        "from": {"enum": ["app", "server"]},
        "purpose": _form(attribute_file.PURPOSE),
        "retention": DURATION,
        "fresh": DURATION,
        "protected": FLAG,
        "feature": FLAG,
    }
    declared = object_of({key: known[key] for key in attribute_file.KEYS}, ("field", "type"))
    scopes = object_of({scope: _by_name(attribute_file.NAME, {"$ref": "#/$defs/declared"}) for scope in SCOPES})
    whole = object_of({"version": VERSION, "attributes": scopes}, ("version", "attributes"))
    return {**whole, "$defs": {"declared": declared}}


def _features(attributes: AttributeSet) -> Schema:
    names = sorted({*_facts(attributes), *BESIDE})
    forms = sorted({form for attribute in attributes.by_name.values() for form in _forms(attribute.kind)})
    direction: Schema = {"enum": list(feature_file.DIRECTIONS)}
    how = object_of({"as": one_or_more({"enum": forms}), "monotone": direction})
    one = {"type": "object", "propertyNames": {"enum": names}, "additionalProperties": how, "maxProperties": 1}
    listed = {"anyOf": [{"enum": names}, one]}
    cross = object_of({"of": TEXT, "as": {"const": AGAINST_RECENT}, "monotone": direction}, ("of",))
    history = {"about": LEVELS, "responses": (*RESPONSES, RATE), "windows": feature_file.SPANS}
    known: Mapping[str, Schema] = {
        "version": VERSION,
        "features": list_of(listed),
        "others": FLAG,
        "crosses": _by_name(feature_file.NAME, cross),
        "history": object_of({key: one_or_more({"enum": list(words)}) for key, words in history.items()}),
        "rates": object_of({"offer": FLAG, "by": list_of({"enum": names})}),
    }
    return object_of({key: known[key] for key in feature_file.KEYS}, ("version",))


def _facts(attributes: AttributeSet) -> Iterable[str]:
    for name, attribute in attributes.by_name.items():
        yield name
        yield from (f"{name}.{key}" for key in attribute.keys)


def _forms(kind: Kind) -> tuple[str, ...]:
    usual = feature_file.FORMS.get(kind, (feature_file.NUMBER,))
    return (*usual, feature_file.CYCLE, AGAINST_RECENT)

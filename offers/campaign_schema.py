"""A JSON Schema (2020-12) of the campaign language for one deployment, from which editors complete and underline.

It knows the keys, the attributes with their levels and the forms of quantities; what names refer to, which subject has
which facts, and consent are the checker's (offers.folder). Whatever the checker accepts, the schema accepts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from offers.campaign import KEYS, LANGUAGE, REQUIRED
from offers.campaign_arms import ARM_KEYS
from offers.campaign_budget import PER as PAID_PER
from offers.campaign_conditions import GROUPS, USE
from offers.campaign_draft import ALIAS
from offers.campaign_experiment import KEYS as EXPERIMENT_KEYS
from offers.campaign_experiment import OTHERS_SEE
from offers.campaign_inherit import INHERITED, LAYERS
from offers.campaign_leaves import ALL_TESTS, askable
from offers.campaign_limits import AFTER, COUNTED, COUNTED_BY, OF, PER
from offers.campaign_location import KEYS as LOCATION_KEYS
from offers.campaign_offer import GOALS, ID, SAILINGS
from offers.campaign_representation import REPRESENTATION_KEYS
from offers.campaign_schedule import DAYS
from offers.campaign_stop import RESERVED, SHOWN
from offers.campaign_text import AT, MAX_TEXTS, NOTHING, SMS_KEYS, TEXT_KEYS
from offers.campaign_uses import stocks
from offers.campaign_values import LATER_LEVELS
from offers.prior_price import LOWEST
from streams.attributes import SCOPES, Attribute, AttributeSet, Kind
from streams.units import DISTANCES, DURATIONS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
SCALAR: Schema = {"type": ["string", "number", "boolean"]}
"""A text that YAML editors may take for something else: no, 2026, 1.0."""
FLAG: Schema = {"type": "boolean"}
DURATION: Schema = {"type": "string", "pattern": rf"^[0-9.]+ ?({'|'.join(DURATIONS)})$", "examples": ["15 min", "48 h"]}
DISTANCE: Schema = {"type": "string", "pattern": rf"^[0-9.]+ ?({'|'.join(DISTANCES)})$", "examples": ["30 km"]}
WITHIN = rf"^ *[0-9.]+ ?({'|'.join(DISTANCES)}) of "
MONEY: Schema = {"type": "string", "pattern": "^[0-9.]+ ?[A-Z]{3}$", "examples": ["12.50 EUR"]}
SHARE: Schema = {"type": "string", "pattern": "^[0-9.]+ ?%$", "examples": ["6 %"]}
IDENTIFIER: Schema = {"type": "string", "pattern": f"^{ID.pattern}$"}
LEVER: Schema = {"type": "number", "minimum": 0.01, "maximum": 100}
WINDOW: Schema = {"examples": ["rolling 24 h", "calendar day in Europe/Rome", "lifetime", "visit", "voyage"], **TEXT}
CONDITION: Schema = {"$ref": "#/$defs/condition"}
MODIFIERS: Mapping[str, Schema] = {
    "on_missing": {"enum": ["fail", "pass"], "description": "What holds if the value is missing or too old."},
    "fresh_within": DURATION,
    "because": TEXT,
}
_VALUES: Mapping[Kind, Schema] = {
    Kind.INTEGER: {"type": "integer"},
    Kind.NUMBER: {"type": "number"},
    Kind.BOOLEAN: FLAG,
    Kind.STRING: SCALAR,
    Kind.DURATION: DURATION,
    Kind.DISTANCE: DISTANCE,
    Kind.MONEY: MONEY,
    Kind.DATETIME: TEXT,
}


@dataclass(frozen=True, slots=True)
class Names:
    """What a folder declares besides its attributes."""

    conditions: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    defaults: bool = False
    """Whether every campaign inherits something."""


def schema(attributes: AttributeSet, names: Names = Names()) -> Schema:
    """The schema of one campaign file where these attributes and names are declared."""
    properties = {
        "campaign": IDENTIFIER,
        "group": {"enum": names.groups, "description": "A file of groups/, whose keys it inherits."},
        "owner": TEXT,
        "language": {"const": LANGUAGE},
        "description": TEXT,
        "schedule": _schedule(),
        "languages": object_of(
            {"write": one_or_more(TEXT), "others": {"examples": [NOTHING], **TEXT}, "because": TEXT}
        ),
        **dict.fromkeys(LAYERS, CONDITION),
        "offer": _offer(attributes),
        "price": _price(attributes),
        "limits": list_of(_limit(attributes)),
        "uses": _uses(attributes),
        "budget": _budget(),
        "suppress": one_or_more(object_of({"after": {"enum": AFTER}, "for": DURATION, "until": TEXT}, ("after",))),
        "consent": object_of({"purposes": one_or_more(TEXT), "channels": one_or_more(TEXT)}),
        "on_stop": object_of({"shown": {"enum": SHOWN}, "reserved": {"enum": RESERVED}}),
        "placements": one_or_more(TEXT),
        "representation": _representation(),
        "text": {"type": "object", "minProperties": 1, "additionalProperties": _words()},
        "experiment": _experiment(attributes),
    }
    keys = KEYS if names.groups else tuple(key for key in KEYS if key != "group")
    inherits = names.defaults or bool(names.groups)
    required = tuple(key for key in REQUIRED if not (inherits and key in INHERITED))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Offing campaign",
        **object_of({key: properties[key] for key in keys}, required),
        "$defs": {
            "condition": _condition(attributes, names.conditions),
            "location": _location(),
            **_asked_of(attributes),
        },
    }


def object_of(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """A mapping of these keys and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def list_of(items: Schema) -> Schema:
    """A list with something in it."""
    return {"type": "array", "items": items, "minItems": 1}


def one_or_more(items: Schema) -> Schema:
    """One, or a list."""
    return {"anyOf": [items, list_of(items)]}


def _schedule() -> Schema:
    return object_of(
        {
            "from": {"examples": ["2026-11-21 15:00"], **TEXT},
            "until": {"examples": ["2026-11-22 09:00", "90 min before sailing.departure"], **TEXT},
            "zone": {"examples": ["Europe/Rome"], **TEXT},
            "days": one_or_more({"enum": DAYS}),
            "hours": {"examples": ["17:00-22:00"], **TEXT},
            "season": one_or_more(TEXT),
        }
    )


def _offer(attributes: AttributeSet) -> Schema:
    mean = object_of({"mean": SHARE, "evidence": {"type": "number", "minimum": 1}}, ("mean",))
    about = [
        {"const": "booking"},
        object_of({"sailing": {"enum": SAILINGS}, "line": TEXT, "within": DURATION}, ("sailing",)),
        object_of({"venue": {"examples": ["here", "on_board"], **TEXT}}, ("venue",)),
    ]
    own = {
        attribute.name: one_or_more(_value(attribute)) if attribute.kind is Kind.SET else _value(attribute)
        for attribute in attributes.by_name.values()
        if attribute.scope == "offer"
    }
    return object_of(
        {
            "id": IDENTIFIER,
            "about": {"anyOf": about},
            "collection": IDENTIFIER,
            "starting_propensity": {"anyOf": [SHARE, mean]},
            "value": {"anyOf": [MONEY, object_of({"amount": MONEY, "margin": SHARE})]},
            "lever": LEVER,
            "ttl": DURATION,
            "goal": object_of({"event": {"enum": GOALS}, "within": DURATION}),
            "attributes": object_of(own),
            "fallback": FLAG,
            "exclusive": IDENTIFIER,
            "tags": one_or_more(IDENTIFIER),
            "not_with": one_or_more(IDENTIFIER),
        },
        ("id",),
    )


def _price(attributes: AttributeSet) -> Schema:
    names = [
        name
        for attribute in attributes.by_name.values()
        if attribute.kind is Kind.MONEY and attribute.scope != "offer"
        for name in _facts(attribute)
    ]
    return object_of(
        {
            "from": {"enum": names} if names else TEXT,
            "amount": MONEY,
            "discount": SHARE,
            "at_least": MONEY,
            "round_to": MONEY,
            "margin": SHARE,
            "fresh_within": DURATION,
            "prior": {"anyOf": [{"const": LOWEST}, MONEY]},
        }
    )


def _uses(attributes: AttributeSet) -> Schema:
    things = {
        name: object_of(
            {
                **({stock.by: {"enum": stock.keys}} if stock.by is not None else {}),
                "quantity": {"type": "integer", "minimum": 1},
                "fresh_within": DURATION,
                "strict": FLAG,
            },
            () if stock.by is None else (stock.by,),
        )
        for name, stock in stocks(attributes).items()
    }
    return object_of({**things, "strict": FLAG})


def _budget() -> Schema:
    keys = {"amount": MONEY, "per": {"enum": PAID_PER}, "window": WINDOW, "strict": FLAG}
    return object_of({**keys, "cost": {"anyOf": [MONEY, {"const": "discount"}]}}, ("amount",))


def _limit(attributes: AttributeSet) -> Schema:
    names = [name for name, each in attributes.by_name.items() if each.scope == "customer" and each.kind in COUNTED_BY]
    by_value = object_of({"attribute": {"enum": names} if names else TEXT}, ("attribute",))
    return object_of(
        {
            "count": {"enum": list(COUNTED)},
            "per": {"anyOf": [{"enum": PER}, by_value]},
            "of": {"enum": OF},
            "at_most": {"type": "integer", "minimum": 1},
            "window": WINDOW,
            "strict": FLAG,
            "above_stock": FLAG,
        },
        ("count", "at_most"),
    )


def _representation() -> Schema:
    look: Mapping[str, Schema] = dict.fromkeys(REPRESENTATION_KEYS, TEXT)
    return object_of({**look, AT: _by_placement(object_of(look))}, REPRESENTATION_KEYS)


def _words() -> Schema:
    """What an app shows, or a text message says, or both."""
    texts: Mapping[str, Schema] = {key: {**TEXT, "maxLength": most} for key, most in MAX_TEXTS.items()}
    needed = [{"required": list(keys)} for keys in (TEXT_KEYS, SMS_KEYS)]
    return {**object_of({**texts, AT: _by_placement(object_of(texts))}), "anyOf": needed}


def _by_placement(what: Schema) -> Schema:
    return {"type": "object", "minProperties": 1, "additionalProperties": what}


def _experiment(attributes: AttributeSet) -> Schema:
    words = object_of({key: {**TEXT, "maxLength": MAX_TEXTS[key]} for key in TEXT_KEYS})
    known = {
        "share": SHARE,
        "price": _price(attributes),
        "text": {"type": "object", "additionalProperties": words},
        "offer": object_of({"lever": LEVER}),
        "representation": object_of({"image": TEXT}),
    }
    arm = object_of({key: known[key] for key in ARM_KEYS}, ("share",))
    names = {"type": "object", "minProperties": 1, "additionalProperties": {"anyOf": [SHARE, arm]}}
    step = object_of({"from": TEXT, "share": SHARE}, ("from", "share"))
    parts = {
        "id": IDENTIFIER, "holdout": SHARE, "arms": names, "ramp": list_of(step), "others": {"enum": OTHERS_SEE},
    }  # fmt: skip
    return {**object_of({key: parts[key] for key in EXPERIMENT_KEYS}, ("id",)), "minProperties": 2}


def _location() -> Schema:
    known = {
        "within": {"type": "string", "pattern": WITHIN, "examples": ["30 km of port:ITLIV"]},
        "inside": one_or_more({"examples": ["fence:elba"], **TEXT}),
        "min_confidence": {"enum": [1, 2, 3]},
        **MODIFIERS,
    }
    return object_of({key: known[key] for key in LOCATION_KEYS})


def _condition(attributes: AttributeSet, conditions: tuple[str, ...]) -> Schema:
    """A mapping of groups, named conditions, `location` and attributes, or a list of such."""
    names: dict[str, Schema] = {"location": {"$ref": "#/$defs/location"}}
    scopes: dict[str, dict[str, Schema]] = {scope: {} for scope in SCOPES if scope != "offer"}
    for name in _asked_of(attributes):
        scope, _, short = name.partition(".")
        names[name] = scopes[scope][short] = {"$ref": f"#/$defs/{name}"}
    for short, asked in scopes["sailing"].items():
        names[f"{ALIAS}{short}"] = asked
        scopes["booking"][f"sailing.{short}"] = asked
    scopes["booking"]["sailing"] = object_of(scopes["sailing"])
    groups: dict[str, Schema] = dict.fromkeys(GROUPS, list_of(CONDITION))
    if conditions:
        groups[USE] = one_or_more({"enum": conditions, "description": "A condition of conditions.yaml."})
    subjects = {scope: object_of(facts) for scope, facts in scopes.items()}
    known = object_of({**groups, **names, **subjects, "booking.sailing": object_of(scopes["sailing"])})
    return {"anyOf": [known, list_of(CONDITION)]}


def _asked_of(attributes: AttributeSet) -> dict[str, Schema]:
    """What a condition may say of each fact, by its name: `customer.age`, `market.fare`, `market.fare.deck`."""
    return {
        name: _asked(attribute, keyed=name == attribute.qualified and bool(attribute.keys))
        for attribute in attributes.by_name.values()
        if attribute.scope != "offer"
        for name in dict.fromkeys((attribute.qualified, *_facts(attribute)))
    }


def _facts(attribute: Attribute) -> tuple[str, ...]:
    """The names of its facts: one, or one for each key."""
    keyed = tuple(f"{attribute.qualified}.{key}" for key in attribute.keys)
    return keyed or (attribute.qualified,)


def _asked(attribute: Attribute, keyed: bool) -> Schema:
    """What a condition may say of an attribute."""
    value = _value(attribute)
    forms: Mapping[str, Schema] = {"exists": FLAG, **dict.fromkeys(("in", "not_in"), list_of(value))}
    members = dict.fromkeys(("has_any", "has_all", "has_none"), list_of(value))
    tests = {test: {**forms, **members}.get(test, value) for test in ALL_TESTS if test in askable(attribute)}
    if keyed and attribute.by is not None:
        return object_of({attribute.by: {"enum": attribute.keys}, **tests, **MODIFIERS}, (attribute.by,))
    asked = object_of({**tests, **MODIFIERS})
    return {"anyOf": [value, asked]} if "is" in tests else asked


def _value(attribute: Attribute) -> Schema:
    levels = (*attribute.levels, *LATER_LEVELS.get(attribute.qualified, ()))
    return {"enum": levels} if levels else _VALUES.get(attribute.kind, SCALAR)

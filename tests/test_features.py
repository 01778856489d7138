"""The feature list: what declared attributes become, and what never does."""

import msgspec
import pytest

from scoring.features import (
    COUNTERS,
    MAX_CODES,
    MAX_MEMBERS,
    FeatureList,
    Part,
    Transform,
    check_protected,
    feature_list,
)
from streams.attributes import Attribute, Kind, attribute_set
from streams.errors import InvalidInput
from tests.scoring_world import ATTRIBUTES

VOCABULARY = {
    "customer.town": ("Olbia", "Pisa"),
    "customer.interests": ("spa", "wine"),
    "offer.id": ("bar", "spa"),
    "place.fence": ("livorno-terminal",),
    "market.cabins_free.inside": ("never a code",),
}


def columns(features: FeatureList) -> dict[str, Transform]:
    return {column.name: column.transform for column in features.columns}


def test_every_kind_of_attribute_becomes_its_columns() -> None:
    found = columns(feature_list(ATTRIBUTES, VOCABULARY))
    assert found["customer.bar_visits"] is Transform.CODE
    assert found["customer.newsletter"] is Transform.FLAG
    assert found["customer.member_since"] is Transform.SINCE
    assert found["sailing.departs_in"] is Transform.HOURS
    assert found["customer.town"] is Transform.CODE
    assert (found["customer.interests#"], found["customer.interests=spa"]) == (Transform.SIZE, Transform.MEMBER)
    assert [found[f"context.local_hour{tail}"] for tail in ("", "~sin", "~cos")] == [
        Transform.NUMBER,
        Transform.SIN,
        Transform.COS,
    ]
    assert found["market.fare.cabin"] is found["sailing.friends_booked"] is found["offer.price"] is Transform.NUMBER
    assert found["offer.id"] is Transform.CODE
    assert found["place.fence=livorno-terminal"] is Transform.MEMBER
    assert found["own_kind"] is Transform.NAMED
    assert sum(name.startswith("history.") for name in found) == 44


def test_protected_attributes_and_those_that_are_no_features_have_no_column_and_are_not_read() -> None:
    features = feature_list(ATTRIBUTES, VOCABULARY)
    for hidden in ("customer.gender", "customer.note", "customer.friends", "booking.id"):
        assert not [name for name in features.names if name.startswith(hidden)]
        assert hidden not in features.reads
    assert {"customer.bar_visits", "context.local_hour", "market.fare", COUNTERS} <= features.reads


def test_strings_need_a_vocabulary_and_without_one_have_no_column() -> None:
    names = feature_list(ATTRIBUTES).names
    assert "customer.town" not in names
    assert "offer.id" not in names
    assert "customer.interests#" in names


def test_columns_stand_by_part_and_the_order_of_declaration_does_not_matter() -> None:
    declared = [attribute for attribute in ATTRIBUTES.by_name.values() if attribute.number < 9_000]
    again = attribute_set(tuple(reversed(declared)))
    features = feature_list(ATTRIBUTES, VOCABULARY)
    assert feature_list(again, VOCABULARY) == features
    parts = [list(Part).index(column.part) for column in features.columns]
    assert parts == sorted(parts)
    assert len(set(features.names)) == len(features.names)


def test_codes_and_members_are_bounded() -> None:
    many = tuple(f"v{number}" for number in range(1_000))
    features = feature_list(ATTRIBUTES, {"customer.town": many, "customer.interests": many})
    [town] = [column for column in features.columns if column.name == "customer.town"]
    assert len(town.levels) == MAX_CODES
    assert sum(name.startswith("customer.interests=") for name in features.names) == MAX_MEMBERS


def test_a_list_is_whole_in_json_without_the_declarations() -> None:
    features = feature_list(ATTRIBUTES, VOCABULARY)
    assert msgspec.json.decode(msgspec.json.encode(features), type=FeatureList) == features


def test_a_model_that_reads_what_is_protected_now_is_refused() -> None:
    features = feature_list(ATTRIBUTES, VOCABULARY)
    check_protected(features, ATTRIBUTES)
    town = Attribute("customer", "town", 4, Kind.STRING, protected=True)
    with pytest.raises(InvalidInput, match=r"customer\.town") as caught:
        check_protected(features, attribute_set((town,)))
    assert caught.value.code == "MODEL_PROTECTED"

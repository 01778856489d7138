"""Protected: whatever the kind of an attribute, and whoever points to it, no model sees it and no folder names it."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.dataset import learn_features
from scoring.examples import Example
from scoring.features import FeatureList, feature_list
from scoring.fit import Run
from scoring.model_folder import COMPILED
from scoring.rows import plan, rows
from scoring.train import train_from_examples
from streams.attributes import Attribute, Kind, Value, attribute_set
from streams.record import DecisionInputs, OfferFacts
from tests.scoring_world import ATTRIBUTES, QUICK, SPA, VISITS, examples, world

LEVELS = ("secret-a", "secret-b")
VALUES: Mapping[Kind, st.SearchStrategy[Value]] = {
    Kind.ENUM: st.sampled_from(LEVELS),
    Kind.STRING: st.sampled_from(LEVELS),
    Kind.SET: st.sampled_from([(), ("secret-a",), LEVELS]),
    Kind.BOOLEAN: st.booleans(),
    **dict.fromkeys((Kind.INTEGER, Kind.MONEY, Kind.DURATION, Kind.DATETIME), st.integers(0, 10**12)),
    **dict.fromkeys((Kind.NUMBER, Kind.DISTANCE), st.floats(0, 1e6)),
}
SCOPES = ("customer", "context", "booking")
DECLARED = tuple(
    Attribute(scope, f"secret_{kind}", 1_000 + 20 * place + number, kind,
              levels=LEVELS if kind in (Kind.ENUM, Kind.SET) else (), protected=True)
    for place, scope in enumerate(SCOPES)
    for number, kind in enumerate(VALUES)
)  # fmt: skip
OPEN_SET = Attribute("customer", "secret_circle", 2_000, Kind.SET, protected=True)
OFFER = Attribute("offer", "secret_audience", 2_001, Kind.STRING, protected=True)
WORLD = tuple(each for each in ATTRIBUTES.by_name.values() if each.number < 9_000)
PROTECTED = attribute_set((*WORLD, *DECLARED, OPEN_SET, OFFER))


def holding(made: DecisionInputs, values: Mapping[str, Value]) -> DecisionInputs:
    """The decision about a customer, a context and a booking of whom all this is known."""
    facts = {name: (value, made.now) for name, value in values.items()}
    of_customer = {name: fact for name, fact in facts.items() if name.startswith("customer.")}
    of_context = {name: fact for name, fact in facts.items() if name.startswith("context.")}
    of_booking = {name: fact for name, fact in facts.items() if name.startswith("booking.")}
    (subject,) = made.subjects["booking:each"]
    return msgspec.structs.replace(
        made,
        profile=msgspec.structs.replace(made.profile, facts=made.profile.facts | of_customer),
        request=msgspec.structs.replace(made.request, context=made.request.context | of_context),
        subjects={"booking:each": (msgspec.structs.replace(subject, facts=subject.facts | of_booking),)},
    )


def pointing(name: str) -> OfferFacts:
    """An offer whose crosses all point to this fact, for an audience that is protected."""
    crosses = dict.fromkeys(("offer.affinity", "offer.price_source", "offer.room_source"), name)
    return msgspec.structs.replace(SPA, attributes={**SPA.attributes, **crosses, "offer.secret_audience": "secret-a"})


@given(st.fixed_dictionaries({each.qualified: VALUES[each.kind] for each in DECLARED}), st.sampled_from(DECLARED))
@settings(max_examples=40, deadline=None)
def test_no_value_of_any_protected_attribute_changes_a_row_even_if_an_offer_points_to_it(
    values: dict[str, Value], pointed: Attribute
) -> None:
    made = next(iter(examples(1, 1))).inputs
    known = holding(made, values)
    ready = plan(feature_list(PROTECTED, {each.qualified: LEVELS for each in DECLARED}))
    for offer in (SPA, pointing(pointed.qualified)):
        without = rows(made, [(offer, made.subjects["booking:each"][0])], ready)
        found = rows(known, [(offer, known.subjects["booking:each"][0])], ready)
        assert np.array_equal(found, without, equal_nan=True)


def test_the_same_attributes_would_change_rows_if_they_were_not_protected() -> None:
    open_ = attribute_set((*WORLD, *(unprotected(each) for each in DECLARED)))
    made = next(iter(examples(1, 1))).inputs
    known = holding(made, {"customer.secret_boolean": True, "booking.secret_enum": "secret-b"})
    ready = plan(feature_list(open_))
    offer = pointing("customer.secret_boolean")
    without = rows(made, [(offer, made.subjects["booking:each"][0])], ready)[0]
    found = rows(known, [(offer, known.subjects["booking:each"][0])], ready)[0]
    same = (found == without) | (np.isnan(found) & np.isnan(without))
    changed = {name for name, alike in zip(ready.features.names, same, strict=True) if not alike}
    assert changed == {"customer.secret_boolean", "booking.secret_enum", "own_kind", "own_fare", "own_room"}


def unprotected(attribute: Attribute) -> Attribute:
    """The same attribute, not protected."""
    return Attribute(attribute.scope, attribute.name, attribute.number, attribute.kind, levels=attribute.levels)


def secretive(people: int) -> Iterator[Example]:
    """The world's examples, with all of it known of everybody."""
    for each in examples(people):
        made = holding(each.inputs, {a.qualified: _a_value(a.kind) for a in (*DECLARED, OPEN_SET)})
        items = tuple((pointing("customer.secret_string"), made.subjects["booking:each"][0]) for _ in each.items)
        yield Example(made, each.model, items, each.outcomes, each.scores, each.propensities)


def _a_value(kind: Kind) -> Value:
    texts: dict[Kind, Value] = {
        Kind.ENUM: "secret-a",
        Kind.STRING: "secret-a",
        Kind.SET: ("secret-a",),
        Kind.BOOLEAN: True,
    }
    return texts.get(kind, 7)


def test_no_vocabulary_and_no_file_of_a_model_folder_holds_a_protected_name_or_value(tmp_path: Path) -> None:
    log = partial(secretive, 20)
    features: FeatureList = learn_features(log, PROTECTED)
    assert b"secret" not in msgspec.json.encode(features)
    folder = train_from_examples(log, tmp_path, PROTECTED, Run(0, 1, QUICK))
    for path in folder.iterdir():
        if path.name != COMPILED:
            text = path.read_bytes()
            assert b"secret_" not in text, path.name
            assert b"secret-" not in text, path.name


@pytest.mark.parametrize("name", ["customer.friends", "booking.id", "sailing.id", "venue.id"])
def test_who_somebodys_friends_are_and_what_names_one_thing_is_no_feature(name: str) -> None:
    known = learn_features(world(), ATTRIBUTES)
    assert name not in {column.source for column in known.columns}
    assert not any(column.source.startswith("context.lat") for column in known.columns)
    assert VISITS == ATTRIBUTES.by_name["customer.spa_visits"].levels

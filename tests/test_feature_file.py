"""features.yaml: which columns a declaration becomes, and what is wrong with each bad one."""

from dataclasses import replace
from pathlib import Path

import pytest

from offers.folder import load_declared, load_folder
from offers.market_names import market_names
from scoring.features import FeatureList, Part, Transform, feature_list
from scoring.rows import plan
from streams.attribute_file import read_attributes
from streams.attributes import Attribute, AttributeSet, Kind, attribute_set
from streams.declared_features import EVERY, Cross, Declared, DeclaredFeatures
from streams.feature_file import read_features
from tests.scoring_world import ATTRIBUTES

VOCABULARY = {"customer.town": ("Olbia", "Pisa"), "customer.interests": ("spa", "wine"), "offer.id": ("bar", "spa")}
LEVELS = ("economy", "flex")
SET = attribute_set(
    (
        *(each for each in ATTRIBUTES.by_name.values() if each.number < 9_000 and each.qualified != "market.fare"),
        Attribute("market", "fare", 61, Kind.MONEY, by="product", keys=("deck", "cabin"), event="sailing.fare"),
        Attribute("booking", "ticket", 41, Kind.ENUM, LEVELS),
        Attribute("customer", "taken", 10, Kind.INTEGER, event="offer.redeemed"),
    )
)


def read(tmp_path: Path, text: str) -> tuple[DeclaredFeatures, list[str]]:
    """What a file declares, and what was found."""
    file = tmp_path / "features.yaml"
    file.write_text(f"version: 1\n{text}")
    declared, findings = read_features(file, SET)
    return declared, [str(finding).removeprefix("features.yaml:") for finding in findings]


def listed(tmp_path: Path, text: str) -> FeatureList:
    declared, findings = read(tmp_path, text)
    assert findings == []
    return feature_list(replace(SET, features=declared), VOCABULARY)


def test_without_a_file_everything_declared_is_a_feature_and_a_deeper_discount_never_lowers_the_score(
    tmp_path: Path,
) -> None:
    assert read_features(tmp_path / "features.yaml", SET) == (EVERY, [])
    constrained = {column.name: column.monotone for column in feature_list(SET).columns if column.monotone}
    assert constrained == {"offer.discount": 1}
    assert feature_list(SET) == feature_list(replace(SET, features=EVERY))


def test_only_what_is_listed_becomes_columns_in_an_order_of_their_own(tmp_path: Path) -> None:
    text = "features: [offer.discount, place.status, customer.town, customer.bar_visits]\ncrosses: {}\n"
    history = "history: {about: [offer], responses: [redeemed, exposed], windows: [ever, 24 h]}\n"
    features = listed(tmp_path, text + history)
    assert features.names == (
        "customer.bar_visits", "customer.town", "place.status", "offer.discount",
        "history.offer.exposed.24h", "history.offer.exposed.ever", "history.offer.redeemed.24h",
        "history.offer.redeemed.ever", "history.offer.exposed.since",
    )  # fmt: skip
    turned = "features: [customer.bar_visits, customer.town, place.status, offer.discount]\ncrosses: {}\n" + history
    assert listed(tmp_path, turned) == features
    plan(features)


def test_forms_and_constraints_are_as_declared(tmp_path: Path) -> None:
    features = listed(
        tmp_path,
        """features:
  - customer.bar_visits: {monotone: up}
  - customer.town: {as: each}
  - customer.interests: {as: members}
  - customer.member_since: {monotone: down}
  - context.local_hour: {as: cycle}
  - market.fare: {as: [number, against_recent], monotone: down}
  - offer.discount: {monotone: none}
  - offer.starting_mean: {monotone: up}
crosses:
  own_kind: {of: offer.affinity, monotone: up}
  own_fare_against_recent: {of: offer.price_source, as: against_recent}
history: {about: [any], responses: [clicked], windows: [7 d]}
""",
    )
    assert [(column.name, column.transform, column.monotone) for column in features.columns] == [
        ("context.local_hour~sin", Transform.SIN, 0),
        ("context.local_hour~cos", Transform.COS, 0),
        ("customer.bar_visits", Transform.CODE, 1),
        ("customer.interests=spa", Transform.MEMBER, 0),
        ("customer.interests=wine", Transform.MEMBER, 0),
        ("customer.member_since", Transform.SINCE, -1),
        ("customer.town=Olbia", Transform.IS, 0),
        ("customer.town=Pisa", Transform.IS, 0),
        ("offer.discount", Transform.NUMBER, 0),
        ("offer.starting_mean", Transform.NUMBER, 1),
        ("market.fare.deck", Transform.NUMBER, -1),
        ("market.fare.deck.against_recent", Transform.NUMBER, -1),
        ("market.fare.cabin", Transform.NUMBER, -1),
        ("market.fare.cabin.against_recent", Transform.NUMBER, -1),
        ("history.any.clicked.7d", Transform.COUNT, 0),
        ("own_fare_against_recent", Transform.NAMED, 0),
        ("own_kind", Transform.NAMED, 1),
    ]


def test_what_is_not_listed_may_stay_a_feature_as_its_type_says(tmp_path: Path) -> None:
    features = listed(tmp_path, "features: [customer.bar_visits: {monotone: up}]\nothers: true\n")
    assert features.names == feature_list(SET, VOCABULARY).names
    constrained = {column.name: column.monotone for column in features.columns if column.monotone}
    assert constrained == {"customer.bar_visits": 1, "offer.discount": 1}


def test_friends_on_the_line_are_a_feature_only_where_they_are_listed(tmp_path: Path) -> None:
    text = "others: true\nfeatures: [sailing.friends_on_line: {monotone: up}]\n"
    features = listed(tmp_path, text)
    found = next(column for column in features.columns if column.name == "sailing.friends_on_line")
    assert (found.part, found.monotone) == (Part.SUBJECT, 1)
    plan(features)
    assert "sailing.friends_on_line" not in feature_list(SET, VOCABULARY).names


def test_one_fare_of_several_may_be_a_feature(tmp_path: Path) -> None:
    names = listed(tmp_path, "features: [market.fare.cabin]").names
    assert [name for name in names if name.startswith("market.")] == ["market.fare.cabin"]


def test_fares_against_their_recent_level_are_computed_only_for_who_declares_them() -> None:
    def wanted(features: DeclaredFeatures) -> frozenset[str]:
        return market_names(AttributeSet(SET.by_name, features)).recent

    every = frozenset({"market.fare.deck", "market.fare.cabin"})
    assert wanted(EVERY) == frozenset()
    assert wanted(DeclaredFeatures({"market.fare.deck": Declared(("against_recent",))})) == {"market.fare.deck"}
    assert wanted(DeclaredFeatures({"market.fare": Declared(("against_recent",))})) == every
    assert wanted(DeclaredFeatures(crosses={"own": Cross("offer.price_source", "against_recent")})) == every


def test_rates_of_offers_are_columns_where_they_are_declared(tmp_path: Path) -> None:
    rates = "rates: {offer: true, by: [customer.newsletter, customer.bar_visits]}\n"
    features = listed(tmp_path, rates)
    without = feature_list(SET, VOCABULARY).names
    found = [(column.name, column.part) for column in features.columns if column.transform is Transform.LEARNT]
    assert found == [
        ("rates.offer", Part.OFFER),
        ("rates.offer.customer.bar_visits", Part.RATES),
        ("rates.offer.customer.newsletter", Part.RATES),
    ]
    assert tuple(name for name in features.names if not name.startswith("rates.")) == without
    assert "rates.offer" not in listed(tmp_path, "rates: {by: [customer.town]}\n").names
    plan(features)


BAD = [
    ("features: [customer.bar_visit]", "2:12: UNKNOWN_ATTRIBUTE there is no attribute 'customer.bar_visit'. "
     "Did you mean 'customer.bar_visits'?"),
    ("features: [customer.town, customer.town]", "2:27: LISTED_TWICE features lists 'customer.town' twice. Remove "
     "one."),
    ("features: [customer.gender]", "2:12: NO_FEATURE customer.gender is declared to be protected. Remove it here."),
    ("features: [customer.note]", "2:12: NO_FEATURE customer.note is declared to be no feature. Remove it here."),
    ("features: [offer.clicked]", "2:12: FEATURE_FROM_FUTURE offer.clicked is known only after the decision. Remove "
     "it: responses up to the decision are under 'history'."),
    ("features: [score]", "2:12: FEATURE_FROM_FUTURE score is known only after the decision. Remove it: responses "
     "up to the decision are under 'history'."),
    ("features: [customer.taken: {as: number}]", "2:12: FEATURE_FROM_FUTURE customer.taken is set by offer.redeemed, "
     "which comes after the decision. Remove it: responses up to the decision are under 'history'."),
    ("features: [customer.town: {az: each}]", "2:28: UNKNOWN_KEY customer.town has no key 'az'. Its keys: as, "
     "monotone."),
    ("features: [customer.town: {as: eech}]", "2:32: UNKNOWN_CHOICE customer.town.as cannot be 'eech'. "
     "One of: code, each. Did you mean 'each'?"),
    ("features: [customer.mood: {as: cycle}]", "2:32: UNKNOWN_CHOICE customer.mood.as cannot be 'cycle'. "
     "Write one of: number."),
    ("features: [customer.mood: {monotone: upwards}]", "2:38: UNKNOWN_CHOICE customer.mood.monotone cannot be "
     "'upwards'. Write one of: up, down, none."),
    ("features: [booking.ticket: {monotone: up}]", "2:39: KEYS_TOGETHER booking.ticket is an enum without an order. "
     "Remove 'monotone', or declare ordered levels."),
    ("features: [context.local_hour: {as: cycle, monotone: up}]", "2:54: KEYS_TOGETHER context.local_hour is only "
     "cycle here. Remove 'monotone'."),
    ("features: [offer.id: {monotone: up}]", "2:33: KEYS_TOGETHER offer.id has no order. Remove 'monotone'."),
    ("features: [[a]]", "2:12: WRONG_TYPE a feature is a list. Write a name, 'customer.pet', or one with its "
     "options, 'customer.pet: {as: flag}'."),
    ("features: []", "2:11: EMPTY_LIST features is an empty list. Name something, or remove the key."),
    ("crosses: {Own: {of: offer.affinity}}", "2:11: NAME_INVALID a cross's name 'Own' has the wrong form. "
     "Write 'own'."),
    ("crosses: {own: {of: offer.afinity}}", "2:21: UNKNOWN_ATTRIBUTE there is no attribute 'offer.afinity'. "
     "Did you mean 'offer.affinity'?"),
    ("crosses: {own: {of: customer.town}}", "2:21: WRONG_TYPE customer.town is a string of the customer. Write an "
     "attribute of offers that is a string: its value is the name of a fact."),
    ("crosses: {own: {as: against_recent}}", "2:16: KEY_MISSING own has no 'of'. Add 'of:'."),
    ("history: {windows: [30 d]}", "2:21: UNKNOWN_CHOICE history.windows cannot be '30 d'. "
     "Write one of: 24 h, 7 d, ever."),
    ("history: {about: []}", "2:18: EMPTY_LIST history.about is an empty list. Name something, or remove the key."),
    ("feature: [customer.town]", "2:1: UNKNOWN_KEY features.yaml has no key 'feature'. Did you mean 'features'?"),
    ("others: true", "2:9: KEYS_TOGETHER others is there without 'features'. Remove 'others': without 'features' every "
     "attribute is one."),
    ("rates: {}", "2:8: KEY_MISSING rates declares no rate. Write 'offer: true', 'by: [ATTRIBUTE]' or both."),
    ("rates: {offer: false}", "2:8: KEY_MISSING rates declares no rate. Write 'offer: true', 'by: [ATTRIBUTE]' or "
     "both."),
    ("rates: {of: offer}", "2:9: UNKNOWN_KEY rates has no key 'of'. Its keys: by, offer."),
    ("rates: {by: []}", "2:13: EMPTY_LIST rates.by is an empty list. Name something, or remove the key."),
    ("rates: {by: [customer.twon]}", "2:14: UNKNOWN_ATTRIBUTE there is no attribute 'customer.twon'. Did you mean "
     "'customer.town'?"),
    ("rates: {by: [customer.town, customer.town]}", "2:29: LISTED_TWICE rates.by lists 'customer.town' twice. Remove "
     "one."),
    ("rates: {by: [customer.gender]}", "2:14: NO_FEATURE customer.gender is declared to be protected. Remove it here."),
    ("rates: {by: [customer.taken]}", "2:14: FEATURE_FROM_FUTURE customer.taken is set by offer.redeemed, which comes "
     "after the decision. Remove it: responses up to the decision are under 'history'."),
    ("rates: {by: [customer.mood]}", "2:14: WRONG_TYPE customer.mood is a number of the customer. Write an enum, a "
     "string or a boolean of the customer or the context."),
    ("rates: {by: [booking.ticket]}", "2:14: WRONG_TYPE booking.ticket is an enum of the booking. Write an enum, a "
     "string or a boolean of the customer or the context."),
    ("rates: {by: [customer.town]}\nfeatures: [customer.mood]", "2:14: KEYS_TOGETHER customer.town is no column of its "
     "own here. List it under 'features'; if it says 'as', code must be in it."),
    ("rates: {by: [customer.town]}\nfeatures: [customer.town: {as: each}]", "2:14: KEYS_TOGETHER customer.town is no "
     "column of its own here. List it under 'features'; if it says 'as', code must be in it."),
    ("version: 2", "2:1: DUPLICATE_KEY 'version' is there twice, first in line 1. Remove or rename one."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "finding"), BAD, ids=[text for text, _ in BAD])
def test_each_mistake_is_found_at_its_place_with_its_mend(tmp_path: Path, text: str, finding: str) -> None:
    assert read(tmp_path, text)[1][:1] == [finding]


def test_the_example_promises_that_a_deeper_discount_never_lowers_the_score() -> None:
    attributes = load_declared(Path("deploy/campaigns")).attributes
    assert attributes is not None
    features = feature_list(attributes)
    assert {column.name for column in features.columns if column.monotone} == {"offer.discount"}


def test_an_attribute_that_outcomes_set_says_that_it_is_no_feature(tmp_path: Path) -> None:
    file = tmp_path / "attributes.yaml"
    text = "version: 1\nattributes: {customer: {taken: {field: 1, type: integer, event: offer.redeemed%s}}}\n"
    file.write_text(text % "")
    assert [str(finding) for finding in read_attributes(file)[1]] == [
        "attributes.yaml:2:65: FEATURE_FROM_FUTURE customer.taken is set by offer.redeemed, which comes after the "
        "decision that a feature is for. Add 'feature: false'."
    ]
    file.write_text(text % ", feature: false")
    assert read_attributes(file)[1] == []


def test_a_mistake_in_it_keeps_the_folder_out_and_campaigns_are_checked_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "attributes.yaml").write_text("version: 1\nattributes: {customer: {pet: {field: 1, type: boolean}}}\n")
    (tmp_path / "features.yaml").write_text("version: 1\nfeatures: [customer.pets]\n")
    (tmp_path / "placements.yaml").write_text("placements: {app.home: {}}\n")
    loaded = load_folder(tmp_path)
    assert loaded.campaigns is None
    assert [str(finding) for finding in loaded.findings if finding.path == "features.yaml"] == [
        "features.yaml:2:12: UNKNOWN_ATTRIBUTE there is no attribute 'customer.pets'. Did you mean 'customer.pet'?"
    ]

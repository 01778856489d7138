"""attributes.yaml: what a declaration becomes, and what is wrong with each bad one."""

from pathlib import Path

import pytest

from streams.attribute_file import load_attributes, read_attributes
from streams.attributes import Attribute, Kind
from streams.errors import InvalidInput
from streams.instant import DAY_MS, MINUTE_MS

DEPLOYMENT = Path(__file__).parent / "deployment"


def declared(tmp_path: Path, customer: str = "", market: str = "") -> tuple[tuple[Attribute, ...], list[str]]:
    """The attributes of a file with these declarations, and what was found."""
    scopes = "".join(f"\n  {scope}: {{{text}}}" for scope, text in (("customer", customer), ("market", market)) if text)
    file = tmp_path / "attributes.yaml"
    file.write_text(f"version: 1\nattributes:{scopes}\n")
    attributes, findings = read_attributes(file)
    return attributes, [str(finding).removeprefix("attributes.yaml:") for finding in findings]


def test_the_test_deployment_declares_every_kind() -> None:
    attributes, findings = read_attributes(DEPLOYMENT / "attributes.yaml")
    assert findings == []
    assert {attribute.kind for attribute in attributes} == set(Kind)
    tier = load_attributes(DEPLOYMENT / "attributes.yaml").by_name["customer.loyalty_tier"]
    assert tier == Attribute(
        "customer",
        "loyalty_tier",
        1,
        Kind.ENUM,
        ("blue", "silver", "gold", "platinum"),
        ordered=True,
        event="customer.profile",
        purpose="personalised_offers",
        retention_ms=1_095 * DAY_MS,
        fresh_ms=400 * DAY_MS,
    )


def test_a_keyed_attribute_of_the_market_knows_its_keys(tmp_path: Path) -> None:
    market = "cabins_free: {field: 60, type: integer, by: kind, keys: [inside, suite], fresh: 10 min}"
    assert declared(tmp_path, market=market) == (
        (Attribute("market", "cabins_free", 60, Kind.INTEGER, keys=("inside", "suite"), by="kind",
                   fresh_ms=10 * MINUTE_MS),),
        [],
    )  # fmt: skip


def test_a_protected_attribute_is_no_feature(tmp_path: Path) -> None:
    ((age,), findings) = declared(tmp_path, "age: {field: 1, type: integer, protected: true}")
    assert (age.protected, age.feature, findings) == (True, False, [])


def test_levels_and_units_are_any_text(tmp_path: Path) -> None:
    customer = 'income: {field: 1, type: enum, levels: ["$12500 - $24999", no, "1"]}'
    ((income,), findings) = declared(tmp_path, customer)
    assert (income.levels, findings) == (("$12500 - $24999", "no", "1"), [])


@pytest.mark.parametrize(
    ("customer", "finding"),
    [
        ("tier: {type: string}", "3:20: KEY_MISSING customer.tier has no 'field'. Add 'field:'."),
        ("tier: {field: 1}", "3:20: KEY_MISSING customer.tier has no 'type'. Add 'type:'."),
        ("tier: {field: 1, type: strng}", "3:37: UNKNOWN_CHOICE customer.tier.type cannot be 'strng'. One of: enum, "
         "integer, number, boolean, string, set, duration, distance, money, datetime. Did you mean 'string'?"),
        ("tier: {field: 1, type: string, porpose: x}", "3:45: UNKNOWN_KEY customer.tier has no key 'porpose'. "
         "Did you mean 'purpose'?"),
        ("Tier: {field: 1, type: string}", "3:14: NAME_INVALID an attribute's name 'Tier' has the wrong form. "
         "Write 'tier'."),
        ("friends: {field: 1, type: set}", "3:14: ATTRIBUTE_TWICE customer.friends is one of Offing's own attributes. "
         "Take another name."),
        ("a: {field: 1, type: string}, b: {field: 1, type: string}", "3:54: ATTRIBUTE_NUMBER customer.b has field 1, "
         "which is customer.a's (line 3). Take a number that was never used."),
        ("a: {field: 9001, type: string}", "3:25: OUT_OF_RANGE customer.a.field is 9001. Write 1 to 8999."),
        ("a: {field: 01, type: string}", "3:25: NOT_NUMBER customer.a.field is '01', not a number. Write 1."),
        ("a: {field: 1, type: enum}", "3:34: KEY_MISSING customer.a is an enum without levels. Add 'levels: []'."),
        ("a: {field: 1, type: enum, levels: []}", "3:48: EMPTY_LIST customer.a.levels is an empty list. Name "
         "something, "
         "or remove the key."),
        ("a: {field: 1, type: enum, levels: [x, y, x]}", "3:55: LISTED_TWICE customer.a.levels lists 'x' twice. "
         "Remove one."),
        ("a: {field: 1, type: integer, levels: [x]}", "3:51: KEYS_TOGETHER customer.a is an integer. Levels go with "
         "enum "
         "and set; remove them."),
        ("a: {field: 1, type: set, ordered: true}", "3:48: KEYS_TOGETHER customer.a is a set, which has no levels to "
         "order. Remove 'ordered'."),
        ("a: {field: 1, type: string, ordered: yes}", "3:51: NOT_BOOLEAN customer.a.ordered is 'yes', neither true nor "
         "false. Write true."),
        ("a: {field: 1, type: money}", "3:34: KEY_MISSING customer.a is money of no currency. Add 'unit: EUR'."),
        ("a: {field: 1, type: money, unit: euro}", "3:47: UNIT_UNKNOWN customer.a.unit: 'euro' is no currency. "
         "Write a code of ISO 4217 such as EUR."),
        ("a: {field: 1, type: distance, unit: km}", "3:50: UNIT_UNKNOWN a distance always arrives in m. "
         "Write 'unit: m'."),
        ("a: {field: 1, type: boolean, unit: km}", "3:49: KEYS_TOGETHER customer.a is a boolean, which has no unit. "
         "Remove 'unit'."),
        ("a: {field: 1, type: integer, by: kind, keys: [x]}", "3:47: KEYS_TOGETHER customer.a is not of the market. "
         "Remove 'by' and 'keys'."),
        ("a: {field: 1, type: string, event: customer.profil}", "3:49: UNKNOWN_CHOICE customer.a.event cannot be "
         "'customer.profil'. One of: customer.profile, customer.preferences, customer.device, customer.consent, "
         "customer.social, customer.booking, customer.linked, customer.friend_booked, customer.location, "
         "offer.exposed, offer.clicked, offer.dismissed, offer.redeemed, sailing.schedule, sailing.fare, "
         "sailing.capacity, sailing.position, venue.capacity, season.override. Did you mean 'customer.profile'?"),
        ("a: {field: 1, type: string, from: app, event: customer.profile}", "3:60: KEYS_TOGETHER customer.a is set by "
         "apps, which may not send customer.profile. Write 'from: server', or one of customer.consent, "
         "customer.device, customer.location, customer.preferences, offer.clicked, offer.dismissed, offer.exposed."),
        ("a: {field: 1, type: string, protected: true, feature: true}", "3:68: KEYS_TOGETHER customer.a is protected, "
         "so it is never a feature. Remove 'feature: true', or 'protected: true'."),
        ("a: {field: 1, type: string, retention: 1 y, fresh: 400 d}", "3:65: FRESH_BEYOND_RETENTION customer.a would "
         "be "
         "fresh for longer than it is kept. Write at most its retention."),
        ("a: {field: 1, type: string, retention: 3}", "3:53: UNIT_MISSING '3' is not a duration. Write '3 min' "
         "(s, min, h, d, w, y)."),
    ],
)  # fmt: skip
def test_a_bad_declaration_says_what_where_and_the_mend(tmp_path: Path, customer: str, finding: str) -> None:
    assert declared(tmp_path, customer)[1] == [finding]


def test_by_and_keys_go_together(tmp_path: Path) -> None:
    assert declared(tmp_path, market="a: {field: 1, type: integer, by: kind}")[1] == [
        "3:45: KEY_MISSING market.a has 'by' without 'keys'. Add 'keys', or remove 'by'."
    ]


def test_a_booking_has_a_sailing_already(tmp_path: Path) -> None:
    (tmp_path / "attributes.yaml").write_text("version: 1\nattributes: {booking: {sailing: {field: 1, type: string}}}")
    _, findings = read_attributes(tmp_path / "attributes.yaml")
    assert [str(finding) for finding in findings] == [
        "attributes.yaml:2:24: NAME_INVALID booking.sailing stands for the booking's sailing. Take another name."
    ]


def test_an_unknown_scope_and_version_are_named(tmp_path: Path) -> None:
    (tmp_path / "attributes.yaml").write_text("version: 2\nattributes: {costumer: {}}")
    _, findings = read_attributes(tmp_path / "attributes.yaml")
    assert [str(finding) for finding in findings] == [
        "attributes.yaml:1:10: OUT_OF_RANGE version is 2. Write 1 to 1.",
        "attributes.yaml:2:14: UNKNOWN_KEY attributes has no key 'costumer'. Did you mean 'customer'?",
    ]


def test_loading_a_bad_file_raises_with_every_finding(tmp_path: Path) -> None:
    (tmp_path / "attributes.yaml").write_text("version: 1\nattributes: {customer: {a: {}, b: {field: x}}}")
    with pytest.raises(InvalidInput) as error:
        load_attributes(tmp_path / "attributes.yaml")
    assert error.value.code == "ATTRIBUTES_INVALID"
    assert [line.split()[1] for line in error.value.message.splitlines()] == [
        "KEY_MISSING", "KEY_MISSING", "KEY_MISSING", "NOT_NUMBER",
    ]  # fmt: skip

"""The JSON Schema accepts what the checker accepts, and underlines the slips that an editor can see."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from offers.campaign_schema import schema
from offers.schema_file import FILE, of_folder, page
from streams.attribute_file import load_attributes
from streams.positioned_yaml import ListNode, Node, TextNode, read_file, read_yaml

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "deploy" / "campaigns"
COUPONS = HERE.parent / "deploy" / "examples" / "coupons"
BAD = sorted((HERE / "campaigns_bad").glob("*.yaml"))
MODELINE = "# yaml-language-server: $schema="
SEEN = {
    "EMPTY_LIST", "KEY_MISSING", "LANGUAGE_VERSION", "NAME_INVALID", "NOT_BOOLEAN", "NOT_NUMBER",
    "NUMBER_INVALID", "OUT_OF_RANGE", "TEXT_TOO_LONG", "UNIT_MISSING", "UNIT_UNKNOWN", "UNKNOWN_ATTRIBUTE",
    "UNKNOWN_CHOICE", "UNKNOWN_KEY", "UNKNOWN_LEVEL", "WRONG_TEST", "WRONG_TYPE",
}  # fmt: skip
"""Codes of faults that lie in a file's own keys and values, which an editor sees too."""
UNSEEN = {
    "key_missing-collection", "key_missing-line", "out_of_range-mean", "out_of_range-ttl", "out_of_range-holdout",
    "name_invalid-arm", "number_invalid-share", "unit_missing-beside",
    "key_missing-cost", "out_of_range-budget", "out_of_range-undiscounted",
}  # fmt: skip
"""Files with such a code whose fault lies in two keys together, or in how much a quantity is."""


def as_editors_read(node: Node | None) -> Any:
    """YAML 1.2's core schema: numbers, true, false, and text."""
    if isinstance(node, TextNode):
        if node.plain and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?|true|false", node.text):
            return json.loads(node.text) if not node.text.startswith("0") or node.text == "0" else node.text
        return node.text
    if isinstance(node, ListNode):
        return [as_editors_read(item) for item in node.items]
    assert node is not None
    return {key: as_editors_read(value) for key, (_, value) in node.entries.items()}


def problems(text: str) -> list[str]:
    root, findings = read_yaml(text.encode(), "f")
    assert findings == []
    validator = jsonschema_rs.validator_for(
        json.dumps(schema(load_attributes(HERE / "deployment" / "attributes.yaml")))
    )
    return [error.message for error in validator.iter_errors(as_editors_read(root))]


@pytest.mark.parametrize("folder", [HERE / "deployment", SHIPPED, COUPONS], ids=lambda folder: folder.name)
def test_every_good_campaign_validates(folder: Path) -> None:
    validator = jsonschema_rs.validator_for(json.dumps(of_folder(folder)))
    seen = 0
    for file in sorted(folder.rglob("*.yaml")):
        root, _ = read_file(file, file.name)
        read = as_editors_read(root)
        if "campaign" in read:
            seen += 1
            assert [(file.name, error.message) for error in validator.iter_errors(read)] == []
    assert seen >= 4


def test_the_file_a_campaign_manager_hopes_to_write_validates() -> None:
    assert problems((HERE / "campaigns" / "hoped_for.yaml").read_text()) == []


GOOD = (HERE / "deployment" / "campaigns" / "winery-visit.yaml").read_text()


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("owner:", "owners:"),
        ("value: 4.50 EUR", "value: 4.50"),
        ("{has: wine}", "{has: whine}"),
        ("{at_least: 2}", "{at_lest: 2}"),
        ("{at_least: 2}", "{at_least: two}"),
        ("for: 30 d", "for: 30 days"),
        ("on_missing: pass", "on_missing: true"),
        ("min_confidence: 2", "min_confidence: 4"),
        ("customer.loyalty_tier:", "customer.loyalty:"),
        (", why: Sei a Olbia e ti piace il vino.", ""),
    ],
)
def test_a_slip_is_underlined(good: str, bad: str) -> None:
    assert problems(GOOD) == []
    assert good in GOOD
    assert problems(GOOD.replace(good, bad, 1)) != []


def test_every_bad_file_whose_fault_a_schema_can_see_is_underlined() -> None:
    schema_text = json.dumps(schema(load_attributes(HERE / "deployment" / "attributes.yaml")))
    validator = jsonschema_rs.validator_for(schema_text)
    looked_at, missed = set(), []
    for file in BAD:
        root, _ = read_file(file, file.name)
        code = file.stem.partition("-")[0].upper()
        if root is None or code not in SEEN or file.stem in UNSEEN:
            continue
        looked_at.add(code)
        if validator.is_valid(as_editors_read(root)):
            missed.append(file.stem)
    assert (missed, SEEN - looked_at) == ([], set())


# The file that editors read


def test_the_schema_beside_the_example_is_that_of_this_version() -> None:
    assert (SHIPPED / FILE).read_text() == page(SHIPPED), "run: offing campaigns schema deploy/campaigns --write"


def test_every_campaign_of_the_example_names_the_schema_beside_it() -> None:
    files = [file for file in SHIPPED.rglob("*.yaml") if file.parent != SHIPPED and "tests" not in file.parts]
    campaigns = [file for file in files if re.search("^campaign:", file.read_text(), re.MULTILINE)]
    first = {file: file.read_text().partition("\n")[0] for file in campaigns}
    assert len(first) >= 30
    wrong = [
        file.name
        for file, line in first.items()
        if not line.startswith(MODELINE) or (file.parent / line.removeprefix(MODELINE)).resolve() != SHIPPED / FILE
    ]
    assert wrong == []

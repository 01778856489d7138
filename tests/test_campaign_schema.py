"""The JSON Schema accepts what the checker accepts, and underlines the slips that an editor can see."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from offers.campaign_schema import schema
from streams.attribute_file import load_attributes
from streams.positioned_yaml import ListNode, Node, TextNode, read_file, read_yaml

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "deploy" / "campaigns"
jsonschema = pytest.importorskip("jsonschema_rs")


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
    validator = jsonschema.validator_for(json.dumps(schema(load_attributes(HERE / "deployment" / "attributes.yaml"))))
    return [error.message for error in validator.iter_errors(as_editors_read(root))]


@pytest.mark.parametrize("folder", [HERE / "deployment", SHIPPED], ids=lambda folder: folder.name)
def test_every_good_campaign_validates(folder: Path) -> None:
    validator = jsonschema.validator_for(json.dumps(schema(load_attributes(folder / "attributes.yaml"))))
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

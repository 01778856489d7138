"""The JSON Schema accepts what the checker accepts, and underlines the slips that an editor can see."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from offers.campaign_schema import schema
from offers.schema_file import CAMPAIGN, FOLDER, KINDS, of_folder, page
from streams.attribute_file import load_attributes
from streams.positioned_yaml import ListNode, Node, TextNode, read_file, read_yaml
from tests import golden_language

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
        if node.plain and re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?|true|false", node.text):
            return json.loads(node.text)
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


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_beside_the_example_is_that_of_this_version(kind: str) -> None:
    written = (SHIPPED / FOLDER / f"{kind}.json").read_text()
    assert written == page(SHIPPED, kind), "run: offing campaigns schema deploy/campaigns --write"


def test_every_campaign_of_the_example_names_the_schema_beside_it() -> None:
    files = [file for file in SHIPPED.rglob("*.yaml") if file.parent != SHIPPED and "tests" not in file.parts]
    campaigns = [file for file in files if re.search("^campaign:", file.read_text(), re.MULTILINE)]
    assert len(campaigns) >= 30
    assert [file.name for file in campaigns if named_by(file) != SHIPPED / FOLDER / "campaign.json"] == []


def named_by(file: Path) -> Path | None:
    """The schema that a file's first line names."""
    line = file.read_text().partition("\n")[0]
    return (file.parent / line.removeprefix(MODELINE)).resolve() if line.startswith(MODELINE) else None


# The files beside the campaigns

BESIDE = (*(f"{kind}.yaml" for kind in KINDS if kind not in (CAMPAIGN, "group")), "groups/on-board.yaml")


def beside(file: Path, folder: Path, text: str | None = None) -> list[str]:
    """What the schema of its kind says of a file."""
    kind = "group" if file.parent.name == "groups" else file.stem
    root, findings = read_yaml((file.read_text() if text is None else text).encode(), file.name)
    assert findings == []
    validator = jsonschema_rs.validator_for(page(folder, kind))
    return [f"{file.name}: {error.message}" for error in validator.iter_errors(as_editors_read(root))]


@pytest.mark.parametrize("name", BESIDE)
def test_every_file_beside_the_example_names_its_schema_and_validates(name: str) -> None:
    kind = "group" if name.startswith("groups/") else name.removesuffix(".yaml")
    assert named_by(SHIPPED / name) == SHIPPED / FOLDER / f"{kind}.json"
    assert beside(SHIPPED / name, SHIPPED) == []


def test_other_folders_and_the_golden_files_validate_too(tmp_path: Path) -> None:
    files = [file for folder in (HERE / "deployment", COUPONS) for file in folder.glob("*.yaml") if file.name in BESIDE]
    assert len(files) >= 8
    assert [said for file in files for said in beside(file, file.parent)] == []
    shutil.copyfile(HERE / "deployment" / "attributes.yaml", tmp_path / "attributes.yaml")
    seen = 0
    for golden in golden_language.names():
        for name, text in golden_language.files(golden).items():
            seen += 1
            assert beside(tmp_path / name, tmp_path, text) == []
    assert seen >= 5


SLIPS = [
    ("attributes.yaml", "type: integer", "type: whole"),
    ("attributes.yaml", "retention: 3 y", "retention: 3"),
    ("attributes.yaml", "event: customer.profile", "event: customer.profil"),
    ("conditions.yaml", "customer.open_complaint:", "customer.open_complain:"),
    ("features.yaml", "monotone: up", "monotone: upwards"),
    ("features.yaml", "offer.discount:", "offer.discounts:"),
    ("groups/on-board.yaml", "window: rolling 24 h", "windows: rolling 24 h"),
    ("images.yaml", '"#2b4a6f"', '"#2B4A6F"'),
    ("placements.yaml", "refresh_after: 120 s", "refresh_after: 120"),
    ("placements.yaml", "max_items: 1,", "max_items: 99,"),
    ("policies.yaml", "count: exposure", "count: exposures"),
    ("policies.yaml", "limits:", "limit:"),
    ("seasons.yaml", "zone: Europe/Rome", "zones: Europe/Rome"),
]


@pytest.mark.parametrize(("name", "good", "bad"), SLIPS)
def test_a_slip_beside_the_campaigns_is_underlined(name: str, good: str, bad: str) -> None:
    text = (SHIPPED / name).read_text()
    assert good in text
    assert beside(SHIPPED / name, SHIPPED, text.replace(good, bad, 1)) != []


POLICIES = """
holdout: {id: global-2026, share: 5 %}
defaults: {consent: {purposes: [personalised_offers]}}
duties: {wine: {require: [{customer.age: {at_least: 18}}], disclosures: drink_responsibly}}
quiet_hours: {hours: "22:00-08:00", zone: Europe/Rome, channels: [app]}
budgets: {marketing: {at_most: 5000 EUR}}
approvals: {collections: {wine: {by: anna, self: true}}, everything_else: nobody}
"""


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("share: 5 %", "share: 5"), ("defaults: {consent", "defaults: {offer"), ("customer.age", "customer.years"),
        ("channels:", "channel:"), ("at_most: 5000 EUR", "at_most: 5000"), ("nobody", "somebody"), ("by: anna, ", ""),
    ],
)  # fmt: skip
def test_a_slip_in_policies_is_underlined(good: str, bad: str) -> None:
    folder = HERE / "deployment"
    assert beside(folder / "policies.yaml", folder, POLICIES) == []
    assert beside(folder / "policies.yaml", folder, POLICIES.replace(good, bad, 1)) != []

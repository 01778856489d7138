"""docs/campaigns.md: every block of it is checked, and its tables say what the code says."""

import re
import shutil
from pathlib import Path

import pytest

from offers.campaign import KEYS
from offers.campaign_leaves import ALL_TESTS
from offers.campaign_limits import COUNTED, OF
from offers.campaign_offer import KEYS as OFFER_KEYS
from offers.campaign_text import MAX_TEXTS
from offers.folder import load_folder
from offers.template import FILTERS, SPECIAL

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = (ROOT / "docs" / "campaigns.md").read_text()
BLOCKS = re.findall(r"^```(yaml|yaml bad)\n(.*?)^```$(?:\n```text\n(.*?)^```$)?", PAGE, re.MULTILINE | re.DOTALL)
GOOD = [block for kind, block, _ in BLOCKS if kind == "yaml"]
BAD = [(block, said) for kind, block, said in BLOCKS if kind == "yaml bad"]
WHOLE = next(block for block in GOOD if block.startswith("campaign:"))
LANGUAGE = ("campaign*.py", "deployment_files.py", "folder.py", "plurals.py", "template.py")
READING = ("units.py", "sheet.py", "positioned_yaml.py", "attribute_file.py", "feature_file.py")
FEW = "TAB|BOM|TAG|ANCHOR|UNREADABLE|SHADOWED"
RAISED = {"ATTRIBUTES_INVALID"}
"""Not a finding: what loading attributes alone raises with all of them."""


def said(folder: Path, campaign: str) -> list[str]:
    """What the checker says to a campaign beside the example's own."""
    shutil.copytree(ROOT / "deploy" / "campaigns", folder)
    known = load_folder(folder).findings
    (folder / "first.yaml").write_text(campaign)
    return [str(finding) for finding in load_folder(folder).findings if finding not in known]


def completed(block: str) -> str:
    """A part of a campaign put into the first one of the page, in place of the keys it has."""
    if block.startswith("campaign:"):
        return block
    keys = set(re.findall(r"^(\w+):", block, re.MULTILINE))
    sections = re.split(r"^(?=\w)", WHOLE, flags=re.MULTILINE)
    return "".join(part for part in sections if part.partition(":")[0] not in keys) + block


def test_the_page_has_blocks_of_both_kinds() -> None:
    assert len(GOOD) >= 5 and len(BAD) >= 1


@pytest.mark.parametrize("block", GOOD, ids=range(len(GOOD)))
def test_a_block_of_the_page_checks_clean(tmp_path: Path, block: str) -> None:
    assert said(tmp_path / "folder", completed(block)) == []


@pytest.mark.parametrize(("block", "answer"), BAD, ids=range(len(BAD)))
def test_a_bad_block_hears_what_the_page_says(tmp_path: Path, block: str, answer: str) -> None:
    assert said(tmp_path / "folder", block) == answer.splitlines()


def test_every_example_of_the_conditions_table_checks_clean(tmp_path: Path) -> None:
    table = PAGE[PAGE.index("| type | tests |") : PAGE.index("**What is not known.**")]
    examples = [row.split("|")[-2].strip().strip("`") for row in table.strip().splitlines()[2:]]
    assert len(examples) == 10
    layer = "".join(f"  - {example}\n" for example in examples)
    assert said(tmp_path / "folder", completed(f"eligibility:\n{layer}")) == []


def test_the_codes_of_the_page_are_the_codes_of_the_checker() -> None:
    table = PAGE[PAGE.index("| code | what is wrong |") :]
    documented = set(re.findall(r"`([A-Z0-9_]+)`", table))
    files = [file for name in LANGUAGE for file in (ROOT / "offers").glob(name)]
    sources = "".join(file.read_text() for file in [*files, *(ROOT / "streams" / name for name in READING)])
    found = set(re.findall(rf'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|{FEW})"', sources)) - RAISED
    assert documented == found


def test_every_code_of_a_campaign_has_a_bad_file() -> None:
    documented = set(re.findall(r"`([A-Z0-9_]+)`", PAGE[PAGE.index("| code | what is wrong |") :]))
    bad = {file.stem.partition("-")[0].upper() for file in (HERE / "campaigns_bad").glob("*.yaml")}
    of_other_files = {
        "UNREADABLE", "FILE_TOO_BIG", "WRONG_SUFFIX", "FILE_MISSING", "FOLDER_MISSING",
        "FOLDER_TOO_BIG", "TOO_MANY_FINDINGS",
        "UNKNOWN_OFFER", "UNKNOWN_REGION", "SCHEDULE_OVER", "ATTRIBUTE_TWICE", "ATTRIBUTE_NUMBER",
        "NO_FEATURE", "FEATURE_FROM_FUTURE",
        "CONDITION_CIRCLE", "CONDITION_TOO_BIG", "BUDGET_ABOVE_POLICY", "APPROVAL_OF_NOTHING", "APPROVER_ALONE",
        "ENDS_AFTER_SALE", "LIMIT_ABOVE_STOCK", "FENCE_TOO_FINE",
    }  # fmt: skip
    assert bad == documented - of_other_files


def test_every_key_test_and_placeholder_is_on_the_page() -> None:
    words = set(re.findall(r"[a-z_]+(?:\.name)?", PAGE))
    named = (*KEYS, *OFFER_KEYS, *ALL_TESTS, *COUNTED, *OF, *FILTERS, *SPECIAL, *MAX_TEXTS)
    assert [word for word in named if word not in words] == []

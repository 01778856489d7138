"""The cookbook: every situation is a file that checks clean and does what its tests beside it say."""

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from offers.cli import app
from tests.golden_case import DEPLOYMENT

ROOT = Path(__file__).parent.parent
COOKBOOK = ROOT / "deploy" / "cookbook"
RECIPES = sorted(COOKBOOK.glob("*.yaml"))
BESIDE = ("attributes.yaml", "images.yaml", "placements.yaml", "policies.yaml", "seasons.yaml")
LONG_BEFORE = "2026-11-21T12:00+01:00"
"""Of the recipes that end on a day none is over then, whenever this runs."""
EXPLAINED = {"FENCE_FINER_THAN_GAZETTEER"}
"""Warnings that deploy/campaigns/README.md explains."""
IN_THE_PAGE = re.compile(
    r"^\| \[(?P<name>[0-9a-z-]+)\]\(\.\./deploy/cookbook/(?P<file>\S+)\) \| (?P<what>.*) \|$", re.M
)


def situation(recipe: Path) -> str:
    """The first comment: what the file is for."""
    return recipe.read_text().splitlines()[0].removeprefix("# ")


def offing(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["campaigns", *arguments], color=False, env={"COLUMNS": "200"})


@pytest.fixture
def kitchen(tmp_path: Path) -> Path:
    """The example operator without campaigns: what a recipe is copied into."""
    for name in BESIDE:
        shutil.copyfile(DEPLOYMENT / name, tmp_path / name)
    for name in ("places", "fallbacks"):
        shutil.copytree(DEPLOYMENT / name, tmp_path / name)
    for declared in (COOKBOOK / "declared").iterdir():
        shutil.copyfile(declared, tmp_path / declared.name)
    (tmp_path / "tests").mkdir()
    shutil.copyfile(DEPLOYMENT / "tests" / "personas.yaml", tmp_path / "tests" / "personas.yaml")
    return tmp_path


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_checks_clean_and_does_what_its_tests_say(recipe: Path, kitchen: Path) -> None:
    shutil.copyfile(recipe, kitchen / recipe.name)
    shutil.copyfile(COOKBOOK / "tests" / recipe.name, kitchen / "tests" / recipe.name)
    checked = json.loads(offing("check", str(kitchen), "--format", "json", "--now", LONG_BEFORE).stdout)
    assert [found for found in checked["findings"] if found["code"] not in EXPLAINED] == []
    done = offing("test", str(kitchen))
    assert done.exit_code == 0, done.output
    assert done.output.count("pass  ") >= 2, "it is shown to one person and not to another"


def test_there_are_25_situations_and_the_page_tells_each_in_its_own_words() -> None:
    page = IN_THE_PAGE.findall((ROOT / "docs" / "campaigns.md").read_text())
    assert page == [(recipe.stem[3:], recipe.name, situation(recipe)) for recipe in RECIPES]
    assert len(RECIPES) >= 25

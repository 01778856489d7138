"""`campaigns check` and `campaigns schema` as a person, a pipe and a pipeline meet them."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from typer.testing import CliRunner, Result

from offers.cli import app
from offers.schema_file import KINDS

DEPLOYMENT = Path(__file__).parent / "deployment"
CAMPAIGN = Path("campaigns", "cabin-upgrade.yaml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment in the folder where commands run, which has nothing else."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(DEPLOYMENT, tmp_path / "ferry"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["campaigns", *arguments], color=False)


def change(folder: Path, good: str, bad: str) -> None:
    file = folder / CAMPAIGN
    text = file.read_text()
    assert good in text
    file.write_text(text.replace(good, bad, 1))


def warn(folder: Path) -> None:
    """A warning and no error."""
    (folder / CAMPAIGN).write_text((folder / CAMPAIGN).read_text() + "on_stop: {reserved: honour}\n")


def test_plain_lines_name_the_file_in_the_folder_and_programs_get_the_path_from_here(folder: Path) -> None:
    change(folder, "at_least: gold", "at_least: oro")
    done = run("check", "ferry")
    assert (done.exit_code, done.stdout.count("\n")) == (1, 1)
    assert done.stdout.startswith("campaigns/cabin-upgrade.yaml:9:41: UNKNOWN_LEVEL customer.loyalty_tier has no level")
    done = run("check", str(folder), "--format", "github")
    assert done.exit_code == 1
    assert done.stdout == (
        "::error file=ferry/campaigns/cabin-upgrade.yaml,line=9,col=41,title=UNKNOWN_LEVEL::"
        "customer.loyalty_tier has no level 'oro'. Lowest first: blue, silver, gold, platinum.\n"
    )
    assert json.loads(run("check", "ferry", "--format", "gitlab").stdout)[0]["location"] == {
        "path": "ferry/campaigns/cabin-upgrade.yaml",
        "lines": {"begin": 9},
    }


def test_a_warning_fails_only_a_strict_check(folder: Path) -> None:
    warn(folder)
    assert [run("check", "ferry", *strict).exit_code for strict in ((), ("--strict",))] == [0, 1]
    found = json.loads(run("check", "ferry", "--strict", "--format", "json").stdout)
    assert (found["errors"], found["warnings"]) == (0, 1)


def test_a_strict_check_of_a_good_folder_is_good(folder: Path) -> None:
    assert run("check", "ferry", "--strict").exit_code == 0


def test_at_a_terminal_there_are_colours_the_line_a_caret_and_how_many(folder: Path) -> None:
    change(folder, "at_least: gold", "at_least: oro")
    warn(folder)
    status, said = at_a_terminal("check", "ferry")
    line = (folder / CAMPAIGN).read_text().splitlines()[8]
    assert status == 1
    assert "\x1b[1;31mUNKNOWN_LEVEL\x1b[0m" in said
    lines = without_colours(said).split("\r\n")
    assert lines[:4] == [
        "ferry/campaigns/cabin-upgrade.yaml:9:41: UNKNOWN_LEVEL customer.loyalty_tier has no level 'oro'.",
        f" 9 | {line}",
        f"   | {' ' * 40}^",
        "   = Lowest first: blue, silver, gold, platinum.",
    ]
    assert lines[-2:] == ["1 error, 1 warning", ""]


def at_a_terminal(*arguments: str) -> tuple[int, str]:
    """Exit status and what a terminal of 100 columns gets."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    env = {name: value for name, value in env.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-m", "offers.cli", "campaigns", *arguments]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        said = b""
        while part := received(ours):
            said += part
    os.close(ours)
    return process.returncode, said.decode()


def received(terminal: int) -> bytes:
    """The next bytes; none at the end, which Linux tells as an error."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def without_colours(text: str) -> str:
    parts = text.split("\x1b[")
    return parts[0] + "".join(part.partition("m")[2] for part in parts[1:])


def test_characters_that_a_terminal_has_not_are_escaped(folder: Path) -> None:
    change(folder, "at_least: gold", "at_least: 船")
    command = [sys.executable, "-m", "offers.cli", "campaigns", "check", "ferry"]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=env, check=False)
    assert done.returncode == 1
    assert b"has no level '\\u8239'" in done.stdout


# campaigns schema


def accepts(schema: str, campaign: Any) -> bool:
    return jsonschema_rs.validator_for(schema).is_valid(campaign)


def campaign(condition: Any) -> Any:
    words = {key: "Spa day" for key in ("title", "body", "button", "alt", "why")}
    return {
        "campaign": "spa-day",
        "owner": "onboard.spa",
        "eligibility": [condition],
        "offer": {"id": "spa-day"},
        "placements": ["app.home.hero"],
        "representation": {"image": "sea", "link": "https://app.example/spa", "web": "https://www.example/spa"},
        "text": {"en": words},
    }


def test_the_schema_of_a_folder_knows_its_attributes_and_levels(folder: Path) -> None:
    printed = run("schema", "ferry").stdout
    assert accepts(printed, campaign({"customer.loyalty_tier": {"at_least": "gold"}}))
    assert not accepts(printed, campaign({"customer.loyalty_tier": {"at_least": "oro"}}))
    assert not accepts(printed, campaign({"customer.shoe_size": {"at_least": 42}}))


def test_the_schema_without_a_folder_takes_any_attribute_but_knows_the_keys(folder: Path) -> None:
    printed = run("schema").stdout
    for asked in (
        {"customer.shoe_size": {"at_least": 42}},
        {"any": [{"booking": {"cot": True}}]},
        {"location": {"inside": "fence:elba"}},
    ):
        assert accepts(printed, campaign(asked)), asked
    slips: list[Any] = [{"custommer.shoe_size": 42}, {"anny": []}, {"location": {"insid": "fence:elba"}}]
    assert [slip for slip in slips if accepts(printed, campaign(slip))] == []
    assert not accepts(printed, {**campaign({"customer.shoe_size": 42}), "ownr": "x"})


def test_the_schema_is_written_where_the_files_name_it(folder: Path) -> None:
    done = run("schema", "ferry", "--write")
    assert (done.exit_code, done.stdout) == (0, "".join(f"ferry/schema/{kind}.json is written\n" for kind in KINDS))
    assert (folder / "schema" / "campaign.json").read_text() == run("schema", "ferry").stdout
    assert run("check", "ferry").stdout.splitlines()[-1] == "4 campaigns are good"


def test_writing_needs_a_folder_and_good_attributes(folder: Path) -> None:
    assert run("schema", "--write").exit_code == 2
    (folder / "attributes.yaml").write_text("attributes: 3\n")
    done = run("schema", "ferry", "--write")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("ATTRIBUTES_INVALID attributes.yaml:")
    assert not (folder / "schema").exists()

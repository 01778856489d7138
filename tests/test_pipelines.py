"""deploy/ci/: pipelines to copy. They run commands that exist on a folder that exists, and may do nothing else."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from offers.cli import app as cli
from offers.finding_formats import Format

ROOT = Path(__file__).parent.parent
GITHUB: Any = yaml.safe_load((ROOT / "deploy" / "ci" / "github.yml").read_text())
GITLAB: Any = yaml.safe_load((ROOT / "deploy" / "ci" / "gitlab.yml").read_text())
ON = True
"""What YAML 1.1 makes of GitHub's key `on`."""
STEPS = GITHUB["jobs"]["campaigns"]["steps"]
JOB = GITLAB["campaigns"]
LINES = {
    "github": [step["run"] for step in STEPS if "run" in step],
    "gitlab": [*JOB["before_script"], *JOB["script"]],
}


def programs(lines: list[str]) -> list[list[str]]:
    """Every command line, without what its output is sent to."""
    parts = [part.partition(">")[0] for line in lines for part in re.split(r"\|\||&&|\n|;", line)]
    return [words for part in parts if (words := shlex.split(part))]


@pytest.mark.parametrize("host", LINES)
def test_only_pip_and_offing_run(host: str) -> None:
    found = programs(LINES[host])
    assert found[0] == ["python", "-m", "pip", "install", "--constraint", "constraints.txt", "."]
    assert {words[0] for words in found[1:]} == {"offing"}
    assert (ROOT / "constraints.txt").is_file()


@pytest.mark.parametrize("host", LINES)
def test_every_command_exists_with_its_options_and_gets_the_folder(host: str) -> None:
    whole = typer.main.get_command(cli)
    assert isinstance(whole, TyperGroup)
    group = whole.commands["campaigns"]
    assert isinstance(group, TyperGroup)
    for words in programs(LINES[host])[1:]:
        assert words[1] == "campaigns" and words[3] == "$CAMPAIGNS"
        command = group.commands[words[2]]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words[4:] if word.startswith("--")} <= options, words


@pytest.mark.parametrize("host", LINES)
def test_the_cases_run_after_the_check(host: str) -> None:
    assert programs(LINES[host])[-1] == ["offing", "campaigns", "test", "$CAMPAIGNS"]


def test_github_gets_workflow_commands() -> None:
    (check,) = [words for words in programs(LINES["github"]) if words[1:3] == ["campaigns", "check"]]
    assert check[4:] == ["--format", Format.GITHUB.value]


def test_gitlab_gets_the_report_that_its_artifacts_name_even_if_the_check_fails() -> None:
    first, again = [words for words in programs(LINES["gitlab"]) if words[1:3] == ["campaigns", "check"]]
    assert (first[4:], again[4:]) == (["--format", Format.GITLAB.value], [])
    report = JOB["artifacts"]["reports"]["codequality"]
    assert JOB["artifacts"]["when"] == "always"
    assert f'--format gitlab > {report} || offing campaigns check "$CAMPAIGNS"' in JOB["script"][0]


def test_both_watch_the_folder_they_check_and_check_the_example() -> None:
    folder = GITHUB["env"]["CAMPAIGNS"]
    assert (ROOT / folder / "attributes.yaml").is_file()
    assert JOB["variables"]["CAMPAIGNS"] == folder
    assert [GITHUB[ON][event]["paths"] for event in ("pull_request", "push")] == [[f"{folder}/**"]] * 2
    assert [rule["changes"] for rule in JOB["rules"]] == [[f"{folder}/**/*"]] * 2


def test_neither_may_write_or_run_for_ever() -> None:
    assert GITHUB["permissions"] == {"contents": "read"}
    assert GITHUB["jobs"]["campaigns"]["timeout-minutes"] <= 15
    assert JOB["timeout"] == "15 minutes"


def test_what_they_run_on_is_pinned_to_a_python_that_offing_is_tested_with() -> None:
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in STEPS if "uses" in step)
    (python,) = [step["with"]["python-version"] for step in STEPS if "python-version" in step.get("with", {})]
    assert (python, JOB["image"]) == ("3.11", "python:3.11")
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()


PLAN: dict[str, list[str]] = {
    "github": [step["run"] for step in GITHUB["jobs"]["plan"]["steps"] if "run" in step],
    "gitlab": [*GITLAB["plan"]["before_script"], *GITLAB["plan"]["script"]],
}


@pytest.mark.parametrize("host", PLAN)
def test_the_plan_of_a_change_holds_the_merge_request_against_what_it_is_merged_into(host: str) -> None:
    install, base, plan, comment = [shlex.split(line) for line in PLAN[host]]
    assert install == ["python", "-m", "pip", "install", "--constraint", "constraints.txt", "."]
    assert base[:4] == ["git", "worktree", "add", "../base"]
    folder = "$CAMPAIGNS"
    assert plan == [
        "offing", "campaigns", "plan", "--base", f"../base/{folder}", "--head", folder,
        "--contexts", f"{folder}/tests/personas.yaml", "--markdown", ">", "plan.md",
    ]  # fmt: skip
    assert comment[0] == {"github": "gh", "gitlab": "curl"}[host]
    assert any("plan.md" in word for word in comment)
    whole = typer.main.get_command(cli)
    assert isinstance(whole, TyperGroup)
    group = whole.commands["campaigns"]
    assert isinstance(group, TyperGroup)
    options = {name for parameter in group.commands["plan"].params for name in parameter.opts}
    assert {word for word in plan if word.startswith("--")} <= options
    assert (ROOT / GITHUB["env"]["CAMPAIGNS"] / "tests" / "personas.yaml").is_file()


def test_only_the_plan_may_write_and_only_comments_for_branches_of_the_repository_itself() -> None:
    job = GITHUB["jobs"]["plan"]
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]
    assert [rule["if"] for rule in GITLAB["plan"]["rules"]] == [
        '$CI_PIPELINE_SOURCE == "merge_request_event" && $CAMPAIGNS_BOT_TOKEN'
    ]
    assert (job["needs"], GITLAB["plan"]["needs"]) == ("campaigns", ["campaigns"])
    assert (job["timeout-minutes"], GITLAB["plan"]["timeout"]) == (15, "15 minutes")

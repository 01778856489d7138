"""Findings for programs: exact texts, and whatever a message holds arrives whole."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.finding_formats import FORMATS, Format, fingerprints, located
from streams.findings import Finding, Severity

FINDINGS = (
    Finding("deploy/a.yaml", 10, 40, "UNKNOWN_LEVEL", "no level 'oro'.", "Did you mean 'gold'?"),
    Finding("deploy/b c.yaml", 3, 1, "NO_EFFECT_YET", "100 % of\nit, so: nothing.", severity=Severity.WARNING),
)
FIRST = "fc83d0e569276494d96fe215f61e8aad065590458937d79c0fc5168b98f70cd0"
SECOND = "4d090bca5366fdcf6118d6e027a0922faf820ca70a56e6c240d84d7a16f2f3fa"


def test_json_has_message_and_mend_apart_and_counts() -> None:
    assert FORMATS[Format.JSON](FINDINGS) == (
        '{"v": 1, "findings": ['
        '{"path": "deploy/a.yaml", "line": 10, "column": 40, "code": "UNKNOWN_LEVEL", "severity": "error", '
        '"message": "no level \'oro\'.", "hint": "Did you mean \'gold\'?"}, '
        '{"path": "deploy/b c.yaml", "line": 3, "column": 1, "code": "NO_EFFECT_YET", "severity": "warning", '
        '"message": "100 % of\\nit, so: nothing.", "hint": ""}], '
        '"errors": 1, "warnings": 1}\n'
    )


def test_github_gets_a_workflow_command_on_a_line_of_its_own() -> None:
    assert FORMATS[Format.GITHUB](FINDINGS) == (
        "::error file=deploy/a.yaml,line=10,col=40,title=UNKNOWN_LEVEL::no level 'oro'. Did you mean 'gold'?\n"
        "::warning file=deploy/b c.yaml,line=3,col=1,title=NO_EFFECT_YET::100 %25 of%0Ait, so: nothing.\n"
    )


def test_github_reads_a_path_with_a_comma_and_a_colon() -> None:
    odd = Finding("a,b:c%.yaml", 1, 2, "TAB", "m")
    assert FORMATS[Format.GITHUB]([odd]) == "::error file=a%2Cb%3Ac%25.yaml,line=1,col=2,title=TAB::m\n"


def test_gitlab_gets_a_code_quality_report() -> None:
    assert json.loads(FORMATS[Format.GITLAB](FINDINGS)) == [
        {
            "description": "UNKNOWN_LEVEL no level 'oro'. Did you mean 'gold'?",
            "check_name": "UNKNOWN_LEVEL",
            "fingerprint": FIRST,
            "severity": "major",
            "location": {"path": "deploy/a.yaml", "lines": {"begin": 10}},
        },
        {
            "description": "NO_EFFECT_YET 100 % of\nit, so: nothing.",
            "check_name": "NO_EFFECT_YET",
            "fingerprint": SECOND,
            "severity": "minor",
            "location": {"path": "deploy/b c.yaml", "lines": {"begin": 3}},
        },
    ]


HELP = {"text": "Each code is explained in docs/campaigns.md, under 'What the checker says'."}
RULES = [
    {
        "id": "NO_EFFECT_YET",
        "shortDescription": {"text": "No effect yet"},
        "help": HELP,
        "defaultConfiguration": {"level": "warning"},
    },
    {
        "id": "UNKNOWN_LEVEL",
        "shortDescription": {"text": "Unknown level"},
        "help": HELP,
        "defaultConfiguration": {"level": "error"},
    },
]
RESULTS = [
    {
        "ruleId": "UNKNOWN_LEVEL",
        "ruleIndex": 1,
        "level": "error",
        "message": {"text": "no level 'oro'. Did you mean 'gold'?"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "deploy/a.yaml"},
                    "region": {"startLine": 10, "startColumn": 40},
                }
            }
        ],
        "partialFingerprints": {"offing/v1": FIRST},
    },
    {
        "ruleId": "NO_EFFECT_YET",
        "ruleIndex": 0,
        "level": "warning",
        "message": {"text": "100 % of\nit, so: nothing."},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "deploy/b%20c.yaml"},
                    "region": {"startLine": 3, "startColumn": 1},
                }
            }
        ],
        "partialFingerprints": {"offing/v1": SECOND},
    },
]


def test_sarif_has_a_rule_for_each_code_and_a_region_for_each_result() -> None:
    assert json.loads(FORMATS[Format.SARIF](FINDINGS)) == {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Offing",
                        "rules": RULES,
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": RESULTS,
            }
        ],
    }


def test_the_page_that_a_sarif_rule_names_is_there() -> None:
    page = Path(__file__).parent.parent / "docs" / "campaigns.md"
    assert "## What the checker says\n" in page.read_text()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (Format.JSON, {"v": 1, "findings": [], "errors": 0, "warnings": 0}),
        (Format.GITLAB, []),
    ],
)
def test_nothing_found_is_still_a_document(form: Format, said: object) -> None:
    assert json.loads(FORMATS[form]([])) == said


def test_nothing_found_is_an_empty_run_in_sarif_and_no_line_for_github() -> None:
    (run,) = json.loads(FORMATS[Format.SARIF]([]))["runs"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])
    assert FORMATS[Format.GITHUB]([]) == ""


def test_every_format_but_text_is_there() -> None:
    assert set(FORMATS) == set(Format) - {Format.TEXT}


# Paths


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("deploy/campaigns", "deploy/campaigns/cabins/x.yaml"),
        (".", "cabins/x.yaml"),
        ("/repo/deploy/campaigns", "deploy/campaigns/cabins/x.yaml"),
        ("/elsewhere/campaigns", "/elsewhere/campaigns/cabins/x.yaml"),
        ("../campaigns", "../campaigns/cabins/x.yaml"),
    ],
)
def test_paths_are_those_from_where_the_command_runs(folder: str, path: str) -> None:
    (found,) = located([Finding("cabins/x.yaml", 1, 1, "TAB", "m")], Path(folder), Path("/repo"))
    assert found == Finding(path, 1, 1, "TAB", "m")


def test_a_file_whose_name_is_no_utf_8_can_be_named() -> None:
    (found,) = located([Finding("caf\udce9.yaml", 1, 1, "TAB", "m")], Path("."), Path("/repo"))
    assert found.path == "caf\\udce9.yaml"
    assert all(form([found]).encode() for form in FORMATS.values())


def test_a_file_elsewhere_is_a_whole_uri_in_sarif() -> None:
    document = json.loads(FORMATS[Format.SARIF]([Finding("/else where/x.yaml", 1, 1, "TAB", "m")]))
    place = document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "file:///else%20where/x.yaml"}


def test_a_placeholder_in_a_message_is_none_of_sarifs() -> None:
    document = json.loads(FORMATS[Format.SARIF]([Finding("x.yaml", 1, 1, "FILTER_MISSING", "Write '{0}'.")]))
    assert document["runs"][0]["results"][0]["message"] == {"text": "Write '{{0}}'."}


# Fingerprints


def test_a_finding_keeps_its_fingerprint_when_lines_are_added_above_it() -> None:
    moved = [Finding(each.path, each.line + 7, each.column, each.code, each.message, each.hint) for each in FINDINGS]
    assert fingerprints(moved) == fingerprints(FINDINGS)


def test_the_same_mistake_on_two_lines_has_two_fingerprints() -> None:
    twice = [Finding("a.yaml", line, 1, "TAB", "m") for line in (1, 2)]
    assert len(set(fingerprints(twice))) == 2


WORDS = st.text(
    st.sampled_from("ab:,%\n\r\"'`\\ \u2028\U0001f6a2é船<>&;={}[]\x00\x1b") | st.characters(codec="utf-8"), max_size=20
)
ANY = st.builds(
    Finding,
    path=WORDS.filter(lambda path: not path.startswith("/")),
    line=st.integers(1, 10**6),
    column=st.integers(1, 500),
    code=st.sampled_from(["TAB", "UNKNOWN_KEY", "NO_EFFECT_YET"]),
    message=WORDS,
    hint=WORDS,
    severity=st.sampled_from(Severity),
)


def said(finding: Finding) -> str:
    return f"{finding.message} {finding.hint}".rstrip()


@given(st.lists(ANY, max_size=5))
def test_no_two_findings_of_a_run_share_a_fingerprint(findings: list[Finding]) -> None:
    assert len(set(fingerprints(findings))) == len(findings)


@given(st.lists(ANY, max_size=3))
def test_whatever_is_said_arrives_whole_in_json(findings: list[Finding]) -> None:
    text = FORMATS[Format.JSON](findings)
    assert text.isascii() and text.count("\n") == 1
    read = json.loads(text)
    assert [Finding(**{**each, "severity": Severity(each["severity"])}) for each in read["findings"]] == findings
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    assert (read["errors"], read["warnings"]) == (errors, len(findings) - errors)


@given(st.lists(ANY, max_size=3))
def test_whatever_is_said_arrives_whole_at_github(findings: list[Finding]) -> None:
    lines = re.split(r"\r\n|\r|\n", FORMATS[Format.GITHUB](findings))
    assert lines.pop() == ""
    read = [as_the_runner_reads(line) for line in lines]
    assert read == [
        {
            "command": finding.severity.value,
            "file": finding.path,
            "line": str(finding.line),
            "col": str(finding.column),
            "title": finding.code,
            "message": said(finding),
        }
        for finding in findings
    ]


def as_the_runner_reads(line: str) -> dict[str, str]:
    """`::command key=value,...::message`: the first `::` after the properties ends them, escapes are undone last."""
    head, _, message = line.removeprefix("::").partition("::")
    command, _, properties = head.partition(" ")
    pairs = (each.partition("=") for each in properties.split(","))
    found = {key: value.replace("%3A", ":").replace("%2C", ",") for key, _, value in pairs}
    found = {**found, "message": message}
    return {"command": command, **{key: unescaped(value) for key, value in found.items()}}


def unescaped(value: str) -> str:
    return value.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


@given(st.lists(ANY, max_size=3))
def test_whatever_is_said_arrives_whole_at_gitlab_and_in_sarif(findings: list[Finding]) -> None:
    report = json.loads(FORMATS[Format.GITLAB](findings))
    assert [(each["description"], each["location"]["path"], each["location"]["lines"]["begin"]) for each in report] == [
        (f"{finding.code} {said(finding)}", finding.path, finding.line) for finding in findings
    ]
    (run,) = json.loads(FORMATS[Format.SARIF](findings))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [(rules[each["ruleIndex"]], each["level"], each["message"]["text"]) for each in run["results"]] == [
        (finding.code, finding.severity.value, said(finding).replace("{", "{{").replace("}", "}}"))
        for finding in findings
    ]
    uris = [each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in run["results"]]
    assert all(re.fullmatch(r"[A-Za-z0-9/._~%-]*", uri) for uri in uris)

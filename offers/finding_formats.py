"""Findings as other programs read them: JSON, annotations of GitHub, GitLab's Code Quality, SARIF. Findings -> text."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from streams.findings import Finding, Severity

VERSION = 1
"""Of the JSON form."""
SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
DOCUMENTED = "Each code is explained in docs/campaigns.md, under 'What the checker says'."
_GITLAB = {Severity.ERROR: "major", Severity.WARNING: "minor"}
_IN_TEXT = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_SARIF = str.maketrans({"{": "{{", "}": "}}"})
"""SARIF 3.11.5: single braces stand around the number of an argument."""
_IN_PROPERTY = {**_IN_TEXT, **str.maketrans({":": "%3A", ",": "%2C"})}

Document = dict[str, Any]


class Format(StrEnum):
    """What `--format` may be."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    GITLAB = "gitlab"
    SARIF = "sarif"


def located(findings: Iterable[Finding], folder: Path, here: Path) -> tuple[Finding, ...]:
    """The findings of a folder, their paths as seen from `here` (absolute), so that annotations land.

    A folder that is not below `here` stays as it was written. What is no UTF-8 in a path is escaped.
    """
    whole = here / folder
    below = whole.relative_to(here) if whole.is_relative_to(here) and ".." not in folder.parts else folder
    return tuple(replace(finding, path=_utf8((below / finding.path).as_posix())) for finding in findings)


def as_json(findings: Sequence[Finding], dates: Sequence[Mapping[str, object]] | None = None) -> str:
    """One object: `v`, `findings` with message and mend (`hint`) apart, how many errors and warnings, and the `dates`

    of campaigns as they were understood, where they are given."""
    count = Counter(finding.severity for finding in findings)
    told = [
        {
            "path": finding.path,
            "line": finding.line,
            "column": finding.column,
            "code": finding.code,
            "severity": finding.severity.value,
            "message": finding.message,
            "hint": finding.hint,
        }
        for finding in findings
    ]
    found = {"v": VERSION, "findings": told, "errors": count[Severity.ERROR], "warnings": count[Severity.WARNING]}
    if dates is not None:
        found["dates"] = list(dates)
    return _document(found)


def as_github(findings: Sequence[Finding]) -> str:
    """A workflow command for each; GitHub shows the first ten errors and the first ten warnings of a step."""
    return "".join(
        f"::{finding.severity.value} file={finding.path.translate(_IN_PROPERTY)},line={finding.line},"
        f"col={finding.column},title={finding.code.translate(_IN_PROPERTY)}::{_said(finding).translate(_IN_TEXT)}\n"
        for finding in findings
    )


def as_gitlab(findings: Sequence[Finding]) -> str:
    """A Code Quality report."""
    return _document(
        [
            {
                "description": f"{finding.code} {_said(finding)}",
                "check_name": finding.code,
                "fingerprint": fingerprint,
                "severity": _GITLAB[finding.severity],
                "location": {"path": finding.path, "lines": {"begin": finding.line}},
            }
            for finding, fingerprint in zip(findings, fingerprints(findings), strict=True)
        ]
    )


def as_sarif(findings: Sequence[Finding]) -> str:
    """SARIF 2.1.0: one run, a rule for each code that occurs. Columns count characters."""
    codes = sorted({finding.code for finding in findings})
    errors = {finding.code for finding in findings if finding.severity is Severity.ERROR}
    results = [
        _result(finding, codes.index(finding.code), fingerprint)
        for finding, fingerprint in zip(findings, fingerprints(findings), strict=True)
    ]
    driver = {"name": "Offing", "rules": [_rule(code, "error" if code in errors else "warning") for code in codes]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return _document({"$schema": SARIF, "version": "2.1.0", "runs": [run]})


FORMATS: Mapping[Format, Callable[[Sequence[Finding]], str]] = {
    Format.JSON: as_json,
    Format.GITHUB: as_github,
    Format.GITLAB: as_gitlab,
    Format.SARIF: as_sarif,
}
"""The forms for programs. Paths in the findings are those the reader will look for: see `located`."""


def fingerprints(findings: Iterable[Finding]) -> list[str]:
    """64 hex digits for each, none twice: of its path and words and of how many like it came before.

    Lines are no part of it, so a finding keeps its own when lines are added above.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for finding in findings:
        same = (finding.path, finding.code, _said(finding))
        found.append(sha256(json.dumps([*same, seen[same]]).encode()).hexdigest())
        seen[same] += 1
    return found


def _rule(code: str, level: str) -> Document:
    return {
        "id": code,
        "shortDescription": {"text": code.replace("_", " ").capitalize()},
        "help": {"text": DOCUMENTED},
        "defaultConfiguration": {"level": level},
    }


def _result(finding: Finding, rule: int, fingerprint: str) -> Document:
    place = {
        "artifactLocation": {"uri": _uri(finding.path)},
        "region": {"startLine": finding.line, "startColumn": finding.column},
    }
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity.value,
        "message": {"text": _said(finding).translate(_IN_SARIF)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"offing/v1": fingerprint},
    }


def _said(finding: Finding) -> str:
    """The message with its mend."""
    return f"{finding.message} {finding.hint}".rstrip()


def _uri(path: str) -> str:
    return PurePath(path).as_uri() if PurePath(path).is_absolute() else quote(path)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _document(found: object) -> str:
    """JSON in ASCII, which arrives whole wherever a terminal or a pipe is set to another encoding."""
    return json.dumps(found) + "\n"

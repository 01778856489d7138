"""Findings: one line each, with the nearest spelling where there is one."""

from streams.findings import Finding, Severity, a, did_you_mean, has_errors, listed, nearest, shown

ERROR = Finding("a.yaml", 3, 7, "UNKNOWN_LEVEL", "there is no level 'golld'.", "Did you mean 'gold'?")
WARNING = Finding("a.yaml", 2, 1, "ZONE_MISSING", "read as UTC.", severity=Severity.WARNING)


def test_a_finding_is_one_line_with_its_place_and_its_mend() -> None:
    assert str(ERROR) == "a.yaml:3:7: UNKNOWN_LEVEL there is no level 'golld'. Did you mean 'gold'?"
    assert str(WARNING) == "a.yaml:2:1: ZONE_MISSING warning: read as UTC."


def test_findings_sort_by_file_line_and_column() -> None:
    later = Finding("a.yaml", 10, 1, "TAB", "a tab.")
    other = Finding("b.yaml", 1, 1, "TAB", "a tab.")
    assert sorted([other, later, ERROR, WARNING]) == [WARNING, ERROR, later, other]


def test_only_errors_keep_a_file_out() -> None:
    assert has_errors([WARNING, ERROR])
    assert not has_errors([WARNING])
    assert not has_errors([])


def test_the_nearest_spelling_is_found_whatever_the_case() -> None:
    assert nearest("GOLLD", ["blue", "gold"]) == "gold"
    assert nearest("europe/rome", ["Europe/Rome", "Europe/Paris"]) == "Europe/Rome"
    assert nearest("platinum", ["blue", "gold"]) is None
    assert nearest("x" * 100_000, ["blue"]) is None
    assert did_you_mean("platinum", ["blue"]) == ""


def test_values_are_shown_on_one_short_line() -> None:
    assert shown("a\n  b") == "'a b'"
    assert shown("x" * 100) == f"'{'x' * 57}...'"
    assert listed("abc", most=2) == "a, b, ..."
    assert listed([]) == ""
    assert (a("enum"), a("set")) == ("an enum", "a set")

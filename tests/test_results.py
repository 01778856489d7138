"""`make results`: sections are made, merged into the page, and fail alone."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from loadtests.results.__main__ import main
from loadtests.results.page import Conditions, measured, merged, sections_of
from loadtests.results.running import Place, commit, machine, run
from loadtests.results.sections import Section, known
from scoring.cross_validation import Progress
from streams.errors import InvalidInput

SILENT = Console(quiet=True)
CONDITIONS = Conditions(datetime(2026, 11, 22, 7, 30, tzinfo=UTC), "abc", "2 cores", 61.4, "1 to 3")


def making(name: str, body: str = "all is well") -> Section:
    def make(progress: Progress) -> str:
        progress("half", 0.5)
        return f"## The {name}\n\n{body}\n"

    return Section(name, make, seeds="7")


def failing(name: str) -> Section:
    def make(progress: Progress) -> str:
        raise InvalidInput("NO_DATA", "the file is not there")

    return Section(name, make)


def test_a_section_says_under_its_heading_when_where_and_how_again() -> None:
    assert measured("coupons", "## Coupons\n\n.77\n", CONDITIONS) == (
        "## Coupons\n\nMeasured 2026-11-22 07:30 UTC at abc in 61 s on 2 cores. Seeds: 1 to 3. "
        'Again: `make results ARGS="--only coupons"`.\n\n.77\n'
    )


@pytest.mark.parametrize("made", ["", "no heading\n\ntext", "## A heading alone\n", "## A\n\n<!-- end of a -->\n"])
def test_what_is_no_section_is_refused(made: str) -> None:
    with pytest.raises(InvalidInput, match="expected a line '## ") as refused:
        measured("a", made, CONDITIONS)
    assert refused.value.code == "SECTION_INVALID"


def test_a_section_made_again_takes_its_own_place_and_the_others_stay(tmp_path: Path) -> None:
    place = Place(tmp_path / "docs" / "results.md", ("first", "second", "third"))
    assert run([making("third"), making("first")], place, SILENT) == []
    before = sections_of(place.page.read_text())
    assert list(before) == ["first", "third"]
    assert before["first"].startswith("## The first\n\nMeasured 2") and machine() in before["first"]
    assert f"at {commit()} in " in before["first"] and "Seeds: 7." in before["first"]
    assert run([making("second"), making("first", "better now")], place, SILENT) == []
    after = sections_of(place.page.read_text())
    assert list(after) == ["first", "second", "third"]
    assert after["third"] == before["third"] and "better now" in after["first"]
    assert list(tmp_path.rglob("*.draft")) == []


def test_a_section_that_fails_keeps_its_old_text_and_the_others_are_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(tmp_path / "results.md", ("first", "second"))
    run([making("first", "old and true")], place, SILENT)
    with caplog.at_level(logging.ERROR):
        assert run([failing("first"), making("second")], place, SILENT) == ["first"]
    assert "NO_DATA" in caplog.text or "the file is not there" in caplog.text
    found = sections_of(place.page.read_text())
    assert "old and true" in found["first"] and "all is well" in found["second"]


def test_a_quick_run_leaves_out_what_has_no_quick_form(tmp_path: Path) -> None:
    place = Place(tmp_path / "results.md", ("slow", "fast"))
    fast = Section("fast", failing("fast").make, lambda progress: "## Fast\n\nin a moment\n")
    assert run([making("slow"), fast], place, SILENT, quick=True) == []
    assert list(sections_of(place.page.read_text())) == ["fast"]


def test_a_section_that_is_no_more_leaves_the_page() -> None:
    page = merged("", {"gone": "## Gone\n", "here": "## Here\n"}, ("gone", "here"))
    assert list(sections_of(merged(page, {}, ("here",)))) == ["here"]


def test_every_section_can_be_called_and_a_name_that_is_none_is_used_wrongly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert all(callable(section.make) for section in known().values())
    with pytest.raises(SystemExit) as ended:
        main(["--only", "nothing"])
    assert ended.value.code == 2
    assert "invalid choice: 'nothing'" in capsys.readouterr().err

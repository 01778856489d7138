"""The report: a document for machines, and a page made from it alone, with verdict and knee first."""

from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from rich.console import Console

from loadtests.load.chart import bars, lines
from loadtests.load.measured import Measured, StageMeasured, Violation
from loadtests.load.page import page
from loadtests.load.report import document
from loadtests.load.shapes import STEADY, STEP
from loadtests.load.summary import show
from loadtests.load.verdict import judge
from tests.test_load_exposition import texts
from tests.test_load_verdict import BUDGET, stage

RUN = {"shape": "full", "target": {"url": "http://127.0.0.1:8080", "model": "<prior>"}}
EMPTY = {"meta", "br"}


class Page(HTMLParser):
    """Its words in order, and whether its tags close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed at once."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and data.strip():
            self.words.append(data.strip())


def measured() -> Measured:
    steady = stage(STEADY)
    steady.processes, steady.host_cpu, steady.used_cpu, steady.metrics = {"service": 4.0}, 15.0, 1.0, texts()
    steady.hits, steady.hits_as_live = 400, 150
    steady.kind("decision").failed["NO_ANSWER"] = 3
    found = Measured([steady, stage(STEP, 125), stage(STEP, 156, ms=44.4)])
    found.checked.looked_at["language"] = 1_234
    return found


def told(found: Measured) -> dict[str, Any]:
    made = document(judge(found, BUDGET, 1), found, BUDGET, RUN)
    again: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    return again


def test_the_document_has_the_verdict_the_knee_and_every_number() -> None:
    made = told(measured())
    assert (made["v"], made["outcome"], made["exit_code"], made["reasons"]) == (1, "passed", 0, [])
    assert made["knee"]["rate"] == 125 and "decision p50 was 44.4 ms" in made["knee"]["ended_by"]
    steady = made["stages"][0]
    assert steady["rate"] == {"offered": 100, "sent": 100, "answered": 100, "planned": 100}
    assert steady["latency_ms"]["decision"]["from_due"]["p99"] == pytest.approx(5.0, rel=0.001)
    assert steady["decisions"]["hit_rate"] == 0.4 and steady["decisions"]["hit_rate_as_live"] == 0.15
    assert steady["requests"]["failed"] == {"NO_ANSWER": 3}
    assert steady["target"]["cpu_ms_per_request"] == {"service": 4.0}
    assert steady["target"]["stage_ms"]["decide"]["mean"] == pytest.approx(3.0)
    assert steady["target"]["cache"] == {"hit": 3, "miss": 1}
    assert steady["generator"]["elsewhere_cores"] == pytest.approx((15 - 4 - 1) / 10)
    assert steady["freshness_ms"]["count"] == 40
    assert made["stages"][2]["breaches"][0] == "decision p50 was 44.4 ms; at most 10 ms"
    checks = {each["name"]: each for each in made["checks"]}
    assert checks["language"]["looked_at"] == 1_234 and checks["ranks"]["looked_at"] == 0


def test_a_stage_that_was_cut_short_is_not_reported() -> None:
    found = measured()
    found.stages[2].complete = False
    assert [each["name"] for each in told(found)["stages"]] == ["steady", "step"]


def test_the_page_says_verdict_and_knee_first_and_loads_nothing() -> None:
    shown = Page(page(told(measured())))
    assert shown.open == [] and shown.loads == []
    first = shown.words.index("passed")
    assert shown.words[first + 2].startswith("Knee: 125 requests a second within the budget; at 156/s decision p50")
    assert shown.words.index("Latency, steady") > first + 2
    for words in ("40.0%", "15.0% if its outcomes counted", "0.00%", "none: it met nothing", "1,234"):
        assert words in shown.words
    assert "url http://127.0.0.1:8080, model <prior>" in shown.words, "what the target says of itself is only text"


@pytest.mark.parametrize(
    ("outcome", "changes"),
    [("failed", {"due": 2_000, "sent": 2_000}), ("invalid", {"sent": 10}), ("invalid", {"cpu": [0.99]})],
)
def test_a_page_of_each_outcome_has_its_reasons(outcome: str, changes: dict[str, Any]) -> None:
    made = told(Measured([stage(STEADY, **changes)]))
    shown = Page(page(made))
    assert made["outcome"] == outcome and outcome in shown.words
    assert any(made["reasons"][0]["what"] in words for words in shown.words)
    assert "No knee was looked for: the shape has no ramp." in shown.words


def test_violations_are_told_and_cannot_write_the_page() -> None:
    found = measured()
    found.checked.add(Violation("nobody_else", "<script>alert(1)</script>"))
    text = page(told(found))
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert told(found)["violations"] == [{"check": "nobody_else", "found": "<script>alert(1)</script>"}]


def test_nothing_measured_makes_a_page_too() -> None:
    shown = Page(page(told(Measured([StageMeasured(stage().stage, complete=True)]))))
    assert shown.open == [] and "–" in shown.words


def test_the_terminal_is_told_the_same_first() -> None:
    out = StringIO()
    show(Console(file=out, width=160), told(measured()), Path("there"))
    said = out.getvalue().splitlines()
    assert said[0] == "passed" and said[1].startswith("knee: 125 requests a second")
    assert "hit rate 40.0% (15.0% if load's outcomes counted)" in out.getvalue()
    assert "cores used: service 0.40" in out.getvalue()


def test_drawings_are_whole_and_in_scale() -> None:
    drawn = lines({"p50": [(10, 1.0), (20, 10.0), (30, 100.0)]}, limit=50, mark=20, caption="a < b")
    figure = ElementTree.fromstring(drawn)
    dots = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in figure.iter("circle")]
    (x0, y0), (x1, y1), (x2, y2) = dots
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and y0 - y1 == pytest.approx(y1 - y2, abs=0.2), "a log scale"
    rows = ElementTree.fromstring(bars({"read": 1.0, "decide": 4.0}, "ms", "stages"))
    widths = [float(bar.attrib["width"]) for bar in rows.iter("rect")]
    assert widths[1] == pytest.approx(4 * widths[0], rel=0.01)


def test_there_is_no_drawing_of_nothing() -> None:
    assert lines({"p50": []}, limit=1, mark=None, caption="") == bars({}, "ms", "") == bars({"a": 0.0}, "ms", "") == ""

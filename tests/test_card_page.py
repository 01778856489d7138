"""card.html: whole, without network or script, with every number of the card, whatever the log's words are."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import card_page, plots
from scoring.calibration import AS_IT_IS, Calibration
from scoring.card import Card
from scoring.compiled import TARGET
from scoring.dependence import Dependence, DependencePoint
from scoring.features import Column, FeatureList, Part, Transform
from scoring.metrics import Decile, ReliabilityBin, deciles, measure
from scoring.model_folder import CALIBRATION, CARD, FEATURES
from tests.scoring_world import trained

VOID = {"meta", "line", "rect", "circle", "path"}
MODEL_V1 = Path(__file__).parent / "samples" / "model.v1"
SHARES = st.floats(0, 1)


class Reader(HTMLParser):
    """Checks that what is opened is closed, and keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opened."""
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opened and closed."""
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        """Closed."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text += data


def read(page: str) -> Reader:
    """The page, parsed."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small model, only to be read."""
    return trained(tmp_path_factory.mktemp("models"))


def parts(folder: Path) -> tuple[Card, FeatureList, Calibration]:
    """What the page is made of."""
    return (
        msgspec.json.decode((folder / CARD).read_bytes(), type=Card),
        msgspec.json.decode((folder / FEATURES).read_bytes(), type=FeatureList),
        msgspec.json.decode((folder / CALIBRATION).read_bytes(), type=Calibration),
    )


def test_the_page_is_made_of_the_folder_alone_and_asks_for_nothing_else(folder: Path) -> None:
    text = (folder / "card.html").read_text()
    assert text == card_page.page(*parts(folder))
    reader = read(text)
    assert reader.tags.isdisjoint({"script", "link", "img", "iframe", "object", "base", "form"})
    assert re.findall(r"https?:|url\(|@import|\son\w+=|javascript:", text) == []
    assert len(text) < 200_000


def test_the_page_has_every_number_and_name_of_the_card(folder: Path) -> None:
    card, features, _ = parts(folder)
    text = read((folder / "card.html").read_text()).text
    for kind, found in card.metrics.items():
        for told in (kind, f"{found.auc:.3f}", f"{found.log_loss:.4f}", f"{found.brier:.4f}", f"{found.ece:.4f}"):
            assert told in text
        assert f"Reliability, {kind}" in text
        assert f"Gain by decile, {kind}" in text
    assert card.target == TARGET
    for told in (card.data, *card.revisions, *card.models, "2026-11-18", "LightGBM", TARGET):
        assert told in text
    for name in (*features.names, *(each.column for each in card.dependence)):
        assert name in text
    assert card.dependence[0].column == card.importance[0][0]
    assert 3 <= len(card.dependence) <= 6


def test_names_and_levels_with_marks_in_them_are_text(folder: Path) -> None:
    card, _, calibration = parts(folder)
    evil = '<script>alert("x")</script>&'
    point = DependencePoint(evil, 1.0, 0.2, 0.1, 0.3)
    changed = msgspec.structs.replace(
        card,
        importance=((evil, 1.0),),
        dependence=(Dependence(evil, False, (point, point)),),
        revisions=(evil,),
        left_out={evil: 3},
        metrics={evil: next(iter(card.metrics.values()))},
    )
    features = FeatureList(1, (Column(evil, Part.COMMON, evil, Transform.NUMBER),))
    page = card_page.page(changed, features, calibration)
    assert "<script" not in page
    assert evil in read(page).text


def test_a_card_of_an_earlier_version_has_a_page_without_what_it_did_not_keep() -> None:
    (model,) = MODEL_V1.iterdir()
    page = card_page.page(*parts(model))
    assert "Gain by decile" not in page
    assert "How they move the probability" not in page
    assert "What it looks at" in read(page).text


def test_a_model_that_looks_at_nothing_and_one_outcome_alone_have_a_page(folder: Path) -> None:
    card, features, _ = parts(folder)
    one = measure(np.ones(3), np.full(3, 0.4), np.arange(3), np.ones(3), 0)
    empty = msgspec.structs.replace(card, importance=(), dependence=(), metrics={"later": one}, target="")
    text = read(card_page.page(empty, features, AS_IT_IS)).text
    assert "AUC, later" in text
    assert "nothing: the booster serves" in text


COORDINATES = re.compile(r'\b(?:cx|cy|x|y|x1|x2|y1|y2|width|height|r)="([^"]*)"')


def inside(picture: str) -> None:
    """Every coordinate is a number on the picture."""
    for text in COORDINATES.findall(picture):
        assert 0 <= float(text) <= plots.WIDTH
    for path in re.findall(r' d="([^"]*)"', picture):
        for text in re.findall(r"-?[\d.]+", path):
            assert 0 <= float(text) <= plots.WIDTH
    assert "nan" not in picture
    read(picture)


BINS = st.builds(ReliabilityBin, st.just(0.0), st.just(1.0), st.integers(1, 10**6), SHARES, SHARES)


@given(st.lists(BINS, min_size=1, max_size=10))
@settings(max_examples=30)
def test_reliability_lies_on_its_picture(bins: list[ReliabilityBin]) -> None:
    inside(plots.reliability(bins))


@given(st.lists(st.builds(Decile, st.integers(1, 9), SHARES, SHARES), min_size=1, max_size=10), SHARES)
@settings(max_examples=30)
def test_gain_lies_on_its_picture(tenths: list[Decile], mean: float) -> None:
    inside(plots.gain(tenths, mean))


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), SHARES, SHARES, SHARES), min_size=1, max_size=12), st.booleans())
@settings(max_examples=30)
def test_dependence_lies_on_its_picture(found: list[tuple[float, float, float, float]], ordered: bool) -> None:
    numbers = sorted(found)
    points = [DependencePoint(f"{value:.3g}", value, mean, *sorted(quartiles)) for value, mean, *quartiles in numbers]
    points.append(DependencePoint("missing", None, 0.5, 0.4, 0.6))
    of = Dependence("customer.age", ordered, tuple(points))
    inside(plots.dependence(of, plots.ceiling([of])))


def test_tenths_are_of_equal_size_and_the_highest_first() -> None:
    probability = np.linspace(0, 1, 25)
    found = deciles((probability > 0.5).astype(np.float64), probability, np.ones(25))
    assert [each.rows for each in found] == [3, 3, 3, 3, 3, 2, 2, 2, 2, 2]
    assert (found[0].observed, found[-1].observed) == (1, 0)
    assert found[0].predicted == pytest.approx(1 - 1 / 24)
    assert deciles(np.ones(3), np.ones(3) / 2, np.ones(3)) == (Decile(1, 0.5, 1.0),) * 3

"""`campaigns preview`: an offer in every placement and language, with a persona's numbers or with examples."""

import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offers import preview_page, preview_scene, screenshot
from offers.cli import app
from offers.folder import load_folder
from offers.previews import Preview, Scene, previews
from offers.screenshot import Size, take
from streams.errors import Retry
from streams.instant import parse_instant
from tests.golden_case import DEPLOYMENT
from tests.served import eventually, lives

CABIN = DEPLOYMENT / "cabins" / "upgrade-livorno-olbia.yaml"
TONIGHT = f"{DEPLOYMENT / 'tests' / 'personas.yaml'}#gold-tonight"
AFTERNOON = parse_instant("2026-11-21T14:00:00Z")
LATE = parse_instant("2026-11-21T21:00:00Z")


def offing(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["campaigns", "preview", *arguments], color=False, env={"COLUMNS": "100"})


def drawn(*arguments: str) -> dict[str, Any]:
    """What a machine is told of each `placement locale`."""
    done = offing(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return {f"{each['placement']} {each['locale']}": each for each in json.loads(done.stdout)["previews"]}


def scene(file: Path, now: int = AFTERNOON) -> Scene:
    return preview_scene.example_scene(preview_scene.place_of(str(file), None, DEPLOYMENT), now)[0]


def first(file: Path, now: int = AFTERNOON) -> Preview:
    return previews(scene(file, now), ["en"])[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example operator's folder, to be changed."""
    return Path(shutil.copytree(DEPLOYMENT, tmp_path / "campaigns"))


def change(folder: Path, old: str, new: str) -> Path:
    file = folder / CABIN.relative_to(DEPLOYMENT)
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    return file


# Whose numbers


def test_every_placement_and_language_is_drawn_with_examples_that_fit_the_campaign() -> None:
    found = drawn(str(CABIN))
    placements = ("app.home.hero", "app.trip.card", "app.home.tablet")
    assert list(found) == [
        f"{place} {locale}" for place in placements for locale in ("it", "en", "de", "fr", "zh-Hant")
    ]
    german = found["app.trip.card de"]
    assert german["representation"]["body"] == (
        "Abfahrt 21:30 Uhr: eine Innenkabine ganz für Sie für 55,50\xa0€, 29\xa0% günstiger."
    ), "79 EUR less 30 % is 55.30, rounded to 0.50: what an answer would say"
    assert german["representation"]["why_shown"].startswith("Sie sind Gold-Mitglied, reisen bald ab Livorno")
    assert german["lengths"]["title"] == {"characters": 31, "limit": None}
    fare, departure, origin = german["examples"]
    assert fare == "market.fare.cabin_inside 79,00\xa0€"
    assert departure.startswith("sailing.departure ")
    assert origin == "sailing.origin Livorno"


def test_an_example_ship_leaves_on_the_evening_to_come() -> None:
    afternoon, night = first(CABIN), first(CABIN, LATE)
    assert "sailing.departure November 21, 2026, 9:30\u202fPM" in afternoon.examples
    assert "sailing.departure November 22, 2026, 9:30\u202fPM" in night.examples


def test_a_personas_numbers_are_shown_as_they_would_be_and_nothing_is_made_up() -> None:
    found = drawn("cabin-upgrade-livorno-olbia", "--dir", str(DEPLOYMENT), "--persona", TONIGHT)
    hero = found["app.home.hero it-IT"]
    assert hero["price"]["text"] == "49,00\xa0€"
    assert hero["representation"]["body"].startswith("Partenza alle 21:30: ")
    assert hero["representation"]["action"]["link"] == "https://app.example/trip/b-771/upgrade?ot={token}"
    assert hero["examples"] == []
    assert "app.home.hero de" in found, "the other languages, in their own ways"


def test_what_a_persona_does_not_say_is_an_example(tmp_path: Path) -> None:
    (tmp_path / "me.yaml").write_text("now: 2026-11-21T15:00+01:00\n")
    found = drawn(str(CABIN), "--persona", str(tmp_path / "me.yaml"), "--locale", "it")
    assert "market.fare.cabin_inside 79,00\xa0€" in found["app.home.hero it"]["examples"]


def test_a_reader_of_another_country_has_their_own_way_of_writing_numbers() -> None:
    assert drawn(str(CABIN), "--locale", "en-GB")["app.home.hero en-GB"]["price"]["text"] == "€55.50"
    assert drawn(str(CABIN), "--locale", "de-AT")["app.home.hero de-AT"]["price"]["text"] == "€\xa055,50"


def test_every_example_campaign_can_be_drawn_without_anybodys_data() -> None:
    loaded, known = load_folder(DEPLOYMENT), scene(CABIN)
    assert loaded.campaigns is not None
    for campaign in loaded.campaigns.campaigns:
        placements = tuple(loaded.campaigns.placements[name] for name in campaign.offer.placements)
        found = previews(replace(known, offer=campaign.offer, placements=placements))
        assert [each.missing for each in found if each.item is None] == [], campaign.id
        assert not any("{" in each.item.representation.body for each in found if each.item is not None)


# What is wrong


def test_a_text_longer_than_its_place_is_marked_and_fails(folder: Path) -> None:
    file = folder / "placements.yaml"
    text = file.read_text()
    file.write_text(text.replace("app.trip.card: {", "app.trip.card: {limits: {title: 30}, ", 1))
    done = offing(str(folder / CABIN.relative_to(DEPLOYMENT)), "--locale", "it")
    assert done.exit_code == 1
    assert "title 35/30" in done.output
    assert "TEXT_TOO_LONG" in done.stderr


def test_a_placeholder_that_can_have_no_value_is_named(folder: Path) -> None:
    file = change(folder, "at_least: 25 EUR", "at_least: 90 EUR")
    done = offing(str(file), "--locale", "it")
    assert done.exit_code == 1
    assert "Nothing is shown: {discount} has no value" in " ".join(done.stdout.replace("│", "").split())


def test_a_campaign_with_mistakes_is_told_them_and_those_of_others_do_not_matter(folder: Path) -> None:
    (folder / "other.yaml").write_text("campaign: [")
    assert offing(str(folder / CABIN.relative_to(DEPLOYMENT))).exit_code == 0
    done = offing(str(change(folder, "at_least: gold", "at_least: oro")))
    assert done.exit_code == 1
    assert "cabins/upgrade-livorno-olbia.yaml:10:41: UNKNOWN_LEVEL" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing-like-it", "--dir", str(DEPLOYMENT)], 1, "CAMPAIGN_UNKNOWN 'nothing-like-it' is neither a file nor"),
        (["nothing-like-it", "--dir", "/nowhere"], 1, "CAMPAIGN_UNKNOWN"),
        ([__file__], 1, "FOLDER_MISSING"),
        ([str(CABIN), "--persona", f"{TONIGHT}s"], 1, "UNKNOWN_PERSONA"),
        ([str(CABIN), "--persona", "/nowhere.yaml"], 1, "/nowhere.yaml"),
    ],
)
def test_what_cannot_be_drawn_says_why(arguments: list[str], code: int, said: str) -> None:
    done = offing(*arguments)
    assert done.exit_code == code
    assert said in " ".join(done.stderr.split())


def test_a_language_in_which_nothing_is_shown_is_used_wrongly(folder: Path) -> None:
    file = change(folder, "representation:", "languages: {others: nothing, because: a trial}\nrepresentation:")
    done = offing(str(file), "--locale", "ja")
    assert done.exit_code == 2
    assert "written are it, en, de, fr, zh-Hant" in " ".join(done.stderr.replace("│", "").split())


# Pages and pictures


class Elements(HTMLParser):
    """The names of a page's elements."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]


def test_a_page_holds_words_as_words_asks_for_nothing_and_runs_nothing(folder: Path) -> None:
    file = change(folder, "Scegli la cabina", '"<b onclick=x>&amp;</b>"')
    found = previews(scene(file), ["it", "en"])
    page = preview_page.sheet("<i>", "note", [found[:2], found[2:4], found[4:]])
    assert "&lt;b onclick=x&gt;&amp;amp;&lt;/b&gt;" in page
    assert "<title>&lt;i&gt;</title>" in page
    elements = Elements()
    elements.feed(page)
    assert elements.addresses == []
    assert not {"script", "b onclick", "img", "link", "iframe"} & {*elements.names}
    assert page.count('class="phone"') == 6


def test_pages_are_written_without_a_browser_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = offing(str(CABIN), "--locale", "it", "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "4 pages and 0 pictures" in done.stderr
    assert "none of chromium, chromium-browser, google-chrome, google-chrome-stable is on PATH" in done.stderr
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "app.home.hero.it.html", "app.home.tablet.it.html", "app.trip.card.it.html", "index.html",
    ]  # fmt: skip


def test_a_page_becomes_a_picture_of_a_phone(tmp_path: Path) -> None:
    program = screenshot.browser()
    if program is None:
        pytest.skip(f"none of {', '.join(screenshot.BROWSERS)} is on PATH")
    page, picture = tmp_path / "page.html", tmp_path / "picture.png"
    page.write_text(preview_page.phone(first(CABIN)))
    take(program, page, picture, Size(preview_page.WIDTH, preview_page.HEIGHT, 2))
    content = picture.read_bytes()
    assert (int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")) == (780, 1688)
    assert len(content) > 20_000, "not an empty page"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["page.html", "picture.png"]


def program(folder: Path, lines: str) -> str:
    """A browser that does what it should not."""
    made = folder / "browser"
    made.write_text(f"#!/bin/sh\n{lines}\n")
    made.chmod(0o755)
    return str(made)


def test_a_browser_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    hanging = program(tmp_path, f"sleep 600 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(Retry, match=r"took longer than 1\.5 s"):
        take(hanging, tmp_path / "page.html", tmp_path / "picture.png", Size(390, 844), timeout_s=1.5)
    helper = int((tmp_path / "child").read_text())
    eventually(lambda: not lives(helper), "the end of what the browser had started")  # the signal is not the end of it
    assert not (tmp_path / "picture.png").exists()


def test_a_browser_that_draws_nothing_leaves_the_old_picture_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"old")
    broken = program(tmp_path, "echo 'no fonts' >&2; exit 1")
    with pytest.raises(Retry, match=r"drew nothing of page\.html: no fonts") as raised:
        take(broken, tmp_path / "page.html", tmp_path / "picture.png", Size(390, 844))
    assert raised.value.code == "PICTURE_FAILED"
    assert (tmp_path / "picture.png").read_bytes() == b"old"

"""One offer, different words and looks: by placement, and as a text message."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from offers import reply
from offers.cli import app
from offers.folder import load_folder
from offers.offer import Offer, Text
from offers.preview_scene import example_scene, place_of
from offers.previews import Preview, previews
from offers.proposition import Decision, Item, PlacementSlate
from offers.sms import measure
from streams.ids import DecisionId, ModelId, PlacementId, RevisionId
from streams.instant import parse_instant
from tests.golden_case import DEPLOYMENT

NOW = parse_instant("2026-11-21T14:00:00Z")
SPA = """campaign: late-spa
owner: onboard.spa
schedule: {zone: Europe/Rome}
offer: {id: late-spa, about: booking}
price: {amount: 32 EUR}
placements: [app.home.hero, app.trip.card, sms.trip]
representation:
  image: spa-on-board
  link: "https://app.example/spa?ot={token}"
  web: "https://a.example/s"
  at:
    app.trip.card: {image: cabin-sea-view, link: "https://app.example/trip/{booking.id}/spa?ot={token}"}
text:
  it:
    title: Un'ora di caldo prima di cena
    body: "La spa ha posto, {price}."
    button: Prenota
    alt: Una vasca calda
    why: Hai un viaggio.
    sms: "Parti alle {sailing.departure|time}: la spa ha posto, {price}. {link}"
    at:
      app.trip.card: {title: Un'ora di caldo}
  en:
    title: Warm up
    body: "The spa has room, {price}."
    button: Book
    alt: A warm pool
    why: You have a trip.
    sms: "You leave at {sailing.departure|time}: the spa has room, {price}. {link}"
"""
ITALIAN = '"Parti alle {sailing.departure|time}: la spa ha posto, {price}. {link}"'
ENGLISH = '"You leave at {sailing.departure|time}: the spa has room, {price}. {link}"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example operator's folder with a placement that is a text message."""
    made = Path(shutil.copytree(DEPLOYMENT, tmp_path / "campaigns", ignore=shutil.ignore_patterns("tests")))
    placements = made / "placements.yaml"
    placements.write_text(placements.read_text() + "  sms.trip: {channel: sms, max_items: 1, limits: {segments: 1}}\n")
    return made


def said(folder: Path, campaign: str = SPA) -> list[str]:
    (folder / "spa.yaml").write_text(campaign)
    return [str(finding) for finding in load_folder(folder).findings if finding.path == "spa.yaml"]


def offer_of(folder: Path, campaign: str = SPA) -> Offer:
    assert said(folder, campaign) == []
    return example_scene(place_of(str(folder / "spa.yaml"), None, folder), NOW)[0].offer


def drawn(folder: Path, campaign: str = SPA) -> dict[str, Preview]:
    offer_of(folder, campaign)
    scene = example_scene(place_of(str(folder / "spa.yaml"), None, folder), NOW)[0]
    return {f"{each.placement.id} {each.locale}": each for each in previews(scene)}


def with_token(folder: Path) -> str:
    """Its link says which message was followed; the placement sends as many segments as that takes."""
    placements = folder / "placements.yaml"
    placements.write_text(placements.read_text().replace(", limits: {segments: 1}", ""))
    return SPA.replace('web: "https://a.example/s"', 'web: "https://a.example/s?ot={token}"')


def item(preview: Preview) -> Item:
    assert preview.item is not None
    return preview.item


# By placement


def test_what_differs_by_placement_is_that_alone(folder: Path) -> None:
    found = drawn(folder)
    hero, card = item(found["app.home.hero it"]).representation, item(found["app.trip.card it"]).representation
    assert (hero.title, card.title) == ("Un'ora di caldo prima di cena", "Un'ora di caldo")
    assert (
        (hero.body, hero.why_shown)
        == (card.body, card.why_shown)
        == ("La spa ha posto, 32,00\xa0€.", "Hai un viaggio.")
    )
    assert item(found["app.trip.card en"]).representation.title == "Warm up", "nothing differs in English"
    assert hero.image.placeholder != card.image.placeholder
    assert hero.action["link"] == "https://app.example/spa?ot={token}"
    assert card.action == {
        "link": "https://app.example/trip/b-771/spa?ot={token}",
        "web": "https://a.example/s",
    }


def test_words_of_any_placement_need_their_facts(folder: Path) -> None:
    counting = SPA.replace("{title: Un'ora di caldo}", '{title: "{market.cabins_free.inside|number} posti"}')
    (folder.parent / "me.yaml").write_text(
        "now: 2026-11-21T15:00+01:00\ncustomer: {bookings: {b-1: {sailing: s-1, accommodation: seat}}}\n"
        "market: {sailings: {s-1: {line: ITLIV-ITOLB, departs: '2026-11-21T21:30+01:00'}}}\n"
        "request: {locale: it-IT, placements: {app.home.hero: 1}}\n"
    )
    offer_of(folder, counting)
    done = offing("simulate", str(folder), "--persona", str(folder.parent / "me.yaml"), "--json")
    assert done.exit_code == 0, done.output
    found = next(each for each in json.loads(done.stdout)["offers"] if each["offer_id"] == "late-spa")
    assert [reason["code"] for reason in found["reasons"]] == ["CONTEXT_MISSING"]


def test_a_limit_is_that_of_the_words_shown_there(folder: Path) -> None:
    placements = folder / "placements.yaml"
    placements.write_text(placements.read_text().replace("app.trip.card: {", "app.trip.card: {limits: {title: 16}, "))
    assert said(folder) == []
    assert said(folder, SPA.replace("{title: Un'ora di caldo}", "{title: Un'ora di vero caldo}")) == [
        "spa.yaml:22:30: TEXT_TOO_LONG warning: text.it.at.app.trip.card.title has 20 characters; app.trip.card "
        "shows 16. Shorten it."
    ]
    (usual,) = said(folder, SPA.replace("{title: Un'ora di caldo}", "{body: Posto.}"))
    assert usual.startswith("spa.yaml:15:12: TEXT_TOO_LONG"), "the usual title is shown there"


@pytest.mark.parametrize(
    ("good", "bad", "answer"),
    [
        (
            "      app.trip.card: {title: Un'ora di caldo}",
            "      app.trip.cart: {title: Un'ora di caldo}",
            "22:7: UNKNOWN_PLACEMENT the campaign does not stand in 'app.trip.cart'. Did you mean 'app.trip.card'?",
        ),
        (
            "    app.trip.card: {image: cabin-sea-view",
            "    app.home.tablet: {image: cabin-sea-view",
            "12:5: UNKNOWN_PLACEMENT the campaign does not stand in 'app.home.tablet'. Did you mean 'app.home.hero'?",
        ),
        (
            "{title: Un'ora di caldo}",
            "{titel: Un'ora di caldo}",
            "22:23: UNKNOWN_KEY text.it.at.app.trip.card has no key 'titel'. Did you mean 'title'?",
        ),
        (
            '    sms: "You leave at {sailing.departure|time}: the spa has room, {price}. {link}"\n',
            "",
            "24:5: TEXT_MISSING text.en has no 'sms'. Add 'sms:', written in 'en'.",
        ),
        (
            'body: "The spa has room, {price}."',
            'body: "The spa has room, {link}."',
            "25:11: PLACEHOLDER_UNKNOWN text.en.body: there is no placeholder '{link}'.",
        ),
    ],
)
def test_a_slip_is_told_where_it_stands(folder: Path, good: str, bad: str, answer: str) -> None:
    assert good in SPA
    (found,) = said(folder, SPA.replace(good, bad))
    assert found.removeprefix("spa.yaml:").startswith(answer)


# Text messages


def test_a_text_message_is_one_text_with_its_link_and_the_token_in_it(folder: Path) -> None:
    campaign = with_token(folder)
    found = drawn(folder, campaign)
    shown = item(found["sms.trip it"])
    assert shown.representation.sms == "Parti alle 21:30: la spa ha posto, 32,00 €. https://a.example/s?ot={token}"
    assert item(found["app.home.hero it"]).representation.sms is None
    assert measure("32,00 €").encoding == "GSM-7", "the no-break space of the price is an ordinary one"
    message = found["sms.trip it"].message
    assert message is not None
    assert (message.encoding, message.segments) == ("GSM-7", 2), "a token has some 200 characters"


def test_the_answers_message_holds_the_token(folder: Path) -> None:
    campaign = with_token(folder)
    shown = item(drawn(folder, campaign)["sms.trip en"])
    slate = PlacementSlate(PlacementId("sms.trip"), False, 120, (shown,))
    decision = Decision(
        DecisionId("d-1"), NOW, RevisionId("r-1"), ModelId("m-1"), (), (slate,), (), (), (), NOW, ()
    )  # fmt: skip
    around = reply.Around(NOW, "request", 1.0)
    answer = json.loads(reply.encode(reply.told(decision, [["ot1.k9"]]), around))["placements"][0]["items"][0]
    assert answer["representation"]["sms"] == (
        "You leave at 9:30 PM: the spa has room, €32.00. https://a.example/s?ot=ot1.k9"
    )
    assert answer["representation"]["action"]["web"] == "https://a.example/s?ot=ot1.k9"


def test_a_campaign_of_messages_alone_needs_no_words_for_apps(folder: Path) -> None:
    campaign = (
        SPA[: SPA.index("placements:")]
        + 'placements: [sms.trip]\nrepresentation: {image: spa-on-board, link: "https://a.example", web: "https://a.example"}\n'
        + "text:\n  it: {sms: La spa ha posto., why: Hai un viaggio.}\n"
    )
    words = offer_of(folder, campaign).representation.texts["it"]
    assert words == Text("", "", "", "", "Hai un viaggio.", "La spa ha posto.")
    (lacks,) = said(folder, campaign.replace(", why: Hai un viaggio.", ""))
    assert lacks.startswith("spa.yaml:9:7: TEXT_MISSING text.it has no 'why'")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "Forêt: {price}. " + "a" * 60,
            "takes 2 segments of 67 with its placeholders filled instead of 1, since 'ê' is not in GSM-7; sms.trip "
            "sends 1. Write it without, or shorten it.",
        ),
        ("a" * 171, "takes 2 segments of 153; sms.trip sends 1. Shorten it by 11 characters."),
        (
            "{price}" + "a" * 155,
            "takes 2 segments of 153 with its placeholders filled; sms.trip sends 1. Shorten it by 6 characters.",
        ),
    ],
)
def test_a_message_that_takes_more_segments_than_are_sent_says_why(folder: Path, text: str, answer: str) -> None:
    (found,) = said(folder, SPA.replace(ITALIAN, f'"{text}"'))
    assert found == f"spa.yaml:20:10: TEXT_TOO_LONG warning: text.it.sms {answer}"


def test_a_date_in_french_may_need_the_longer_alphabet(folder: Path) -> None:
    message = '"Le {sailing.departure|date} le spa a de la place pour vous, à bord, dès le soir et demain."'
    french = SPA.replace("  en:", "  fr:").replace(ENGLISH, message)
    (found,) = said(folder, french)
    assert "since 'û' (of {sailing.departure}) is not in GSM-7" in found, "28 août"


def test_limits_of_a_message_are_segments_and_of_an_app_are_not(folder: Path) -> None:
    placements = folder / "placements.yaml"
    text = placements.read_text()
    placements.write_text(text.replace("limits: {segments: 1}", "limits: {title: 10}"))
    assert "has no key 'title'. Its keys: segments." in found(folder)
    placements.write_text(text.replace("app.trip.card: {", "app.trip.card: {limits: {segments: 1}, "))
    assert "has no key 'segments'. Its keys: body, button, title." in found(folder)


def test_a_message_is_previewed_with_its_segments(folder: Path) -> None:
    said(folder)
    done = offing("preview", str(folder / "spa.yaml"), "--locale", "it")
    assert done.exit_code == 0, done.output
    assert "segments 1/1 · GSM-7 64/160" in done.stdout
    found = json.loads(offing("preview", str(folder / "spa.yaml"), "--locale", "it", "--json").stdout)["previews"]
    assert found[2]["sms"] == {"encoding": "GSM-7", "units": 64, "segments": 1, "forced_by": ""}


def found(folder: Path) -> str:
    return " ".join(str(finding) for finding in load_folder(folder).findings)


def offing(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["campaigns", *arguments], color=False, env={"COLUMNS": "100"})

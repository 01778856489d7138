"""The campaign language: what a good file becomes, and one bad file for every mistake it can name."""

import re
from pathlib import Path

import pytest

from offers.condition import ALWAYS
from offers.folder import LoadedFolder, check_folder, load_folder
from offers.offer import (
    Campaign,
    Consent,
    Goal,
    Limit,
    Offer,
    Price,
    RelativeTime,
    Schedule,
    Selector,
    Suppression,
    Text,
    Value,
    Window,
)
from streams.findings import Finding, Severity
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant

HERE = Path(__file__).parent
BAD = sorted((HERE / "campaigns_bad").glob("*.yaml"))
MINIMAL = """
campaign: spa-day
owner: onboard.spa
offer: {id: spa-day}
placements: [app.home.hero]
representation: {image: sea, link: "https://app.example/spa", web: "https://www.example/spa"}
text:
  en: {title: Spa day, body: A day in the spa., button: Book, alt: A pool on deck, why: You like spas.}
"""
CONSENT = "consent: {purposes: [personalised_offers, social]}\n"
BOOKING = "offer: {id: spa-day, about: booking}"


@pytest.fixture(scope="module")
def deployment() -> LoadedFolder:
    return load_folder(HERE / "deployment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The deployment's files without its campaigns and without a fallback."""
    for file in ("seasons.yaml", "images.yaml"):
        (tmp_path / file).write_bytes((HERE / "deployment" / file).read_bytes())
    (tmp_path / "placements.yaml").write_text(
        "placements: {app.home.hero: {}, app.trip.card: {}, web.home: {channel: web}}"
    )
    return tmp_path


def check(folder: Path, deployment: LoadedFolder, text: str | bytes) -> tuple[Campaign | None, tuple[Finding, ...]]:
    (folder / "spa.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    assert deployment.attributes is not None and deployment.places is not None
    checked, findings = check_folder(folder, deployment.attributes, deployment.places)
    return (checked.campaigns[0] if checked is not None else None), findings


def offer_of(folder: Path, deployment: LoadedFolder, text: str) -> Offer:
    campaign, findings = check(folder, deployment, text)
    assert campaign is not None, findings
    return campaign.offer


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


# What good files become


def test_the_test_deployment_has_no_findings(deployment: LoadedFolder) -> None:
    assert deployment.findings == ()
    assert deployment.campaigns is not None
    assert [campaign.id for campaign in deployment.campaigns.campaigns] == [
        "cabin-upgrade-livorno-olbia",
        "islands-newsletter",
        "late-deck-fare",
        "winery-visit-gallura",
    ]


def test_the_smallest_campaign_has_the_usual_values(folder: Path, deployment: LoadedFolder) -> None:
    offer = offer_of(folder, deployment, MINIMAL)
    assert offer.id == "spa-day"
    assert (offer.facts.starting_mean, offer.facts.starting_evidence) == (0.05, 50.0)
    assert (offer.eligibility, offer.applicability, offer.suitability) == (ALWAYS, ALWAYS, ALWAYS)
    assert (offer.schedule, offer.about, offer.price, offer.value) == (Schedule(), None, None, Value())
    assert (offer.ttl_s, offer.lever, offer.goal, offer.fallback) == (900, 1.0, Goal(), False)
    assert offer.where == "spa.yaml:2"
    assert offer.representation.others == "en"


def test_an_offer_is_read_whole(folder: Path, deployment: LoadedFolder) -> None:
    head = (
        "schedule: {from: 2026-11-21 15:00, until: 2026-11-30 24:00, zone: Europe/Rome, days: [sun, fri],"
        ' hours: "22:00-02:00", season: [winter, summer]}\n'
        "consent: {purposes: [location, personalised_offers], channels: [web, app]}\n"
        "price: {from: market.fare.deck, discount: 12.5 %, at_least: 25 EUR, round_to: 0.50 EUR,"
        " fresh_within: 10 min}\n"
        "limits:\n"
        "  - {count: exposure, per: customer, of: campaign, at_most: 3, window: rolling 24 h}\n"
        "  - {count: click, at_most: 1, window: calendar month}\n"
        "suppress: [{after: dismissed, for: 7 d}, {after: redeemed, until: 1 h after booking.sailing.departure}]\n"
    )
    numbers = (
        "offer: {id: spa-day, about: booking, collection: spa, starting_propensity: {mean: 6 %, evidence: 20},"
        " value: {amount: 3.50 EUR, margin: 62 %}, lever: 1.2, ttl: 20 min, goal: {event: redeemed, within: 48 h},"
        " attributes: {kind: spa}}"
    )
    offer = offer_of(folder, deployment, head + MINIMAL.replace("offer: {id: spa-day}", numbers))
    assert offer.schedule == Schedule(
        zone="Europe/Rome",
        starts=parse_instant("2026-11-21T14:00:00Z"),
        ends=parse_instant("2026-11-30T23:00:00Z"),
        days=(5, 7),
        hours=(22 * 60, 2 * 60),
        seasons=("summer", "winter"),
    )
    assert offer.consent == Consent(("location", "personalised_offers"), ("app", "web"))
    assert offer.price == Price("EUR", "market.fare.deck", 0, 0.125, 2_500, 50, 10 * MINUTE_MS)
    assert offer.value == Value(3.5, 0.62)
    assert offer.limits == (
        Limit("exposed", "customer", "campaign", 3, Window("rolling", DAY_MS), "spa.yaml:5:5"),
        Limit("clicked", "customer", "offer", 1, Window("calendar", unit="month", zone="Europe/Rome"), "spa.yaml:6:5"),
    )
    assert offer.suppress == (
        Suppression("dismissed", 7 * DAY_MS, where="spa.yaml:7:12"),
        Suppression("redeemed", until=RelativeTime("sailing.departure", HOUR_MS), where="spa.yaml:7:42"),
    )
    priced = {"offer.discount": 12.5, "offer.price_source": "market.fare.deck"}
    assert (offer.facts.collection, offer.facts.attributes) == ("spa", {**priced, "offer.kind": "spa"})
    assert (offer.facts.starting_mean, offer.facts.starting_evidence) == (0.06, 20.0)
    assert (offer.facts.goal_event, offer.facts.goal_within_ms) == ("redeemed", 48 * HOUR_MS)
    assert (offer.lever, offer.ttl_s, offer.goal) == (1.2, 1_200, Goal("redeemed", 48 * HOUR_MS))


@pytest.mark.parametrize(
    ("written", "selector"),
    [
        ("booking", Selector("booking")),
        ("{sailing: next}", Selector("sailing", "next")),
        ("{sailing: from_here, within: 72 h}", Selector("sailing", "from_here", within_ms=72 * HOUR_MS)),
        ("{sailing: any}", Selector("sailing", "any")),
        ("{sailing: line, line: ITLIV-ITOLB}", Selector("sailing", "line", line="ITLIV-ITOLB")),
        ("{venue: here}", Selector("venue", "here")),
        ("{venue: on_board}", Selector("venue", "on_board")),
        ("{venue: gallura-winery}", Selector("venue", "id", venue="gallura-winery")),
    ],
)
def test_about_becomes_a_selector(folder: Path, deployment: LoadedFolder, written: str, selector: Selector) -> None:
    text = MINIMAL.replace("offer: {id: spa-day}", f"offer: {{id: spa-day, about: {written}}}")
    assert offer_of(folder, deployment, text).about == selector


@pytest.mark.parametrize(
    ("written", "ends"),
    [
        ("2026-11-22 09:00", (parse_instant("2026-11-22T08:00:00Z"), None)),
        ("2026-11-22T09:00+02:00", (parse_instant("2026-11-22T07:00:00Z"), None)),
        ("90 min before booking.sailing.departure", (None, RelativeTime("sailing.departure", -90 * MINUTE_MS))),
        ("sailing.departure", (None, RelativeTime("sailing.departure", 0))),
        ("2 h after sailing.arrival", (None, RelativeTime("sailing.arrival", 2 * HOUR_MS))),
    ],
)
def test_until_is_an_instant_or_relative_to_the_subject(
    folder: Path, deployment: LoadedFolder, written: str, ends: tuple[int | None, RelativeTime | None]
) -> None:
    text = f"schedule: {{until: {written}, zone: Europe/Rome}}\n" + MINIMAL.replace("offer: {id: spa-day}", BOOKING)
    schedule = offer_of(folder, deployment, text).schedule
    assert (schedule.ends, schedule.ends_relative) == ends


@pytest.mark.parametrize(
    ("head", "write", "others"),
    [
        ("", ["de", "it"], "de"),
        ("languages: {others: it}", ["de", "it"], "it"),
        ("languages: {write: [it, de], others: nothing, because: agreed with legal}", ["de", "it"], None),
    ],
)
def test_languages_are_the_keys_of_text_unless_said(
    folder: Path, deployment: LoadedFolder, head: str, write: list[str], others: str | None
) -> None:
    words = "{title: T, body: B, button: K, alt: A, why: W}"
    text = f"{head}\n" + MINIMAL[: MINIMAL.index("text:")] + f"text: {{de: {words}, it: {words}}}"
    representation = offer_of(folder, deployment, text).representation
    assert (list(representation.texts), representation.others) == (write, others)
    assert representation.texts["de"] == Text("T", "B", "K", "A", "W")


def test_a_price_of_an_amount_takes_its_currency_with_it(folder: Path, deployment: LoadedFolder) -> None:
    text = "price: {amount: 4900 JPY, discount: 30 %, margin: 40 %}\n" + MINIMAL
    offer = offer_of(folder, deployment, text)
    assert offer.price == Price("JPY", None, 4_900, 0.3)
    assert offer.value == Value(0.0, 0.4)


def test_limits_that_need_not_be_strict_are_kept(folder: Path, deployment: LoadedFolder) -> None:
    limits = "limits: [{count: redemption, at_most: 3, strict: false}]\n"
    assert offer_of(folder, deployment, limits + MINIMAL).limits == (
        Limit("redeemed", "customer", "offer", 3, Window(), "spa.yaml:1:10"),
    )


def test_a_limit_of_all_customers_together_counts_the_campaign(folder: Path, deployment: LoadedFolder) -> None:
    limits = (
        "limits: [{count: exposure, per: campaign, at_most: 300, window: calendar day in Europe/Rome, strict: false}]\n"
    )
    (limit,) = offer_of(folder, deployment, limits + MINIMAL).limits
    assert limit == Limit(
        "exposed", "campaign", "campaign", 300, Window("calendar", unit="day", zone="Europe/Rome"), "spa.yaml:1:10"
    )
    assert limit.shared


def test_the_file_a_campaign_manager_hopes_to_write_is_read(folder: Path, deployment: LoadedFolder) -> None:
    campaign, findings = check(folder, deployment, (HERE / "campaigns" / "hoped_for.yaml").read_text())
    assert campaign is not None
    assert [str(finding) for finding in findings] == [
        "spa.yaml:32:49: NO_EFFECT_YET warning: on_stop.reserved has no effect in this version: nothing is reserved. "
        "Remove it, or keep it for a later one.",
    ]


# Mistakes


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_file_says_what_where_and_the_mend(folder: Path, deployment: LoadedFolder, file: Path) -> None:
    for good in (HERE / "deployment" / "campaigns").glob("*.yaml"):
        (folder / "campaigns").mkdir(exist_ok=True)
        (folder / "campaigns" / good.name).write_bytes(good.read_bytes())
    (folder / "placements.yaml").write_bytes((HERE / "deployment" / "placements.yaml").read_bytes())
    content = file.read_bytes()
    head = re.findall(r"^\ufeff?# (\d.*)$", content.decode(errors="replace"), re.MULTILINE)
    campaign, findings = check(folder, deployment, content)
    assert [str(finding).removeprefix("spa.yaml:") for finding in findings] == head
    expected = file.stem.partition("-")[0].upper()
    assert {finding.code for finding in findings} == {expected}
    warnings = all(finding.severity is Severity.WARNING for finding in findings)
    assert (campaign is not None) is warnings


def test_every_mistake_of_a_file_is_found_in_one_run(folder: Path, deployment: LoadedFolder) -> None:
    bad = MINIMAL.replace("owner: onboard.spa", "owner: ").replace("hero]", "heros]").replace("sea", "see")
    _, findings = check(folder, deployment, bad + "eligibility: [{context.weather: sun}]\nextra: 1\n")
    assert codes(findings) == ["EMPTY_VALUE", "UNKNOWN_PLACEMENT", "UNKNOWN_IMAGE", "UNKNOWN_LEVEL", "UNKNOWN_KEY"]
    assert [finding.line for finding in findings] == [3, 5, 6, 9, 10]


def test_a_file_full_of_mistakes_has_a_bounded_number_of_findings(folder: Path, deployment: LoadedFolder) -> None:
    campaign, findings = check(folder, deployment, MINIMAL + "".join(f"key{number}: 1\n" for number in range(500)))
    assert campaign is None
    assert len(findings) == 100


def test_warnings_never_crowd_out_an_error(folder: Path, deployment: LoadedFolder) -> None:
    windows = ["{count: exposure, at_most: 1, window: calendar day}"] * 150
    campaign, findings = check(folder, deployment, f"limits: [{', '.join(windows)}]\n{MINIMAL}extra: 1\n")
    assert campaign is None
    assert codes(findings).count("UNKNOWN_KEY") == 1


def test_scoring_knows_the_discount_and_the_fare_it_follows(folder: Path, deployment: LoadedFolder) -> None:
    fixed = offer_of(folder, deployment, "price: {amount: 49 EUR, discount: 30 %}\n" + MINIMAL)
    assert fixed.facts.attributes["offer.discount"] == 30.0
    assert fixed.facts.attributes["offer.price"] == 4_900
    unpriced = offer_of(folder, deployment, MINIMAL)
    assert "offer.discount" not in unpriced.facts.attributes

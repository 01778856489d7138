"""policies.yaml: quiet hours of channels, in decisions, reasons and caches; and who may raise which budget."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers import explain, quiet
from offers.candidates import Candidates
from offers.catalog import Catalog
from offers.decide import decide
from offers.folder import LoadedFolder, check_folder, load_folder
from offers.offer import Campaign, CampaignFolder, Placement, QuietHours, Schedule, Value
from offers.proposition import Code, Decision
from streams.ids import Millis, OfferId, PlacementId, RevisionId
from streams.instant import HOUR_MS, MINUTE_MS, parse_instant
from streams.places import Places
from streams.record import DecisionInputs, PlacementRequest
from tests.catalogs import ATTRIBUTES, HERO, inputs, offer
from tests.deciding import declared

HERE = Path(__file__).parent
PUSH = PlacementId("push.offer")
NIGHT = QuietHours(Schedule("Europe/Rome", hours=(22 * 60, 8 * 60)), ("push",), "policies.yaml:3:5")
BOTH = (PlacementRequest(HERO, 3), PlacementRequest(PUSH, 2))


def world(*rules: QuietHours) -> Catalog:
    """An offer for the app, one for both, one for messages, and a fallback of each channel."""
    offers = [
        offer("app", value=Value(3)),
        offer("both", value=Value(2), placements=(HERO, PUSH)),
        offer("message", value=Value(1), placements=(PUSH,)),
        offer("empty-handed", fallback=True, placements=(HERO, PUSH)),
    ]
    campaigns = tuple(Campaign(each.campaign_id, "tests", each, f"{each.id}.yaml") for each in offers)
    placements = {
        HERO: Placement(HERO, fallback=OfferId("empty-handed")),
        PUSH: Placement(PUSH, channel="push", fallback=OfferId("empty-handed")),
    }
    folder = CampaignFolder(campaigns, placements, quiet=rules)
    return Catalog(RevisionId("r-test"), folder, ATTRIBUTES, Places())


def at(time: str, asked: tuple[PlacementRequest, ...] = BOTH) -> DecisionInputs:
    return msgspec.structs.replace(inputs(asked=asked), now=parse_instant(time))


def shown(decision: Decision) -> list[list[str]]:
    return [[str(item.offer_id) for item in slate.items] for slate in decision.placements]


@pytest.mark.parametrize(
    ("time", "silent"),
    [
        ("2026-11-21T20:59:59Z", False),
        ("2026-11-21T21:00:00Z", True),
        ("2026-11-22T06:59:59Z", True),
        ("2026-11-22T07:00:00Z", False),
    ],
)
def test_a_channel_is_silent_in_its_quiet_hours_and_the_others_are_not(time: str, silent: bool) -> None:
    decision = decide(at(time), world(NIGHT), declared())
    app, push = decision.placements
    assert [item.offer_id for item in app.items] == ["app", "both"]
    assert ([item.offer_id for item in push.items], push.problem) == (
        ([], "QUIET_HOURS") if silent else (["message"], None)
    )
    assert not push.fallback, "a fallback is silent too"


def test_what_is_asked_for_a_silent_channel_alone_says_so() -> None:
    situation, catalog = at("2026-11-21T23:00:00Z", BOTH[1:]), world(NIGHT)
    decision = decide(situation, catalog, declared())
    assert shown(decision) == [[]]
    found = {str(each.offer_id): each for each in explain.explain(situation, catalog, decision)}
    assert [(reason.code, reason.where, reason.detail) for reason in found["message"].reasons] == [
        (Code.QUIET_HOURS, "policies.yaml:3:5", "push is quiet from 22:00 to 08:00 Europe/Rome")
    ]
    assert [reason.code for reason in found["app"].reasons] == [Code.PLACEMENT_NOT_ASKED]


def test_a_decision_holds_no_longer_than_until_the_quiet_begins() -> None:
    before = at("2026-11-21T20:59:30Z")
    assert decide(before, world(NIGHT), declared()).valid_until == parse_instant("2026-11-21T21:00:00Z")
    assert decide(before, world(), declared()).valid_until > parse_instant("2026-11-21T21:00:00Z") - 1


def test_days_are_those_on_which_the_quiet_begins() -> None:
    sunday = QuietHours(Schedule("Europe/Rome", days=(7,), hours=(22 * 60, 8 * 60)), ("push",))
    catalog = world(sunday)
    assert [bool(catalog.silent(parse_instant(time))) for time in (
        "2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z", "2026-11-23T05:00:00Z", "2026-11-23T23:00:00Z",
    )] == [False, True, True, False]  # fmt: skip


RULES = st.lists(
    st.builds(
        lambda zone, begin, length, days: QuietHours(
            Schedule(zone, days=days, hours=(begin, (begin + length) % 1440)), ("push",)
        ),
        st.sampled_from(["Europe/Rome", "America/New_York", "Australia/Lord_Howe", "UTC"]),
        st.integers(0, 95).map(lambda quarter: quarter * 15),
        st.integers(1, 90).map(lambda quarter: quarter * 15),
        st.lists(st.integers(1, 7), max_size=3, unique=True).map(lambda found: tuple(sorted(found))),
    ),
    max_size=2,
)


@given(RULES, st.integers(0, 400 * 24 * 4).map(lambda n: parse_instant("2026-01-01T00:00:00Z") + n * 15 * MINUTE_MS))
@settings(max_examples=60, deadline=None)
def test_index_and_plain_evaluator_agree_and_nothing_changes_before_it_is_said_to(
    rules: list[QuietHours], now: Millis
) -> None:
    catalog = world(*rules)
    situation = msgspec.structs.replace(inputs(asked=BOTH), now=now)
    plain = {each.id for each in catalog.layout if explain.allowed(each, situation, catalog)}
    indexed = {catalog.layout[position].id for position in Candidates(catalog, situation).positions().tolist()}
    assert indexed == plain
    until = min(catalog.interval(now)[1], now + 6 * HOUR_MS)
    silent = bool(catalog.silent(now))
    assert all(bool(catalog.silent(now + step)) is silent for step in range(0, until - now, 15 * MINUTE_MS))


def test_several_channels_are_told_together() -> None:
    assert quiet.told(QuietHours(Schedule("UTC", hours=(0, 60)), ("push", "sms"))) == (
        "push and sms are quiet from 00:00 to 01:00 UTC"
    )


# In files


CAMPAIGN = """
campaign: spa-day
owner: {owner}
offer: {{id: spa-day}}
placements: [app.home.hero]
representation: {{image: sea, link: "https://app.example/spa", web: "https://www.example/spa"}}
text:
  en: {{title: Spa day, body: A day in the spa., button: Book, alt: A pool on deck, why: You like spas.}}
"""


@pytest.fixture(scope="module")
def deployment() -> LoadedFolder:
    return load_folder(HERE / "deployment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in ("seasons.yaml", "images.yaml"):
        (tmp_path / file).write_bytes((HERE / "deployment" / file).read_bytes())
    (tmp_path / "placements.yaml").write_text("placements: {app.home.hero: {}, sms.offer: {channel: sms}}")
    return tmp_path


def check(
    folder: Path, deployment: LoadedFolder, policies: str, owner: str = "onboard.spa", more: str = ""
) -> tuple[CampaignFolder | None, list[str]]:
    (folder / "policies.yaml").write_text(policies)
    (folder / "spa.yaml").write_text(CAMPAIGN.format(owner=owner) + more)
    assert deployment.attributes is not None and deployment.places is not None
    found, findings = check_folder(folder, deployment.attributes, deployment.places)
    return found, [str(finding) for finding in findings]


def test_quiet_hours_are_read(folder: Path, deployment: LoadedFolder) -> None:
    text = 'quiet_hours: {hours: "22:00-08:00", zone: Europe/Rome, channels: sms, days: [sun, fri]}'
    found, findings = check(folder, deployment, text)
    assert found is not None and findings == []
    plan = Schedule("Europe/Rome", days=(5, 7), hours=(22 * 60, 8 * 60))
    assert found.quiet == (QuietHours(plan, ("sms",), "policies.yaml:1:14"),)


@pytest.mark.parametrize(
    ("quiet_hours", "said"),
    [
        (
            '{hours: "22-8", zone: UTC, channels: sms}',
            "1:22: TIME_INVALID '22-8' are not hours of a day. Write '17:00-22:00'.",
        ),
        (
            '{hours: "22:00-08:00", zone: UTC, channels: sns}',
            "1:58: UNKNOWN_CHANNEL channels cannot be 'sns'. One of: app, sms. Did you mean 'sms'?",
        ),
        (
            '{hours: "22:00-08:00", zone: UTC}',
            "1:14: KEY_MISSING quiet_hours has no 'channels'. Add 'channels:'.",
        ),
        (
            '{hours: "22:00-08:00", channels: sms}',
            "1:14: ZONE_MISSING warning: quiet hours are read as UTC. Give them a zone: Europe/Rome.",
        ),
    ],
)
def test_a_slip_in_quiet_hours_is_told(folder: Path, deployment: LoadedFolder, quiet_hours: str, said: str) -> None:
    _, findings = check(folder, deployment, f"quiet_hours: {quiet_hours}")
    assert findings == [f"policies.yaml:{said}"]


BUDGETS = "budgets:\n  marketing: {at_most: 5000 EUR}\n  marketing.sardinia: {at_most: 20000 EUR}\n"


@pytest.mark.parametrize(
    ("owner", "amount", "said"),
    [
        ("marketing.elba", "5000 EUR", ""),
        (
            "marketing.elba",
            "5000.01 EUR",
            "BUDGET_ABOVE_POLICY budget.amount is '5000.01 EUR'; marketing may spend 5000 EUR a campaign "
            "(policies.yaml:2:14). Write at most '5000 EUR', or have it raised there.",
        ),
        ("marketing.sardinia", "20000 EUR", ""),
        (
            "marketing.sardinia.olbia",
            "20001 EUR",
            "BUDGET_ABOVE_POLICY budget.amount is '20001 EUR'; marketing.sardinia may spend 20000 EUR a campaign "
            "(policies.yaml:3:23). Write at most '20000 EUR', or have it raised there.",
        ),
        ("onboard.spa", "900000 EUR", ""),
        (
            "marketing",
            "10 CHF",
            "CURRENCY_MISMATCH budget.amount is in CHF; marketing may spend 5000 EUR a campaign (policies.yaml:2:14). "
            "Write it in EUR.",
        ),
    ],
)
def test_a_budget_is_held_against_the_policy_nearest_to_its_owner(
    folder: Path, deployment: LoadedFolder, owner: str, amount: str, said: str
) -> None:
    more = f"budget: {{amount: {amount}, strict: false}}\n"
    _, findings = check(folder, deployment, BUDGETS, owner, more)
    told = [finding for finding in findings if "BUDGET_ABOVE_POLICY" in finding or "CURRENCY" in finding]
    assert told == ([f"spa.yaml:9:18: {said}"] if said else [])

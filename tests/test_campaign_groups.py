"""Campaign < group < defaults: what wins, what is added, and that each inherited value is told by its own place."""

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from offers import campaign_show
from offers.cli import app
from offers.condition import leaves
from offers.folder import LoadedFolder, check_folder, load_folder
from offers.offer import Campaign
from offers.schema_file import of_folder
from streams.instant import DAY_MS, HOUR_MS
from streams.positioned_yaml import read_yaml
from tests.test_campaign_schema import as_editors_read

HERE = Path(__file__).parent
ROOT = HERE.parent
CAMPAIGN = """
campaign: spa-day
group: wellness
offer: {id: spa-day, about: booking, collection: spa}
representation: {image: sea, link: "https://app.example/spa", web: "https://www.example/spa"}
text:
  en: {title: Spa day, body: A day in the spa., button: Book, alt: A pool on deck, why: You like spas.}
"""
GROUP = """owner: onboard.spa
schedule: {zone: Europe/Rome, hours: "09:00-21:00"}
eligibility:
  - customer.age: {at_least: 16}
limits:
  - {count: exposure, at_most: 3, window: rolling 24 h}
suppress: {after: dismissed, for: 7 d}
consent: {purposes: [personalised_offers]}
placements: [app.home.hero]
"""
POLICIES = """limits:
  - {count: exposure, at_most: 40, window: rolling 24 h}
defaults:
  owner: head.office
  schedule: {zone: UTC}
  consent: {purposes: [personalised_offers], channels: [app]}
  suitability:
    none: [{customer.open_complaint: {is: true, on_missing: pass}}]
"""


@pytest.fixture(scope="module")
def deployment() -> LoadedFolder:
    return load_folder(HERE / "deployment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in ("seasons.yaml", "images.yaml", "attributes.yaml"):
        (tmp_path / file).write_bytes((HERE / "deployment" / file).read_bytes())
    (tmp_path / "placements.yaml").write_text("placements: {app.home.hero: {}, app.trip.card: {}}")
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "wellness.yaml").write_text(GROUP)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    return tmp_path


def check(folder: Path, deployment: LoadedFolder, text: str) -> tuple[Campaign | None, list[str]]:
    (folder / "spa.yaml").write_text(text)
    assert deployment.attributes is not None and deployment.places is not None
    checked, findings = check_folder(folder, deployment.attributes, deployment.places)
    return None if checked is None else checked.campaigns[0], [str(finding) for finding in findings]


def good(folder: Path, deployment: LoadedFolder, text: str) -> Campaign:
    campaign, findings = check(folder, deployment, text)
    assert campaign is not None and findings == [], findings
    return campaign


def test_what_a_campaign_leaves_out_it_has_from_its_group_and_then_from_the_defaults(
    folder: Path, deployment: LoadedFolder
) -> None:
    campaign = good(folder, deployment, CAMPAIGN)
    offer = campaign.offer
    assert (campaign.owner, offer.placements) == ("onboard.spa", ("app.home.hero",))
    assert (offer.schedule.zone, offer.schedule.hours) == ("Europe/Rome", (9 * 60, 21 * 60))
    assert (offer.consent.purposes, offer.consent.channels) == (("personalised_offers",), ("app",))
    alone = good(folder, deployment, CAMPAIGN.replace("group: wellness\n", "placements: [app.trip.card]\n"))
    assert (alone.owner, alone.offer.schedule.hours, alone.offer.limits) == ("head.office", None, ())
    assert [leaf.where for leaf in leaves(alone.offer.suitability)] == ["policies.yaml:8:13"]


def test_a_value_of_the_campaign_wins_and_lists_are_added_together(folder: Path, deployment: LoadedFolder) -> None:
    text = (
        CAMPAIGN + "owner: marketing.spa\nplacements: [app.trip.card]\nschedule: {zone: Europe/Athens, days: [fri]}\n"
        "eligibility: {customer.loyalty_tier: gold}\nlimits: [{count: exposure, at_most: 1, window: rolling 1 h}]\n"
        "suppress: [{after: redeemed, for: 30 d}]\nconsent: {purposes: [social, personalised_offers]}\n"
    )
    campaign = good(folder, deployment, text)
    offer = campaign.offer
    assert (campaign.owner, offer.placements, offer.schedule.zone) == (
        "marketing.spa",
        ("app.trip.card",),
        "Europe/Athens",
    )
    assert (offer.schedule.days, offer.schedule.hours) == ((5,), (9 * 60, 21 * 60)), "each key of a schedule by itself"
    assert [(leaf.where, leaf.via) for leaf in leaves(offer.eligibility)] == [
        ("groups/wellness.yaml:4:5", "spa.yaml:3:8"),
        ("spa.yaml:11:15", ""),
    ]
    assert [(limit.at_most, limit.window.length_ms, limit.where) for limit in offer.limits] == [
        (3, DAY_MS, "groups/wellness.yaml:6:5"),
        (1, HOUR_MS, "spa.yaml:12:10"),
    ]
    assert [(rule.after, rule.where) for rule in offer.suppress] == [
        ("dismissed", "groups/wellness.yaml:7:11"),
        ("redeemed", "spa.yaml:13:12"),
    ]
    assert offer.consent.purposes == ("personalised_offers", "social")


def test_a_mistake_of_a_group_is_told_once_in_its_own_file(folder: Path, deployment: LoadedFolder) -> None:
    (folder / "wine.yaml").write_text(CAMPAIGN.replace("spa-day", "wine-day"))
    (folder / "groups" / "wellness.yaml").write_text(
        GROUP.replace("at_least: 16", "at_least: teen").replace("3,", "x,")
    )
    _, findings = check(folder, deployment, CAMPAIGN)
    assert findings == [
        "groups/wellness.yaml:4:30: NOT_NUMBER customer.age is 'teen', not a number. Write a whole number such as 1.",
        "groups/wellness.yaml:6:32: NOT_NUMBER at_most is 'x', not a number. Write a whole number such as 1.",
    ]


def test_what_is_wrong_only_for_one_campaign_names_it(folder: Path, deployment: LoadedFolder) -> None:
    (folder / "groups" / "wellness.yaml").write_text(GROUP + "applicability: [{booking.phase: on_board}]\n")
    assert check(folder, deployment, CAMPAIGN)[1] == []
    _, findings = check(folder, deployment, CAMPAIGN.replace("about: booking, ", ""))
    assert findings == [
        "groups/wellness.yaml:10:18: NO_ABOUT booking.phase is a fact of a booking; the offer is about nothing; it is "
        "used at spa.yaml:3:8. Give the offer 'about: booking'."
    ]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        (
            "groups/wellness.yaml",
            GROUP + "text: {}\n",
            "groups/wellness.yaml:10:1: UNKNOWN_KEY a group has no key 'text'.",
        ),
        ("groups/wellness.yaml", "- 1\n", "groups/wellness.yaml:1:1: WRONG_TYPE a group is a list."),
        ("groups/other.yml", GROUP, "groups/other.yml:1:1: WRONG_SUFFIX files that end in .yml are not read."),
        ("groups/Spa Days.yaml", GROUP, "groups/Spa Days.yaml:1:1: NAME_INVALID a group has the name of its file"),
        ("policies.yaml", "defaults: {own: x}", "policies.yaml:1:12: UNKNOWN_KEY defaults has no key 'own'."),
        ("policies.yaml", "default: {owner: x}", "policies.yaml:1:1: UNKNOWN_KEY policies.yaml has no key 'default'."),
    ],
)
def test_a_slip_in_a_shared_file_is_told(
    folder: Path, deployment: LoadedFolder, file: str, content: str, said: str
) -> None:
    (folder / file).write_text(content)
    _, findings = check(folder, deployment, CAMPAIGN + "owner: a\nplacements: [app.home.hero]\n")
    assert any(finding.startswith(said) for finding in findings), findings


def test_the_nearest_group_is_offered(folder: Path, deployment: LoadedFolder) -> None:
    _, findings = check(folder, deployment, CAMPAIGN.replace("wellness", "welness"))
    assert findings == ["spa.yaml:3:8: UNKNOWN_GROUP there is no group 'welness'. Did you mean 'wellness'?"]


def test_a_campaign_of_an_unknown_group_hears_its_own_mistakes_too(folder: Path, deployment: LoadedFolder) -> None:
    text = CAMPAIGN.replace("wellness", "welness") + "eligibility: [{booking.phase: on_bord}]\nconsents: {}\n"
    _, findings = check(folder, deployment, text)
    assert [finding.split()[:2] for finding in findings] == [
        ["spa.yaml:3:8:", "UNKNOWN_GROUP"],
        ["spa.yaml:8:31:", "UNKNOWN_LEVEL"],
        ["spa.yaml:9:1:", "UNKNOWN_KEY"],
    ]


def test_a_group_that_cannot_be_read_is_not_blamed_on_its_campaigns(folder: Path, deployment: LoadedFolder) -> None:
    (folder / "groups" / "wellness.yaml").write_text("owner: [")
    _, findings = check(folder, deployment, CAMPAIGN)
    assert [finding.split()[:2] for finding in findings] == [["groups/wellness.yaml:1:9:", "YAML_SYNTAX"]]


def test_a_fallback_inherits_nothing_that_would_rule_somebody_out(folder: Path, deployment: LoadedFolder) -> None:
    campaign = good(folder, deployment, CAMPAIGN.replace("about: booking, collection: spa", "fallback: true"))
    offer = campaign.offer
    assert (campaign.owner, offer.limits, offer.suppress, offer.consent.purposes) == ("onboard.spa", (), (), ())
    assert [*leaves(offer.eligibility), *leaves(offer.suitability)] == []


def test_campaigns_of_a_group_share_its_experiment(folder: Path, deployment: LoadedFolder) -> None:
    (folder / "groups" / "wellness.yaml").write_text(GROUP + "experiment: {id: spa-trial, holdout: 10 %}\n")
    offer = good(folder, deployment, CAMPAIGN).offer
    assert offer.experiment is not None and (offer.experiment.id, offer.experiment.holdout) == ("spa-trial", 0.1)
    own = good(folder, deployment, CAMPAIGN + "experiment: {id: own-trial, holdout: 5 %}\n").offer
    assert own.experiment is not None and own.experiment.id == "own-trial"
    (folder / "groups" / "wellness.yaml").write_text(GROUP + "experiment: {id: spa-trial, holdout: 100 %}\n")
    _, findings = check(folder, deployment, CAMPAIGN)
    assert findings == [
        "groups/wellness.yaml:10:38: OUT_OF_RANGE experiment.holdout is 100 %: nobody would see it. Write such as "
        "'10 %'."
    ]


# Duties


DUTIES = """duties:
  spa:
    require: [{customer.age: {at_least: 18}}]
    disclosures: [drink_responsibly]
"""


def test_a_duty_of_a_collection_holds_for_every_offer_in_it(folder: Path, deployment: LoadedFolder) -> None:
    (folder / "policies.yaml").write_text(DUTIES)
    offer = good(folder, deployment, CAMPAIGN).offer
    assert [(leaf.low, leaf.where) for leaf in leaves(offer.eligibility)] == [
        (18, "policies.yaml:3:16"),
        (16, "groups/wellness.yaml:4:5"),
    ]
    assert offer.disclosures == ("drink_responsibly",)
    other = good(folder, deployment, CAMPAIGN.replace("collection: spa", "collection: pools")).offer
    assert (len(list(leaves(other.eligibility))), other.disclosures) == (1, ())


def test_a_fallback_cannot_be_in_a_collection_with_conditions(folder: Path, deployment: LoadedFolder) -> None:
    (folder / "policies.yaml").write_text(DUTIES)
    _, findings = check(folder, deployment, CAMPAIGN.replace("about: booking", "fallback: true"))
    assert findings == [
        "spa.yaml:4:8: FALLBACK_UNFIT a fallback asks no conditions, and its collection requires some "
        "(policies.yaml:3). Take it out of the collection, or mark another offer."
    ]


@pytest.mark.parametrize(
    ("duties", "said"),
    [
        ("{spa: {requires: []}}", "policies.yaml:1:16: UNKNOWN_KEY the duty of spa has no key 'requires'."),
        ("{spa: {disclosures: Drink!}}", "policies.yaml:1:29: NAME_INVALID disclosures 'Drink!' has the wrong form."),
        ("{spa: {}}", "policies.yaml:1:15: EMPTY_VALUE the duty of spa asks nothing."),
        ("{spa: {require: {customer.ages: 4}}}", "policies.yaml:1:26: UNKNOWN_ATTRIBUTE no attribute is called"),
    ],
)
def test_a_slip_in_a_duty_is_told(folder: Path, deployment: LoadedFolder, duties: str, said: str) -> None:
    (folder / "policies.yaml").write_text(f"duties: {duties}")
    _, findings = check(folder, deployment, CAMPAIGN)
    assert any(finding.startswith(said) for finding in findings), findings


# Showing it


def test_show_prints_the_whole_campaign_with_the_place_of_what_it_inherits(folder: Path) -> None:
    (folder / "spa.yaml").write_text(CAMPAIGN + "eligibility: [{customer.loyalty_tier: gold}]\n")
    found = CliRunner().invoke(app, ["campaigns", "show", str(folder / "spa.yaml")])
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert "owner: onboard.spa  # groups/wellness.yaml:1:8" in lines
    at = lines.index("eligibility:")
    assert lines[at + 1 : at + 3] == [
        "  - {customer.age: {at_least: 16}}  # groups/wellness.yaml:4:5",
        "  - {customer.loyalty_tier: gold}",
    ]
    told = json.loads(CliRunner().invoke(app, ["campaigns", "show", str(folder / "spa.yaml"), "--json"]).stdout)
    assert told["campaign"]["consent"] == {"purposes": ["personalised_offers"], "channels": ["app"]}
    assert {"key": "consent.channels", "where": "policies.yaml:6:56"} in told["inherited"]
    assert {"key": "eligibility[0]", "where": "groups/wellness.yaml:4:5"} in told["inherited"]


def test_show_says_what_cannot_be_inherited(folder: Path) -> None:
    (folder / "spa.yaml").write_text(CAMPAIGN.replace("wellness", "welness"))
    found = CliRunner().invoke(app, ["campaigns", "show", str(folder / "spa.yaml")])
    assert (found.exit_code, found.stdout) == (1, "")
    assert "spa.yaml:3:8: UNKNOWN_GROUP" in found.stderr


def test_what_show_prints_reads_as_what_it_shows(folder: Path) -> None:
    shown = ROOT / "deploy" / "campaigns"
    files = [file for file in sorted(shown.glob("*/*.yaml")) if file.parent.name not in ("tests", "groups")]
    (folder / "spa.yaml").write_text(CAMPAIGN + 'description: "a, b # c: {d}"\n')
    for home, file in [(folder, folder / "spa.yaml"), *((shown, file) for file in files)]:
        root, _ = campaign_show.inherited(home, file)
        assert root is not None
        again, findings = read_yaml("\n".join(campaign_show.page(root)).encode(), "again")
        assert findings == [] and as_editors_read(again) == as_editors_read(root), file
    assert len(files) >= 30


def test_the_schema_knows_the_groups_and_what_they_give(folder: Path) -> None:
    (folder / "spa.yaml").write_text(CAMPAIGN)
    validator = jsonschema_rs.validator_for(json.dumps(of_folder(folder)))
    root, _ = read_yaml(CAMPAIGN.encode(), "spa.yaml")
    assert validator.is_valid(as_editors_read(root))
    wrong, _ = read_yaml(CAMPAIGN.replace("wellness", "welness").encode(), "spa.yaml")
    assert not validator.is_valid(as_editors_read(wrong))


def test_the_blocks_of_the_manual_check_clean(folder: Path, deployment: LoadedFolder) -> None:
    page = (ROOT / "docs" / "campaigns.md").read_text()
    (group,) = re.findall(r"^```yaml group\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (policies,) = re.findall(r"^```yaml policies\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (folder / "groups" / "wellness.yaml").write_text(group)
    (folder / "policies.yaml").write_text(policies)
    (folder / "groups" / "other.yaml").write_text(GROUP)
    campaign = good(folder, deployment, CAMPAIGN.replace("collection: spa", "collection: wine"))
    assert campaign.offer.disclosures == ("drink_responsibly",)


NAMED = """conditions:
  gold: {customer.loyalty_tier: {at_least: gold}}
  eager: [{use: gold}, {any: [{customer.interests: {has: spa}}, {customer.age: {below: 40}}]}]
"""
QUIET = (
    'quiet_hours: [{hours: "22:00-08:00", zone: Europe/Rome, channels: [app]}]\nbudgets: {onboard: {at_most: 9 EUR}}\n'
)


@given(st.sampled_from(["conditions.yaml", "policies.yaml", "groups/wellness.yaml"]), st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_shared_file_is_told_and_raises_nothing(
    folder: Path, deployment: LoadedFolder, file: str, data: st.DataObject
) -> None:
    whole = {
        "conditions.yaml": NAMED,
        "policies.yaml": POLICIES + DUTIES + QUIET,
        "groups/wellness.yaml": GROUP + "applicability: {use: eager}\n",
    }
    text = whole[file]
    at = data.draw(st.integers(0, len(text)))
    until = data.draw(st.integers(at, min(len(text), at + 12)))
    whole[file] = (
        text[:at]
        + data.draw(st.sampled_from(["", "[", "{", "}", ": ", "\n", "- ", "#", "x", "use: gold"]))
        + text[until:]
    )
    for name, content in whole.items():
        (folder / name).write_text(content)
    campaign, findings = check(folder, deployment, CAMPAIGN + "eligibility: [{use: [gold, eager]}]\n")
    assert campaign is not None or any("warning" not in finding for finding in findings)
    assert all(re.match(r"[\w ./-]+:\d+:\d+: [A-Z_]+ ", finding) for finding in findings)

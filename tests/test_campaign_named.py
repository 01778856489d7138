"""conditions.yaml: named conditions, used anywhere, judged where they are used, and told by both places."""

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest

from offers import explain
from offers.candidates import Candidates
from offers.catalog import Catalog
from offers.condition import All, AnyOf, Condition, asks, leaves
from offers.coverage import coverage, page
from offers.folder import LoadedFolder, check_folder, load_folder
from offers.offer import Offer
from offers.schema_file import of_folder
from streams.ids import RevisionId
from tests.catalogs import NOW, inputs

HERE = Path(__file__).parent
CAMPAIGN = """
campaign: spa-day
owner: onboard.spa
schedule: {zone: Europe/Rome}
offer: {id: spa-day, about: booking}
consent: {purposes: [personalised_offers, location]}
placements: [app.home.hero]
representation: {image: sea, link: "https://app.example/spa", web: "https://www.example/spa"}
text:
  en: {title: Spa day, body: A day in the spa., button: Book, alt: A pool on deck, why: You like spas.}
"""
NAMED = """conditions:
  gold: {customer.loyalty_tier: {at_least: gold}}
  gold-nearby:
    - use: gold
    - location: {within: 30 km of port:ITLIV}
  eager:
    - any:
        - customer.interests: {has: spa}
        - customer.age: {below: 40}
"""


@pytest.fixture(scope="module")
def deployment() -> LoadedFolder:
    return load_folder(HERE / "deployment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in ("seasons.yaml", "images.yaml", "attributes.yaml"):
        (tmp_path / file).write_bytes((HERE / "deployment" / file).read_bytes())
    (tmp_path / "placements.yaml").write_text("placements: {app.home.hero: {}}")
    return tmp_path


def check(folder: Path, deployment: LoadedFolder, named: str, campaign: str) -> tuple[Offer | None, list[str]]:
    (folder / "conditions.yaml").write_text(named)
    (folder / "spa.yaml").write_text(CAMPAIGN + campaign)
    assert deployment.attributes is not None and deployment.places is not None
    checked, findings = check_folder(folder, deployment.attributes, deployment.places)
    return None if checked is None else checked.campaigns[0].offer, [str(finding) for finding in findings]


def offer_of(folder: Path, deployment: LoadedFolder, named: str, campaign: str) -> Offer:
    offer, findings = check(folder, deployment, named, campaign)
    assert offer is not None and findings == [], findings
    return offer


def places(condition: Condition) -> list[tuple[str, str]]:
    return [(leaf.where, leaf.via) for leaf in leaves(condition)]


def test_a_name_stands_for_its_conditions_wherever_it_is_used(folder: Path, deployment: LoadedFolder) -> None:
    written = """eligibility:
  - customer.loyalty_tier: {at_least: gold}
  - location: {within: 30 km of port:ITLIV}
suitability:
  none:
    - any: [{customer.interests: {has: spa}}, {customer.age: {below: 40}}]
"""
    used = "eligibility: {use: gold-nearby}\nsuitability: {none: [{use: eager}]}\n"
    plain, named = (offer_of(folder, deployment, NAMED, text) for text in (written, used))
    for layer in ("eligibility", "suitability"):
        assert asks(getattr(named, layer)) == asks(getattr(plain, layer))
    assert [leaf.text for leaf in leaves(named.suitability)] == [
        "not customer.interests: {has: spa}",
        "not customer.age: {below: 40}",
    ]


def test_several_names_are_all_of_them(folder: Path, deployment: LoadedFolder) -> None:
    offer = offer_of(folder, deployment, NAMED, "eligibility: {use: [gold, eager], customer.age: {at_least: 18}}\n")
    assert isinstance(offer.eligibility, All)
    assert [type(child).__name__ for child in offer.eligibility.children] == ["Leaf", "AnyOf", "Leaf"]


def test_each_condition_knows_where_it_stands_and_where_it_is_used(folder: Path, deployment: LoadedFolder) -> None:
    offer = offer_of(folder, deployment, NAMED, "eligibility:\n  - use: gold-nearby\n  - use: eager\n")
    assert places(offer.eligibility) == [
        ("conditions.yaml:2:10", "spa.yaml:12:10"),
        ("conditions.yaml:5:7", "spa.yaml:12:10"),
        ("conditions.yaml:8:11", "spa.yaml:13:10"),
        ("conditions.yaml:9:11", "spa.yaml:13:10"),
    ]
    assert isinstance(offer.eligibility, All) and isinstance(offer.eligibility.children[-1], AnyOf)
    assert (offer.eligibility.children[-1].where, offer.eligibility.children[-1].via) == (
        "conditions.yaml:8:9",
        "spa.yaml:13:10",
    )


def test_the_index_answers_what_a_name_stands_for_and_explain_tells_both_places(
    folder: Path, deployment: LoadedFolder
) -> None:
    campaign = CAMPAIGN.replace(", about: booking", "")
    (folder / "conditions.yaml").write_text(NAMED)
    (folder / "spa.yaml").write_text(campaign + "eligibility: {use: [gold, eager]}\n")
    assert deployment.attributes is not None and deployment.places is not None
    checked, _ = check_folder(folder, deployment.attributes, deployment.places)
    assert checked is not None
    catalog = Catalog(RevisionId("r-test"), checked, deployment.attributes, deployment.places)
    assert [len(each.residual) for each in catalog.standing] == [1], "gold is answered by the index"
    silver = inputs({"customer.loyalty_tier": ("silver", NOW), "customer.age": (60, NOW)})
    assert Candidates(catalog, silver).count == 0
    (verdict,) = explain.verdicts(silver, catalog)
    told = [(reason.where, reason.detail) for reason in verdict.reasons if reason.code == "ELIGIBILITY_FAILED"]
    assert told == [
        (
            "conditions.yaml:2:10",
            "customer.loyalty_tier is 'silver'; wanted: customer.loyalty_tier: {at_least: gold}; "
            "used at spa.yaml:11:21",
        ),
        ("conditions.yaml:8:9", "no alternative holds; used at spa.yaml:11:27"),
    ]


def test_coverage_tells_both_places(folder: Path, deployment: LoadedFolder) -> None:
    (folder / "conditions.yaml").write_text(NAMED)
    (folder / "spa.yaml").write_text(CAMPAIGN + "eligibility: {use: gold}\n")
    assert deployment.attributes is not None and deployment.places is not None
    checked, _ = check_folder(folder, deployment.attributes, deployment.places)
    assert checked is not None
    found = coverage(Catalog(RevisionId("r-test"), checked, deployment.attributes, deployment.places), ())
    assert next(iter(page(found))) == (
        "conditions.yaml:2:10: never true and never false: customer.loyalty_tier gold or higher; used at spa.yaml:11:20"
    )


def test_what_depends_on_the_campaign_names_it(folder: Path, deployment: LoadedFolder) -> None:
    named = "conditions:\n  at-sea: {booking.phase: on_board}\n  deck: {use: at-sea}\n"
    _, findings = check(folder, deployment, named, "eligibility: {use: deck}\n")
    assert findings == []
    (folder / "spa.yaml").unlink()
    (folder / "conditions.yaml").write_text(named)
    text = CAMPAIGN.replace(", about: booking", "") + "eligibility: {use: deck}\n"
    (folder / "wine.yaml").write_text(text)
    assert deployment.attributes is not None and deployment.places is not None
    _, found = check_folder(folder, deployment.attributes, deployment.places)
    assert [str(finding) for finding in found] == [
        "conditions.yaml:2:12: NO_ABOUT booking.phase is a fact of a booking; the offer is about nothing; it is used "
        "at wine.yaml:11:20. Give the offer 'about: booking'."
    ]


def test_a_mistake_in_a_named_condition_is_told_once_at_its_own_place(folder: Path, deployment: LoadedFolder) -> None:
    named = "conditions:\n  gold: {customer.loyalty_tier: {at_least: golld}}\n"
    (folder / "wine.yaml").write_text(CAMPAIGN.replace("spa-day", "wine-day") + "eligibility: {use: gold}\n")
    offer, findings = check(folder, deployment, named, "eligibility: [{use: gold}, {use: gold}]\n")
    assert offer is None
    assert findings == [
        "conditions.yaml:2:44: UNKNOWN_LEVEL customer.loyalty_tier has no level 'golld'. Lowest first: blue, silver, "
        "gold, platinum. Did you mean 'gold'?"
    ]


@pytest.mark.parametrize(
    ("named", "used", "said"),
    [
        (
            NAMED,
            "eligibility: {use: gold-nearbye}",
            "spa.yaml:11:20: UNKNOWN_CONDITION there is no condition in conditions.yaml called 'gold-nearbye'. "
            "Did you mean 'gold-nearby'?",
        ),
        (
            "conditions:\n  b: {use: a}\n  a: {any: [{use: c}, {customer.age: 4}]}\n  c: [{use: b}]\n  d: {use: a}\n",
            "eligibility: {use: d}",
            "conditions.yaml:2:3: CONDITION_CIRCLE condition 'b' uses itself: b -> a -> c -> b. "
            "Take one of these uses out.",
        ),
        (
            "conditions: {a: {none: [{use: a}]}}",
            "eligibility: {use: a}",
            "conditions.yaml:1:14: CONDITION_CIRCLE condition 'a' uses itself: a -> a. Take one of these uses out.",
        ),
        (
            "conditions: {gold: {offer.kind: spa}}",
            "",
            "conditions.yaml:1:21: UNKNOWN_ATTRIBUTE offer.kind describes the offer itself. Ask about the customer, "
            "the context or the subject.",
        ),
        (
            "conditions: {Gold: {customer.age: 4}}",
            "",
            "conditions.yaml:1:14: NAME_INVALID the name 'Gold' has the wrong form. Write 'gold'.",
        ),
        (
            "condition: {gold: {customer.age: 4}}",
            "",
            "conditions.yaml:1:1: UNKNOWN_KEY conditions.yaml has no key 'condition'. Did you mean 'conditions'?",
        ),
        ("conditions: {gold: }", "", "conditions.yaml:1:20: WRONG_TYPE condition gold is empty."),
    ],
)
def test_a_slip_is_told_with_its_mend(folder: Path, deployment: LoadedFolder, named: str, used: str, said: str) -> None:
    _, findings = check(folder, deployment, named, f"{used}\n")
    assert len(findings) == 1 and findings[0].startswith(said), findings


def test_names_that_use_names_twice_grow_to_a_bound(folder: Path, deployment: LoadedFolder) -> None:
    doubling = "".join(f"  a{n}: [{{use: a{n + 1}}}, {{use: a{n + 1}}}]\n" for n in range(60))
    named = f"conditions:\n{doubling}  a60: {{customer.age: 4}}\n"
    _, findings = check(folder, deployment, named, "eligibility: {use: a0}\n")
    too_big = [finding.partition(" with all")[0] for finding in findings if "TOO_DEEP" not in finding]
    assert too_big == [
        f"conditions.yaml:{number + 2}:3: CONDITION_TOO_BIG condition 'a{number}' has {words} words"
        for number, words in ((9, "16,382"), (22, "16,382"), (35, "16,382"), (48, "12,286"))
    ], "what uses one that is too big is not blamed for it"
    many = f"eligibility: {{use: [{', '.join(['a58'] * 900)}]}}\n"
    wide = "conditions:\n  a58: {customer.age: {in: [" + ", ".join(str(n) for n in range(20)) + "]}}\n"
    _, findings = check(folder, deployment, wide, many)
    assert findings == [
        "spa.yaml:11:14: CONDITION_TOO_BIG eligibility has 18,900 words with all that it uses. Keep it under 10,000."
    ]


def test_a_long_chain_of_names_is_too_deep_not_a_crash(folder: Path, deployment: LoadedFolder) -> None:
    chain = "".join(f"  a{n}: {{use: a{n + 1}}}\n" for n in range(3_000))
    _, findings = check(folder, deployment, f"conditions:\n{chain}  a3000: {{customer.age: 4}}\n", "")
    assert findings and {finding.split()[1] for finding in findings} == {"TOO_DEEP"}


def test_conditions_that_contradict_a_name_are_warned_of_at_the_use(folder: Path, deployment: LoadedFolder) -> None:
    offer, findings = check(folder, deployment, NAMED, "eligibility:\n  - customer.loyalty_tier: blue\n  - use: gold\n")
    assert offer is not None
    assert findings == [
        "spa.yaml:13:10: NEVER_HOLDS warning: 'customer.loyalty_tier: {at_least: gold}' (conditions.yaml:2:10) can "
        "never hold together with 'customer.loyalty_tier: blue' (spa.yaml:12:5). Nobody gets the offer; correct one "
        "of them."
    ]


def test_the_schema_knows_the_names(folder: Path) -> None:
    (folder / "conditions.yaml").write_text(NAMED)
    definitions = of_folder(folder)["$defs"]
    validator = jsonschema_rs.validator_for(json.dumps({"$ref": "#/$defs/condition", "$defs": definitions}))
    good = ({"use": "gold"}, [{"use": ["gold", "eager"]}], {"none": [{"use": "gold-nearby", "customer.age": 4}]})
    assert [validator.is_valid(each) for each in good] == [True, True, True]
    assert not validator.is_valid({"use": "golden"})


def test_the_block_of_the_manual_checks_clean(folder: Path, deployment: LoadedFolder) -> None:
    manual = (HERE.parent / "docs" / "campaigns.md").read_text()
    (block,) = re.findall(r"^```yaml conditions\n(.*?)^```$", manual, re.MULTILINE | re.DOTALL)
    offer = offer_of(folder, deployment, block, "eligibility: [{use: gold-nearby}]\n")
    assert len(list(leaves(offer.eligibility))) == 2

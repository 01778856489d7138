"""`experiment:` in a campaign, a holdout in policies.yaml, and `arms:` of a persona: read, checked, tried."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from offers.cli import app
from offers.experiment import Arm, Experiment, Holdout, Step
from offers.folder import LoadedFolder, load_folder
from offers.offer import Offer, Price
from streams.instant import parse_instant
from tests.golden_case import DEPLOYMENT as EXAMPLE

DEPLOYMENT = Path(__file__).parent / "deployment"
CAMPAIGN = """
campaign: spa-day
owner: onboard.spa
schedule: {zone: Europe/Rome}
offer: {id: spa-day, lever: 1.1, value: {amount: 1 EUR, margin: 50 %}}
price: {amount: 49 EUR, discount: 30 %, at_least: 10 EUR}
placements: [app.home.hero]
representation: {image: sea, link: "https://app.example/spa", web: "https://www.example/spa"}
text:
  en: {title: Spa day, body: "Yours for {price}.", button: Book, alt: A pool on deck, why: You like spas.}
  it: {title: Terme, body: "A {price}.", button: Prenota, alt: Una vasca, why: Ti piacciono.}
"""
DEEPER = """
experiment:
  id: spa-price
  holdout: 12.5 %
  arms:
    control: 33.33 %
    deeper:
      share: 50 %
      price: {discount: 40 %}
      offer: {lever: 2}
      text: {it: {title: Terme a meno}}
    fixed: {share: 16.67 %, price: {amount: 19.90 EUR, discount: 0 %}, representation: {image: cabin-inside}}
  ramp:
    - {from: 2026-11-21, share: 10 %}
    - {from: 2026-12-01 15:00, share: 100 %}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEPLOYMENT, tmp_path / "deployment"))


def loaded(folder: Path, text: str) -> LoadedFolder:
    (folder / "spa.yaml").write_text(text)
    return load_folder(folder)


def offer_of(folder: Path, text: str) -> Offer:
    found = loaded(folder, text)
    assert found.campaigns is not None, [str(finding) for finding in found.findings]
    return next(each.offer for each in found.campaigns.campaigns if each.id == "spa-day")


def told(folder: Path, text: str) -> list[str]:
    return [str(finding) for finding in loaded(folder, text).findings]


def test_an_experiment_is_read_with_its_shares_and_dates(folder: Path) -> None:
    assert offer_of(folder, CAMPAIGN + DEEPER).experiment == Experiment(
        id="spa-price",
        arms=(Arm("control", 0.3333), Arm("deeper", 0.5), Arm("fixed", 0.1667)),
        holdout=0.125,
        ramp=(
            Step(parse_instant("2026-11-21T00:00:00+01:00"), 0.1),
            Step(parse_instant("2026-12-01T15:00:00+01:00"), 1.0),
        ),
    )


def test_an_arm_shows_what_it_says_and_else_what_the_campaign_says(folder: Path) -> None:
    offer = offer_of(folder, CAMPAIGN + DEEPER)
    looks = dict(offer.looks)
    assert list(looks) == ["deeper", "fixed"], "control is the offer as written"
    deeper, fixed = looks["deeper"], looks["fixed"]
    assert deeper.price == Price(amount=4_900, discount=0.4, at_least=1_000)
    assert (deeper.lever, fixed.lever, offer.lever) == (2.0, 1.1, 1.1)
    assert deeper.representation.texts["it"].title == "Terme a meno"
    assert deeper.representation.texts["it"].body == "A {price}."
    assert deeper.representation.texts["en"] == offer.representation.texts["en"]
    assert fixed.price == Price(amount=1_990, discount=0.0, at_least=1_000)
    assert (fixed.representation.image.id, deeper.representation.image.id) == ("cabin-inside", "sea")
    assert fixed.value == offer.value
    assert deeper.facts.attributes["offer.discount"] == 40.0
    assert fixed.facts.attributes["offer.price"] == 1_990


def test_a_price_that_starts_elsewhere_leaves_the_campaigns_start_out(folder: Path) -> None:
    text = CAMPAIGN.replace("offer: {id: spa-day,", "offer: {id: spa-day, about: {sailing: next},").replace(
        "price: {amount: 49 EUR,", "price: {from: market.fare.cabin_inside, fresh_within: 2 h,"
    )
    arms = "experiment: {id: spa, arms: {fixed: {share: 10 %, price: {amount: 20 EUR}}}}\n"
    looks = dict(offer_of(folder, text + arms).looks)
    assert looks["fixed"].price == Price(amount=2_000, discount=0.3, at_least=1_000)
    assert "offer.price_source" not in looks["fixed"].facts.attributes


def test_one_run_shows_the_mistakes_of_the_campaign_and_of_its_arms_each_once(folder: Path) -> None:
    text = CAMPAIGN.replace("image: sea", "image: see").replace("discount: 30 %", "discount: 30")
    arms = "experiment: {id: spa, arms: {deeper: {share: 10 %, price: {at_least: 10}, text: {en: {titel: Spa}}}}}\n"
    assert told(folder, text + arms) == [
        "spa.yaml:6:35: UNIT_MISSING '30' is not a percentage. Write '30 %'.",
        "spa.yaml:8:25: UNKNOWN_IMAGE there is no image 'see'. Did you mean 'sea'?",
        "spa.yaml:12:70: UNIT_MISSING '10' is not an amount of money. Write '10 EUR'.",
        "spa.yaml:12:87: UNKNOWN_KEY text.en has no key 'titel'. Did you mean 'title'? If 'titel' goes on with the "
        "text before it, put that text in double quotes.",
    ]


def test_what_an_arm_says_is_held_against_the_placements_too(folder: Path) -> None:
    (folder / "placements.yaml").write_text(
        "placements: {app.home.hero: {limits: {title: 20}}, app.trip.card: {}, web.home: {channel: web}}"
    )
    arms = (
        "experiment: {id: spa, arms: {long: {share: 10 %, text: {en: {title: A day in the spa all for yourself}}}}}\n"
    )
    assert [line for line in told(folder, CAMPAIGN + arms) if line.startswith("spa")] == [
        "spa.yaml:12:69: TEXT_TOO_LONG warning: text.en.title has 33 characters; app.home.hero shows 20. Shorten it."
    ]


def test_the_same_experiment_may_stand_in_two_campaigns(folder: Path) -> None:
    again = CAMPAIGN.replace("spa-day", "spa-night")
    (folder / "night.yaml").write_text(again + DEEPER.replace("{discount: 40 %}", "{discount: 50 %}"))
    assert told(folder, CAMPAIGN + DEEPER) == []
    assert told(folder, CAMPAIGN + DEEPER.replace("33.33 %", "30 %")) == [
        "spa.yaml:14:7: EXPERIMENT_DIFFERS experiment 'spa-price' divides customers otherwise at night.yaml:14:7. "
        "Write the same holdout, shares, ramp and others in both, or take another id."
    ]


# The holdout of all campaigns


def test_a_holdout_of_all_campaigns_is_read_from_the_policies(folder: Path) -> None:
    policies = folder / "policies.yaml"
    policies.write_text(policies.read_text() + "holdout: {id: global-2026, share: 5 %}\n")
    found = load_folder(folder)
    assert found.findings == () and found.campaigns is not None
    line = len(policies.read_text().splitlines())
    assert found.campaigns.holdout == Holdout("global-2026", 0.05, f"policies.yaml:{line}:10")
    assert told(folder, CAMPAIGN + "experiment: {id: global-2026, holdout: 5 %}\n") == [
        f"spa.yaml:12:18: DUPLICATE_ID 'global-2026' is the holdout at policies.yaml:{line}:10 already. "
        "Take another id: it would hold back the same customers."
    ]


@pytest.mark.parametrize(
    ("holdout", "said"),
    [
        ("{share: 5 %}", "KEY_MISSING holdout has no 'id'. Add 'id:'."),
        ("{id: Global 26, share: 5 %}", "NAME_INVALID holdout.id 'Global 26' has the wrong form. Write 'global-26'."),
        ("{id: all, share: 100 %}", "OUT_OF_RANGE holdout.share is 100 %: nobody would see it. Write such as '10 %'."),
        ("5 %", "WRONG_TYPE holdout is the text '5 %'. Write keys of it (id, share)."),
    ],
)  # fmt: skip
def test_a_holdout_with_a_mistake_says_what_is_wrong(folder: Path, holdout: str, said: str) -> None:
    (folder / "policies.yaml").write_text(f"holdout: {holdout}\n")
    assert [str(finding).partition(" ")[2] for finding in load_folder(folder).findings] == [said]


# Tried


def offing(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["campaigns", *arguments], color=False, env={"COLUMNS": "200"})


def diver(folder: Path, arms: str) -> Path:
    file = folder / "diver.yaml"
    file.write_text(
        "zone: Europe/Rome\nnow: 2026-07-11 11:00\n"
        "customer: {facts: {interests: [diving]}, purposes: [personalised_offers, location], channels: [app]}\n"
        "market: {venues: {immersioni-capo-fanale: 5}}\n"
        'location: "41.2395,9.1895 +-20 m"\n'
        f"request: {{locale: it-IT, placements: {{app.home.list: 5}}}}\n{arms}"
    )
    return file


@pytest.mark.parametrize(
    ("arms", "price", "line"),
    [
        ("", "55,00\xa0€", None),
        ("arms: {diving-price: lower}\n", "45,00\xa0€", "  diving-gallura: lower of diving-price"),
        ("arms: {diving-price: control}\n", "55,00\xa0€", "  diving-gallura: control of diving-price"),
    ],
)
def test_a_persona_sees_the_arm_it_is_put_in(tmp_path: Path, arms: str, price: str, line: str | None) -> None:
    done = offing("simulate", str(EXAMPLE), "--persona", str(diver(tmp_path, arms)))
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert price in next(each for each in lines if ". diving-gallura" in each)
    assert line is None or line in lines[lines.index("Experiments:") :]
    assert line is not None or "Experiments:" not in lines


def test_a_persona_held_out_is_told_apart_from_one_that_may_not_have_the_offer(tmp_path: Path) -> None:
    file = diver(tmp_path, "arms: {diving-price: holdout}\n")
    found = json.loads(offing("simulate", str(EXAMPLE), "--persona", str(file), "--json").stdout)
    diving = next(each for each in found["offers"] if each["offer_id"] == "diving-gallura")
    assert [reason["code"] for reason in diving["reasons"]] == ["HELD_OUT"]
    assert diving["single_change"] == "not in the holdout of diving-price"
    assert found["experiments"] == [
        {"experiment": "diving-price", "arm": "holdout", "offer_id": "diving-gallura",
         "about": "venue:immersioni-capo-fanale"}
    ]  # fmt: skip


def test_an_arm_that_is_none_is_said_with_the_nearest(tmp_path: Path) -> None:
    done = offing("simulate", str(EXAMPLE), "--persona", str(diver(tmp_path, "arms: {diving-prise: x}\n")))
    assert done.exit_code == 1
    assert "UNKNOWN_CHOICE an experiment cannot be 'diving-prise'. One of: diving-price." in done.output
    done = offing("simulate", str(EXAMPLE), "--persona", str(diver(tmp_path, "arms: {diving-price: lowr}\n")))
    assert "arms.diving-price cannot be 'lowr'. One of: control, lower, holdout, others." in done.output


def test_a_holdout_that_is_new_holds_no_persona_back(tmp_path: Path) -> None:
    head = Path(shutil.copytree(EXAMPLE, tmp_path / "head"))
    (head / "policies.yaml").write_text(
        (head / "policies.yaml").read_text() + "holdout: {id: nearly-all, share: 99 %}\n"
    )
    personas = str(EXAMPLE / "tests" / "personas.yaml")
    done = offing("plan", "--base", str(EXAMPLE), "--head", str(head), "--contexts", personas, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["population"]["decisions"] > 0
    assert found["population"]["changed"] == 0

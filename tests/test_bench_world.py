"""The bench's world: as many offers are left as it says, and the service rolled by hand shows the same ones."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtests.bench import by_hand, campaigns, handrolled, scoring
from loadtests.bench.customers import CROWDS, DENSE_CROWD, REFERENCE, Crowd, question
from loadtests.bench.handrolled.app import opened, read_profile
from loadtests.bench.handrolled.decision import Service, decide
from loadtests.bench.model import Size, situation_of, trained
from loadtests.bench.stage import folded_market, now
from offers.catalog import Catalog
from offers.decide import decide as decide_offers
from offers.proposition import Decision
from offers.revisions import catalog_of, keep
from offers.situation import situate
from scoring.features import Propensity
from scoring.propensity import load
from streams.errors import Stop
from streams.ids import Millis
from streams.market import Market

LIVE = 640
QUICK = Size(trees=20, leaves=15, people=40)


@dataclass(frozen=True, slots=True)
class World:
    """Both services on one world, in this process."""

    catalog: Catalog
    market: Market
    propensity: Propensity
    by_hand: Service
    at: Millis
    model: Path

    def offing(self, crowd: Crowd, number: int) -> Decision:
        """What Offing decides."""
        found = situation_of(crowd, number, self.catalog, self.market, self.at)
        return decide_offers(situate(found, self.catalog), self.catalog, self.propensity)

    def hand(self, crowd: Crowd, number: int, **instead: Any) -> dict[str, Any]:
        """What the hand-rolled service answers; `instead`: of parts of the stored profile."""
        made = by_hand.profile(crowd, number, self.at, self.catalog.attributes) | instead
        return decide(self.by_hand, question(crowd, number, 0), read_profile(msgspec.json.encode(made))).answer


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("bench")
    at = now()
    campaigns.write(folder / "campaigns", LIVE, at)
    catalog = catalog_of(keep(folder / "campaigns", folder))
    market = folded_market(catalog.places)
    model = trained(folder / "models", catalog, market, at, QUICK)
    told = folder / "market.json"
    told.write_bytes(msgspec.json.encode(by_hand.sailings(catalog.places, at)))
    return World(catalog, market, load(model, catalog.attributes), opened(folder / "campaigns", model, told), at, model)


@pytest.mark.parametrize("tier", CROWDS)
def test_a_customer_is_left_with_as_many_offers_as_their_tier_says(world: World, tier: str) -> None:
    decision = world.offing(CROWDS[tier], 3)
    assert len(decision.candidates) == campaigns.SCORED[tier]
    counted = dict(decision.ruled_out)
    assert counted["INDEX_EXCLUDED"] == LIVE - campaigns.SCORED[tier] - len(campaigns.RULED_OUT)
    assert (counted["CAP_CUSTOMER_REACHED"], counted["SUPPRESSED"], counted["ELIGIBILITY_FAILED"]) == (2, 2, 2)


def test_a_quarter_of_all_offers_is_left_to_the_dense_crowd(world: World) -> None:
    assert len(world.offing(DENSE_CROWD, 3).candidates) == LIVE // 4


@pytest.mark.parametrize("crowd", [*CROWDS.values(), DENSE_CROWD], ids=lambda crowd: crowd.name)
def test_the_service_rolled_by_hand_shows_the_same_offers_at_the_same_prices(world: World, crowd: Crowd) -> None:
    for number in range(8):
        (slate,) = world.offing(crowd, number).placements
        (placement,) = world.hand(crowd, number)["placements"]
        expected = [(item.offer_id, item.rank, item.price.minor) for item in slate.items if item.price is not None]
        assert [(i["offer_id"], i["rank"], i["price"]["minor"]) for i in placement["items"]] == expected
        assert len(expected) == 3
        for item, shown in zip(slate.items, placement["items"], strict=True):
            assert shown["representation"]["title"] == item.representation.title
            assert shown["representation"]["body"] == item.representation.body


def test_without_what_the_customer_met_it_would_show_others(world: World) -> None:
    (placement,) = world.hand(REFERENCE, 3, events=[])["placements"]
    assert {item["offer_id"] for item in placement["items"]} & set(campaigns.RULED_OUT[:4])


def test_the_service_rolled_by_hand_takes_nothing_from_offing() -> None:
    named = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for path in Path(handrolled.__path__[0]).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {name for name in named if name.split(".")[0] in ("offers", "scoring", "streams")} == set()
    ours = {name for name in named if name.startswith("loadtests")}
    assert ours and all(name.startswith(handrolled.__name__) for name in ours)


def test_campaigns_are_the_same_for_the_same_number_and_day() -> None:
    at = now()
    assert list(campaigns.campaigns(500, at)) == list(campaigns.campaigns(500, at))
    with pytest.raises(ValueError, match="too few"):
        list(campaigns.campaigns(300, at))


def test_the_scoring_step_is_timed_on_whole_decisions_beside_the_booster_on_the_same_rows(world: World) -> None:
    found = scoring.measured(world.model, world.catalog, people=2, rounds=1)
    assert (found.decisions, found.columns) == (2, len(world.propensity.features))
    assert found.form == world.propensity.form
    assert found.booster_over_compiled == pytest.approx(found.booster_us / found.compiled_us)
    assert found.step_over_booster == pytest.approx(found.step_us / found.booster_us)
    assert scoring.told(found).startswith(f"Scoring 100 candidates on {found.columns} columns, one thread")
    for each in scoring.decisions(world.catalog, world.propensity, 2):
        assert each.rows.tobytes() == world.propensity.score(each.inputs, each.lineup).rows.tobytes()


def test_scoring_is_not_timed_where_nobody_has_a_hundred_candidates(world: World) -> None:
    with pytest.raises(Stop) as caught:
        scoring.decisions(world.catalog, world.propensity, 0)
    assert caught.value.code == "NO_DECISIONS"

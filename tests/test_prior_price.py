"""The crossed-out price: the lowest of the 30 days before the reduction, from the market's own history, or nothing."""

from pathlib import Path

import msgspec
import pytest

from offers.cases import read_persona_file
from offers.catalog import Catalog
from offers.decide import decide
from offers.folder import load_folder
from offers.money import price_of
from offers.offer import Price, Prior
from offers.prior_price import PriorPrice, fact_name, prior_of
from offers.proposition import PriceTag, PriorTag, canonical_bytes
from offers.reply import told
from offers.simulation import Simulation, simulate
from scoring.propensity import prior as propensity
from streams.ids import Millis, RevisionId
from streams.instant import DAY_MS, parse_instant
from streams.record import DecisionInputs, FactDict
from tests import afternoon, golden_case

FARE = "market.fare.cabin_inside"
DAY = parse_instant("2026-11-21T00:00:00Z") // DAY_MS
NOW = parse_instant("2026-11-21T18:00:00+01:00")
LOWEST = fact_name(FARE, DAY)
REDUCED = Price("EUR", FARE, discount=0.3, at_least=2_500, round_to=50, prior=Prior(began=DAY))


def crossed_out(price: Price, lowest: int | None, fare: int = 7_000) -> PriorPrice | None:
    facts: FactDict = {FARE: (fare, NOW)}
    if lowest is not None:
        facts[LOWEST] = (lowest, NOW - 19 * DAY_MS)
    quote = price_of(price, facts, NOW)
    assert quote is not None
    return prior_of(price, facts, quote)


def test_the_lowest_of_the_30_days_before_is_crossed_out_and_not_the_fare_of_today() -> None:
    assert crossed_out(REDUCED, 6_900) == PriorPrice(6_900, "lowest_30_days")


@pytest.mark.parametrize("lowest", [None, 4_900, 4_800])
def test_nothing_is_crossed_out_that_is_not_known_or_not_higher(lowest: int | None) -> None:
    assert crossed_out(REDUCED, lowest) is None


def test_an_amount_of_one_s_own_is_crossed_out_only_where_the_history_allows_it() -> None:
    declared = Price("EUR", FARE, discount=0.3, prior=Prior(6_900, DAY))
    assert crossed_out(declared, 6_900) == PriorPrice(6_900, "lowest_30_days")
    assert crossed_out(declared, 6_899) is None, "it was cheaper"
    assert crossed_out(declared, None) is None, "nobody knows"


def test_beside_an_amount_stands_what_the_campaign_says_and_that_it_says_so() -> None:
    assert crossed_out(Price("EUR", amount=4_900, prior=Prior(6_900)), None) == PriorPrice(6_900, "declared")
    assert crossed_out(Price("EUR", amount=6_900, prior=Prior(6_900)), None) is None
    assert crossed_out(Price("EUR", amount=4_900), None) is None


# Through a whole decision


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return afternoon.world(tmp_path_factory.mktemp("prior"))


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    loaded = load_folder(folder)
    assert loaded.campaigns is not None and loaded.attributes is not None and loaded.places is not None, loaded.findings
    return Catalog(RevisionId("r-afternoon"), loaded.campaigns, loaded.attributes, loaded.places)


def asked(folder: Path, catalog: Catalog, market: str = "", now: Millis = NOW) -> Simulation:
    """What the gold member is shown, where the market says something else of the earlier fares."""
    text = (folder.parent / "gold.yaml").read_text()
    earlier = "{40 d: 79 EUR, 19 d: 69 EUR, 16 d: 79 EUR}"
    assert earlier in text
    file = folder.parent / "asked.yaml"
    file.write_text(text.replace(earlier, market) if market else text)
    persona, findings = read_persona_file(file, "", catalog)
    assert persona is not None, findings
    return simulate(persona, now, "prior", catalog, propensity(catalog.attributes))


def tag(found: Simulation) -> PriceTag | None:
    item = found.decision.placements[0].items[0]
    assert item.offer_id == "cabin-upgrade-inside"
    return item.price


def test_the_answer_names_the_prior_price_and_its_basis(folder: Path, catalog: Catalog) -> None:
    found = asked(folder, catalog)
    assert tag(found) == PriceTag(
        4_900, "EUR", "49,00\xa0€", "2026-11-21T16:52:00Z", PriorTag(6_900, "69,00\xa0€", "lowest_30_days")
    )
    assert b'"prior":{"minor":6900,"text":"69,00\xc2\xa0\xe2\x82\xac","basis":"lowest_30_days"}' in b"".join(
        told(found.decision, [["t"] * len(slate.items) for slate in found.decision.placements]).pieces
    )


@pytest.mark.parametrize(
    ("market", "why"),
    [
        ("{29 d: 79 EUR}", "29 days of history are not 30"),
        ("{40 d: 79 EUR, 20 d: 48 EUR, 16 d: 79 EUR}", "it was cheaper than the offer 20 days ago"),
    ],
)
def test_an_answer_crosses_nothing_out(folder: Path, catalog: Catalog, market: str, why: str) -> None:
    found = tag(asked(folder, catalog, market))
    assert found is not None and (found.minor, found.prior) == (4_900, None), why


def test_the_30_days_are_those_before_the_reduction_however_long_it_runs(folder: Path, catalog: Catalog) -> None:
    """69 EUR was the price 31 days before the campaign: not its prior price, neither on its first day nor later."""
    long_ago = "{60 d: 79 EUR, 33 d: 69 EUR, 32 d: 79 EUR}"
    found = tag(asked(folder, catalog, long_ago))
    assert found is not None and found.prior == PriorTag(7_000, "70,00\xa0€", "lowest_30_days")


def test_a_record_holds_what_was_crossed_out_and_replays_to_the_same_bytes(folder: Path, catalog: Catalog) -> None:
    found = asked(folder, catalog)
    (subject,) = found.inputs.subjects["booking:each"]
    assert subject.facts[LOWEST] == (6_900, parse_instant("2026-11-02T00:00:00Z"))
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(found.inputs), type=DecisionInputs)
    again = decide(stored, catalog, propensity(catalog.attributes))
    assert canonical_bytes(again) == canonical_bytes(found.decision)


def test_a_reduction_of_more_than_30_days_crosses_nothing_out(folder: Path, catalog: Catalog) -> None:
    bound = asked(folder, catalog, "{90 d: 79 EUR}", NOW + 40 * DAY_MS)
    assert all(LOWEST not in subject.facts for subject in bound.inputs.subjects.get("booking:each", ()))


def test_a_catalog_without_crossed_out_prices_binds_no_such_facts(folder: Path, catalog: Catalog) -> None:
    assert catalog.prior_prices == ((LOWEST, FARE, DAY),)
    assert golden_case.example().prior_prices == ()

"""Conditions as written -> the leaves, negation included, that the evaluator and the index work on."""

from pathlib import Path

import pytest

from offers.condition import All, AnyOf, Condition, Leaf, Op, leaves
from offers.folder import LoadedFolder, check_folder, load_folder
from streams.instant import DAY_MS, MINUTE_MS, parse_instant

DEPLOYMENT = Path(__file__).parent / "deployment"
CAMPAIGN = """
campaign: spa-day
owner: onboard.spa
schedule: {zone: Europe/Rome}
offer: {id: spa-day, about: booking}
consent: {purposes: [personalised_offers]}
placements: [app.home.hero]
representation: {image: sea, link: "https://app.example/spa", web: "https://www.example/spa"}
text:
  en: {title: Spa day, body: A day in the spa., button: Book, alt: A pool on deck, why: You like spas.}
"""

AGE = "customer.age"
TIER = "customer.loyalty_tier"
TIER_FRESH = 400 * DAY_MS
INF = float("inf")


def leaf(
    attribute: str, op: Op, *operand: str | int | bool, negated: bool = False, fresh_ms: int | None = None
) -> Leaf:
    return Leaf(attribute, op, operand, negated=negated, fresh_ms=fresh_ms)


def ranged(attribute: str, low: float = -INF, high: float = INF, negated: bool = False) -> Leaf:
    return Leaf(attribute, Op.RANGE, low=low, high=high, negated=negated)


def bare(condition: Condition) -> Condition:
    """Without where it stands and how it was written."""
    match condition:
        case Leaf():
            return Leaf(
                condition.attribute,
                condition.op,
                condition.operand,
                condition.low,
                condition.high,
                condition.radius_m,
                condition.min_confidence,
                condition.on_missing,
                condition.fresh_ms,
                condition.negated,
            )
        case All(children):
            return All(tuple(bare(child) for child in children))
        case AnyOf(children):
            return AnyOf(tuple(bare(child) for child in children))


@pytest.fixture(scope="module")
def deployment() -> LoadedFolder:
    return load_folder(DEPLOYMENT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seasons, images and one placement; the test adds its campaign."""
    for file in ("seasons.yaml", "images.yaml"):
        (tmp_path / file).write_bytes((DEPLOYMENT / file).read_bytes())
    (tmp_path / "placements.yaml").write_text("placements: {app.home.hero: {channel: app}}")
    return tmp_path


def written_as(folder: Path, deployment: LoadedFolder, layer: str) -> Condition:
    """The eligibility of a campaign that begins with this layer."""
    (folder / "spa.yaml").write_text(layer + CAMPAIGN)
    assert deployment.attributes is not None and deployment.places is not None
    checked, findings = check_folder(folder, deployment.attributes, deployment.places)
    assert checked is not None, findings
    return checked.campaigns[0].offer.eligibility


def eligibility(folder: Path, deployment: LoadedFolder, condition: str) -> Condition:
    return bare(written_as(folder, deployment, f"eligibility: {condition}"))


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        (f"{TIER}: gold", leaf(TIER, Op.IN, "gold", fresh_ms=TIER_FRESH)),
        (f"{TIER}: {{is: gold}}", leaf(TIER, Op.IN, "gold", fresh_ms=TIER_FRESH)),
        (f"{TIER}: {{in: [blue, gold]}}", leaf(TIER, Op.IN, "blue", "gold", fresh_ms=TIER_FRESH)),
        (f"{TIER}: {{not_in: [blue]}}", leaf(TIER, Op.IN, "blue", negated=True, fresh_ms=TIER_FRESH)),
        (f"{TIER}: {{at_least: gold}}", leaf(TIER, Op.IN, "gold", "platinum", fresh_ms=TIER_FRESH)),
        (f"{TIER}: {{above: gold}}", leaf(TIER, Op.IN, "platinum", fresh_ms=TIER_FRESH)),
        (f"{TIER}: {{at_most: silver}}", leaf(TIER, Op.IN, "blue", "silver", fresh_ms=TIER_FRESH)),
        (f"{TIER}: {{below: silver}}", leaf(TIER, Op.IN, "blue", fresh_ms=TIER_FRESH)),
        (f"{TIER}: {{is: gold, fresh_within: 30 d}}", leaf(TIER, Op.IN, "gold", fresh_ms=30 * DAY_MS)),
        (f"{AGE}: 18", leaf(AGE, Op.IN, 18)),
        (f"{AGE}: {{at_least: 18}}", ranged(AGE, low=18)),
        (f"{AGE}: {{at_most: 30}}", ranged(AGE, high=30)),
        (f"{AGE}: {{below: 30}}", ranged(AGE, low=30, negated=True)),
        (f"{AGE}: {{above: 18}}", ranged(AGE, high=18, negated=True)),
        (f"{AGE}: {{at_least: 18, at_most: 30}}", All((ranged(AGE, low=18), ranged(AGE, high=30)))),
        (f"{AGE}: {{exists: true}}", leaf(AGE, Op.EXISTS)),
        (f"{AGE}: {{exists: false}}", leaf(AGE, Op.EXISTS, negated=True)),
        ("customer.interests: {has: spa}", leaf("customer.interests", Op.HAS_ANY, "spa")),
        ("customer.interests: {has_any: [spa, wine]}", leaf("customer.interests", Op.HAS_ANY, "spa", "wine")),
        ("customer.interests: {has_all: [spa, wine]}", leaf("customer.interests", Op.HAS_ALL, "spa", "wine")),
        ("customer.interests: {has_none: [spa]}", leaf("customer.interests", Op.HAS_ANY, "spa", negated=True)),
        ("customer.newsletter: true", leaf("customer.newsletter", Op.IN, True)),
        ("customer.newsletter: {is: false}", leaf("customer.newsletter", Op.IN, False)),
        ("customer.spend_12_months: {at_least: 99.50 EUR}", ranged("customer.spend_12_months", low=9_950)),
        ("customer.home_distance: {at_most: 30 km}", ranged("customer.home_distance", high=30_000)),
        ("customer.usual_stay: {above: 2 d}", ranged("customer.usual_stay", high=2 * DAY_MS, negated=True)),
        ("customer.rating_given: {at_least: 4.5}", ranged("customer.rating_given", low=4.5)),
        ("customer.home_country: {in: [no, IT]}", leaf("customer.home_country", Op.IN, "no", "IT")),
        ("context.device_class: tablet", leaf("context.device_class", Op.IN, "tablet")),
        ("context.season: {has: summer}", leaf("context.season", Op.HAS_ANY, "summer")),
        ("context.nearest_port: Leghorn", leaf("context.nearest_port", Op.IN, "ITLIV")),
        ("sailing.destination: {in: [Olbia, FRNCE]}", leaf("sailing.destination", Op.IN, "ITOLB", "FRNCE")),
        ("sailing.departs_on: 2026-11-21", leaf("sailing.departs_on", Op.IN, "2026-11-21")),
        ("booking.sailing.line: ITLIV-ITOLB", leaf("sailing.line", Op.IN, "ITLIV-ITOLB")),
        ("market.fare: {product: deck, at_most: 40 EUR}", ranged("market.fare.deck", high=4_000)),
        ("market.fare.deck: {at_most: 40 EUR}", ranged("market.fare.deck", high=4_000)),
        (
            "market.cabins_free: {kind: inside, at_least: 1}",
            Leaf("market.cabins_free.inside", Op.RANGE, low=1, fresh_ms=10 * MINUTE_MS),
        ),
    ],
)
def test_a_condition_becomes_a_leaf(folder: Path, deployment: LoadedFolder, written: str, condition: Condition) -> None:
    assert eligibility(folder, deployment, f"{{{written}}}") == condition


def test_a_day_is_before_its_start_and_after_its_end_in_the_zone_of_the_campaign(
    folder: Path, deployment: LoadedFolder
) -> None:
    last = "customer.last_trip_at"
    assert eligibility(folder, deployment, f"{{{last}: {{before: 2026-07-01}}}}") == ranged(
        last, low=parse_instant("2026-06-30T22:00:00Z"), negated=True
    )
    assert eligibility(folder, deployment, f"{{{last}: {{after: 2026-07-01}}}}") == ranged(
        last, low=parse_instant("2026-07-01T22:00:00Z")
    )
    assert eligibility(folder, deployment, f"{{{last}: {{after: 2026-07-01 12:00}}}}") == ranged(
        last, high=parse_instant("2026-07-01T10:00:00Z"), negated=True
    )


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        (
            "{within: 30 km of port:livorno}",
            Leaf("location", Op.WITHIN, ("port:ITLIV",), radius_m=30_000),
        ),
        (
            "{within: 10 nmi of venue:gallura-winery, min_confidence: 3, fresh_within: 10 min, on_missing: pass}",
            Leaf(
                "location",
                Op.WITHIN,
                ("venue:gallura-winery",),
                radius_m=18_520,
                min_confidence=3,
                on_missing=True,
                fresh_ms=10 * MINUTE_MS,
            ),
        ),
        ("{inside: fence:elba}", Leaf("location", Op.INSIDE, ("elba",))),
        (
            "{inside: [fence:olbia-town, fence:elba], min_confidence: 1, because: test}",
            Leaf("location", Op.INSIDE, ("elba", "olbia-town"), min_confidence=1),
        ),
    ],
)
def test_a_location_becomes_a_leaf(folder: Path, deployment: LoadedFolder, written: str, condition: Leaf) -> None:
    assert eligibility(folder, deployment, f"{{location: {written}}}") == condition


def test_groups_nest_and_none_is_pushed_to_the_leaves(folder: Path, deployment: LoadedFolder) -> None:
    news = leaf("customer.newsletter", Op.IN, True)
    young = ranged(AGE, low=30, negated=True)
    wine = leaf("customer.interests", Op.HAS_ANY, "wine")
    written = (
        "{none: [{customer.newsletter: true}, {any: [{customer.age: {below: 30}}, {customer.interests: {has: wine}}]}],"
        " any: [{all: [{customer.newsletter: true}, {customer.age: {below: 30}}]}, {customer.interests: {has: wine}}]}"
    )
    not_news = leaf("customer.newsletter", Op.IN, True, negated=True)
    not_young = ranged(AGE, low=30)
    not_wine = leaf("customer.interests", Op.HAS_ANY, "wine", negated=True)
    assert eligibility(folder, deployment, written) == All(
        (not_news, All((not_young, not_wine)), AnyOf((All((news, young)), wine)))
    )


def test_none_of_a_conjunction_holds_when_one_of_its_parts_fails(folder: Path, deployment: LoadedFolder) -> None:
    written = "{none: [{customer.age: {at_least: 18, at_most: 30, on_missing: pass}}]}"
    condition = eligibility(folder, deployment, written)
    assert isinstance(condition, AnyOf)
    assert [(part.low, part.high, part.negated, part.on_missing) for part in leaves(condition)] == [
        (18, INF, True, True),
        (-INF, 30, True, True),
    ]


def test_a_list_is_a_conjunction_and_a_subject_groups_its_facts(folder: Path, deployment: LoadedFolder) -> None:
    line, status = leaf("sailing.line", Op.IN, "ITLIV-ITOLB"), leaf("sailing.status", Op.IN, "scheduled")
    deck = leaf("booking.accommodation", Op.IN, "deck")
    for written in (
        "[{booking.sailing: {line: ITLIV-ITOLB, status: scheduled}}, {booking.accommodation: deck}]",
        "{sailing: {line: ITLIV-ITOLB, status: scheduled}, booking: {accommodation: deck}}",
        "{booking: {sailing: {line: ITLIV-ITOLB, status: scheduled}, accommodation: deck}}",
    ):
        condition = eligibility(folder, deployment, written)
        assert list(leaves(condition)) == [line, status, deck]


def test_a_leaf_knows_where_it_stands_and_what_was_written(folder: Path, deployment: LoadedFolder) -> None:
    layer = "eligibility:\n  none:\n    - booking.sailing: {status: {in: [cancelled, delayed]}}"
    (found,) = leaves(written_as(folder, deployment, layer))
    assert (found.where, found.text) == (
        "spa.yaml:3:25",
        "not booking.sailing.status: {in: [cancelled, delayed]}",
    )

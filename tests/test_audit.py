"""What training refuses to believe: facts from the future, rows that serving made otherwise, columns that tell all."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest

from loadtests.bench.customers import CROWDS
from loadtests.bench.model import situation_of
from loadtests.bench.stage import folded_market, now
from offers.decide import ENGINE, decide, record
from offers.learning import served
from offers.offer import Offer
from offers.revisions import catalog_of, keep
from offers.situation import situate
from scoring.audit import FROM_FUTURE, ROW_DIFFERS, Audit, Served, served_by, unknown
from scoring.dataset import Dataset, build
from scoring.examples import Example, Examples, Item, Logged, label
from scoring.features import FeatureList, feature_list
from scoring.fit import Run
from scoring.propensity import load, prior
from scoring.train import train_from_examples
from streams.attributes import Attribute, AttributeSet, Kind, attribute_set
from streams.errors import InvalidInput
from streams.ids import Millis, PlacementId
from streams.instant import DAY_MS, MINUTE_MS
from streams.market import Market
from streams.profile import CounterKey, bucket_of
from streams.record import DecisionRecord, PlacementRequest, decode, encode
from streams.settings import Settings
from tests.scoring_world import ATTRIBUTES, QUICK, examples, trained

RUN = Run(0, 1, QUICK)
MOBY = Path("deploy/campaigns")
RETURNED = Attribute("customer", "returned", 10, Kind.INTEGER)
WITH_RETURNED: AttributeSet = attribute_set(
    (*(each for each in ATTRIBUTES.by_name.values() if each.number < 9_000), RETURNED)
)


def planted(later_ms: int, every: int = 1, *, telling: bool = False) -> Examples:
    """The world, with `customer.returned` known so long after every n-th decision; `telling`: it is the outcome."""

    def found() -> Iterator[Example]:
        for number, each in enumerate(examples()):
            made = each.inputs
            at = made.now + later_ms if number % every == 0 else made.now - MINUTE_MS
            value = each.outcomes[0] if telling else number % 3
            profile = msgspec.structs.replace(
                made.profile, facts={**made.profile.facts, "customer.returned": (value, at)}
            )
            yield replace(each, inputs=msgspec.structs.replace(made, profile=profile))

    return found


def refused(known: Examples, folder: Path, **more: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        train_from_examples(known, folder, WITH_RETURNED, RUN, **more)  # type: ignore[arg-type]
    assert list(folder.iterdir()) == []
    return caught.value


def test_a_feature_from_after_its_decision_ends_the_training_and_is_named(tmp_path: Path) -> None:
    error = refused(planted(6 * MINUTE_MS, telling=True), tmp_path)
    assert error.code == "FEATURE_FROM_FUTURE"
    assert error.message.startswith(
        "customer.returned is from more than 5 min after its decision in 720 of 720 decisions, first in "
    )


def audited(known: Examples, served: Served = unknown) -> Dataset:
    """The rows that training would learn from, once it believes the log."""
    audit = Audit(LISTED, served)
    dataset = build(known, LISTED, audit)
    audit.check()
    return dataset


def test_a_stray_from_the_future_is_left_out_and_counted_and_clocks_may_differ() -> None:
    stray = audited(planted(6 * MINUTE_MS, every=720))
    assert (len(stray), stray.left_out) == (719, {FROM_FUTURE: 1})
    assert audited(planted(5 * MINUTE_MS)).left_out == {}
    with pytest.raises(InvalidInput, match=r"in 2 of 720 decisions") as caught:
        audited(planted(6 * MINUTE_MS, every=360))
    assert caught.value.code == "FEATURE_FROM_FUTURE"


def test_what_nobody_reads_may_come_from_wherever() -> None:
    ready = build(planted(6 * MINUTE_MS), feature_list(ATTRIBUTES), Audit(feature_list(ATTRIBUTES)))
    assert (len(ready), ready.left_out) == (720, {})


@pytest.mark.parametrize("shape", ["the outcome", "its opposite", "only there for those who accepted"])
def test_a_planted_column_that_tells_the_outcome_ends_the_training_whatever_its_time_says(
    tmp_path: Path, shape: str
) -> None:
    def found() -> Iterator[Example]:
        for each in planted(-MINUTE_MS, telling=True)():
            facts = dict(each.inputs.profile.facts)
            value, at = facts["customer.returned"]
            if shape == "its opposite":
                facts["customer.returned"] = (1 - int(value), at)  # type: ignore[arg-type]
            elif shape != "the outcome" and not value:
                del facts["customer.returned"]
            profile = msgspec.structs.replace(each.inputs.profile, facts=facts)
            yield replace(each, inputs=msgspec.structs.replace(each.inputs, profile=profile))

    error = refused(found, tmp_path)
    assert error.code == "FEATURE_TELLS_OUTCOME"
    assert error.message.startswith("customer.returned alone tells who accepted (AUC 1.000 on 720 rows)")


LISTED = feature_list(WITH_RETURNED)


def by_prior(example: Example) -> FeatureList | None:
    return LISTED


@cache
def rows_of_the_prior() -> tuple[tuple[Example, tuple[float, ...]], ...]:
    propensity = prior(WITH_RETURNED)
    known = tuple(planted(-MINUTE_MS)())
    return tuple((each, tuple(propensity.score(each.inputs, each.items).rows[0].tolist())) for each in known)


def logged(spoilt_every: int = 10**9) -> Examples:
    """The world with the rows that the prior logged; every n-th with another number in it."""
    spot = LISTED.names.index("customer.returned")

    def found() -> Iterator[Example]:
        for number, (each, row) in enumerate(rows_of_the_prior()):
            spoilt = number % spoilt_every == spoilt_every - 1
            then = (*row[:spot], row[spot] + 2**-40, *row[spot + 1 :]) if spoilt else row
            yield replace(each, logged=Logged(LISTED.names, ENGINE, (then,)))

    return found


def test_rows_that_differ_in_a_bit_end_the_training_a_stray_is_left_out(tmp_path: Path) -> None:
    assert audited(logged(), by_prior).left_out == {}
    assert audited(logged(720), by_prior).left_out == {ROW_DIFFERS: 1}
    error = refused(logged(100), tmp_path, served=by_prior)
    assert error.code == "ROWS_DIFFER"
    assert error.message.startswith(
        "7 of 720 logged rows are not what training makes of the same decisions, bit for bit: customer.returned in 7, "
    )


def test_only_rows_whose_makers_are_known_are_compared(tmp_path: Path) -> None:
    model = trained(tmp_path / "models")
    (each,) = list(examples(1, 1))
    serving = load(model)
    row = serving.score(each.inputs, each.items).rows
    rows = (tuple(row[0].tolist()),)

    def compared(example: Example, engine: str = "e") -> int:
        audit = Audit(feature_list(ATTRIBUTES), served_by(tmp_path / "models", engine, lambda revision: None))
        right, _ = audit.see(example)
        assert right.all()
        return audit.compared

    mine = replace(each, model=model.name, logged=Logged(serving.features, "e", rows))
    assert compared(mine) == 1
    assert compared(mine, "another engine") == 0
    assert compared(replace(mine, model="m-gone")) == 0
    assert compared(replace(mine, model="prior")) == 0  # its revision is not kept
    assert compared(replace(mine, logged=None)) == 0


def test_every_row_that_the_example_operators_decisions_log_is_made_again_bit_for_bit(tmp_path: Path) -> None:
    catalog = catalog_of(keep(MOBY, tmp_path))
    propensity, at = prior(catalog.attributes), now()
    market = with_past_fares(folded_market(catalog.places), at)
    asked = tuple(PlacementRequest(PlacementId(name), 3) for name in sorted(catalog.placements))
    records: list[DecisionRecord] = []
    for crowd in CROWDS.values():
        for number in range(20):
            situation = situation_of(crowd, number, catalog, market, at)
            request = msgspec.structs.replace(situation.request, placements=asked)
            profile = msgspec.structs.replace(situation.profile, counters=met(number, catalog.layout, at))
            inputs = situate(replace(situation, request=request, profile=profile), catalog)
            made = record(inputs, decide(inputs, catalog, propensity), propensity.features)
            records.append(decode(encode(made)))
    audit = Audit(feature_list(catalog.attributes), served(Settings(artifacts=tmp_path)))
    for each in records:
        became: dict[Item, list[tuple[str, Millis]]] = {
            (item.about, item.offer.offer_id, item.placement): [("exposed", each.inputs.now)] for item in each.shown
        }
        right, left = audit.see(label(each, became, each.inputs.now + 10**11))
        assert right.all() and not left
    scored = sum(item.propensity is not None for each in records for item in each.shown)
    assert audit.compared == scored > 300
    assert audit.differing == 0
    columns = {name: spot for spot, name in enumerate(propensity.features)}
    shown = np.array([item.row for each in records for item in each.shown if item.row])
    told = {name: len(np.unique(shown[:, spot][~np.isnan(shown[:, spot])])) for name, spot in columns.items()}
    assert min(told[name] for name in LOOKED_AT) > 1  # the rows say something of these


LOOKED_AT = (
    "customer.loyalty_tier", "customer.last_trip_at", "customer.average_spend", "context.nearest_port_distance",
    "booking.accommodation", "sailing.departs_in", "market.fare.deck", "market.fare.deck.against_recent",
    "market.cabins_free.inside", "offer.discount", "offer.kind", "own_kind", "own_fare", "own_fare_against_recent",
    "history.any.exposed.7d", "history.offer.exposed.ever", "history.offer.redeemed.ever",
    "history.campaign.clicked.24h",
)  # fmt: skip


def with_past_fares(market: Market, at: Millis) -> Market:
    """As if every fare had been another one until ten days ago."""
    today = at // DAY_MS
    sailings = {
        name: msgspec.structs.replace(
            sailing,
            fare_days={
                product: ((today - 40, *(minor * 2,) * 2), (today - 10 - number % 5, minor, minor))
                for number, (product, (minor, *_)) in enumerate(sorted(sailing.fares.items()))
            },
        )
        for name, sailing in market.sailings.items()
    }
    return msgspec.structs.replace(market, sailings=sailings)


def met(number: int, offers: Sequence[Offer], at: Millis) -> dict[CounterKey, dict[int, int]]:
    """What a customer saw, clicked and redeemed of some offers."""
    found: dict[CounterKey, dict[int, int]] = {}
    for spot, offer in enumerate(offers):
        for event in ("exposed", "clicked", "redeemed")[: (number + spot) % 4]:
            facts = offer.facts
            key = (event, facts.offer_id, facts.campaign_id, facts.collection, "app.home.hero", "", "phone")
            found[key] = {bucket_of(at) - 50 * (number % 5) - spot: 1 + spot % 2}
    return found

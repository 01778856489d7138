"""Groups: differences that were planted are found, those of chance are not, and nobody can be found in the report."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from offers.cli import app
from scoring.groups import LEAST, NOT_SAID, SMALL, Group, GroupReport, groups_of_lake, ratio
from scoring.groups_page import page
from streams.attributes import Attribute, AttributeSet, Kind, Value, attribute_set
from streams.ids import CustomerId
from streams.instant import DAY_MS
from streams.lake import Lake
from streams.record import NOTHING, DecisionInputs, DecisionRecord, encode
from tests.decision_log import inputs, offer, outcome, record
from tests.makers import NOW

SINCE, UNTIL = NOW - DAY_MS, NOW + 10 * DAY_MS
GENDER = Attribute("customer", "gender", 7, Kind.ENUM, ("f", "m", "x"), protected=True)
AGE = Attribute("customer", "age", 8, Kind.INTEGER, protected=True)
BORN = Attribute("customer", "born", 9, Kind.DATETIME, protected=True)
NEEDS = Attribute("customer", "needs", 10, Kind.SET, protected=True)
TOWN = Attribute("customer", "town", 11, Kind.STRING)
Facts = dict[str, Value]


def decided(customer: int, turn: int, facts: Facts, value: float = 1.0) -> DecisionRecord:
    """A decision that showed this customer one offer of this value."""
    made = inputs(NOW + turn * 60_000, f"c-{customer}", number=customer)
    known = {f"customer.{name}": (each, NOW) for name, each in facts.items()}
    made = msgspec.structs.replace(made, profile=msgspec.structs.replace(made.profile, facts=known))
    found = record(made, [(offer(), NOTHING)])
    return msgspec.structs.replace(found, shown=(msgspec.structs.replace(found.shown[0], value=value),))


def lake_of(
    folder: Path,
    people: int,
    facts: Callable[[int], Facts],
    *,
    value: Callable[[int], float] = lambda _: 1.0,
    rate: Callable[[int], float] = lambda _: 0.3,
) -> Lake:
    """`people` customers with five decisions each; everything is seen, and accepted at this rate."""
    lake, draw = Lake(folder), np.random.default_rng(5)
    records = [decided(who, turn, facts(who), value(who)) for who in range(people) for turn in range(5)]
    lake.append_decisions([(each, encode(each)) for each in records])
    lake.append_outcomes([outcome(each, "exposed") for each in records])
    taken = [each for each in records if draw.random() < rate(_number(each))]
    lake.append_outcomes([outcome(each, "clicked") for each in taken])
    return lake


def _number(each: DecisionRecord) -> int:
    return int(each.inputs.request.customer_id[2:])


def told(lake: Lake, *attributes: Attribute) -> dict[str, Group]:
    """The groups of the first attribute, by name."""
    return {group.group: group for group in reported(lake, *attributes).attributes[0].groups}


def reported(lake: Lake, *attributes: Attribute) -> GroupReport:
    """The report of everything."""
    declared: AttributeSet = attribute_set(attributes)
    return groups_of_lake(lake, declared, SINCE, UNTIL)


def test_groups_that_are_treated_alike_are_counted_and_not_called_apart(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, 90, lambda who: {"gender": "fmx"[who % 3], "town": "Pisa"})
    found = told(lake, GENDER, TOWN)
    assert list(found) == ["f", "m", "x"]
    for group in found.values():
        assert (group.customers, group.decisions, group.exposed, group.apart) == (30, 150, 150, ())
        assert group.exposure is not None
        assert (group.exposure.low, group.exposure.mean, group.exposure.high) == (1, 1, 1)
        assert group.acceptance is not None
        assert group.acceptance.low < 0.3 < group.acceptance.high
        assert group.predicted == pytest.approx(0.1)
    assert [each.attribute for each in reported(lake, GENDER, TOWN).attributes] == ["customer.gender"]


def test_a_group_that_is_shown_less_worth_and_accepts_less_is_apart_and_said_so(tmp_path: Path) -> None:
    lake = lake_of(
        tmp_path,
        200,
        lambda who: {"gender": "fm"[who % 2]},
        value=lambda who: 2.0 + who % 3 - who % 2,
        rate=lambda who: 0.5 if who % 2 == 0 else 0.2,
    )
    found = told(lake, GENDER)
    assert found["f"].apart == found["m"].apart == ("acceptance", "value")
    assert found["f"].value is not None
    assert found["f"].value.mean == pytest.approx(3, abs=0.02)
    text = "\n".join(page(reported(lake, GENDER)))
    assert "acceptance of m is under 0.8 or over 1.25 times everyone else's" in text


def test_a_group_of_four_is_not_told_nor_what_would_give_it_away(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, 64, lambda who: {"gender": "x" if who < 4 else "m" if who < 24 else "f"})
    found = told(lake, GENDER)
    assert list(found) == ["f", SMALL]
    assert found[SMALL] == Group(SMALL, None)
    text = "\n".join(page(reported(lake, GENDER)))
    assert f"<{LEAST}" in text
    assert msgspec.json.encode(reported(lake, GENDER)).count(b'"m"') == 0


def test_everybody_in_small_groups_is_a_report_that_tells_of_nobody(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, 4, lambda who: {"gender": "f"})
    assert told(lake, GENDER) == {SMALL: Group(SMALL, None)}


def test_who_did_not_consent_is_a_group_without_a_value_and_comes_last(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, 40, lambda who: {"gender": "f"} if who % 4 == 0 else {})
    found = told(lake, GENDER)
    assert list(found) == ["f", NOT_SAID]
    assert (found["f"].customers, found[NOT_SAID].customers) == (10, 30)


def test_numbers_are_quarters_named_by_the_bounds_between_them(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "ages", 80, lambda who: {"age": 20 + who})
    found = told(lake, AGE)
    assert {name: group.customers for name, group in found.items()} == {
        "40 to 60": 20, "60 to 80": 20, "80 or more": 20, "below 40": 20,
    }  # fmt: skip
    same = lake_of(tmp_path / "same", 20, lambda who: {"age": 30})
    assert {name: group.customers for name, group in told(same, AGE).items()} == {"30 or more": 20}
    years = lake_of(tmp_path / "years", 40, lambda who: {"born": (who - 20) * 365 * DAY_MS})
    assert sorted(told(years, BORN)) == ["1960 to 1970", "1970 to 1979", "1979 or more", "below 1960"]


def test_members_of_a_set_overlap_and_are_compared_with_who_is_not_in_it(tmp_path: Path) -> None:
    lake = lake_of(
        tmp_path,
        100,
        lambda who: {"needs": ("lift", "wheelchair") if who % 2 else ("lift",)},
        value=lambda who: 1.0 + 2 * (who % 2),
    )
    found = told(lake, NEEDS)
    assert (found["lift"].customers, found["wheelchair"].customers) == (100, 50)
    assert (found["lift"].apart, found["wheelchair"].apart) == ((), ("value",))


def test_what_was_not_live_or_not_in_the_window_is_not_counted_and_unseen_items_are_no_exposures(
    tmp_path: Path,
) -> None:
    lake = Lake(tmp_path)
    people = [decided(who, 0, {"gender": "f"}) for who in range(30)]
    early = [msgspec.structs.replace(each, inputs=_shifted(each, -5 * DAY_MS)) for each in people]
    tests = [msgspec.structs.replace(each, inputs=_of_test(each)) for each in people]
    lake.append_decisions([(each, encode(each)) for each in (*people[:20], *early, *tests[20:])])
    lake.append_outcomes([outcome(each, "exposed") for each in people[:10]])
    found = told(lake, GENDER)["f"]
    assert (found.customers, found.decisions, found.exposed) == (20, 20, 10)
    assert found.acceptance is not None
    assert (found.acceptance.mean, found.acceptance.low) == (0, 0)
    assert 0.1 < found.acceptance.high < 0.4


def _shifted(each: DecisionRecord, by: int) -> DecisionInputs:
    made = each.inputs
    return inputs(made.now + by, made.request.customer_id, number=77, gender="f")


def _of_test(each: DecisionRecord) -> DecisionInputs:
    return msgspec.structs.replace(each.inputs, origin="load")


def test_an_empty_lake_and_no_protected_attribute_are_told_as_such(tmp_path: Path) -> None:
    found = reported(Lake(tmp_path), GENDER)
    assert (found.decisions, found.attributes[0].groups) == (0, ())
    assert "no attribute is declared protected" in "\n".join(page(reported(Lake(tmp_path), TOWN)))


@pytest.mark.parametrize("customers", [LEAST, 12, 200])
def test_intervals_hold_the_true_rate_though_ones_answers_go_together(customers: int) -> None:
    """Half of the people accept a tenth of what they see, half a half of it, and some see more than others."""
    draw, inside = np.random.default_rng(2), 0
    for _ in range(500):
        eager, seen = draw.choice([0.1, 0.5], customers), draw.integers(1, 8, customers)
        pairs = list(zip(draw.binomial(seen, eager).tolist(), seen.tolist(), strict=True))
        found = ratio(pairs, share=True)
        inside += found is not None and found.low <= 0.3 <= found.high
    assert inside >= 455


def test_a_rate_of_one_customer_or_of_nothing_is_none() -> None:
    assert ratio([(1, 2)]) is None
    assert ratio([(0, 0), (0, 0)]) is None


def test_the_command_tells_of_what_the_active_revision_protects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFING_ARTIFACTS", str(tmp_path))
    monkeypatch.setenv("OFFING_SIMULATED", "1")
    lake_of(tmp_path / "lake", 20, lambda who: {"age_band": ("under_26", "from_61")[who % 2]})
    done = CliRunner().invoke(app, ["groups", "--json", "--now", "2026-11-23T18:00:00Z"])
    found = msgspec.json.decode(done.stdout, type=GroupReport)
    ages = next(each for each in found.attributes if each.attribute == "customer.age_band")
    assert [(group.group, group.customers) for group in ages.groups] == [("from_61", 10), ("under_26", 10)]
    assert "customer.age_band" in CliRunner().invoke(app, ["groups"]).stdout


def test_the_customers_of_a_report_are_in_no_word_of_it(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, 30, lambda who: {"gender": "f", "age": who})
    found = reported(lake, GENDER, AGE)
    for text in (msgspec.json.encode(found).decode(), "\n".join(page(found))):
        assert CustomerId("c-") not in text

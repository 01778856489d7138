"""A decision's inputs are its record: whatever they hold comes back from the log as it was."""

import math

import msgspec
import pytest
from hypothesis import given, settings

from offers.decide import decide, digest, record
from offers.situation import Situation, situate
from streams.attributes import Value
from streams.ids import CampaignId, DecisionId, ModelId, OfferId
from streams.record import (
    NOTHING,
    DecisionInputs,
    DecisionRecord,
    OfferFacts,
    ScoredCandidate,
    ShownItem,
    Subject,
    decode,
    encode,
)
from tests.catalogs import HERO, NOW, inputs
from tests.deciding import counters, opinionated
from tests.test_validity import BOOKS, SLOW, situations

MODEL = opinionated()
VALUES: list[Value] = ["gold", "", "è 船", 0, -1, 2**53, 1.5, 5.0, -0.0, True, False, ("a", "b"), ()]


def written(given_inputs: DecisionInputs, shown: tuple[ShownItem, ...] = ()) -> DecisionRecord:
    candidates = (ScoredCandidate(OfferId("o"), "booking:b1", 0.1 + 0.2, 1 / 3, 128 / 513),)
    return DecisionRecord(1, given_inputs, ModelId("m-1"), "offing-0.1.0", ("a", "b"), candidates, shown, "00" * 16)


@given(situations())
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
def test_inputs_come_back_as_they_were_and_decide_the_same(found: Situation) -> None:
    catalog = BOOKS[0]
    given_inputs = situate(found, catalog)
    decision = decide(given_inputs, catalog, MODEL)
    line = encode(record(given_inputs, decision, MODEL.features))
    again = decode(line)
    assert again.inputs == given_inputs
    assert digest(decide(again.inputs, catalog, MODEL)) == digest(decision) == again.digest
    assert encode(again) == line


def test_every_kind_of_value_comes_back_with_its_type() -> None:
    facts = {f"customer.v{number}": (value, NOW + number) for number, value in enumerate(VALUES)}
    again = decode(encode(written(inputs(dict(facts))))).inputs.profile.facts
    assert again == facts
    assert [type(again[name][0]) for name in facts] == [type(value) for value in VALUES]
    assert math.copysign(1, float(str(again["customer.v8"][0]))) == -1


def test_counters_and_bookings_keep_their_keys() -> None:
    key = ("exposed", "o", "c-o", "fares", "app.home.hero", "booking:b1", "phone")
    profile = inputs().profile
    held = msgspec.structs.replace(profile, counters=counters((key, NOW)), lifetime={key: 7})
    again = decode(encode(written(inputs(profile=held)))).inputs.profile
    assert (again.counters, again.lifetime) == (held.counters, held.lifetime)


def test_rows_keep_what_is_missing_and_every_digit() -> None:
    facts = OfferFacts(OfferId("o"), CampaignId("c-o"), "fares", {"offer.kind": "cabin"})
    items = (
        ShownItem(facts, "booking:b1", HERO, 1, 0.1 + 0.2, 1 / 3, 12.5, (float("nan"), 1e-300, -0.0)),
        ShownItem(facts, "", HERO, 2, None, None, 0.0, ()),
    )
    first, second = decode(encode(written(inputs(), items))).shown
    assert math.isnan(first.row[0])
    assert (first.row[1:], first.score, first.propensity) == ((1e-300, -0.0), 0.1 + 0.2, 1 / 3)
    assert second == items[1]


def test_a_line_without_what_came_later_is_still_read() -> None:
    line = msgspec.msgpack.decode(encode(written(inputs())))
    for name in ("subjects_change_at", "season_changes_at", "consulted", "origin", "degraded"):
        del line["inputs"][name]
    again = decode(msgspec.msgpack.encode(line)).inputs
    assert (again.subjects_change_at, again.origin, again.consulted) == (0, "live", ())
    line["inputs"]["from_the_future"] = 1
    assert decode(msgspec.msgpack.encode(line)).inputs == again


@pytest.mark.parametrize("line", [b"", b"\xc1", b"\x80", b"{}", encode(written(inputs()))[:-1]])
def test_other_bytes_are_no_record(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(line)


def test_nothing_is_a_subject_that_every_general_offer_shares() -> None:
    assert NOTHING == Subject("", {}, {}, (), 0)
    assert inputs().subjects == {}
    assert inputs(decision_id=DecisionId("d")).candidate_limit == 384


def test_a_record_of_another_version_is_refused() -> None:
    line = encode(msgspec.structs.replace(written(inputs()), v=2))
    with pytest.raises(msgspec.ValidationError, match="a decision record of version 2; expected 1"):
        decode(line)

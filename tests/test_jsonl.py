"""Decision logs from elsewhere: read with or without declarations, refused by line."""

import json
from pathlib import Path

import pytest

from scoring.dataset import build, learn_features
from scoring.jsonl import NOTHING_DECLARED, JsonLog
from streams.attributes import AttributeSet, Kind
from streams.errors import InvalidInput
from streams.record import NOTHING
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES

FULL = {
    "v": 1,
    "decision_id": "d-1",
    "at": "2026-11-21T18:04:11Z",
    "customer_id": "c-1",
    "customer": {"town": "Pisa", "age": 41, "likes": ["wine", "spa"], "vip": True, "customer.score": 1.5, "gone": None},
    "context": {"weather": "rain", "market.fare.cabin": 4900, "odd": {"nested": 1}},
    "offer": {"offer_id": "spa", "campaign_id": "k", "collection": "onboard", "starting_mean": 0.2, "kind": "spa"},
    "about": "booking:b-1",
    "placement": "home",
    "rank": 1,
    "score": 0.12,
    "propensity": 0.5,
    "revision": "r-9",
    "model": "elsewhere",
    "seed": 7,
    "origin": "live",
    "outcome": 1,
    "value": 2.0,
    "surplus": "ignored",
}


def log(tmp_path: Path, *lines: object, declared: AttributeSet = NOTHING_DECLARED) -> JsonLog:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return JsonLog(path, declared)


def test_a_whole_line_becomes_an_example(tmp_path: Path) -> None:
    [example] = log(tmp_path, FULL).examples()()
    made, [(facts, about)] = example.inputs, example.items
    assert (made.decision_id, made.now, made.revision, example.model) == ("d-1", NOW, "r-9", "elsewhere")
    assert {name: value for name, (value, _) in made.profile.facts.items()} == {
        "customer.town": "Pisa",
        "customer.age": 41,
        "customer.likes": ("spa", "wine"),
        "customer.vip": True,
        "customer.score": 1.5,
    }
    assert made.request.context == {"context.weather": ("rain", NOW)}
    assert (about.key, about.facts) == ("booking:b-1", {"market.fare.cabin": (4900, NOW)})
    assert (facts.offer_id, facts.collection, facts.starting_mean) == ("spa", "onboard", 0.2)
    assert facts.attributes == {"offer.kind": "spa"}
    assert (example.outcomes, example.scores, example.propensities) == ((1,), (0.12,), (0.5,))


def test_the_least_line_is_enough_and_null_outcomes_and_test_traffic_are_left_out(tmp_path: Path) -> None:
    least = {"customer_id": "c-1", "offer": {"offer_id": "spa"}, "outcome": 0}
    found = list(log(tmp_path, least, {**least, "outcome": None}, "", {**least, "origin": "test"}).examples()())
    assert [(example.outcomes, example.left_out) for example in found] == [
        ((0,), ()),
        ((), ("no_outcome",)),
        ((), ("not_live",)),
    ]
    assert found[0].items[0][1] == NOTHING
    assert len({example.inputs.decision_id for example in found}) == 3


def test_what_is_not_declared_is_taken_for_what_it_looks_like(tmp_path: Path) -> None:
    mixed = {**FULL, "customer": {"town": 7}}
    found = log(tmp_path, FULL, mixed).attributes().by_name
    assert {name: found[f"customer.{name}"].kind for name in ("town", "age", "likes", "vip")} == {
        "town": Kind.STRING,
        "age": Kind.NUMBER,
        "likes": Kind.SET,
        "vip": Kind.BOOLEAN,
    }
    assert found["context.weather"].kind is found["offer.kind"].kind is Kind.STRING
    assert found["market.fare.cabin"].kind is Kind.NUMBER


def test_declared_attributes_are_read_as_declared_and_what_does_not_fit_is_missing(tmp_path: Path) -> None:
    customer = {"bar_visits": "often", "spa_visits": "daily", "member_since": "2026-11-20T18:04:11Z", "town": 3}
    written = log(tmp_path, {**FULL, "customer": customer}, declared=ATTRIBUTES)
    [example] = written.examples()()
    assert {name: value for name, (value, _) in example.inputs.profile.facts.items()} == {
        "customer.bar_visits": "often",
        "customer.member_since": NOW - 86_400_000,
    }
    assert written.attributes().by_name["customer.gender"].protected
    assert "customer.spa_visits" in written.attributes().by_name


def test_a_log_without_declarations_makes_rows(tmp_path: Path) -> None:
    lines = [{**FULL, "decision_id": f"d-{n}", "customer_id": f"c-{n}", "outcome": n % 2} for n in range(20)]
    written = log(tmp_path, *lines)
    features = learn_features(written.examples(), written.attributes())
    dataset = build(written.examples(), features)
    found = dict(zip(features.names, dataset.rows[0].tolist(), strict=True))
    assert (found["customer.age"], found["customer.town"], found["customer.likes=spa"]) == (41, 0, 1)
    assert (found["offer.id"], found["market.fare.cabin"]) == (0, 4900)
    assert dataset.outcome.sum() == 10


@pytest.mark.parametrize(
    "bad",
    [
        "{not json",
        "[]",
        {"customer_id": "c-1", "outcome": 1},
        {**FULL, "outcome": 2},
        {**FULL, "offer": {"id": "spa"}},
        {**FULL, "at": "yesterday"},
        {**FULL, "customer": "c-1"},
        {**FULL, "at": 10**30},
        {**FULL, "score": -0.1},
        {**FULL, "score": 7},
        {**FULL, "propensity": 0},
        {**FULL, "propensity": 1.5},
        {**FULL, "offer": {"offer_id": "spa", "starting_mean": 0}},
        {**FULL, "offer": {"offer_id": "spa", "starting_mean": 20}},
        {**FULL, "offer": {"offer_id": "spa", "starting_evidence": -5}},
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: object) -> None:
    with pytest.raises(InvalidInput, match=r"log\.jsonl:2: ") as caught:
        list(log(tmp_path, FULL, bad).examples()())
    assert caught.value.code == "LOG_LINE"


def test_a_whole_number_that_no_row_holds_is_missing(tmp_path: Path) -> None:
    [example] = log(tmp_path, {**FULL, "customer": {"age": 10**400, "score": 2**62}}).examples()()
    assert {name: value for name, (value, _) in example.inputs.profile.facts.items()} == {"customer.score": 2**62}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere\.jsonl") as caught:
        JsonLog(tmp_path / "nowhere.jsonl", NOTHING_DECLARED).attributes()
    assert caught.value.code == "LOG_UNREADABLE"

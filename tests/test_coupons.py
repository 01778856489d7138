"""The coupon example: real answers as attributes, one candidate per decision, a person's answers hours apart."""

from collections import Counter
from pathlib import Path

import pytest

from loadtests.coupon_answers import Answer, days_of, level, read
from loadtests.coupons import DATA, DAYS, EXAMPLE, Calendar
from loadtests.world_clock import DAY_MS, HOUR_MS
from offers.folder import load_folder
from streams.instant import parse_instant

NOW = parse_instant("2026-11-21T18:15:00Z")


@pytest.fixture(scope="module")
def answers() -> list[Answer]:
    return read(DATA)


def test_the_folder_checks_without_a_finding_and_has_ten_coupons() -> None:
    loaded = load_folder(EXAMPLE)
    assert [str(finding) for finding in loaded.findings] == []
    assert loaded.campaigns is not None
    assert len(loaded.campaigns.campaigns) == len(loaded.campaigns.placements) == 10


def test_every_answer_is_a_value_of_a_declared_attribute(answers: list[Answer]) -> None:
    attributes = load_folder(EXAMPLE).attributes
    assert attributes is not None
    for answer in answers:
        for scope, facts in (("customer", answer.profile), ("context", answer.situation)):
            for name, value in facts.items():
                assert attributes.by_name[f"{scope}.{name}"].parse(value) == value
    declared = {name for name in attributes.by_name if name.startswith("customer.") and name != "customer.friends"}
    assert declared == {f"customer.{name}" for answer in answers for name in answer.profile}


def test_the_coupon_of_a_row_is_the_only_candidate_of_its_placement(answers: list[Answer]) -> None:
    campaigns = load_folder(EXAMPLE).campaigns
    assert campaigns is not None
    offers = {campaign.offer.placements: campaign.offer.id for campaign in campaigns.campaigns}
    assert {(answer.placement, answer.coupon) for answer in answers} == {(name, offers[name,]) for (name,) in offers}


def test_all_rows_are_there(answers: list[Answer]) -> None:
    assert len(answers) == 10_367
    assert len({answer.respondent for answer in answers}) == 479
    assert sum(answer.taken for answer in answers) == 5_868
    assert Counter(str(answer.situation["minutes_away"]) for answer in answers)["from_25"] == 1_239


def test_a_persons_answers_are_hours_apart_and_all_in_the_past(answers: list[Answer]) -> None:
    latest: dict[str, int] = {}
    told = 0
    for at, given in Calendar(1, NOW).hours(answers):
        assert NOW - (DAYS + 2) * DAY_MS < at < NOW - DAY_MS
        for answer in given:
            assert at - latest.get(answer.respondent, 0) >= 9 * HOUR_MS
            latest[answer.respondent] = at
            told += 1
    assert told == len(answers)


def test_the_order_of_the_answers_is_the_seeds_own(answers: list[Answer]) -> None:
    first, again, other = (list(days_of(answers, seed, DAYS)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_more_answers_than_days_are_refused(answers: list[Answer]) -> None:
    with pytest.raises(ValueError, match="more than 5 days"):
        list(days_of(answers, 1, 5))


def test_levels_are_the_answers_in_small_letters() -> None:
    assert level("Restaurant(<20)") == "restaurant_20"
    assert level("Arts Design Entertainment Sports & Media") == "arts_design_entertainment_sports_media"


def test_the_source_and_its_licence_are_named() -> None:
    readme = Path(EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert "10.24432/C5GS4P" in readme
    assert "CC BY 4.0" in readme

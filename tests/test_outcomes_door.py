"""What became of offers, told with their tokens: resolved, counted once, and believed within their time."""

from dataclasses import replace

from offers.events_door import EventResult
from streams.events import Outcome
from streams.ids import OfferId, PlacementId
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, format_instant
from streams.log import CUSTOMERS
from tests.arriving import (
    APP,
    DECIDED,
    FOREIGN,
    NOW,
    SERVER,
    TOKENS,
    codes,
    event,
    outcome,
    send,
    shown,
    statuses,
    tell,
)


def test_an_outcome_carries_the_decision_and_never_the_token() -> None:
    item = shown()
    token = TOKENS.mint(item)
    by_outcome = tell(outcome(token, "clicked"))
    by_event = send(event("offer.clicked", {"token": token}, id="mine", time=format_instant(NOW), subject=None), APP)
    assert by_event.results == (EventResult("mine", "accepted"),)
    (first,), (second,) = by_outcome.accepted, by_event.accepted
    assert first.event == second.event
    assert first.event.data == Outcome(
        item.decision_id, "cabin-upgrade", "cabins-livorno", "cabins", "app.home.hero", "booking:b-771", "phone", 1
    )
    assert (first.event.subject, first.event.type, first.topic) == ("c-42", "offer.clicked", CUSTOMERS)
    assert b"ot1." not in first.entry.value
    assert b"token" not in first.entry.value


def test_an_exposure_told_again_by_anyone_has_the_same_id() -> None:
    item = shown()
    token = TOKENS.mint(item)
    twice = tell([outcome(token), outcome(token, at=NOW - MINUTE_MS), outcome(token, "dismissed")])
    assert statuses(twice) == ["accepted", "duplicate", "accepted"]
    data = {
        "decision_id": item.decision_id, "offer_id": "cabin-upgrade", "campaign_id": "cabins-livorno",
        "collection": "cabins", "placement": "app.home.hero", "about": "booking:b-771",
    }  # fmt: skip
    server = send(event("offer.exposed", data, id="mail-9", source="mailer"))
    assert server.accepted[0].event.id == twice.accepted[0].event.id
    assert server.results[0].id == "mail-9"
    others = [replace(item, about="x"), replace(item, placement=PlacementId("x")), replace(item, offer_id=OfferId("x"))]
    ids = {tell(outcome(TOKENS.mint(other))).accepted[0].event.id for other in (item, *others)}
    assert len(ids) == 4


def test_redemptions_and_outcomes_of_no_decision_keep_their_senders_id() -> None:
    data = {"decision_id": "", "offer_id": "o", "campaign_id": "c", "collection": "k", "placement": "p"}
    batch = send([event("offer.exposed", data, id="x-1"), event("offer.redeemed", data, id="r-1")])
    assert [item.event.id for item in batch.accepted] == ["x-1", "r-1"]


def test_forged_foreign_malformed_and_strange_tokens_are_rejected_with_their_codes() -> None:
    token = TOKENS.mint(shown())
    batch = tell(
        [
            outcome(token[:-2] + "AA"),
            outcome(FOREIGN.mint(shown())),
            outcome("ot1.k2"),
            outcome(""),
            outcome(TOKENS.mint(shown(customer="c-7"))),
            outcome(token, "bought"),
            {"token": token},
            outcome(token, at_=1) | {"at": 5},
            7,
            outcome(token),
        ]
    )
    assert codes(batch) == [
        "TOKEN_FORGED", "TOKEN_FORGED", "TOKEN_MALFORMED", "TOKEN_MALFORMED", "NOT_YOURS", "OUTCOME_UNKNOWN",
        "OUTCOME_MALFORMED", "OUTCOME_MALFORMED", "OUTCOME_MALFORMED", None,
    ]  # fmt: skip
    assert "missing required field `outcome`" in str(batch.results[6].message)


def test_an_apps_outcome_without_a_token_is_not_believed_and_a_servers_is() -> None:
    made = "019a9c2b-8a38-7000-8000-000000000000"
    data = {"decision_id": made, "offer_id": "o", "campaign_id": "c", "collection": "k", "placement": "p"}
    assert codes(send([event("offer.clicked", data)], APP)) == ["TOKEN_MISSING"]
    assert codes(send([event("offer.clicked", data)], SERVER)) == [None]
    assert codes(send([event("offer.redeemed", data | {"decision_id": "order-1"})], SERVER)) == ["DECISION_ID"]


def test_a_token_given_to_one_customer_is_not_another_subjects() -> None:
    token = TOKENS.mint(shown())
    assert codes(send([event("offer.clicked", {"token": token}, subject="c-7")], SERVER)) == ["NOT_YOURS"]


def test_expiry_is_judged_when_it_happened_and_not_when_it_arrived() -> None:
    old = shown(decided=NOW - 6 * DAY_MS)
    token = TOKENS.mint(old)
    in_time, too_late = old.expires - 1, old.expires
    batch = tell([outcome(token, at=in_time), outcome(token, "clicked", at=too_late)])
    assert codes(batch) == [None, "TOKEN_EXPIRED"]
    assert batch.accepted[0].event.time == in_time
    slow = NOW - 30 * DAY_MS
    by_slow_phone = outcome(token, "clicked", at=slow - (NOW - in_time), sent_at=format_instant(slow))
    assert tell(by_slow_phone).accepted[0].event.time == in_time
    redeemed = event("offer.redeemed", {"token": token}, time=format_instant(too_late))
    assert statuses(send([redeemed])) == ["accepted"]


def test_an_outcome_may_lie_seven_days_before_its_arrival() -> None:
    old = TOKENS.mint(shown(decided=NOW - 8 * DAY_MS, lives_ms=10 * DAY_MS))
    batch = tell([outcome(old, at=NOW - 7 * DAY_MS), outcome(old, "clicked", at=NOW - 7 * DAY_MS - 1)])
    assert codes(batch) == [None, "TIME_IMPLAUSIBLE"]


def test_an_outcome_never_lies_before_its_decision() -> None:
    (item,) = tell(outcome(TOKENS.mint(shown()), at=DECIDED - 2 * HOUR_MS)).accepted
    assert item.event.time == DECIDED

"""What a decision finds in Redis may be of another version, of another type, or refused: it goes on without."""

from collections.abc import Iterator

import pytest

from streams.ids import CustomerId
from streams.log import LOCATIONS
from tests.service import offers_of
from tests.shared_service import Shared, shared_service

FALLBACK = "islands-newsletter"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Shared]:
    """Without consumers: one of them would stop at what is stored here."""
    with shared_service(tmp_path_factory.mktemp("store"), valkey_url, consuming=False) as shared:
        yield shared


@pytest.mark.parametrize("garbage", [b"garbage", b"\x01garbage of version 1", b"\x02", b""])
def test_what_cannot_be_read_degrades_the_answer(service: Shared, garbage: bytes) -> None:
    keys, customer = service.keys, CustomerId(f"c-{garbage.hex()}")
    with service.store() as store:
        for key in (keys.profile(customer), keys.presence(customer), keys.request(customer, "r")):
            store.set(key, garbage)
        store.rpush(keys.pending(customer), garbage)
    consent = service.live.event("customer.consent", customer, {"purposes": {"location": True}})
    answer = service.ask(customer, request_id="r", events=[consent])
    assert (offers_of(answer), answer.json()["degraded"]) == ([FALLBACK], ["profile_unavailable"])


def test_of_an_unreadable_profile_nobody_knows_a_consent_to_keep_a_location(service: Shared) -> None:
    customer = CustomerId("c-unreadable")
    with service.store() as store:
        store.set(service.keys.profile(customer), b"garbage")
    fix = service.live.event("customer.location", customer, {"lat": 43.5, "lon": 10.3})
    answer = service.send(fix)
    assert [result["code"] for result in answer.json()["results"]] == ["CONSENT_MISSING"]
    assert service.kept(LOCATIONS) == 0


def test_an_unreadable_presence_is_no_presence(service: Shared) -> None:
    customer = CustomerId("c-presence")
    service.send(service.live.event("customer.consent", customer, {"purposes": {"location": True}}))
    for garbage in (b"garbage", b"\x01 of version 1, but not whole", b""):
        with service.store() as store:
            store.set(service.keys.presence(customer), garbage)
        answer = service.ask(customer)
        assert (offers_of(answer), answer.json()["degraded"]) == ([FALLBACK], [])


def test_a_refusal_degrades_the_answer_and_keeps_the_events(service: Shared, caplog: pytest.LogCaptureFixture) -> None:
    customer = CustomerId("C-WRONG-TYPE")
    with service.store() as store:
        store.hset(service.keys.profile(customer), "a", "b")
        store.set(service.keys.pending(customer), "not a list")
    before = service.kept()
    event = service.live.event("customer.preferences", customer, {"attributes": {"newsletter": True}})
    assert service.send(event).status_code == 202
    assert service.kept() == before + 1
    answer = service.ask(customer, events=[{**event, "id": "inline"}])
    assert (offers_of(answer), answer.json()["degraded"]) == ([FALLBACK], ["profile_unavailable"])
    assert [result["status"] for result in answer.json()["events"]] == ["accepted"]
    refused = [record for record in caplog.records if record.name == "offing.answer_store"]
    assert {record.__dict__["reason"] for record in refused} == {"WRONGTYPE"}
    assert not any(customer in record.getMessage() for record in caplog.records)

"""Whom a load test may be pointed at."""

import pytest

from loadtests.load import permission
from streams.errors import InvalidInput, NotAllowed, Retry
from tests.canned import canned

READY = {"ready": True, "load": True, "revision": "r-1", "model": "prior"}


def test_a_target_on_this_machine_that_allows_it() -> None:
    with canned(lambda asked: (200, READY)) as server:
        assert permission.ask(server.url, None) == READY
        assert permission.ask(server.url.replace("127.0.0.1", "localhost"), None) == READY
    assert [asked.path for asked in server.asked] == ["/health/ready"] * 2


@pytest.mark.parametrize("said", [{"ready": True}, {**READY, "load": False}, {**READY, "load": "yes"}], ids=str)
def test_a_target_that_does_not_allow_load_is_refused(said: dict[str, object]) -> None:
    with canned(lambda asked: (200, said)) as server, pytest.raises(NotAllowed) as refused:
        permission.ask(server.url, None)
    assert refused.value.code == "LOAD_NOT_ALLOWED" and "OFFING_ALLOW_LOAD=1" in refused.value.message


@pytest.mark.parametrize("remote", [None, "elsewhere.example"])
def test_another_machine_is_not_even_asked_unless_it_is_named(remote: str | None) -> None:
    with pytest.raises(NotAllowed) as refused:
        permission.ask("http://shop.invalid:8080", remote)
    assert refused.value.code == "HOST_NOT_LOOPBACK" and "--remote shop.invalid" in refused.value.message


def test_another_machine_that_is_named_must_allow_it_too() -> None:
    with pytest.raises(Retry) as away:
        permission.ask("http://shop.invalid:8080", "shop.invalid")
    assert away.value.code == "TARGET_AWAY"


def test_a_target_that_is_not_ready_or_is_not_offing() -> None:
    with canned(lambda asked: (503, {**READY, "ready": False})) as server, pytest.raises(Retry) as refused:
        permission.ask(server.url, None)
    assert refused.value.code == "TARGET_NOT_READY"
    with canned(lambda asked: (200, ["nginx"])) as server, pytest.raises(Retry) as refused:
        permission.ask(server.url, None)
    assert refused.value.code == "TARGET_AWAY"
    with pytest.raises(InvalidInput, match="expected http"):
        permission.ask("localhost", None)

"""Bearer credentials over HTTP: keys and customer tokens, revocation, rotation, guessing, a ledger that is away."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st

from offers.api.auth import FRESH_MS, LEDGER_AWAY_MS, PAUSE_MS, Authenticator
from offers.api.problems import install
from offers.caller import Caller
from offers.ledger import Ledger
from offers.ledger_database import LedgerDatabase
from offers.tokens import CustomerToken, CustomerTokens, parse_keys
from streams.errors import NotAuthenticated, Retry
from streams.ids import CustomerId
from tests.asgi import call

TOKENS = CustomerTokens(parse_keys("k1:" + "11" * 32, "offing"))
FOREIGN = CustomerTokens(parse_keys("k1:" + "11" * 32, "test-run"))
AT = 1_795_284_251_000


class Clock:
    """A clock that is set by hand."""

    ms = 0

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(url, "offing")
    opened.migrate()
    yield opened
    opened.close()


def who(authenticator: Authenticator, secret: str, at: int = AT) -> Caller:
    return anyio.run(authenticator.caller, f"Bearer {secret}", at)


def refused(authenticator: Authenticator, secret: str, at: int = AT) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        who(authenticator, secret, at)
    return caught.value.code


def take_away(url: str) -> None:
    """From now on whoever asks this ledger gets an error."""
    database = LedgerDatabase(url, "offing")
    database.downgrade("base")
    database.engine.dispose()


def customer_token(customer: str, expires: int) -> str:
    return TOKENS.mint(CustomerToken(CustomerId(customer), expires))


def test_a_key_is_a_caller_with_its_scopes(ledger: Ledger) -> None:
    secret = ledger.create_key("booking", ["events", "admin"], now=1)
    authenticator = Authenticator(ledger, TOKENS, Clock())
    assert who(authenticator, secret) == Caller("key", frozenset({"events", "admin"}), "booking")


def test_a_customers_token_is_that_customer_until_it_expires(ledger: Ledger) -> None:
    authenticator = Authenticator(ledger, TOKENS, Clock())
    token = customer_token("c-42", AT)
    caller = who(authenticator, token, AT - 1)
    assert caller == Caller("customer", frozenset({"decide", "events"}), "customer", CustomerId("c-42"))
    assert refused(authenticator, token, AT) == "TOKEN_EXPIRED"


def test_foreign_and_forged_tokens_are_refused(ledger: Ledger) -> None:
    authenticator = Authenticator(ledger, TOKENS, Clock())
    foreign = FOREIGN.mint(CustomerToken(CustomerId("c-42"), AT + 1))
    forged = customer_token("c-42", AT + 1)[:-2] + "AA"
    assert refused(authenticator, foreign) == "TOKEN_FORGED"
    assert refused(authenticator, forged) == "TOKEN_FORGED"
    assert refused(authenticator, "ct1.") == "TOKEN_MALFORMED"


def test_a_revoked_key_stops_within_five_seconds(ledger: Ledger) -> None:
    clock = Clock()
    authenticator = Authenticator(ledger, TOKENS, clock)
    secret = ledger.create_key("app", ["decide"], now=1)
    assert who(authenticator, secret).name == "app"
    ledger.revoke_key("app", now=2)
    clock.ms = FRESH_MS - 1
    assert who(authenticator, secret).name == "app"
    clock.ms = FRESH_MS
    assert refused(authenticator, secret) == "KEY_UNKNOWN"
    assert FRESH_MS < 5_000


def test_a_new_key_works_within_a_second_although_the_keys_were_just_read(ledger: Ledger) -> None:
    clock = Clock()
    authenticator = Authenticator(ledger, TOKENS, clock)
    who(authenticator, ledger.create_key("app", ["decide"], now=1))
    late = ledger.create_key("web", ["decide"], now=2)
    assert refused(authenticator, late) == "KEY_UNKNOWN"
    clock.ms = PAUSE_MS
    assert who(authenticator, late).name == "web"


def test_guessing_keys_asks_the_ledger_once_a_second(ledger: Ledger, url: str) -> None:
    clock = Clock()
    authenticator = Authenticator(ledger, TOKENS, clock)
    secret = ledger.create_key("app", ["decide"], now=1)
    who(authenticator, secret)
    take_away(url)
    for guess in range(50):
        assert refused(authenticator, f"ok_{guess:043}") == "KEY_UNKNOWN"
    assert who(authenticator, secret).name == "app"


def test_keys_last_read_stay_good_for_a_while_when_the_ledger_is_away(ledger: Ledger, url: str) -> None:
    clock = Clock()
    authenticator = Authenticator(ledger, TOKENS, clock)
    secret = ledger.create_key("app", ["decide"], now=1)
    who(authenticator, secret)
    take_away(url)
    clock.ms = LEDGER_AWAY_MS - 1
    assert who(authenticator, secret).name == "app"
    clock.ms = LEDGER_AWAY_MS + PAUSE_MS
    with pytest.raises(Retry) as caught:
        who(authenticator, secret)
    assert caught.value.code == "LEDGER_SCHEMA", "its tables are gone, which is all that is away here"
    assert who(authenticator, customer_token("c-42", AT + 1)).customer_id == "c-42"
    ledger.migrate()
    again = ledger.create_key("app", ["decide"], now=3)
    clock.ms += PAUSE_MS
    assert who(authenticator, again).name == "app"
    assert refused(authenticator, secret) == "KEY_UNKNOWN"


def test_a_ledger_that_is_away_at_the_start_is_asked_once_a_second(url: str) -> None:
    clock = Clock()
    ledger = Ledger(url, "offing")
    authenticator = Authenticator(ledger, TOKENS, clock)
    for ms in (0, 1, PAUSE_MS - 1):
        clock.ms = ms
        with pytest.raises(Retry):
            who(authenticator, "ok_guess")
        ledger.migrate()
    clock.ms = PAUSE_MS
    assert refused(authenticator, "ok_guess") == "KEY_UNKNOWN"
    ledger.close()


def test_a_clock_set_back_makes_nothing_fresher(ledger: Ledger) -> None:
    clock = Clock()
    clock.ms = 10_000_000
    authenticator = Authenticator(ledger, TOKENS, clock)
    secret = ledger.create_key("app", ["decide"], now=1)
    who(authenticator, secret)
    ledger.revoke_key("app", now=2)
    clock.ms = 0
    assert refused(authenticator, secret) == "KEY_UNKNOWN"


def test_many_requests_at_once_are_all_answered(ledger: Ledger) -> None:
    authenticator = Authenticator(ledger, TOKENS, Clock())
    secret = ledger.create_key("app", ["decide"], now=1)
    names: list[str] = []

    async def one() -> None:
        names.append((await authenticator.caller(f"Bearer {secret}", AT)).name)

    async def crowd() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(one)

    anyio.run(crowd)
    assert names == ["app"] * 100


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic b2s6",
        "ok_abc",
        "Bearer hunter2",
        "Bearer ot1.abc",
        "Bearer " + "x" * 5_000,
    ],
)
def test_no_credentials_or_others_say_what_to_send(ledger: Ledger, header: str | None) -> None:
    app = FastAPI()
    install(app)
    authenticator = Authenticator(ledger, TOKENS, Clock())

    @app.get("/who")
    async def whoami(request: Request) -> str:
        return (await authenticator.caller(request.headers.get("authorization"), AT)).name

    answer: httpx.Response = call(app, "GET", "/who", headers={} if header is None else {"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "CREDENTIALS_MISSING")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "send 'Authorization: Bearer ok_...'" in answer.json()["detail"]
    assert "hunter2" not in answer.text


@given(st.text(max_size=80))
def test_arbitrary_headers_are_refused_never_a_crash(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path_factory.getbasetemp() / 'any.sqlite'}", "offing")
    ledger.migrate()
    authenticator = Authenticator(ledger, TOKENS, Clock())
    for header in (text, f"Bearer {text}", f"bearer ok_{text}", f"BEARER ct1.{text}"):
        with pytest.raises(NotAuthenticated):
            anyio.run(authenticator.caller, header, AT)
    ledger.close()

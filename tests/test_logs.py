"""No log line of any process holds a place, a name, a token, a key or a password, whatever came in and went wrong."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from offers.api.app import bare
from offers.tokens import CustomerToken, CustomerTokens, keys_of
from streams.consumer import wall_clock
from streams.ids import CustomerId
from streams.instant import format_instant
from streams.telemetry import LOG_FIELDS
from tests.served import PATIENCE_S, environment, event, eventually, introduced, served
from tests.service import NOW

NAME, MOTTO, GUESSED, PASSWORD, SECRET = "giulia-7734", "größe-8845", "guessed-5561", "hunter-2997", "5e" * 32
LAT, LON = 43.557311, 10.301922
MARKS = (NAME, MOTTO, GUESSED, PASSWORD, SECRET, "43.5573", "10.3019")
HERE = {"status": "precise", "lat": LAT, "lon": LON, "accuracy_m": 12}
HERO = [{"placement": "app.home.hero", "limit": 3}]
Call = tuple[str, str, Any]
"""(method, path, body)"""


def good_and_bad() -> Iterator[Call]:
    """Every door, with what it takes and with what it refuses, marked wherever a client can write."""
    asked = {"customer_id": NAME, "placements": HERO, "request_id": f"r-{NAME}", "context": {"location": HERE}}
    yield "POST", "/v1/decisions", asked
    yield "POST", "/v1/decisions", {**asked, "options": {"explain": "full", "dry_run": True}}
    yield "POST", "/v1/decisions", {**asked, "holding": [f"ot1.{GUESSED}"], "locale": MOTTO}
    yield "POST", "/v1/decisions", {**asked, "events": [event("customer.preferences", NAME, {MOTTO: LAT}, "e")]}
    yield "POST", "/v1/decisions", {**asked, "context": {"location": {**HERE, "lat": MOTTO}, MOTTO: NAME}}
    yield "POST", "/v1/decisions", {**asked, "placements": [{"placement": MOTTO}]}
    yield "POST", "/v1/decisions", {**asked, "options": {"revision": MOTTO, "dry_run": True}}
    yield "POST", "/v1/decisions", {MOTTO: NAME}
    yield "POST", "/v1/decisions", f'{{"customer_id": "{NAME}", "lat": {LAT}'.encode()
    yield "GET", f"/v1/offers?placement=app.home.hero&customer_id={NAME}&locale={MOTTO}", None
    yield "GET", f"/v1/offers?placement={MOTTO}&customer_id={NAME}&limit={LAT}", None
    yield "GET", f"/v1/decisions/{GUESSED}", None
    yield "POST", "/v1/events", introduced(NAME)
    for kind in ("customer.profile", "customer.location", "customer.booking", "offer.clicked", "sailing.fare", MOTTO):
        for data in (
            {"attributes": {"loyalty_tier": MOTTO, MOTTO: NAME}},
            {"lat": LAT, "lon": LON},
            {"token": GUESSED},
        ):
            yield "POST", "/v1/events", event(kind, NAME, data, f"{kind}-{NAME}")
    yield "POST", "/v1/events", [event("customer.location", NAME, {"lat": str(LAT), "lon": MOTTO}, NAME), NAME, LAT]
    yield "POST", "/v1/events", gzip.compress(json.dumps(introduced(NAME)).encode())[:-9] + NAME.encode()
    yield "POST", "/v1/outcomes", {"token": f"ot1.{GUESSED}", "outcome": "clicked", "at": format_instant(NOW)}
    yield "POST", "/v1/outcomes", [{"token": NAME, "outcome": MOTTO, "at": LAT}, NAME]
    for door in ("activate", "approve", "reject"):
        yield "POST", f"/v1/revisions/{GUESSED}/{door}", {"message": MOTTO}
        yield "POST", f"/v1/revisions/{GUESSED}/{door}", {MOTTO: NAME}
    for door in ("stop", "lift"):
        yield "POST", f"/v1/campaigns/{GUESSED}/{door}", {"reason": MOTTO}
    for path in ("/health/live", "/health/ready", "/metrics", "/openapi.json", f"/{MOTTO}/{NAME}"):
        yield "GET", f"{path}?name={NAME}&lat={LAT}", None
        yield "DELETE", f"{path}?name={NAME}", None


PLACES = {"decisions": "{decision_id}", "campaigns": "{campaign}", "revisions": "{revision}"}


def door_of(call: Call) -> str:
    """As the description of the doors names it."""
    method, path = call[0], call[1].partition("?")[0]
    return f"{method} {path.replace(GUESSED, PLACES.get(path.split('/')[2], GUESSED) if path.count('/') > 2 else '')}"


def send(http: httpx.Client, call: Call, authorization: str) -> httpx.Response:
    method, path, body = call
    headers = {"authorization": authorization, "content-type": "application/json", "offing-now": format_instant(NOW)}
    if isinstance(body, bytes) and body[:2] == b"\x1f\x8b":
        headers["content-encoding"] = "gzip"
    content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
    return http.request(method, path, content=content, headers=headers)


def told(output: str, secrets: tuple[str, ...]) -> list[str]:
    """The lines that say what no line may say; every line is an object with the fields that are allowed."""
    lines = [line for line in output.splitlines() if line.strip()]
    known = {"at", "level", "logger", "event", "error", "trace", *LOG_FIELDS}
    for line in lines:
        assert set(json.loads(line)) <= known, line
    hidden = {written for secret in secrets for written in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1])}
    return [line for line in lines if any(secret in line for secret in hidden)]


def test_no_door_lets_what_it_was_told_into_a_log(tmp_path: Path) -> None:
    reached: set[str] = set()
    codes: set[int] = set()
    with served(tmp_path / "offing", LOG_LEVEL="debug", TOKEN_KEYS=f"k1:{SECRET}", LAKE_FLUSH_S="0.1") as running:
        expires = NOW + 3_600_000
        token = CustomerTokens(keys_of([("k1", SECRET)], "offing")).mint(CustomerToken(CustomerId(NAME), expires))
        callers = (f"Bearer {running.secret}", f"Bearer {token}", f"Bearer ok_{GUESSED}", f"Basic {NAME}:{PASSWORD}")
        with httpx.Client(base_url=f"http://127.0.0.1:{running.port}", timeout=20.0) as http:
            for caller in callers:
                for call in good_and_bad():
                    codes.add(send(http, call, caller).status_code)
                    reached.add(door_of(call))
            answer = send(http, next(good_and_bad()), callers[0]).json()
            for process in ("consume", "valkey-server"):
                os.kill(running.child(process), signal.SIGKILL)
            for call in list(good_and_bad())[:14]:
                send(http, call, callers[0])
        offered = [item["token"] for placement in answer["placements"] for item in placement["items"] if item["token"]]
        again = "it is started again"
        eventually(lambda: running.output.read_text().count(again) == 2, "consumer and Valkey are not started again")
        eventually(lambda: running.get("/health/ready").status_code == 200, "it does not come back")
        assert running.stop() == 0
        output = running.output.read_text()
        secret = running.secret
    assert {"POST /v1/decisions", "POST /v1/events", "POST /v1/outcomes"} <= reached
    doors = {f"{method.upper()} {path}" for path, of in bare().openapi()["paths"].items() for method in of}
    assert doors <= reached, "a new door is driven here too"
    assert {200, 202, 207, 400, 401, 403, 404, 405, 422} <= codes
    assert len(offered) > 0
    assert '"level": "error"' in output
    assert told(output, (*MARKS, token, secret, *offered)) == []


@pytest.mark.prove
def test_a_password_of_a_server_that_is_away_is_in_no_log_and_no_message(tmp_path: Path) -> None:
    named = {
        "REDIS_URL": f"redis://{NAME}:{PASSWORD}@127.0.0.1:1/0",
        "LEDGER_URL": f"postgresql+psycopg://{NAME}:{PASSWORD}@127.0.0.1:1/offing",
        "TOKEN_KEYS": f"k1:{SECRET}",
        "LOG_LEVEL": "debug",
    }
    kafka = {"LOG": "kafka://127.0.0.1:1", "KAFKA_USER": NAME, "KAFKA_PASSWORD": PASSWORD}
    said = run(tmp_path / "doctor", "doctor", {**named, **kafka})
    assert said.count("OFFING_") >= 3
    said += run(tmp_path / "keys", "keys", named, "list")
    output = tmp_path / "serve.log"
    env = environment(tmp_path / "serve", **named)
    with output.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "offers.cli", "serve"], env=env, stdout=out, stderr=out)
    try:
        port = eventually_port(output)
        minted = CustomerTokens(keys_of([("k1", SECRET)], "offing")).mint(
            CustomerToken(CustomerId(NAME), wall_clock() + 60_000)
        )
        eventually(lambda: asked(port, f"Bearer {minted}") == 200, "it does not answer")
        assert asked(port, f"Bearer ok_{GUESSED}") == 503
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert "profile_unavailable" not in said
    assert told(output.read_text(), (PASSWORD, SECRET, NAME, minted, GUESSED)) == []
    assert not any(secret in said for secret in (PASSWORD, SECRET))


def run(folder: Path, command: str, settings: Mapping[str, str], *more: str) -> str:
    """What a command says, on both outputs; it fails."""
    call = [sys.executable, "-m", "offers.cli", command, *more]
    done = subprocess.run(call, env=environment(folder, **settings), capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1, done.stdout
    return done.stdout + done.stderr


def eventually_port(output: Path) -> int:
    def ports() -> list[int]:
        lines = [json.loads(line) for line in output.read_text().splitlines() if "answering HTTP" in line]
        return [line["port"] for line in lines]

    eventually(lambda: bool(ports()), "it does not listen")
    return ports()[0]


def asked(port: int, authorization: str) -> int:
    """The status of a decision, 0 while nobody answers."""
    headers = {"authorization": authorization}
    body = {"placements": HERO, "customer_id": NAME}
    try:
        return httpx.post(f"http://127.0.0.1:{port}/v1/decisions", json=body, headers=headers, timeout=20.0).status_code
    except httpx.TransportError:
        return 0


@pytest.mark.parametrize("text", ["plain", NAME])
def test_the_search_itself_finds_what_is_there(text: str) -> None:
    line = json.dumps({"at": "now", "level": "error", "logger": "offing", "event": f"refused {text}"})
    assert told(line, MARKS) == ([line] if text == NAME else [])

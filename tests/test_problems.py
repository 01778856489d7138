"""Every error is a problem: its status by kind, its shape, its headers; never a traceback or a long echo."""

import json
from collections.abc import Callable
from typing import Literal

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from offers.api.problems import STATUS, install, invalid_fields, problem_of, responses, status_of
from streams import errors
from streams.errors import (
    DeadLetterLimit,
    InvalidInput,
    LogRestarted,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotYet,
    OffingError,
    Retry,
    Skip,
    Stop,
)
from tests.asgi import call


class Place(BaseModel):
    lat: float
    lon: float = Field(ge=-180, le=180)


class Asked(BaseModel):
    limit: int = Field(le=30)
    kind: Literal["hero", "card"] = "hero"
    location: Place | None = None


def application(raising: Callable[[], object]) -> FastAPI:
    app = FastAPI()
    install(app)

    @app.get("/raise")
    def fail() -> None:
        raising()

    @app.post("/asked")
    def asked(body: Asked) -> Asked:
        return body

    return app


def raises(error: Exception) -> Callable[[], object]:
    def now() -> None:
        raise error

    return now


@pytest.mark.parametrize(
    ("error", "status", "retryable"),
    [
        (InvalidInput("ATTRIBUTE_VALUE", "x"), 422, False),
        (InvalidInput("JSON_MALFORMED", "x"), 400, False),
        (InvalidInput("BODY_TOO_LARGE", "x"), 413, False),
        (InvalidInput("MEDIA_TYPE", "x"), 415, False),
        (NotAuthenticated("CREDENTIALS_MISSING", "x"), 401, False),
        (NotAllowed("NOT_YOURS_TO_SET", "x"), 403, False),
        (NotFound("CUSTOMER_UNKNOWN", "x"), 404, False),
        (NotYet("NOT_YET", "x"), 404, True),
        (Retry("LOG_UNAVAILABLE", "x"), 503, True),
        (Stop("LEDGER_SCHEMA", "x"), 503, False),
        (LogRestarted("LOG_RESTARTED", "x"), 503, False),
        (DeadLetterLimit("DEAD_LETTER_LIMIT", "x"), 503, False),
        (Skip("RECORD_BAD", "x"), 422, False),
        (OffingError("ODD", "x"), 500, False),
    ],
)
def test_a_kind_of_error_has_its_status(error: OffingError, status: int, retryable: bool) -> None:
    answer = call(application(raises(error)), "GET", "/raise")
    assert answer.status_code == status == status_of(error)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.pop("title")
    assert body.pop("after_s", None) == (1.0 if retryable else None)
    expected = {"type": f"urn:offing:problem:{error.code}", "status": status, "detail": "x", "code": error.code}
    assert body == {**expected, "retryable": retryable}


def test_every_kind_in_the_tree_has_a_status() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OffingError)]
    assert len(kinds) >= 11
    for kind in kinds:
        assert any(parent in STATUS for parent in kind.__mro__[:-3])
        assert 400 <= status_of(kind("X", "x")) <= 503


@pytest.mark.parametrize(("after_s", "header"), [(None, "1"), (0.05, "1"), (1.2, "2"), (30, "30")])
def test_a_retryable_error_says_when(after_s: float | None, header: str) -> None:
    answer = call(application(raises(Retry("STORE_UNAVAILABLE", "x", after_s=after_s))), "GET", "/raise")
    assert answer.headers["retry-after"] == header
    assert answer.json()["after_s"] == (after_s or 1.0)


def test_missing_credentials_name_the_scheme() -> None:
    answer = call(application(raises(NotAuthenticated("CREDENTIALS_MISSING", "x"))), "GET", "/raise")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_an_unforeseen_error_leaks_nothing_and_may_be_retried() -> None:
    answer = call(application(raises(RuntimeError("password=hunter2"))), "GET", "/raise")
    assert answer.status_code == 500
    assert answer.json()["code"] == "INTERNAL"
    assert answer.json()["retryable"] is True
    for leaked in ("hunter2", "Traceback", "RuntimeError", ".py"):
        assert leaked not in answer.text


def test_unknown_routes_and_methods_are_problems_too() -> None:
    app = application(raises(ValueError()))
    unknown, method = call(app, "GET", "/nowhere?token=ot1.secret"), call(app, "POST", "/raise")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "ROUTE_UNKNOWN")
    assert "secret" not in unknown.text
    assert (method.status_code, method.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert method.headers["allow"] == "GET"
    assert "takes GET" in method.json()["detail"]


def asked(body: object) -> tuple[int, str, str]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = call(application(raises(ValueError())), "POST", "/asked", content, {"Content-Type": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"], answer.json()["detail"]


def test_a_wrong_field_is_named_with_the_value_found() -> None:
    status, code, detail = asked({"limit": 99, "kind": "footer"})
    assert (status, code) == (422, "REQUEST_INVALID")
    assert "body.limit: Input should be less than or equal to 30 (found 99)" in detail
    assert "body.kind: Input should be 'hero' or 'card' (found 'footer')" in detail


def test_a_long_value_is_cut_at_60_characters() -> None:
    _, _, detail = asked({"limit": "z" * 5_000})
    assert "'" + "z" * 56 + "..." in detail
    assert "z" * 58 not in detail
    assert len(detail) <= 500


def test_values_in_private_fields_and_whole_objects_are_not_repeated() -> None:
    _, _, detail = asked({"limit": 1, "location": {"lat": "43.55581N", "lon": 510.30191}})
    assert "body.location.lat" in detail
    assert "43.55581" not in detail
    assert "510.30191" not in detail
    _, _, missing = asked({"location": {"lat": 43.55581}})
    assert "body.limit: Field required; body.location.lon: Field required" in missing
    assert "43.55581" not in missing


def test_malformed_json_is_400() -> None:
    assert asked(b'{"limit": ')[:2] == (400, "JSON_MALFORMED")


def test_of_many_errors_five_are_told_and_the_rest_counted() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(list[int]).validate_python(["x"] * 9)
    error = invalid_fields(caught.value.errors())
    assert error.message.count("unable to parse") == 5
    assert error.message.endswith("; and 4 more")


def test_a_long_message_is_cut() -> None:
    assert len(problem_of(InvalidInput("X", "y" * 9_000)).detail) == 500


def test_routes_can_document_their_problems() -> None:
    app = application(raises(ValueError()))

    @app.get("/documented", responses=responses(401, 503))
    def documented() -> None: ...

    described = app.openapi()["paths"]["/documented"]["get"]["responses"]["503"]
    assert described["description"] == "Service Unavailable"
    assert described["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "application/json" not in described["content"]
    assert "code" in app.openapi()["components"]["schemas"]["Problem"]["required"]

"""Errors as RFC 9457 problem details: one table from error kind to status, and handlers that never leak a traceback."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from streams.errors import (
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotYet,
    OffingError,
    Retry,
    Skip,
    Stop,
)

MEDIA_TYPE = "application/problem+json"
STATUS: Mapping[type[OffingError] | str, int] = {
    "JSON_MALFORMED": 400,
    "BODY_TRUNCATED": 400,
    "BODY_ENCODING": 400,
    "BASE_MOVED": 409,
    "ACTIVE_MOVED": 409,
    "ALREADY_DECIDED": 409,
    "APPROVAL_NOT_NEEDED": 409,
    "SUPERSEDED": 409,
    "BODY_TOO_LARGE": 413,
    "BATCH_TOO_LARGE": 413,
    "MEDIA_TYPE": 415,
    "CONTENT_ENCODING": 415,
    InvalidInput: 422,
    NotAuthenticated: 401,
    NotAllowed: 403,
    NotFound: 404,
    NotYet: 404,
    Retry: 503,
    Skip: 422,
    Stop: 503,
    OffingError: 500,
}
"""Error kind, or the code of one that HTTP has a status of its own for. A code goes before its kind."""
HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    413: {"Connection": "close"},  # the rest of the body is not read
    415: {"Accept-Encoding": "gzip, identity"},
}
HTTP_CODES: Mapping[int, str] = {404: "ROUTE_UNKNOWN", 405: "METHOD_NOT_ALLOWED"}
RETRY_AFTER_S = 1.0
"""For a retryable error that does not say how long to wait."""
MAX_MESSAGE = 500
MAX_TOLD = 200
MAX_VALUE = 60
MAX_FIELDS = 5
PRIVATE = frozenset({"location", "lat", "lon", "token", "holding", "authorization"})
"""Fields whose values are not repeated in an answer, however short."""


class Problem(BaseModel):
    """What every error answer looks like (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:offing:problem:ATTRIBUTE_VALUE"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(description="For a person: what was found, what was expected, and the mend.")
    code: str = Field(description="Stable and machine-read; new ones may appear.", examples=["ATTRIBUTE_VALUE"])
    retryable: bool = Field(description="Whether the same request may succeed later.")
    after_s: float | None = Field(default=None, description="When to try again, in seconds; only if retryable.")


def status_of(error: OffingError) -> int:
    """The HTTP status of an error."""
    by_code = STATUS.get(error.code)
    if by_code is not None:
        return by_code
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem_of(error: OffingError) -> Problem:
    """The problem details of an error."""
    after_s = (error.after_s or RETRY_AFTER_S) if error.retryable else None
    return _problem(status_of(error), error.code, error.message, after_s)


def response_of(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The answer, with Retry-After in whole seconds where there is one."""
    sent = {"Cache-Control": "no-store", **HEADERS.get(problem.status, {}), **(headers or {})}
    if problem.after_s is not None:
        sent["Retry-After"] = str(max(1, math.ceil(problem.after_s)))
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, problem.status, sent, MEDIA_TYPE)


def invalid_fields(errors: Sequence[ErrorDetails]) -> InvalidInput:
    """What pydantic found -> one error that names the first five fields. Values longer than 60 characters are cut."""
    for error in errors:
        if error["type"] == "json_invalid":
            return InvalidInput("JSON_MALFORMED", f"the body is not JSON: {_shortened(error['msg'], MAX_TOLD)}")
    told = "; ".join(_told(error) for error in errors[:MAX_FIELDS])
    more = f"; and {len(errors) - MAX_FIELDS} more" if len(errors) > MAX_FIELDS else ""
    return InvalidInput("REQUEST_INVALID", told + more)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses=`: these statuses answer with a Problem."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Answer every error of this app with a problem. An unforeseen one still reaches the server's log."""
    app.add_exception_handler(OffingError, _on_offing_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unforeseen)
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("Problem", Problem.model_json_schema())
        return document

    # FastAPI knows a model's schema only for its own media type, so `responses` refers to one that is added here.
    app.openapi = openapi  # type: ignore[method-assign]


async def _on_offing_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, OffingError):
        raise error
    return response_of(problem_of(error))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return response_of(problem_of(invalid_fields(error.errors())))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = error.status_code
    code = HTTP_CODES.get(status, HTTPStatus(status).name)
    headers = error.headers or {}
    allowed = f"; this route takes {headers['Allow']}" if "Allow" in headers else ""
    detail = f"{HTTPStatus(status).phrase}: {request.method}{allowed}; the routes are in /openapi.json"
    return response_of(_problem(status, code, detail, None), headers)


async def _on_unforeseen(request: Request, error: Exception) -> Response:
    detail = "an error of Offing's own; the request may be sent again, and its cause is in the server's log"
    return response_of(_problem(500, "INTERNAL", detail, RETRY_AFTER_S))


def _problem(status: int, code: str, detail: str, after_s: float | None) -> Problem:
    return Problem(
        type=f"urn:offing:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=_shortened(detail, MAX_MESSAGE),
        code=code,
        retryable=after_s is not None,
        after_s=after_s,
    )


def _told(error: ErrorDetails) -> str:
    path = ".".join(_shortened(str(part), MAX_VALUE) for part in error["loc"]) or "body"
    found = error["input"]
    private = not PRIVATE.isdisjoint(error["loc"])
    shown = error["type"] != "missing" and isinstance(found, str | int | float | bool | None) and not private
    value = f" (found {_shortened(repr(found), MAX_VALUE)})" if shown else ""
    return f"{path}: {_shortened(error['msg'], MAX_TOLD)}{value}"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."

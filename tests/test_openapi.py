"""openapi.json: committed as the code has it, valid, its examples accepted, and the service as it says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from offers.api.app import bare
from offers.api.contract import ANSWER_EXAMPLE, EVENT_EXAMPLE, OUTCOME_EXAMPLE, REQUEST_EXAMPLE
from offers.api.openapi import document
from tests.service import LIVORNO, items
from tests.shared_service import Shared, shared_service

COMMITTED = Path(__file__).parent.parent / "openapi.json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT: dict[str, Any] = bare().openapi()
schema = schemathesis.openapi.from_dict(DOCUMENT)
schema.config.phases.coverage.enabled = False


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Shared]:
    """Shared by all tests here."""
    with shared_service(tmp_path_factory.mktemp("openapi"), valkey_url, consuming=False) as shared:
        yield shared


def test_the_committed_document_is_that_of_the_code() -> None:
    assert COMMITTED.read_text() == document(), "run `make openapi` and look at what changes for the apps"


def test_it_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    schema.validate()


def test_every_operation_documents_its_problems_and_its_credentials() -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            guarded = path.startswith("/v1/")
            assert operation["security"] == ([{"bearer": []}] if guarded else [])
            assert operation["summary"]
            for status, response in operation["responses"].items():
                if status >= "400" and guarded:
                    assert response["content"] == problem, (path, status)
            assert not guarded or {"401", "403", "422", "503"} <= operation["responses"].keys()


def test_its_examples_are_accepted(service: Shared) -> None:
    answer = service.post("/v1/decisions", REQUEST_EXAMPLE)
    assert answer.status_code == 200
    assert answer.json().keys() == ANSWER_EXAMPLE.keys()
    assert answer.json()["placements"][0].keys() == ANSWER_EXAMPLE["placements"][0].keys()
    assert service.post("/v1/events", EVENT_EXAMPLE).status_code == 202
    assert service.post("/v1/events", [EVENT_EXAMPLE]).json() == _example("/v1/events", "202")
    token = items(service.ask("c-1"))[0]["token"]
    outcome = {**OUTCOME_EXAMPLE, "token": token, "at": "2026-11-21T18:00:00Z"}
    assert service.post("/v1/outcomes", [outcome]).status_code == 202


def _example(path: str, status: str) -> Any:
    return DOCUMENT["paths"][path]["post"]["responses"][status]["content"]["application/json"]["example"]


def test_a_full_answer_is_as_documented(service: Shared) -> None:
    service.gold("c-1")
    everything = [{"placement": "app.home.hero"}, {"placement": "app.trip.card", "limit": 3}, {"placement": "gone"}]
    asked: Any = {
        "customer_id": "c-1",
        "placements": everything,
        "context": {"location": LIVORNO},
        "options": {"explain": "full"},
        "events": [service.live.event("customer.profile", "c-1", {"attributes": {"loyalty_tier": "oro"}})],
    }
    case = schema["/v1/decisions"]["POST"].Case(body=asked, media_type="application/json")
    answer = service.post("/v1/decisions", asked)
    assert answer.json()["placements"][0]["items"][0]["price"]["minor"] == 4900
    assert answer.json()["ruled_out"]["offers"]
    case.validate_response(answer, checks=CHECKS)


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_service_answers_only_what_is_documented(case: "schemathesis.Case[Any]", service: Shared) -> None:
    sent = case.as_transport_kwargs(base_url="http://offing")
    sent["headers"].update({**service.live.headers(), "Authorization": service.live.http.headers["authorization"]})
    body = sent.pop("data", None)
    del sent["cookies"]  # none are declared
    content = {} if body is None else {"content": body.encode() if isinstance(body, str) else body}
    answer = service.request({**sent, **content})
    case.validate_response(answer, checks=CHECKS)


def test_the_document_is_json_with_its_keys_in_order() -> None:
    text = COMMITTED.read_text()
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

"""The pages say what the code does: every snippet is run or looked up, every table compared, every name found."""

import ast
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

import anyio
import httpx
import msgspec
import pytest
import typer
import yaml
from typer.core import TyperGroup

from offers import doctor
from offers.api.app import bare
from offers.caller import SCOPES
from offers.campaign_commands import campaigns
from offers.cli import app as cli
from offers.request import DecisionRequest
from streams.ids import Millis
from streams.instant import HOUR_MS, parse_instant
from streams.settings import SETTINGS, from_environment
from streams.whereabouts import STATUSES
from tests.docs_tables import ROOT, SOURCES, filled
from tests.service import Service, service

PAGES = {
    name: (ROOT / name).read_text()
    for name in (
        "README.md", "docs/apps.md", "docs/operations.md", "docs/architecture.md", "docs/campaigns.md",
        "docs/propensity.md", "docs/results.md",
    )
}  # fmt: skip
README, APPS, OPERATIONS = PAGES["README.md"], PAGES["docs/apps.md"], PAGES["docs/operations.md"]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = [
    block
    for page in (README, APPS, OPERATIONS, PAGES["docs/propensity.md"])
    for kind, _, block in BLOCK.findall(page)
    if kind == "sh"
]
CODE = "\n".join(SOURCES.values())
EXAMPLE = ROOT / "deploy" / "campaigns"
PROGRAMS = {
    "make", "offing", ".venv/bin/offing", "curl", "docker", "head", "openssl", "sqlite3", "mkdir", "cp", "export",
}  # fmt: skip
ASSIGNMENT = re.compile(r"(?:export )?([A-Z_]+)=(.*)", re.DOTALL)
VOLATILE = {
    r"ot1\.(?:…|[\w-]{40,})": "ot1.…",
    r'"decision_id": "[0-9a-f-]{36}"': '"decision_id": "an id"',
    r'"revision": "r-[0-9a-f]{12}"': '"revision": "a revision"',
    r'"took_ms": [0-9.]+': '"took_ms": 0',
}


def commands(block: str) -> Iterator[list[str]]:
    """The commands of a shell block, assignments and pipes taken apart; lines that start with a space go on."""
    for line in re.split(r"\n(?=\S)", block):
        inner = [part for found in re.findall(r"\$\(([^)]*)\)", line) for part in found.split("|")]
        outer = [] if ASSIGNMENT.match(line) else [line]
        yield from ([words for part in (*inner, *outer) if (words := shlex.split(part, comments=True))])


def calls(block: str, given: Mapping[str, str]) -> Iterator[httpx.Request]:
    """The HTTP requests that the curl commands of a block make; `given`: variables that its commands would set."""
    variables = dict(given)
    for line in re.split(r"\n(?=\S)", block):
        assigned = ASSIGNMENT.match(line)
        if assigned and assigned[1] not in variables:
            variables[assigned[1]] = Template(shlex.split(assigned[2])[0]).safe_substitute(variables)
        words = shlex.split(line, comments=True)
        if words[:1] == ["curl"]:
            yield request_of(words[1:], variables)


def request_of(words: list[str], variables: Mapping[str, str]) -> httpx.Request:
    headers, body, url = {}, None, ""
    rest = iter(words)
    for word in rest:
        if word == "-H":
            name, _, value = Template(next(rest)).substitute(variables).partition(": ")
            headers[name] = value
        elif word == "--json":
            body, headers["Content-Type"] = next(rest), "application/json"
        elif word == "--retry":
            next(rest)
        elif not word.startswith("-"):
            url = word
    return httpx.Request("GET" if body is None else "POST", url, headers=headers, content=body)


def steady(value: Any) -> Any:
    """An answer without what differs from run to run."""
    text = json.dumps(value, ensure_ascii=False)
    for pattern, said in VOLATILE.items():
        text = re.sub(pattern, said, text)
    return json.loads(text)


def missing(said: Any, found: Any, path: str = "") -> list[str]:
    """Where an answer is not what the page says; the page may leave out keys of an object and ends of a list."""
    if isinstance(said, dict) and isinstance(found, dict):
        return [at for key in said for at in missing(said[key], found.get(key, "nothing"), f"{path}.{key}")]
    if isinstance(said, list) and isinstance(found, list) and len(said) <= len(found) and (said or not found):
        return [at for i, part in enumerate(said) for at in missing(part, found[i], f"{path}[{i}]")]
    return [] if said == found else [f"{path}: the page says {said!r}, it is {found!r}"]


def readme_calls(live: Service) -> list[httpx.Request]:
    blocks = [block for block in SHELL if "KEY=" in block and "curl" in block]
    return list(calls(blocks[0], {"KEY": live.http.headers["authorization"].removeprefix("Bearer ")}))


async def passenger(live: Service) -> httpx.Response:
    """The README's commands run one after the other; the last one's answer. The clock stays where they set it."""
    for call in readme_calls(live):
        response = await live.http.request(call.method, call.url.path, headers=call.headers, content=call.content)
        assert response.status_code in (200, 202), response.text
        live.now = parse_instant(call.headers.get("Offing-Now", "2026-11-21T18:00:00Z"))
        await live.market_seen()
    return response


def test_the_readmes_commands_give_the_readmes_answer(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, campaigns=EXAMPLE) as live:
            answer = (await passenger(live)).json()
            printed = json.loads(next(block for kind, _, block in BLOCK.findall(README) if kind == "json"))
            assert steady(printed) == steady(answer), (
                f"the README should say:\n{json.dumps(answer, ensure_ascii=False)}"
            )
            decision = await live.http.get(f"/v1/decisions/{answer['decision_id']}")
            assert decision.status_code in (200, 404)

    anyio.run(scenario)


def test_every_request_of_the_apps_page_gets_the_answer_beside_it(tmp_path: Path, valkey_url: str) -> None:
    pairs = [(info.strip(), json.loads(block)) for kind, info, block in BLOCK.findall(APPS) if kind == "json"]
    assert len(pairs) == 14

    async def scenario() -> None:
        async with service(tmp_path, valkey_url, campaigns=EXAMPLE) as live:
            await passenger(live)
            start, token = live.now, ""
            for (info, asked), (status, said) in zip(pairs[::2], pairs[1::2], strict=True):
                live.now = start + hours_later(info)
                response = await sent(live, info, json.loads(json.dumps(asked).replace("ot1.\\u2026", token)))
                assert response.status_code == int(status), f"{info}: {response.text}"
                assert missing(said, steady(response.json())) == [], info
                if "/decisions" in info and status == "200":
                    token = response.json()["placements"][0]["items"][0]["token"]

    anyio.run(scenario)


def hours_later(info: str) -> Millis:
    found = re.search(r", (\d+) h later", info)
    return int(found[1]) * HOUR_MS if found else 0


async def sent(live: Service, info: str, body: Any) -> httpx.Response:
    path = info.split()[1].rstrip(",")
    headers = live.headers(None if "with a key" in info else live.token("c-1"))
    return await live.http.post(path, json=body, headers=headers)


def test_every_field_of_a_request_and_of_an_answer_is_on_the_apps_page() -> None:
    answer = next(block for kind, _, block in BLOCK.findall(README) if kind == "json")
    fields = set(re.findall(r'"(\w+)":', answer)) | set(msgspec.structs.asdict(DecisionRequest([])))
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", APPS))))
    assert sorted(fields - named) == []


def test_what_a_decision_may_do_without_is_on_the_apps_page() -> None:
    row = next(line for line in APPS.splitlines() if line.startswith("| `degraded`"))
    told = set(re.findall(r"`(\w+)`", row)) - {"degraded"}
    assert told == {
        "profile_unavailable", "profile_behind", "model_unavailable", "events_not_kept", "deadline_short",
        "internal_error",
    }  # fmt: skip
    assert [name for name in told if f'"{name}"' not in CODE] == []


def test_the_location_statuses_are_those_of_the_code() -> None:
    rows = APPS[APPS.index("| `location.status`") :].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows.splitlines()))) == {
        *STATUSES,
        "location",
    }


def test_the_tables_of_the_operators_page_are_those_of_the_code() -> None:
    assert filled(OPERATIONS) == OPERATIONS, "run: python -m tests.docs_tables"


def test_the_scopes_of_the_operators_page_are_those_of_the_code() -> None:
    rows = OPERATIONS[OPERATIONS.index("| scope |") :].split("\n\n")[0].splitlines()[2:]
    assert tuple(row.split("`")[1] for row in rows) == SCOPES


def test_the_doctor_looks_at_what_the_operators_page_says() -> None:
    rows = OPERATIONS[OPERATIONS.index("| looked at |") :].split("\n\n")[0].splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [*doctor.LOOKED_AT, doctor.TOPIC]


def test_health_and_metrics_answer_as_the_operators_page_asks(tmp_path: Path, valkey_url: str) -> None:
    asked = [call for block in BLOCK.findall(OPERATIONS) if block[0] == "sh" for call in calls(block[2], {})]
    assert [call.url.path for call in asked] == ["/health/live", "/health/ready", "/metrics"]

    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            for call in asked:
                assert (await live.http.get(call.url.path)).status_code == 200

    anyio.run(scenario)


def test_every_command_of_the_pages_exists_with_its_options() -> None:
    found = [words for block in SHELL for words in commands(block)]
    assert {words[0] for words in found} <= PROGRAMS
    typed = [words[1:] for words in found if words[0].endswith("offing")]
    typed += [words[words.index("offing") + 1 :] for words in found if words[0] == "docker" and "offing" in words]
    inline = re.findall(r"`(?:\.venv/bin/)?offing ([a-z][^`]*)`", "".join(PAGES.values()))
    assert len(typed) > 10
    for words in [*typed, *(text.split() for text in inline)]:
        check_offing(words)


def check_offing(words: list[str]) -> None:
    command = typer.main.get_command(cli)
    while isinstance(command, TyperGroup) and words:
        assert words[0] in command.commands, f"offing has no command {' '.join(words)}"
        command, words = command.commands[words[0]], words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word not in {*options, "--help"}]
    assert unknown == [], f"{command.name} has no {unknown}"


def test_what_the_operators_page_asks_of_compose_is_in_the_compose_file() -> None:
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    asked = [words for block in SHELL for words in commands(block) if words[0] == "docker"]
    assert all(words[1:4] == ["compose", "-f", "deploy/compose.yaml"] for words in asked)
    ran = [words[words.index("exec") + 1] for words in asked if "exec" in words]
    assert ran and set(ran) <= set(services)


def test_every_make_target_of_the_pages_exists_and_the_readme_names_them_all() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in PAGES:
        assert set(re.findall(r"(?:`|^)make ([a-z]+)", PAGES[name], re.MULTILINE)) <= targets | {"clean"}, name
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE)) >= targets - {"openapi"}


def test_every_variable_of_the_pages_is_a_setting_and_those_set_are_accepted() -> None:
    known = {setting.name for setting in SETTINGS}
    for name, page in PAGES.items():
        assert set(re.findall(r"\bOFFING_[A-Z_]+\b", page)) <= known, name
    for block in SHELL:
        given = {name: re.sub(r"\$\([^)]*\)|THE_OLD_ONE", "ab" * 32, value) for name, value in exported(block)}
        from_environment(given)


def exported(block: str) -> list[tuple[str, str]]:
    return re.findall(r"^export (OFFING_[A-Z_]+)=(.*)$", block, re.MULTILINE)


def test_every_error_code_of_the_pages_is_one_of_the_code() -> None:
    said = {code for page in (README, APPS, OPERATIONS) for code in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", page)}
    in_answers = set(re.findall(r'"code": "(\w+)"', APPS))
    codes = {code for code in said | in_answers if not code.startswith("OFFING_")}
    assert len(codes) > 15
    assert sorted(code for code in codes if f'"{code}"' not in CODE) == []


def test_the_readmes_doors_are_the_doors() -> None:
    routes = {f"{method.upper()} {path}" for path, of in bare().openapi()["paths"].items() for method in of}
    rows = README[README.index("| door |") :].split("\n\n")[0].splitlines()[2:]
    doors = {row.split("`")[1] for row in rows if "`offing " not in row}
    assert doors == {*routes, "GET /metrics", "GET /openapi.json"}
    named = {word for row in rows if "`offing " in row for word in re.findall(r"`(?:offing campaigns )?([a-z]+)`", row)}
    known = {command.name for command in campaigns.registered_commands}
    assert known - named == {"contexts", "schema", "stops"}, "each is a part of another's work"
    assert named <= known


@pytest.mark.parametrize("name", PAGES)
def test_every_link_and_file_of_a_page_is_there(name: str) -> None:
    page = PAGES[name]
    links = re.findall(r"\]\(([^)#]+)\)", page)
    assert [link for link in links if "://" not in link and not ((ROOT / name).parent / link).exists()] == []
    files = re.findall(r"`((?:offers|scoring|streams|tests|docs|deploy|loadtests)/[\w./-]*)", page)
    own = {"deploy/campaigns/first.yaml", "deploy/.env"}  # those the reader is asked to write
    assert [file for file in files if file not in own and not (ROOT / file).exists()] == []


@pytest.mark.parametrize("first", ["down", "stopped"])
def test_every_row_about_a_part_that_is_down_names_tests_that_exist(first: str) -> None:
    rows = OPERATIONS[OPERATIONS.index(f"| {first} |") :].split("\n\n")[0].splitlines()[2:]
    named = [re.findall(r"`(tests/\w+\.py)::(\w+)`", row.split("|")[-2]) for row in rows]
    assert all(named)
    for file, test in [pair for pairs in named for pair in pairs]:
        assert test in functions(ROOT / file), f"{file} has no {test}"


def test_the_hot_path_names_functions_that_exist() -> None:
    page = PAGES["docs/architecture.md"]
    rows = page[page.index("| file | function |") :].split("\n\n")[0].splitlines()[2:]
    for row in rows:
        file, names = row.split("|")[1].strip(" `"), re.findall(r"`(\w+)`", row.split("|")[2])
        assert names and set(names) <= functions(ROOT / file), row


def functions(file: Path) -> set[str]:
    """Every function and method of a file."""
    found = ast.walk(ast.parse(file.read_text()))
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}

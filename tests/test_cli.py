"""The command line: exit codes, one line for an error, JSON that parses; never a traceback."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offers.cli import app
from offers.finding_formats import Format
from offers.ledger import Ledger
from offers.tokens import CustomerTokens, parse_keys
from streams.instant import parse_instant
from tests.served import environment
from tests.service import CAMPAIGNS, LIVORNO, NOW
from tests.shared_service import shared_service


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command sets up logging for its whole process, which is this one."""
    root, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = root
    logging.getLogger().setLevel(level)


class Shell:
    """Commands in one artifacts folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.set: dict[str, str] = {}

    def run(self, *arguments: str, **settings: str) -> Result:
        env = environment(self.folder, **self.set, **settings)
        ours = {name: value for name, value in env.items() if name.startswith("OFFING_")}
        before = dict(os.environ)
        try:
            return CliRunner().invoke(app, list(arguments), env=ours, color=False)
        finally:  # `serve` leaves keys and addresses for its children in the environment of its process, which is ours
            os.environ.clear()
            os.environ.update(before)

    def json(self, *arguments: str, **settings: str) -> Any:
        """Standard output parsed; the command succeeded."""
        done = self.run(*arguments, "--json", **settings)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def fails(self, *arguments: str, **settings: str) -> str:
        """The one line of an error; the exit status is 1."""
        done = self.run(*arguments, **settings)
        assert (done.exit_code, done.stdout) == (1, ""), done.output
        (line,) = [line for line in done.stderr.splitlines() if line.strip()]
        return line


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """In a folder of its own."""
    return Shell(tmp_path / "artifacts")


# campaigns


def test_good_campaigns_are_counted(shell: Shell) -> None:
    done = shell.run("campaigns", "check", str(CAMPAIGNS))
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "4 campaigns are good")
    done = shell.run("campaigns", "check", str(CAMPAIGNS), "--format", "json")
    nothing = {"v": 1, "findings": [], "errors": 0, "warnings": 0}
    found = json.loads(done.stdout)
    dates = found.pop("dates")
    assert (done.exit_code, found) == (0, nothing)
    assert "cabin-upgrade-livorno-olbia" in [each["campaign"] for each in dates]


def test_bad_campaigns_exit_1_with_path_line_and_column(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "campaigns"
    _copy(CAMPAIGNS, folder)
    file = folder / "campaigns" / "cabin-upgrade.yaml"
    file.write_text(file.read_text().replace("at_least: gold", "at_least: oro").replace("30 km of", "30 of"))
    done = shell.run("campaigns", "check", str(folder))
    first, second = done.stdout.splitlines()
    assert done.exit_code == 1
    assert first.startswith("campaigns/cabin-upgrade.yaml:9:41: UNKNOWN_LEVEL customer.loyalty_tier has no level 'oro'")
    assert second.startswith("campaigns/cabin-upgrade.yaml:12:26: UNIT_MISSING '30 of port:ITLIV' is not a distance.")
    done = shell.run("campaigns", "check", str(folder), "--format", "json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [(each["path"], each["line"], each["code"], each["severity"]) for each in found["findings"]] == [
        (str(file), 9, "UNKNOWN_LEVEL", "error"),
        (str(file), 12, "UNIT_MISSING", "error"),
    ]


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())


def test_a_folder_that_is_not_there_and_a_format_that_is_none(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("campaigns", "check", str(tmp_path / "nowhere"))
    assert done.exit_code == 1
    assert done.stdout.startswith(".:1:1: FOLDER_MISSING")
    done = shell.run("campaigns", "check", str(CAMPAIGNS), "--format", "xml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "'xml' is not one of" in done.stderr
    assert [form.value for form in Format if form.value not in done.stderr] == []


# keys and tokens


def test_the_life_of_a_key(shell: Shell) -> None:
    made = shell.json("keys", "create", "--name", "app-backend", "--scopes", "decide, events")
    assert made["name"] == "app-backend"
    assert made["secret"].startswith("ok_")
    assert shell.json("keys", "list") == [{"name": "app-backend", "scopes": ["decide", "events"], "revoked": False}]
    assert made["secret"] not in (shell.folder / "ledger.sqlite").read_bytes().decode("latin-1")
    assert shell.fails("keys", "create", "--name", "app-backend", "--scopes", "decide").startswith("KEY_NAME_TAKEN ")
    done = shell.run("keys", "revoke", "--name", "app-backend")
    assert (done.exit_code, done.stdout) == (0, "app-backend is revoked\n")
    assert shell.json("keys", "list")[0]["revoked"] is True
    assert "app-backend" in shell.run("keys", "list").stdout
    shown = shell.run("keys", "create", "--name", "other", "--scopes", "admin").stdout.splitlines()
    assert (shown[0][:3], shown[1]) == ("ok_", "keep it: it is not shown again")


def test_keys_that_cannot_be(shell: Shell) -> None:
    assert shell.fails("keys", "revoke", "--name", "nobody") == (
        "KEY_UNKNOWN no key is named 'nobody'; `offing keys list` shows the names"
    )
    assert shell.fails("keys", "create", "--name", "a", "--scopes", "decide,fly") == (
        "SCOPE_UNKNOWN scopes are 'fly'; choose from decide, events, simulate, admin"
    )


def test_a_minted_token_is_its_customers(shell: Shell) -> None:
    token = shell.run("tokens", "mint", "--customer", "c-1", "--ttl", "2h", "--now", "2026-11-21T18:00:00Z").stdout
    keys = parse_keys((shell.folder / "token_keys").read_text().strip(), "offing")
    read = CustomerTokens(keys).read(token.strip(), NOW)
    assert (read.customer_id, read.expires) == ("c-1", parse_instant("2026-11-21T20:00:00Z"))
    for wrong, code in (("1x", "UNIT_UNKNOWN"), ("-1h", "NUMBER_INVALID"), ("", "NUMBER_INVALID")):
        assert shell.fails("tokens", "mint", "--customer", "c-1", "--ttl", wrong).split()[0] in (code, "UNIT_MISSING")
    assert shell.fails("tokens", "mint", "--customer", "").startswith("CUSTOMER_ID --customer has 0 characters")
    assert shell.fails("tokens", "mint", "--customer", "c", "--now", "noon").startswith("TIME_INVALID 'noon'")


# doctor, migrate, explain, train, evaluate


def test_doctor_says_what_is_bad_and_exits_1(shell: Shell) -> None:
    assert shell.run("migrate").exit_code == 0
    embedded = {"artifacts", "campaigns", "disk", "log", "ledger", "stops", "store", "token keys"}
    assert {each["name"] for each in shell.json("doctor")} == embedded
    done = shell.run("doctor", REDIS_URL="unix:///nowhere/valkey")
    assert done.exit_code == 1
    assert "OFFING_REDIS_URL" in done.stdout
    done = shell.run("doctor", "--json", REDIS_URL="unix:///nowhere/valkey")
    assert done.exit_code == 1
    assert [each["good"] for each in json.loads(done.stdout) if each["name"] == "store"] == [False]


def test_doctor_mends_what_it_can_and_says_so(shell: Shell) -> None:
    done = shell.run("doctor")
    assert done.exit_code == 1
    assert not shell.folder.exists(), "looking makes nothing"
    mended = shell.json("doctor", "--fix")
    assert [each["name"] for each in mended if each["mended"]] == ["artifacts", "ledger"]
    done = shell.run("doctor", "--fix")
    assert (done.exit_code, "mended" in done.stdout) == (0, False)


def test_a_named_ledger_is_migrated_by_migrate_only(shell: Shell, postgres_url: str, namespace: str) -> None:
    shell.set = {"LEDGER_URL": postgres_url, "NAMESPACE": namespace}
    create = ("keys", "create", "--name", "app", "--scopes", "decide")
    assert shell.fails(*create).startswith("LEDGER_SCHEMA the ledger's schema is missing")
    assert shell.run("migrate").stdout == "the ledger's schema is of this version\n"
    assert shell.json(*create)["secret"].startswith("ok_")
    assert [key["name"] for key in shell.json("keys", "list")] == ["app"]


def test_explain_shows_a_decision_and_knows_what_is_none(tmp_path: Path, valkey_url: str) -> None:
    shell = Shell(tmp_path)
    assert shell.fails("explain", "not-an-id").startswith("DECISION_ID 'not-an-id' is no decision id")
    unknown = "019dd0a1-52cb-7c3e-9d12-6b1f0c3f8a11"
    assert shell.fails("explain", unknown).startswith(f"DECISION_UNKNOWN '{unknown}' is not in {tmp_path}")
    with shared_service(tmp_path, valkey_url) as service:
        decision_id = service.ask("c-1", context={"location": LIVORNO}).json()["decision_id"]
        shell.set = {"NAMESPACE": service.live.runtime.settings.namespace}
        while service.get(f"/v1/decisions/{decision_id}").status_code != 200:
            sleep(0.02)
        over_http = service.get(f"/v1/decisions/{decision_id}").json()
    found = shell.json("explain", decision_id)
    assert found == over_http
    assert found["replay"] == {"same_bytes": True, "differences": []}
    told = shell.run("explain", decision_id)
    assert told.exit_code == 0
    assert "the same bytes as logged" in told.stdout
    assert "cabin-upgrade" in told.stdout


def test_training_and_judging_without_anything_to_learn_from(shell: Shell) -> None:
    assert shell.fails("train").startswith("DATASET_TOO_SMALL the log has 0 labelled items")
    assert shell.fails("train", "--now", "noon").startswith("TIME_INVALID 'noon'")
    assert shell.fails("train", "--log", "/nowhere.jsonl").startswith("LOG_UNREADABLE /nowhere.jsonl")
    assert shell.fails("evaluate").startswith("NO_MODEL no model is active; `offing train` makes one")
    assert shell.fails("evaluate", "--model", "/nowhere").startswith("MODEL_INVALID the model in /nowhere")


# What is wrong around a command


def test_settings_that_are_none_name_the_nearest(shell: Shell) -> None:
    assert shell.fails("keys", "list", CAMPAINS="x") == (
        "SETTING_UNKNOWN OFFING_CAMPAINS is not a setting; did you mean OFFING_CAMPAIGNS?"
    )
    assert shell.fails("serve", PORT="99999") == (
        "SETTING_INVALID OFFING_PORT is '99999'; expected a whole number from 0 to 65535"
    )
    assert shell.fails("serve", REDIS_URL="redis://localhost").startswith("SETTING_MISSING OFFING_TOKEN_KEYS")
    assert shell.fails("tokens", "mint", "--customer", "c", TOKEN_KEYS=f"k1:{'z' * 40}").startswith("TOKEN_KEYS ")


def test_what_cannot_be_started_says_so_in_one_line(shell: Shell, tmp_path: Path) -> None:
    assert shell.fails("consume").startswith("STORE_STOPPED no Redis is named and no embedded one runs")
    nowhere = shell.run("serve", CAMPAIGNS=str(tmp_path / "nowhere"))
    assert nowhere.exit_code == 1
    assert nowhere.stderr.splitlines()[0].endswith("OFFING_CAMPAIGNS names the campaign folder")
    assert shell.fails("keys", "list", LEDGER_URL="nonsense://x").startswith("LEDGER_URL the ledger is on 'nonsense'")
    file = tmp_path / "file"
    file.write_text("")
    unusable = shell.fails("keys", "list", ARTIFACTS=str(file / "artifacts"))
    assert unusable.startswith("FILE_UNUSABLE ")
    assert unusable.endswith("mend its path or permissions, or set OFFING_ARTIFACTS")


def test_the_program_itself_prints_an_error_as_one_line_whatever_the_terminal(tmp_path: Path) -> None:
    env = environment(tmp_path, CAMPAIGNS=str(tmp_path / ("long-" * 30)))
    command = [sys.executable, "-m", "offers.cli", "serve"]
    done = subprocess.run(command, env={**env, "COLUMNS": "40"}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("FOLDER_MISSING ")
    assert "Traceback" not in done.stderr


def test_without_a_command_there_is_help(shell: Shell) -> None:
    done = shell.run()
    assert done.exit_code == 2
    for word in (
        "serve",
        "consume",
        "train",
        "evaluate",
        "drift",
        "groups",
        "campaigns",
        "keys",
        "tokens",
        "explain",
        "doctor",
    ):
        assert word in done.output
    assert shell.run("nonsense").exit_code == 2


def test_a_ledger_of_the_shell_is_that_of_the_service(shell: Shell) -> None:
    secret = shell.json("keys", "create", "--name", "a", "--scopes", "decide")["secret"]
    book = Ledger(f"sqlite:///{shell.folder / 'ledger.sqlite'}", "offing")
    assert [key.name for key in book.list_keys()] == ["a"]
    assert secret
    book.close()

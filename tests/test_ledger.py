"""The ledger on SQLite and on a real PostgreSQL: keys, what is active, migrations up and down, races."""

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

from loadtests.postgres_server import postgres
from offers import ledger_database
from offers.ledger import Ledger
from offers.ledger_database import LedgerDatabase
from offers.models import Active
from streams.errors import InvalidInput, NotFound, Retry, Stop


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def ledger(url: str, namespace: str) -> Iterator[Ledger]:
    opened = Ledger(url, namespace)
    opened.migrate()
    yield opened
    opened.close()


def tables(url: str, namespace: str) -> set[str]:
    database = LedgerDatabase(url, namespace)
    with database.reading() as connection:
        names = set(sa.inspect(connection).get_table_names())
    database.engine.dispose()
    return names


def test_a_created_key_is_known_by_its_hash_only(ledger: Ledger) -> None:
    secret = ledger.create_key("booking", ["events", "decide", "decide"], now=1_000)
    assert re.fullmatch(r"ok_[A-Za-z0-9_-]{43}", secret)
    (key,) = ledger.list_keys()
    assert (key.name, key.scopes, key.created_at, key.revoked_at) == ("booking", ("decide", "events"), 1_000, None)
    assert key.key_hash == sha256(secret.encode()).hexdigest()


def test_keys_are_listed_by_name_with_their_revocation(ledger: Ledger) -> None:
    for name in ("web", "app", "ships"):
        ledger.create_key(name, ["decide"], now=1)
    ledger.revoke_key("app", now=7)
    ledger.revoke_key("app", now=9)
    assert [(key.name, key.revoked_at) for key in ledger.list_keys()] == [("app", 7), ("ships", None), ("web", None)]


def test_names_are_not_used_again_and_unknown_names_are_not_revoked(ledger: Ledger) -> None:
    ledger.create_key("app", ["decide"], now=1)
    ledger.revoke_key("app", now=2)
    with pytest.raises(InvalidInput, match="such as 'app-2'") as taken:
        ledger.create_key("app", ["decide"], now=3)
    with pytest.raises(NotFound, match="no key is named 'pap'") as unknown:
        ledger.revoke_key("pap", now=3)
    assert (taken.value.code, unknown.value.code) == ("KEY_NAME_TAKEN", "KEY_UNKNOWN")


@pytest.mark.parametrize(
    ("name", "scopes", "code"),
    [
        ("", ["decide"], "KEY_NAME"),
        ("a" * 65, ["decide"], "KEY_NAME"),
        ("a\nb", ["decide"], "KEY_NAME"),
        ("app", ["decide", "root"], "SCOPE_UNKNOWN"),
        ("app", [], "SCOPE_UNKNOWN"),
    ],
)
def test_a_bad_name_or_scope_makes_no_key(name: str, scopes: list[str], code: str, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'l'}", "offing")
    ledger.migrate()
    with pytest.raises(InvalidInput) as caught:
        ledger.create_key(name, scopes, now=1)
    assert caught.value.code == code
    assert ledger.list_keys() == ()
    ledger.close()


def test_activating_replaces_what_was_active_and_can_go_back(ledger: Ledger) -> None:
    assert ledger.active("model") is None
    for number, model in enumerate(("m-aa", "m-bb")):
        ledger.publish("model", model, "ada", now=number)
        ledger.publish("model", model, "bob", now=99)
        ledger.activate("model", model, "ada", now=10 + number)
    assert ledger.active("model") == Active("m-bb", 11, "ada")
    ledger.activate("model", "m-aa", "bob", now=20)
    assert ledger.active("model") == Active("m-aa", 20, "bob")
    assert ledger.published("model") == ("m-bb", "m-aa")


def test_what_was_never_published_is_not_activated(ledger: Ledger) -> None:
    ledger.publish("model", "m-aa", "ada", now=1)
    ledger.activate("model", "m-aa", "ada", now=2)
    with pytest.raises(NotFound, match="'m-zz' was never published") as caught:
        ledger.activate("model", "m-zz", "ada", now=3)
    assert caught.value.code == "MODEL_UNKNOWN"
    assert ledger.active("model") == Active("m-aa", 2, "ada")


def test_namespaces_on_one_server_or_in_one_file_do_not_see_each_other(url: str, namespace: str) -> None:
    here, there = Ledger(url, namespace), Ledger(url, f"{namespace}-b")
    here.migrate()
    there.migrate()
    here.create_key("app", ["decide"], now=1)
    there.create_key("app", ["admin"], now=2)
    here.publish("model", "m-1", "ada", now=1)
    here.activate("model", "m-1", "ada", now=1)
    assert [key.scopes for key in here.list_keys()] == [("decide",)]
    assert [key.scopes for key in there.list_keys()] == [("admin",)]
    assert there.active("model") is None
    here.close()
    there.close()


def test_migrations_go_up_down_and_up_again(url: str, namespace: str) -> None:
    database = LedgerDatabase(url, namespace)
    with pytest.raises(Stop, match=r"schema is missing.*offing migrate") as unmigrated:
        database.check()
    assert unmigrated.value.code == "LEDGER_SCHEMA"
    everything = {
        "alembic_version",
        "api_keys",
        "models",
        "active",
        "publications",
        "stops",
        "model_states",
        "turns",
        "verdicts",
    }
    for _ in range(2):
        database.migrate()
        database.check()
        assert tables(url, namespace) == everything
        database.downgrade("0001")
        assert tables(url, namespace) == {"alembic_version", "api_keys", "revisions", "models", "active"}
        database.downgrade("base")
        assert tables(url, namespace) == {"alembic_version"}
    database.engine.dispose()


def test_a_ledger_of_a_newer_program_is_left_alone(url: str, namespace: str, ledger: Ledger) -> None:
    database = LedgerDatabase(url, namespace)
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Stop, match="schema is 9999, this program expects 0004"):
        ledger.check()
    with pytest.raises(Stop, match="newer program"):
        ledger.migrate()
    database.engine.dispose()


def test_processes_that_start_together_migrate_once(url: str, namespace: str) -> None:
    program = "import sys; from offers.ledger import Ledger; Ledger(sys.argv[1], sys.argv[2]).migrate()"
    started = [subprocess.Popen([sys.executable, "-c", program, url, namespace]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
    ledger = Ledger(url, namespace)
    ledger.check()
    assert ledger.list_keys() == ()
    ledger.close()


def test_threads_that_create_and_activate_at_once_all_succeed(ledger: Ledger) -> None:
    def work(number: int) -> str:
        ledger.publish("model", f"m-{number % 3}", "ada", now=number)
        ledger.activate("model", f"m-{number % 3}", "ada", now=number)
        return ledger.create_key(f"key-{number}", ["decide"], now=number)

    with ThreadPoolExecutor(8) as threads:
        secrets = list(threads.map(work, range(24)))
    assert len(set(secrets)) == 24
    assert len(ledger.list_keys()) == 24
    active = ledger.active("model")
    assert active is not None
    assert active.id == f"m-{active.activated_at % 3}"


def test_only_one_of_two_callers_gets_a_name(ledger: Ledger) -> None:
    def work(number: int) -> str:
        try:
            return ledger.create_key("app", ["decide"], now=number)
        except InvalidInput as error:
            return error.code

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(work, range(4)))
    assert results.count("KEY_NAME_TAKEN") == 3


def test_a_ledger_that_does_not_answer_is_retryable_and_shows_no_password(tmp_path: Path) -> None:
    away = Ledger(f"sqlite:///{tmp_path}/no/such/folder/ledger.sqlite", "offing")
    with pytest.raises(Retry, match="does not answer") as caught:
        away.list_keys()
    assert (caught.value.code, caught.value.after_s) == ("LEDGER_UNAVAILABLE", 1)
    if find_spec("psycopg") is not None:
        refused = Ledger(f"postgresql://offing:hunter2@/offing?host={tmp_path}", "offing")
        with pytest.raises(Retry) as unreachable:
            refused.list_keys()
        assert "hunter2" not in unreachable.value.message
    away.close()


def test_a_postgresql_that_went_away_and_came_back_is_used_as_if_nothing_had_been() -> None:
    with postgres() as server:
        ledger = Ledger(server.url, "offing")
        ledger.migrate()
        ledger.create_key("app", ["decide"], now=1)
        for away in (server.stop, server.kill):
            away()
            with pytest.raises(Retry) as caught:
                ledger.list_keys()
            assert (caught.value.code, server.password in caught.value.message) == ("LEDGER_UNAVAILABLE", False)
            server.start()
            assert [key.name for key in ledger.list_keys()] == ["app"]
        server.stop()
        server.start()
        ledger.create_key("ships", ["decide"], now=2)
        assert [key.name for key in ledger.list_keys()] == ["app", "ships"], "no call notices a quick restart"
        ledger.close()


@pytest.mark.prove
@pytest.mark.parametrize("pooled", [True, False], ids=["a connection it had", "a new connection"])
def test_a_postgresql_that_hangs_is_not_waited_for_for_ever(pooled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ledger_database.TCP, "connect_timeout", 2)
    with postgres() as server:
        database = LedgerDatabase(server.url, "offing", longest_s=0.5)
        database.migrate()
        if not pooled:
            database.engine.dispose()
        with server.frozen():
            for _ in range(2):
                with pytest.raises(Retry, match="does not answer"), database.reading():
                    pass
        database.check()
        database.engine.dispose()


def test_a_ledger_that_nobody_migrated_says_so_and_works_once_it_is(url: str, namespace: str) -> None:
    ledger = Ledger(url, namespace)
    with pytest.raises(Retry, match="run `offing migrate`") as caught:
        ledger.list_keys()
    assert caught.value.code == "LEDGER_SCHEMA"
    ledger.migrate()
    assert ledger.list_keys() == ()
    ledger.close()


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "not a url hunter2", "", "nosuch://hunter2"])
def test_a_bad_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Ledger(url, "offing")
    assert caught.value.code in ("LEDGER_URL", "LEDGER_DRIVER")
    assert "hunter2" not in caught.value.message

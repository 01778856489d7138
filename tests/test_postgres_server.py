"""The PostgreSQL of the tests: a server with a password that goes away and comes back on its port, with its data."""

import psycopg
import pytest

from loadtests.postgres_server import PostgresServer, postgres
from streams.errors import Stop


def ask(server: PostgresServer, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url.replace("+psycopg", ""), connect_timeout=2, autocommit=True) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def test_it_comes_back_on_its_port_with_its_data_and_ends_with_the_block() -> None:
    with postgres() as server:
        port = server.port
        ask(server, "CREATE TABLE kept (n integer)")
        ask(server, "INSERT INTO kept VALUES (7)")
        for away in (server.stop, server.kill):
            away()
            assert not server.alive
            with pytest.raises(psycopg.OperationalError):
                ask(server, "SELECT 1")
            server.start()
            assert (server.port, ask(server, "SELECT n FROM kept")) == (port, [(7,)])
        with pytest.raises(psycopg.OperationalError, match="password"):
            ask(PostgresServer(server.folder, port, "guessed"), "SELECT 1")
        folder = server.folder
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        ask(server, "SELECT 1")


def test_a_frozen_server_does_not_answer_until_it_thaws() -> None:
    with postgres() as server:
        with server.frozen(), pytest.raises(psycopg.OperationalError):
            ask(server, "SELECT 1")
        assert ask(server, "SELECT 1") == [(1,)]
        with pytest.raises(Stop) as caught:
            PostgresServer(server.folder)._running()
        assert caught.value.code == "POSTGRES_STOPPED"

"""One connection for all tasks, against a real server that is killed, frozen, filled up and closed to us."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
import redis
import uvloop
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from streams import multiplexed_line
from streams.embedded_valkey import EmbeddedValkey
from streams.multiplexed import GOOD_S, code_of
from streams.multiplexed_line import Answer
from streams.valkey import Client, Doors, connect, connect_async

Run = Callable[[Awaitable[None]], None]
PATIENCE_S = 20.0


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Either event loop."""
    chosen: Run = request.param
    return chosen


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A server that may be mistreated; put it right again."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("own"))
    server.start()
    yield server
    server.stop()


@contextmanager
def frozen(server: EmbeddedValkey) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def get(client: Doors, key: str = "k", timeout_s: float = 5.0) -> Answer:
    return client.execute(key, (("GET", key),), timeout_s)


async def answering(client: Doors) -> None:
    """Wait until calls succeed."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(redis.RedisError):
                await get(client)
                return
            await asyncio.sleep(0.01)


async def failing(client: Doors) -> None:
    """Wait until calls fail at once: the first try to connect again is over."""
    async with asyncio.timeout(PATIENCE_S):
        while not (call := get(client)).done():
            with suppress(redis.RedisError):
                await call
    assert isinstance(call.exception(), redis.ConnectionError)


def test_all_tasks_share_one_connection_and_one_write_per_tick(valkey_url: str, namespace: str, run: Run) -> None:
    async def scenario() -> None:
        async with connect_async(valkey_url) as client:
            await client.connect(1.0)
            reads = (("INFO", "stats"),)

            async def ask(number: int) -> list[object]:
                return await client.execute("", (("CLIENT", "ID"), ("ECHO", number)), 5.0)

            before = _reads_processed(await client.execute("", reads, 5.0))
            answers = await asyncio.gather(*(ask(number) for number in range(200)))
            after = _reads_processed(await client.execute("", reads, 5.0))
            assert [echo for _, echo in answers] == [b"%d" % number for number in range(200)]
            assert len({connection for connection, _ in answers}) == 1
            assert after - before <= 3, "200 tasks, a read of the server or two, and the one that asks"
            assert (client.connects, client.waiting) == (1, 0)

    run(scenario())


def _reads_processed(replies: list[object]) -> int:
    (text,) = replies
    assert isinstance(text, bytes)
    return int(text.split(b"total_reads_processed:")[1].split()[0])


def test_whoever_gives_up_when_everybody_else_gets_their_own_answer(
    valkey_url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multiplexed_line, "STALL_S", 10.0)  # this process may not get its turn for a while

    async def scenario() -> None:
        random = Random(7)
        async with connect_async(valkey_url) as client:

            async def ask(number: int) -> int:
                await asyncio.sleep(random.random() * 0.4)  # slowly enough to stay under what may wait
                size = random.choice((1, 10, 70_000))
                answer = client.execute("", (("ECHO", number), ("ECHO", b"x" * size)), random.choice((0.0, 0.001, 5.0)))
                if random.random() < 0.2:
                    asyncio.get_running_loop().call_later(random.random() * 0.01, answer.cancel)
                try:
                    echo, padding = await answer
                except (redis.TimeoutError, asyncio.CancelledError):
                    return 0
                assert (echo, padding) == (b"%d" % number, b"x" * size)
                return 1

            counted = await asyncio.gather(*(ask(number) for number in range(400)))
            assert 40 < sum(counted) < 400
            await client.drain()
            assert (client.waiting, client.connects) == (0, 1)

    run(scenario())


def test_a_write_is_not_waited_for_and_drained_in_the_end(client: Client, valkey_url: str, namespace: str) -> None:
    async def scenario() -> None:
        async with connect_async(valkey_url) as doors:
            for number in range(500):
                doors.tell("", (("RPUSH", namespace, number),))
            assert doors.waiting == 500
            await doors.drain()
            assert doors.waiting == 0
        assert client.llen(namespace) == 500

    asyncio.run(scenario())


def test_huge_values_come_through_whole(valkey_url: str, namespace: str, run: Run) -> None:
    huge = Random(1).randbytes(24 << 20)

    async def scenario() -> None:
        async with connect_async(valkey_url) as client:
            await client.execute("", (("SET", namespace, huge, "EX", 60),), 10.0)
            ((found,), (small,)) = await asyncio.gather(
                client.execute("", (("GET", namespace),), 10.0), client.execute("", (("ECHO", "small"),), 10.0)
            )
            await client.execute("", (("DEL", namespace),), 10.0)
            assert isinstance(found, bytes)
            assert (sha256(found).digest(), small) == (sha256(huge).digest(), b"small")

    run(scenario())


def test_a_connection_that_was_closed_is_made_again_before_anybody_notices(own: EmbeddedValkey, run: Run) -> None:
    async def scenario() -> None:
        async with connect_async(own.url) as client:
            await client.connect(1.0)
            await asyncio.sleep(GOOD_S)
            with connect(own.url) as other:
                other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            async with asyncio.timeout(PATIENCE_S):
                while client.connects == 1:
                    await asyncio.sleep(0.001)
            for _ in range(20):
                await get(client)
            assert client.connects == 2

    run(scenario())


def test_without_a_server_calls_fail_at_once_and_with_it_they_succeed(
    own: EmbeddedValkey, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with connect_async(own.url) as client:
            await client.connect(1.0)
            os.kill(own.pid, signal.SIGKILL)
            with pytest.raises(redis.ConnectionError):
                while True:
                    await get(client)
            await failing(client)
            for _ in range(100):
                failed = get(client)
                assert isinstance(failed.exception(), redis.ConnectionError), "done, and nobody awaited it"
                client.tell("k", (("GET", "k"),))
            own.start()  # here and not in a thread: it must not end before the server
            await answering(client)
            assert client.connects == 2

    run(scenario())
    said = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "offing.multiplexed"]
    assert said == [
        ("WARNING", "no connection to Redis: decisions do without what it holds"),
        ("WARNING", "Redis is back"),
    ]


def test_a_frozen_server_is_waited_for_once_and_found_again(own: EmbeddedValkey, run: Run) -> None:
    async def scenario() -> None:
        async with connect_async(own.url) as client:
            await client.connect(1.0)
            with frozen(own):
                with pytest.raises(redis.TimeoutError):
                    await get(client, timeout_s=0.05)
                with pytest.raises(redis.ConnectionError, match="said nothing"):
                    await get(client)
                for _ in range(100):
                    assert isinstance(get(client).exception(), redis.ConnectionError)
            await answering(client)
            assert client.connects == 2

    run(scenario())


def test_the_first_call_waits_for_the_connection_no_longer_than_it_said(own: EmbeddedValkey, run: Run) -> None:
    async def scenario() -> None:
        async with connect_async(own.url) as client:
            with frozen(own):
                first = get(client, timeout_s=0.02)
                with pytest.raises(redis.TimeoutError):
                    await first
                patient = get(client)
            assert await patient == [None]
            assert client.connects == 1

    run(scenario())


def test_a_full_server_refuses_what_is_written_and_answers_what_is_read(own: EmbeddedValkey) -> None:
    async def scenario() -> None:
        async with connect_async(own.url) as client:
            with connect(own.url) as other:
                other.set("full", b"kept")
                other.config_set("maxmemory", "1")
                try:
                    write, read = await client.execute("", (("SET", "full", b"new"), ("GET", "full")), 5.0)
                finally:
                    other.config_set("maxmemory", "0")
            assert isinstance(write, OutOfMemoryError)
            assert (read, client.connects) == (b"kept", 1)

    asyncio.run(scenario())


def test_a_server_that_became_a_replica_is_asked_for_by_its_name_again(own: EmbeddedValkey) -> None:
    async def scenario() -> None:
        async with connect_async(own.url) as client:
            await client.connect(1.0)
            with connect(own.url) as other:
                other.replicaof("127.0.0.1", "1")
                try:
                    (refusal,) = await client.execute("", (("SET", "k", b"new"),), 5.0)
                    assert isinstance(refusal, ReadOnlyError)
                finally:
                    other.replicaof("NO", "ONE")
            await answering(client)
            assert await client.execute("", (("SET", "k", b"new"), ("DEL", "k")), 5.0) == [b"OK", 1]
            assert client.connects == 2

    asyncio.run(scenario())


def test_a_password_is_needed_and_given_in_the_url(own: EmbeddedValkey, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(password: str) -> list[object]:
        async with connect_async(f"{own.url}?password={password}" if password else own.url) as client:
            return await get(client)

    with connect(own.url) as other:
        other.config_set("requirepass", "sesame")
        try:
            assert asyncio.run(scenario("sesame")) == [None]
            for wrong in ("", "other"):
                with pytest.raises(redis.ConnectionError, match="no connection could be made"):
                    asyncio.run(scenario(wrong))
        finally:
            other.config_set("requirepass", "")
    reasons = [record.__dict__["reason"] for record in caplog.records if record.name == "offing.multiplexed"]
    assert reasons == ["AuthenticationError", "AuthenticationError"]


def test_a_refused_write_is_logged_once_by_its_code(
    valkey_url: str, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with connect_async(valkey_url) as client:
            for _ in range(3):
                client.tell("", (("SET", namespace, "text", "EX", 60), ("RPUSH", namespace, "entry")))
            await client.drain()

    asyncio.run(scenario())
    (line,) = (record for record in caplog.records if record.name == "offing.multiplexed")
    assert (line.__dict__["reason"], namespace in line.getMessage()) == ("WRONGTYPE", False)


def test_closing_fails_who_waits_and_a_later_call_connects_again(own: EmbeddedValkey, run: Run) -> None:
    async def scenario() -> None:
        client = connect_async(own.url)
        await client.connect(1.0)
        with frozen(own):
            waiting = get(client)
            await asyncio.sleep(0)
            await client.aclose()
            with pytest.raises(redis.ConnectionError, match="closed here"):
                await waiting
        await client.aclose()
        assert await get(client) == [None]
        assert client.connects == 2
        await client.aclose()

    run(scenario())


def test_closing_while_connecting_leaves_nothing_behind(own: EmbeddedValkey, tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        client = connect_async(own.url)
        with frozen(own):
            waiting = get(client)
            await asyncio.sleep(0.02)
            await client.aclose()
            with pytest.raises(redis.ConnectionError):
                await waiting
        nowhere = connect_async(f"unix://{tmp_path}/nothing-here")
        with pytest.raises(redis.ConnectionError):
            await get(nowhere)
        await nowhere.aclose()

    run(scenario())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (redis.ResponseError("WRONGTYPE Operation against a key"), "WRONGTYPE"),
        (redis.exceptions.NoPermissionError("this user has no permissions", status_code="NOPERM"), "NOPERM"),
        (redis.TimeoutError("the server did not answer in time"), "TimeoutError"),
        (redis.ResponseError("Unknown subcommand for c-secret"), "ResponseError"),
    ],
)
def test_an_error_s_code_has_nothing_of_its_message(error: Exception, code: str) -> None:
    assert code_of(error) == code

"""A line of calls on one connection: order, giving up, stalls, endings. The other end is a peer that the test plays."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
import uvloop

from streams import multiplexed_line
from streams.multiplexed_line import MOST_WAITING, Call, Line

GET = (("GET", "k"),)


@dataclass
class Peer:
    """A line and the far end of its connection."""

    line: Line
    start: Callable[[], None]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ends: list[str] = field(default_factory=list)
    refused: list[object] = field(default_factory=list)

    async def says(self, data: bytes) -> None:
        """Send and let the line read it."""
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(0.002)

    async def heard(self, text: bytes) -> bytes:
        """Everything up to and with `text`."""
        return await asyncio.wait_for(self.reader.readuntil(text), 5)

    async def heard_megabytes(self, count: int) -> None:
        """So many, and let the line know that they are gone."""
        await asyncio.wait_for(self.reader.readexactly(count << 20), 5)
        await asyncio.sleep(0.01)


@asynccontextmanager
async def peer(*, started: bool = True) -> AsyncIterator[Peer]:
    ends: list[str] = []
    refused: list[object] = []

    def refuse(call: Call, replies: list[object]) -> None:
        refused.extend(replies)
        call.give(replies)

    met: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.get_running_loop().create_future()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "peer")
        server = await asyncio.start_unix_server(lambda reader, writer: met.set_result((reader, writer)), path)
        ours = await asyncio.open_unix_connection(path)
        line = Line(lambda _, reason: ends.append(reason), refuse)
        far = Peer(line, lambda: line.start(*ours), *await met, ends, refused)
        if started:
            far.start()
        try:
            yield far
        finally:
            far.line.end("the test is over")
            far.writer.close()
            server.close()
            await asyncio.sleep(0)


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    """Either event loop: timers and reads take turns differently."""
    chosen: Callable[[Awaitable[None]], None] = request.param
    return chosen


Run = Callable[[Awaitable[None]], None]


def test_replies_go_to_the_callers_in_their_order_however_they_are_cut(run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            first = far.line.ask((("GET", "a"), ("LRANGE", "b", 0, -1)), 5)
            far.line.tell((("SET", "c", b"\x00", "PX", 5),))
            second = far.line.ask(GET, 5)
            assert far.line.waiting == 3
            sent = await far.heard(b"GET\r\n$1\r\nk\r\n")
            assert sent.startswith(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*4\r\n$6\r\nLRANGE\r\n")
            for byte in b"$2\r\nhi\r\n*2\r\n$1\r\nx\r\n$-1\r\n+OK\r\n$3\r\nbye\r\n":
                await far.says(bytes([byte]))
            assert (await first, await second) == ([b"hi", [b"x", None]], [b"bye"])
            assert (far.line.waiting, far.refused, far.ends) == (0, [], [])

    run(scenario())


def test_what_is_called_before_the_connection_is_made_goes_out_with_it(run: Run) -> None:
    async def scenario() -> None:
        async with peer(started=False) as far:
            impatient, patient = far.line.ask(GET, 0.05), far.line.ask(GET, 5)
            with pytest.raises(redis.TimeoutError):
                await impatient
            await asyncio.sleep(0.3)
            far.start()
            await far.says(b"+one\r\n+two\r\n")
            assert (await patient, far.ends) == ([b"two"], [])

    run(scenario())


@pytest.mark.parametrize("how", ["timed out", "cancelled"])
def test_a_reply_to_who_gave_up_is_given_to_nobody(how: str, run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            gone = far.line.ask(GET, 0.03 if how == "timed out" else 5)
            if how == "cancelled":
                gone.cancel()
            with pytest.raises((redis.TimeoutError, asyncio.CancelledError)):
                await gone
            patient = far.line.ask(GET, 5)
            await far.says(b"$3\r\nold\r\n")
            assert not patient.done()
            await far.says(b"$3\r\nnew\r\n")
            assert await patient == [b"new"]

    run(scenario())


def test_the_shorter_patience_ends_first_whoever_asked_first(run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            long, short = far.line.ask(GET, 0.2), far.line.ask(GET, 0.02)
            with pytest.raises(redis.TimeoutError):
                await short
            assert not long.done()
            await far.says(b"+long\r\n+short\r\n")
            assert await long == [b"long"]

    run(scenario())


def test_a_connection_that_ends_within_a_reply_fails_everybody_once(run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            asked = [far.line.ask(GET, 5) for _ in range(3)]
            await far.says(b"$2\r\nhi\r\n$100\r\nhalf")
            far.writer.close()
            assert await asked[0] == [b"hi"]
            for call in asked[1:]:
                with pytest.raises(redis.ConnectionError, match="the connection was lost"):
                    await call
            assert len(far.ends) == 1
            with pytest.raises(redis.ConnectionError, match="the connection was lost"):
                far.line.ask(GET, 5)
            with pytest.raises(redis.ConnectionError, match="the connection was lost"):
                far.line.tell(GET)
            assert (far.line.waiting, far.line.stalled) == (0, False)

    run(scenario())


@pytest.mark.parametrize("said", [b"+one\r\n+two\r\n", b"HTTP/1.1 200 OK\r\n"], ids=["a reply too many", "no reply"])
def test_a_server_that_does_not_speak_the_protocol_is_left(said: bytes, run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            call = far.line.ask(GET, 5)
            await far.says(said)
            assert far.ends == ["the server does not speak the protocol"]
            assert call.done()
            if said.startswith(b"+"):
                assert call.result() == [b"one"]
            else:
                assert isinstance(call.exception(), redis.ConnectionError)

    run(scenario())


def test_a_server_that_says_nothing_is_left_and_one_that_speaks_slowly_is_not(run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            slow = far.line.ask(GET, 5)
            await far.says(b"$10\r\n")
            for _ in range(5):
                await asyncio.sleep(0.1)
                await far.says(b"ab")
            await far.says(b"\r\n")
            assert await slow == [b"ababababab"]
            far.line.tell(GET)
            silent = far.line.ask(GET, 5)
            with pytest.raises(redis.ConnectionError, match="said nothing"):
                await silent
            assert far.line.stalled
            assert len(far.ends) == 1

    run(scenario())


def test_writes_alone_notice_a_silent_server_too(run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            far.line.tell(GET)
            async with asyncio.timeout(5):
                while not far.ends:
                    await asyncio.sleep(0.01)
            assert (far.line.stalled, len(far.ends)) == (True, 1)

    run(scenario())


def test_a_line_without_calls_may_be_silent(run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            call = far.line.ask(GET, 5)
            await far.says(b"+hi\r\n")
            await asyncio.sleep(0.4)
            assert (await call, far.ends) == ([b"hi"], [])

    run(scenario())


def test_when_this_process_stood_still_a_reply_that_is_there_counts(run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            call = far.line.ask(GET, 0.2)
            await far.heard(b"k\r\n")
            far.writer.write(b"+there\r\n")
            time.sleep(0.4)  # garbage collection, a suspended laptop
            assert await call == [b"there"]
            assert far.ends == []

    run(scenario())


def test_errors_stay_in_their_places_and_are_shown_to_the_owner(run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            call = far.line.ask((*GET, *GET, *GET), 5)
            await far.says(b"+OK\r\n-LOADING dataset in memory\r\n-WRONGTYPE of k\r\n")
            ok, loading, wrong = await call
            assert ok == b"OK"
            assert isinstance(loading, redis.BusyLoadingError)
            assert isinstance(wrong, redis.ResponseError)
            assert far.refused == [ok, loading, wrong]
            after = far.line.ask(GET, 5)
            await far.says(b"+fine\r\n")
            assert (await after, far.ends) == ([b"fine"], [])

    run(scenario())


def test_a_server_that_became_a_replica_is_left_once_it_has_said_so(run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            write, read = far.line.ask(GET, 5), far.line.ask(GET, 5)
            await far.says(b"-READONLY a replica\r\n+value\r\n")
            (refusal,) = await write
            assert isinstance(refusal, redis.exceptions.ReadOnlyError)
            assert (await read, far.ends) == ([b"value"], ["the server became a replica"])

    run(scenario())


def test_a_server_that_does_not_read_is_not_written_to_without_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiplexed_line, "STALL_S", 10.0)  # this process may not get its turn for a while

    async def scenario() -> None:
        async with peer() as far:
            megabyte = (("SET", "k", b"x" * (1 << 20)),)
            with pytest.raises(redis.ConnectionError, match="does not keep up"):
                for _ in range(50):
                    far.line.tell(megabyte)
                    await asyncio.sleep(0)
            waiting = far.line.waiting
            await far.heard_megabytes(waiting)
            await far.says(b"+OK\r\n" * waiting)
            again = far.line.ask(GET, 5)
            await far.says(b"+k\r\n")
            assert await again == [b"k"]

    run(scenario())


def test_so_many_calls_may_wait_and_no_more(run: Run) -> None:
    async def scenario() -> None:
        async with peer() as far:
            for _ in range(MOST_WAITING):
                far.line.tell(GET)
            with pytest.raises(redis.ConnectionError, match=f"{MOST_WAITING} calls wait"):
                far.line.ask(GET, 5)
            await far.says(b"+OK\r\n")
            assert far.line.waiting == MOST_WAITING - 1
            far.line.tell(GET)

    run(scenario())

"""One connection in use by many: a line of calls waiting for their replies, which come in the order of the calls.

A reply belongs to the oldest call in line, whether its caller still waits, has given up, or never wanted it. So a call
leaves the line by its reply or by the end of the connection, never earlier.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import cast

import hiredis
import redis
from redis.asyncio.connection import DefaultParser
from redis.exceptions import InvalidResponse, ReadOnlyError

Command = tuple[bytes | str | int, ...]
Answer = asyncio.Future[list[object]]
MOST_WAITING = 16_384
"""Calls in line; the next one fails at once."""
MOST_BUFFERED = 16 << 20
"""Bytes that the server has not taken; calls fail at once until it has taken most of them."""
STALL_S = 0.25
"""A server that says nothing for so long while a call waits is given up."""
LATE_S = 0.02
"""A timer that rings later than this says that our own process stood still: what it would judge may be unread."""
_INCOMPLETE = object()
_PACK: Callable[[Command], bytes] = hiredis.pack_command  # type: ignore[assignment]  # declared for one item only


class Call:
    """Commands sent together. `answer` gets a list of their replies, errors among them; None: nobody waits for it."""

    __slots__ = ("answer", "commands", "deadline", "sent")

    def __init__(self, answer: Answer | None, commands: Sequence[Command], deadline: float, sent: float) -> None:
        self.answer = answer
        self.commands = commands
        self.deadline = deadline
        """By the loop's clock; infinite if nobody waits."""
        self.sent = sent

    def give(self, replies: list[object]) -> None:
        """To its caller, if one still waits."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(replies)

    def fail(self, error: Exception) -> None:
        """Tell its caller, if one still waits."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error)


class Line(asyncio.Protocol):
    """From the first call to the end of the connection. What is called before `start` goes out with it.

    `refused` gets every call of whose replies one is an error, and gives or fails it. `ended` is called once, with the
    reason, when every call in line has failed. One event loop owns a line.
    """

    def __init__(self, ended: Callable[["Line", str], None], refused: Callable[[Call, list[object]], None]) -> None:
        self._ended = ended
        self._refused = refused
        self._loop = asyncio.get_running_loop()
        self._writer: asyncio.StreamWriter | None = None  # kept: its end would be that of the transport
        self._transport: asyncio.Transport | None = None
        self._over = ""
        self._calls: deque[Call] = deque()
        self._replies: list[object] = []
        """Those of the oldest call that came."""
        self._errors: list[Exception] = []
        """Among them."""
        self._heard = 0.0
        self._out: list[bytes] = []
        self._full = False
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = inf
        self._excused = False
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=self._reply_error, notEnoughData=_INCOMPLETE
        )
        self.stalled = False
        """Whether it ended because the server said nothing."""

    @property
    def waiting(self) -> int:
        """Calls in line."""
        return len(self._calls)

    def ask(self, commands: Sequence[Command], timeout_s: float) -> Answer:
        """Send with this tick's write; the future gets a reply or an error for each command. It raises

        redis.TimeoutError after `timeout_s`, redis.ConnectionError if the connection ends; this raises it at once if
        the line is of no use.
        """
        now = self._loop.time()
        deadline = now + timeout_s
        answer: Answer = self._loop.create_future()
        self._enter(Call(answer, commands, deadline, now))
        if deadline < self._alarm_at:
            self._set_alarm(deadline)
        return answer

    def tell(self, commands: Sequence[Command]) -> None:
        """Send with this tick's write; nobody waits for the replies. Raises redis.ConnectionError as `ask` does."""
        now = self._loop.time()
        self._enter(Call(None, commands, inf, now))
        if now + STALL_S < self._alarm_at:
            self._set_alarm(now + STALL_S)

    def start(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The connection is made and greeted: this line reads from it and writes to it from now on."""
        self._writer = writer
        self._transport = transport = cast(asyncio.Transport, writer.transport)
        transport.set_write_buffer_limits(high=MOST_BUFFERED)
        transport.set_protocol(self)
        self._heard = self._loop.time()
        if reader.at_eof() or transport.is_closing():  # of that this protocol would not hear any more
            self.end("the server closed the connection at once")
        self._flush()

    def end(self, reason: str) -> None:
        """Close the connection and fail every call in line. Idempotent."""
        if self._over:
            return
        self._over = reason
        if self._transport is not None:
            self._transport.abort()
        if self._alarm is not None:
            self._alarm.cancel()
        calls, self._calls, self._out = self._calls, deque(), []
        for call in calls:
            call.fail(redis.ConnectionError(reason))
        self._ended(self, reason)

    def data_received(self, data: bytes) -> None:
        """Hand each reply to the oldest call."""
        self._heard = self._loop.time()
        self._excused = False
        gets, calls, replies = self._reader.gets, self._calls, self._replies
        try:
            self._reader.feed(data)
            while (reply := gets()) is not _INCOMPLETE:
                replies.append(reply)
                if len(replies) == len(calls[0].commands):
                    self._settle(calls.popleft(), replies)
                    self._replies = replies = []
        except (InvalidResponse, LookupError):  # not a reply, or one to nothing that was sent
            self.end("the server does not speak the protocol")

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is closed, by the server or by `end`."""
        self.end(f"the connection was lost ({type(exc).__name__ if exc else 'closed by the server'})")

    def pause_writing(self) -> None:
        """The server takes less than is sent."""
        self._full = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._full = False

    def _enter(self, call: Call) -> None:
        if self._over:
            raise redis.ConnectionError(self._over)
        if self._full or len(self._calls) >= MOST_WAITING:
            raise redis.ConnectionError(f"the server does not keep up; {len(self._calls)} calls wait for it")
        out = self._out
        if not out and self._transport is not None:
            self._loop.call_soon(self._flush)
        out += map(_PACK, call.commands)
        self._calls.append(call)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and self._transport is not None:
            self._transport.write(b"".join(out))

    def _reply_error(self, text: str) -> Exception:
        error: Exception = DefaultParser.parse_error(text)  # type: ignore[no-untyped-call]
        self._errors.append(error)
        return error

    def _settle(self, call: Call, replies: list[object]) -> None:
        if not self._errors:
            call.give(replies)
            return
        errors, self._errors = self._errors, []
        self._refused(call, replies)
        if any(isinstance(error, ReadOnlyError) for error in errors):  # its name may lead to another server by now
            self._loop.call_soon(self.end, "the server became a replica")

    def _set_alarm(self, at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        """One timer for all calls: fail those whose time is over, and see whether the server still speaks."""
        now, due = self._loop.time(), self._alarm_at
        self._alarm, self._alarm_at = None, inf
        if now - due > LATE_S and not self._excused:
            self._excused = True
            self._set_alarm(now + LATE_S)
            return
        nearest = self._stalls_at()
        if nearest <= now:
            self.stalled = True
            self.end(f"the server said nothing for {STALL_S} s")
            return
        for call in self._calls:
            if call.deadline <= now:
                call.fail(redis.TimeoutError("the server did not answer in time"))
            else:
                nearest = min(nearest, call.deadline)
        if nearest < inf:
            self._set_alarm(nearest)

    def _stalls_at(self) -> float:
        if not self._calls or self._transport is None:
            return inf
        return max(self._calls[0].sent, self._heard) + STALL_S

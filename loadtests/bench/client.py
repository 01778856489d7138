"""The bench's client: a process of its own that sends requests made before, over plain sockets, and times the answers.

Lean, so that it is not what is measured: about 20 us of CPU per request. Closed loop: each connection asks again when
it has its answer. Open loop, with a rate: requests start at instants drawn before (Poisson, seeded), whatever the
service does, and latency counts from the intended instant, waiting for a free connection included.

    python -m loadtests.bench.client PLAN    reads a Plan (MessagePack), writes an Outcome to standard output
"""

import socket
import sys
import time
from collections import deque
from pathlib import Path
from random import Random
from select import select

import msgspec

READ = 1 << 16
PATIENCE_S = 20.0
"""An answer that takes longer ends the run: the service hangs."""
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "


class Plan(msgspec.Struct, frozen=True):
    """What to send, and how."""

    port: int
    requests: list[bytes]
    """Whole HTTP/1.1 requests."""
    expected: bytes
    """What an answer without shortcomings contains."""
    connections: int = 1
    rate: float | None = None
    """Requests per second, open loop; None: closed loop."""
    seconds: float = 30.0
    """No request is started later than this."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of it."""

    latencies_ms: list[float]
    """Of the answers with status 200, in the order they came."""
    failed: int
    """Answers with another status."""
    lacking: int
    """Answers with status 200 that do not contain what was expected."""
    first_bad: str
    """The first that failed, or else the first that lacked something."""
    seconds: float
    """From the first request to the last answer."""
    cpu_s: float
    """This process's own, in that time."""
    answer_bytes: int


class BadAnswer(ValueError):
    """An answer that is no HTTP with a Content-Length."""


def http_request(path: str, body: bytes, authorization: str) -> bytes:
    """A POST over a connection that is kept alive."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: offing-bench\r\nAccept: */*\r\n"
        f"Authorization: {authorization}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def length_of(received: bytes) -> int | None:
    """How many bytes the answer has in all, as soon as its head is there. Raises BadAnswer."""
    end = received.find(HEAD_END)
    if end < 0:
        return None
    at = received[:end].lower().find(LENGTH)
    digits = received[at + len(LENGTH) : end].split(b"\r\n", 1)[0] if at >= 0 else b""
    if not digits.isdigit():
        raise BadAnswer(f"an answer without Content-Length: {received[:end]!r}")
    return end + len(HEAD_END) + int(digits)


class _Wire:
    """One connection; at most one request under way."""

    __slots__ = ("expected", "number", "received", "socket", "started", "wanted")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = self.socket.fileno()
        self.received = b""
        self.wanted: int | None = None
        self.started = 0.0

    def send(self, request: bytes, started: float) -> None:
        self.received = b""
        self.wanted = None
        self.started = started
        self.socket.sendall(request)

    def answer(self) -> bytes | None:
        """What has come, once it is whole."""
        part = self.socket.recv(READ)
        if not part:
            raise BadAnswer("the service closed the connection before its answer")
        self.received += part
        if self.wanted is None:
            self.wanted = length_of(self.received)
        return self.received if self.wanted is not None and len(self.received) >= self.wanted else None


class _Run:
    """One plan under way."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.free = deque(_Wire(plan.port) for _ in range(plan.connections))
        self.busy: dict[int, _Wire] = {}
        self.latencies: list[float] = []
        self.failed = 0
        self.lacking = 0
        self.first_bad = ""
        self.answer_bytes = 0
        self.sent = 0

    def drive(self) -> Outcome:
        begun, cpu = time.perf_counter(), time.process_time()
        try:
            if self.plan.rate is None:
                self._closed(begun)
            else:
                self._open(begun, instants(len(self.plan.requests), self.plan.rate))
            ended, spent = time.perf_counter(), time.process_time() - cpu
        finally:
            for wire in (*self.free, *self.busy.values()):
                wire.socket.close()
        return Outcome(
            self.latencies, self.failed, self.lacking, self.first_bad, ended - begun, spent, self.answer_bytes
        )

    def _closed(self, begun: float) -> None:
        requests = self.plan.requests
        until = begun + self.plan.seconds
        while self.busy or self.sent < len(requests):
            while self.free and self.sent < len(requests):
                self._start(time.perf_counter())
            self._take(PATIENCE_S)
            if time.perf_counter() > until:
                requests = requests[: self.sent]

    def _open(self, begun: float, due: list[float]) -> None:
        due = [at for at in due if at < self.plan.seconds]
        while self.busy or self.sent < len(due):
            now = time.perf_counter() - begun
            while self.free and self.sent < len(due) and due[self.sent] <= now:
                self._start(begun + due[self.sent])
            next_in = due[self.sent] - now if self.free and self.sent < len(due) else PATIENCE_S
            self._take(max(0.0, next_in))

    def _start(self, started: float) -> None:
        wire = self.free.popleft()
        self.busy[wire.number] = wire
        wire.send(self.plan.requests[self.sent], started)
        self.sent += 1

    def _take(self, wait_s: float) -> None:
        """Whole answers that are there, or the first that comes. Raises TimeoutError after PATIENCE_S."""
        ready, _, _ = select(list(self.busy), (), (), wait_s)  # epoll of Python rounds its timeout up to 1 ms
        if not ready and wait_s >= PATIENCE_S:
            raise TimeoutError(f"no answer within {PATIENCE_S:.0f} s")
        for number in ready:
            wire = self.busy[number]
            answer = wire.answer()
            if answer is not None:
                self._judge(answer, (time.perf_counter() - wire.started) * 1000)
                self.free.append(self.busy.pop(number))

    def _judge(self, answer: bytes, latency_ms: float) -> None:
        self.answer_bytes += len(answer)
        good = answer.startswith(b"HTTP/1.1 200")
        if good:
            self.latencies.append(latency_ms)
            if self.plan.expected in answer:
                return
            self.lacking += 1
        if not good or not self.first_bad:
            self.first_bad = self.first_bad if self.failed else answer[:1_000].decode(errors="replace")
        self.failed += not good


def instants(number: int, rate: float) -> list[float]:
    """Seconds after the start at which requests are due: exponential gaps, the same for the same arguments."""
    draw = Random(f"bench:{number}:{rate}")
    found, at = [], 0.0
    for _ in range(number):
        at += draw.expovariate(rate)
        found.append(at)
    return found


def drive(plan: Plan) -> Outcome:
    """Carry a plan out."""
    return _Run(plan).drive()


def main() -> None:
    """Plan file in, outcome out."""
    plan = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    sys.stdout.buffer.write(msgspec.msgpack.encode(drive(plan)))


if __name__ == "__main__":
    main()

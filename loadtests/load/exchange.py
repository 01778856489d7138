"""One thing a client does at the service, attempt by attempt: the `http` of the printed client, which measures."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import orjson

from loadtests.load.reference_client import at_once
from loadtests.load.wire import Answer, Connection, NoAnswer, Target

Attempted = Callable[[str, float, int, str], None]
"""(path, seconds, bytes, what went wrong or nothing): told of every attempt."""


class Refused(RuntimeError):
    """A 4xx: the same body can never succeed. The message is the problem's code."""


class Connections:
    """Connections to one target, taken in turn, so that all of them stay in use. Not for threads that run at once."""

    def __init__(self, to: Target, attempted: Attempted) -> None:
        self._to = to
        self._free: deque[Connection] = deque()
        self._attempted = attempted

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One attempt. Raises NoAnswer."""
        connection = self._free.popleft() if self._free else Connection(self._to)
        begun = time.perf_counter()
        wrong, size = "", 0
        try:
            answer = connection.post(path, body, headers)
            size = len(answer.body)
            wrong = "" if answer.status < 400 else f"HTTP {answer.status}"
        except NoAnswer as error:
            wrong = str(error)
            raise
        finally:
            self._free.append(connection)
            self._attempted(path, time.perf_counter() - begun, size, wrong)
        return answer

    def close(self) -> None:
        """Let go of all of them."""
        while self._free:
            self._free.popleft().close()


class Reply:
    """As much of httpx.Response as the printed client looks at."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.status_code = answer.status
        self.headers = httpx.Headers(answer.headers) if answer.status >= 500 else {}

    def raise_for_status(self) -> "Reply":
        """Itself. Raises Refused for a 4xx."""
        if self.status_code >= 400:
            raise Refused(_code(self._answer))
        return self

    def json(self) -> Any:
        """The body."""
        return orjson.loads(self._answer.body)


class Exchange:
    """What becomes of one request of a client, retries included."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.attempts = 0
        self.first_sent_at = 0.0
        """time.perf_counter() of the first attempt; 0: none was made."""
        self.sent_at = 0.0
        """... of the last."""
        self.answered_at = 0.0
        """... of its answer."""
        self.code = ""
        """What the last attempt failed with; empty: it was answered."""
        self.body = b""
        self.answer: Any = None
        """The last answer that can be used."""
        self.post = at_once(self._post)

    def _post(self, path: str, json: Any, headers: Mapping[str, str]) -> Reply:
        self.attempts += 1
        self.sent_at = time.perf_counter()
        self.first_sent_at = self.first_sent_at or self.sent_at
        try:
            answer = self._connections.post(path, orjson.dumps(json), headers)
        except NoAnswer as error:
            self.code = "NO_ANSWER"
            raise httpx.ReadError(str(error)) from error
        self.answered_at = time.perf_counter()
        reply = Reply(answer)
        if answer.status >= 400:
            self.code = _code(answer)
            return reply
        self.code, self.body, self.answer = "", answer.body, reply.json()
        return _Read(answer, self.answer)


def rejected(answer: Mapping[str, Any]) -> str:
    """The code of the first event that was not taken; empty: all of them were."""
    for result in answer["results"]:
        if result["status"] not in ("accepted", "duplicate"):
            return str(result.get("code", result["status"]))
    return ""


class _Read(Reply):
    """A reply whose body was read already."""

    def __init__(self, answer: Answer, read: Any) -> None:
        super().__init__(answer)
        self._read = read

    def json(self) -> Any:
        return self._read


def _code(answer: Answer) -> str:
    """A problem's code, or the status if it is no problem of Offing's."""
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return f"HTTP_{answer.status}"
    return str(found.get("code", f"HTTP_{answer.status}")) if isinstance(found, dict) else f"HTTP_{answer.status}"

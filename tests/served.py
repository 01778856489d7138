"""`offing serve` as a process of its own, with everything embedded in a folder, and what hangs on it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import httpx
import msgspec

from offers.ledger import Ledger
from streams.instant import format_instant
from tests.service import ALL_SCOPES, CAMPAIGNS, NOW, SAILING

PATIENCE_S = 60.0
LOOK_S = 0.05


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Of an Offing in this folder, with nothing of this process's own OFFING_* settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OFFING_")}
    ours = {"ARTIFACTS": str(folder), "CAMPAIGNS": str(CAMPAIGNS), "PORT": "0", "SIMULATED": "1", **settings}
    return {**inherited, **{f"OFFING_{name}": value for name, value in ours.items()}}


def eventually(holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for it."""
    deadline = monotonic() + patience_s
    while not holds():
        if monotonic() > deadline:
            raise TimeoutError(what)
        sleep(LOOK_S)


def lives(pid: int) -> bool:
    """Whether the process exists and has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def children(pid: int) -> dict[int, str]:
    """Process id -> command line, of everything this process started."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == str(pid):
            found[int(entry.name)] = command
    return found


@dataclass
class Served:
    """A running `offing serve`."""

    folder: Path
    output: Path
    process: "subprocess.Popen[bytes]"
    secret: str
    port: int = 0

    def lines(self) -> list[Mapping[str, Any]]:
        """What it logged."""
        return [msgspec.json.decode(line) for line in self.output.read_bytes().splitlines() if line[:1] == b"{"]

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}", "offing-now": format_instant(NOW)}

    def post(self, path: str, body: Any) -> httpx.Response:
        """POST as JSON."""
        return httpx.post(f"http://127.0.0.1:{self.port}{path}", json=body, headers=self.headers, timeout=20.0)

    def get(self, path: str) -> httpx.Response:
        """GET."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=self.headers, timeout=20.0)

    def ask(self, customer: str, **body: Any) -> dict[str, Any]:
        """One item of the home hero; the answer was 200."""
        wanted = {"customer_id": customer, "placements": [{"placement": "app.home.hero", "limit": 1}], **body}
        answer = self.post("/v1/decisions", wanted)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def child(self, word: str) -> int:
        """The process id of the one child whose command has this word."""
        (found,) = [pid for pid, command in children(self.process.pid).items() if word in command]
        return found

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(PATIENCE_S)


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[Served]:
    """A service that is ready; it is killed at the end of the block if it still runs."""
    secret = _secret(folder, settings.get("NAMESPACE", "offing"))
    output = folder.with_name(f"{folder.name}.log")
    with output.open("ab") as out:
        begun = output.stat().st_size
        process = subprocess.Popen(
            [sys.executable, "-m", "offers.cli", "serve"], env=environment(folder, **settings), stdout=out, stderr=out
        )
    running = Served(folder, output, process, secret)
    try:
        eventually(lambda: _ready(running, begun), "it is not ready; see its output")
        yield running
    except (TimeoutError, AssertionError):
        sys.stderr.write(output.read_text(errors="replace")[-4_000:])
        raise
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                running.kill()


def _secret(folder: Path, namespace: str) -> str:
    """A new key of every scope."""
    folder.mkdir(parents=True, exist_ok=True)
    book = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}", namespace)
    try:
        book.migrate()
        return book.create_key(f"tests-{uuid4().hex}", ALL_SCOPES, NOW)
    finally:
        book.close()


def _ready(running: Served, begun: int) -> bool:
    if running.process.poll() is not None:
        raise AssertionError(f"it ended with {running.process.returncode}")
    if not running.port:
        said = running.output.read_bytes()[begun:].splitlines()
        ports = [msgspec.json.decode(line).get("port") for line in said if b"answering HTTP" in line]
        if not ports:
            return False
        running.port = ports[0]
    try:
        answer = running.get("/v1/offers?placement=app.home.hero&customer_id=c-ready")
        return answer.status_code == 200 and bool(running.get("/health/ready").json()["ready"])
    except httpx.TransportError:
        return False


def event(kind: str, subject: str, data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A CloudEvent of NOW."""
    named = {"id": name, "source": "tests", "type": kind, "subject": subject, "time": format_instant(NOW)}
    return {"specversion": "1.0", **named, "data": dict(data)}


def introduced(customer: str) -> list[dict[str, Any]]:
    """Events after which this customer, in Livorno, is offered the cabin upgrade."""
    consent = {"purposes": {"personalised_offers": True, "location": True}, "channels": {"app": True}}
    booked = {"booking_id": f"b-{customer}", "sailing_id": SAILING, "line": "ITLIV-ITOLB"}
    tier = {"attributes": {"loyalty_tier": "gold", "open_complaint": False}}
    times = {"departure": "2026-11-21T21:30:00Z", "arrival": "2026-11-22T06:00:00Z"}
    return [
        event("customer.profile", customer, tier, f"{customer}-1"),
        event("customer.consent", customer, consent, f"{customer}-2"),
        event("customer.booking", customer, {**booked, "attributes": {"accommodation": "seat"}}, f"{customer}-3"),
        event("sailing.schedule", SAILING, {"line": "ITLIV-ITOLB", **times}, f"{customer}-4"),
        event("sailing.fare", SAILING, {"product": "cabin_inside", "minor": 7000}, f"{customer}-5"),
        event("sailing.capacity", SAILING, {"kind": "inside", "free": 37}, f"{customer}-6"),
    ]


def offered(answer: Mapping[str, Any]) -> list[str]:
    """The offer ids of an answer's first placement."""
    return [item["offer_id"] for item in answer["placements"][0]["items"]]

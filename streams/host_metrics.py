"""The metrics of all Offing processes of a host in one scrape, whichever of them answers it.

Each process writes what it has counted into a file of a shared folder, once a second, and holds a lock for as long as
it lives. Whoever is asked adds up its own numbers, the others' last ones, and what those that have ended left behind.
A process that is killed loses the last second of its counting; one that is asked to end loses nothing.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from threading import Event as Flag

import msgspec
from prometheus_client import REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from streams.background import run_in_background
from streams.host_lock import HostLock
from streams.metric_sum import Family, Sum, collected, metric

PUBLISH_S = 1.0
ENDED = "ended"
"""What processes that have ended had counted."""
COUNTED, ALIVE = ".counted", ".alive"
LOCK_S = 5.0
UNREADABLE = (OSError, msgspec.MsgspecError)
logger = logging.getLogger("streams.host_metrics")


class _Ended(msgspec.Struct, frozen=True):
    """`processes`: those that are in it already, while a file of theirs may still lie there."""

    processes: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()


_DECODE = msgspec.msgpack.Decoder(tuple[Family, ...]).decode
_DECODE_ENDED = msgspec.msgpack.Decoder(_Ended).decode
_ENCODE = msgspec.msgpack.Encoder().encode


class HostMetrics(Collector):
    """One process's part in it, and the whole when it is asked. Never raises once it is made: metrics stop nobody.

    `refresh` sets the gauges that are reckoned when they are read.
    """

    def __init__(
        self,
        folder: Path,
        role: str,
        across: Mapping[str, str],
        *,
        registry: CollectorRegistry = REGISTRY,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self.process = f"{role}-{os.getpid()}-{token_hex(2)}"
        self._folder = folder
        self._across = across
        self._registry = registry
        self._refresh = refresh
        self._alive: int | None = None
        self._stopping = Flag()
        self._running: Future[None] | None = None

    def start(self) -> None:
        """Join the others of the folder, and publish from now on in a thread."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._sweep()
                self._alive = _take(self._folder / f"{self.process}{ALIVE}")
            self.publish()
        except (OSError, TimeoutError):
            logger.exception("this process's metrics are not shared", extra={"path": str(self._folder)})
            return
        self._running = run_in_background("offing-metrics", self._publish)

    def stop(self) -> None:
        """Publish a last time and leave. Idempotent."""
        self._stopping.set()
        if self._running is not None:
            self._running.result()
            self._running = None
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None

    def exposition(self) -> bytes:
        """The host's metrics, in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """For Prometheus: the host's metrics."""
        self._refresh()
        total = Sum(self._across)
        total.add(collected(self._registry), self.process)
        try:
            with self._locked():
                self._gather()
                total.add_ended(self._ended().families)
                for process in self._others():
                    total.add(self._counted(process), process)
        except (OSError, TimeoutError):
            logger.exception("the other processes' metrics are missing", extra={"path": str(self._folder)})
        yield from map(metric, total.families())

    def publish(self) -> None:
        """Write what was counted so far. Raises OSError."""
        self._refresh()
        self._write(self.process + COUNTED, _ENCODE(collected(self._registry)))

    def _publish(self) -> None:
        ending = False
        while not ending:
            ending = self._stopping.wait(PUBLISH_S)
            try:
                self.publish()
            except OSError:
                logger.exception("metrics cannot be published", extra={"path": str(self._folder)})

    def _write(self, name: str, data: bytes) -> None:
        passing = self._folder / f"{name}.{self.process}"
        passing.write_bytes(data)
        passing.replace(self._folder / name)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = HostLock(self._folder / "lock")
        try:
            with lock.held(LOCK_S):
                yield
        finally:
            lock.close()

    def _processes(self) -> list[str]:
        return sorted(path.name.removesuffix(ALIVE) for path in self._folder.glob(f"*{ALIVE}"))

    def _others(self) -> list[str]:
        return [process for process in self._processes() if process != self.process]

    def _sweep(self) -> None:
        """If nobody is alive the host starts anew, and so do its numbers."""
        if any(not _free(self._folder / f"{process}{ALIVE}") for process in self._processes()):
            return
        for path in self._folder.iterdir():
            if path.name != "lock":
                path.unlink()

    def _gather(self) -> None:
        """Put what ended processes had counted with what earlier ones had. A kill in between counts nothing twice."""
        gone = [process for process in self._others() if _free(self._folder / f"{process}{ALIVE}")]
        if not gone:
            return
        known = self._ended()
        total = Sum(self._across)
        total.add_ended(known.families)
        for process in gone:
            if process not in known.processes:
                total.add_ended(self._counted(process))
        self._write(ENDED, _ENCODE(_Ended(tuple(gone), total.families())))
        for process in gone:
            (self._folder / f"{process}{COUNTED}").unlink(missing_ok=True)
            (self._folder / f"{process}{ALIVE}").unlink()

    def _counted(self, process: str) -> tuple[Family, ...]:
        try:
            return _DECODE((self._folder / f"{process}{COUNTED}").read_bytes())
        except UNREADABLE:
            return ()  # killed before it had counted anything, or of another version

    def _ended(self) -> _Ended:
        try:
            return _DECODE_ENDED((self._folder / ENDED).read_bytes())
        except UNREADABLE:
            return _Ended()


def _take(path: Path) -> int | None:
    """A descriptor that holds the lock on this file, until it is closed or the process ends; None if another has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _free(path: Path) -> bool:
    """Whether nobody holds the lock on it."""
    descriptor = _take(path)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None

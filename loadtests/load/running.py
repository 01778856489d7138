"""A target that is up, whoever started it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from loadtests.load.processes import cpu_seconds

CONSUMER = "consumer"
QUIET = 0.2
"""A consumer that uses less of a core than this has nothing left to fold."""
SETTLE_S = 30.0
LOOK_S = 0.5
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Running:
    """Where it is, and a key of it."""

    url: str
    key: str = field(repr=False)
    what: str
    """For the report: what stands behind the URL."""
    processes: dict[str, int] = field(default_factory=dict)
    """Name -> process id, where they are of this host."""

    def settle(self) -> None:
        """Until the consumer has nothing left to fold; no longer than SETTLE_S."""
        pid = self.processes.get(CONSUMER)
        ending = time.monotonic() + SETTLE_S
        while time.monotonic() < ending:
            before = cpu_seconds(pid) if pid is not None else 0.0
            time.sleep(LOOK_S)
            if pid is None or (cpu_seconds(pid) - before) / LOOK_S < QUIET:
                return

"""Processes of this host: what they are to a service, and the CPU they used. Linux's /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ROLES = {"valkey": "valkey", "consume": "consumer", "spawn_main": "worker"}
"""A word of the command line -> what the process is; whatever has none of them only keeps accounts."""


def cpu_seconds(pid: int) -> float:
    """User and system seconds of a process of this host so far; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def host_cpu_seconds() -> float:
    """CPU seconds of everything that has run on this host, all cores together."""
    user, nice, system, _, _, irq, soft, steal, *_ = (
        int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + soft + steal) / TICKS_PER_S


def children(pid: int) -> dict[str, int]:
    """What a service has started, by what it is: consumer, valkey, and its workers where they are several."""
    found: dict[str, int] = {}
    for child, command in sorted(_started_by(pid)):
        role = next((role for word, role in ROLES.items() if word in command), None)
        if role == "worker":
            role = f"worker {1 + sum(name.startswith(role) for name in found)}"
        if role is not None:
            found[role] = child
    return found


def _started_by(pid: int) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == str(pid):
            yield int(entry.name), command

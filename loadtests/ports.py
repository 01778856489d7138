"""A port for a server on loopback that has to find it free again after a restart."""

from contextlib import suppress
from random import SystemRandom
from socket import socket

PORTS = range(20_000, 32_000)
"""Below the kernel's own choice (32768 on), which takes any of those for somebody's outgoing connection."""


def free_port() -> int:
    """One that nobody listens on."""
    random = SystemRandom()
    while True:
        port = random.choice(PORTS)
        with socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port

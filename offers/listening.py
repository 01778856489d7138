"""The door's socket, and what to say if there can be none."""

import socket

from streams.errors import Stop


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises Stop PORT_UNUSABLE."""
    door = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
    except OSError as error:
        door.close()
        raise unusable(host, port, "OFFING_PORT (0 takes a free one)", error) from error
    return door


def unusable(host: str, port: int, setting: str, error: OSError) -> Stop:
    """Stop PORT_UNUSABLE: what was found, and the setting that mends it."""
    found = f"{host}:{port} cannot be listened on: {error.strerror or error}"
    return Stop("PORT_UNUSABLE", f"{found}; stop what uses it, or set {setting}")

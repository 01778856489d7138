"""Where Redis or Valkey is and how to get in: one URL, a cluster or not, and the files of TLS."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis.connection import parse_url

from streams.errors import InvalidInput
from streams.slots import Node

DEFAULT_PORT = 6379
PROTOCOL = 2
"""RESP 2: replies only, no pushes; every server of either name speaks it."""


@dataclass(frozen=True, slots=True)
class Address:
    """What to connect to. Raises InvalidInput SETTING_INVALID for what cannot go together."""

    url: str = field(repr=False)
    """Of a cluster it may name several hosts, HOST:PORT,HOST:PORT: any of them tells of all."""
    cluster: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    namespace: str = "offing"

    def __post_init__(self) -> None:
        files = [file for file in (self.ca, self.cert, self.key) if file is not None]
        for wrong, message in (
            (self.cluster and self.scheme == "unix", "a cluster has no unix socket; expected redis:// or rediss://"),
            (self.cluster and self.arguments().get("db"), "it names a database; expected none, a cluster has only 0"),
            (not self.cluster and len(_hosts(self.url)) > 1, "it names several hosts; expected OFFING_REDIS_CLUSTER=1"),
            (files and self.scheme != "rediss", "files for TLS are set (OFFING_REDIS_CA, ...); expected rediss://"),
            (
                (self.cert is None) != (self.key is None),
                "OFFING_REDIS_CERT and OFFING_REDIS_KEY: expected both or none",
            ),
        ):
            if wrong:
                raise InvalidInput("SETTING_INVALID", f"OFFING_REDIS_URL with its settings: {message}")
        for file in files:
            if not file.is_file():
                raise InvalidInput("SETTING_INVALID", f"{file} is not there; expected a PEM file for TLS to Redis")

    @property
    def scheme(self) -> str:
        """redis, rediss or unix."""
        return urlsplit(self.url).scheme

    @property
    def seeds(self) -> tuple[Node, ...]:
        """The servers of a cluster that are named."""
        return tuple(map(_node, _hosts(self.url)))

    def arguments(self) -> dict[str, Any]:
        """For a connection of redis-py to the first host named: what the URL and the files say."""
        first, *others = _hosts(self.url)
        found: dict[str, Any] = dict(parse_url(self.url.replace(",".join((first, *others)), first, 1)))
        found.pop("connection_class", None)  # its synchronous one; the scheme says which
        files = {"ssl_ca_certs": self.ca, "ssl_certfile": self.cert, "ssl_keyfile": self.key}
        return found | {name: str(file) for name, file in files.items() if file is not None}


def _hosts(url: str) -> list[str]:
    return urlsplit(url).netloc.rpartition("@")[2].split(",")


def _node(text: str) -> Node:
    found = urlsplit(f"//{text}")
    return Node(found.hostname or "localhost", found.port or DEFAULT_PORT)

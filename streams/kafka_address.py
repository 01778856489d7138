"""Where a Kafka cluster is and how to log in; no client of it."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from streams.errors import InvalidInput

URL = re.compile(r"kafka(?P<tls>\+ssl)?://(?P<servers>[^/\s@]+)/?")
SERVER = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):(\d{1,5})")
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """`servers` are host:port. Without `user` nobody logs in; `ca`, `cert` and `key` are PEM files for TLS."""

    servers: tuple[str, ...]
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    mechanism: str = MECHANISMS[0]
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    replication: int = 3
    """Copies of every record, for topics that are made; a cluster of fewer brokers refuses them."""
    answer_s: float = 5.0
    """A broker that has not answered by then is away."""

    def __post_init__(self) -> None:
        """Raises InvalidInput SETTING_INVALID for what would fail at the first connection, or give a password away."""
        if bool(self.user) != bool(self.password):
            lacking = "OFFING_KAFKA_PASSWORD" if self.user else "OFFING_KAFKA_USER"
            raise InvalidInput("SETTING_INVALID", f"{lacking} is missing; a Kafka user and its password go together")
        if self.user and self.mechanism == "PLAIN" and not self.tls:
            message = "OFFING_KAFKA_SASL is PLAIN without TLS: anybody on the way reads the password; use kafka+ssl://"
            raise InvalidInput("SETTING_INVALID", message)
        if bool(self.cert) != bool(self.key):
            lacking = "OFFING_KAFKA_KEY" if self.cert else "OFFING_KAFKA_CERT"
            raise InvalidInput("SETTING_INVALID", f"{lacking} is missing; a certificate and its key go together")


def parse_servers(url: str) -> KafkaAddress:
    """kafka://host:9092,host2:9092, or kafka+ssl://. Raises ValueError.

    >>> parse_servers("kafka+ssl://one:9093,two:9093").servers
    ('one:9093', 'two:9093')
    """
    match = URL.fullmatch(url)
    servers = match["servers"].split(",") if match else []
    ports = [SERVER.fullmatch(server) for server in servers]
    if not match or not all(port and 0 < int(port[2]) < 65_536 for port in ports):
        raise ValueError(url)
    return KafkaAddress(tuple(servers), tls=bool(match["tls"]))

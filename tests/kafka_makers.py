"""Makers for tests on a real broker: logs in a namespace nobody else has."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic, sleep

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from loadtests.kafka_apache import QUICK
from loadtests.kafka_server import KafkaServer, kafka_server
from streams.errors import Stop
from streams.kafka_address import KafkaAddress, parse_servers
from streams.kafka_client import KafkaLimits
from streams.kafka_log import KafkaLog
from streams.kafka_topics import admin_client, create, described, physical
from streams.log import Topic
from tests.log_makers import EVENTS, MARKET, PATIENCE_S, SHORT_LEASE_S

SUITE = (EVENTS, MARKET)
LEFT_OPEN = "ignore:unclosed <s:ResourceWarning"
"""kafka-python 3.0.12 leaves a socket to the collector where a handshake of TLS fails:

where that may happen, ignore it and collect in the same test.
"""
logging.getLogger("kafka").setLevel(logging.CRITICAL)  # as the processes do; log records also hold on to those sockets


def address_of(server: KafkaServer) -> KafkaAddress:
    """Of a cluster of one."""
    return replace(parse_servers(server.url), replication=1)


@dataclass
class KafkaMaker:
    """See tests.log_makers.LogMaker."""

    server: KafkaServer
    namespace: str
    topics: tuple[Topic, ...] = SUITE
    opened: list[KafkaLog] = field(default_factory=list)

    def __call__(self, name: str = "log", *, lease_s: float = 10.0, largest: int | None = None) -> KafkaLog:
        address = address_of(self.server)
        create(address, self.of(name), self.topics)
        if largest is not None:
            self._limit(name, largest)
        limits = KafkaLimits(max(lease_s, self.server.least_session_s), lease_s)
        log = KafkaLog(address, self.of(name), topics=self.topics, kept=self.topics, limits=limits)
        self.opened.append(log)
        return log

    def of(self, name: str) -> str:
        """The namespace of the log of this name."""
        return f"{self.namespace}-{name}"

    def program(self, name: str = "log") -> str:
        """See LogMaker; the log is made here."""
        create(address_of(self.server), self.of(name), self.topics)
        session_s = max(SHORT_LEASE_S, self.server.least_session_s)
        topics = ", ".join(f"Topic({topic.name!r}, {topic.partitions})" for topic in self.topics)
        return (
            "from streams.kafka_address import parse_servers\nfrom streams.kafka_log import KafkaLog\n"
            "from streams.kafka_client import KafkaLimits\nfrom streams.log import Topic\n"
            f"topics = ({topics},)\n"
            f"log = KafkaLog(parse_servers({self.server.url!r}), {self.of(name)!r}, topics=topics, kept=topics,\n"
            f"    limits=KafkaLimits({session_s}, {SHORT_LEASE_S}))\n"
        )

    def _limit(self, name: str, largest: int) -> None:
        with admin_client(address_of(self.server)) as admin:
            admin.alter_configs(
                [
                    ConfigResource(
                        ConfigResourceType.TOPIC, physical(topic, self.of(name)), {"max.message.bytes": str(largest)}
                    )
                    for topic in self.topics
                ]
            )


def delete(address: KafkaAddress, *names: str) -> None:
    """Delete topics, by their names on the cluster, and wait until they are gone."""
    with admin_client(address) as admin:
        admin.delete_topics(list(names))
        deadline = monotonic() + PATIENCE_S
        while described(admin, names):
            assert monotonic() < deadline
            sleep(0.02)


@contextmanager
def own_broker(folder: Path) -> Iterator[KafkaServer]:
    """One that may be killed and started again; skips the test where none can be."""
    try:
        server = kafka_server(folder, java=QUICK)
    except Stop as error:
        pytest.skip(error.message)
    if not server.ours or "noida" in server.name:
        pytest.skip(f"{server.name} cannot be killed and started again with its data")
    try:
        yield server.start()
    finally:
        server.stop()

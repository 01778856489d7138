"""The topics of one namespace on Kafka: made by `offing migrate`, looked at by `offing doctor`, never made by the way.

A topic that a broker makes by itself has that broker's partition count and retention, and a customer's events would
change their partition on the day somebody mends it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import InvalidReplicationFactorError, NoError, TopicAlreadyExistsError, for_code

from streams.bucket import tag
from streams.errors import Stop
from streams.instant import MINUTE_MS, SECOND_MS
from streams.kafka_address import KafkaAddress
from streams.kafka_client import kafka_errors, made, options
from streams.log import Topic

FOR_EVER = "-1"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it."""

    id: str
    """Of this incarnation; empty where brokers have none (before 2.8)."""
    partitions: int
    replication: int


@dataclass(frozen=True, slots=True)
class TopicFinding:
    """One thing looked at: `found` against what it should be, and the mend. `code`: with it the log does not open."""

    name: str
    good: bool
    found: str
    mend: str
    code: str = ""


def physical(topic: Topic, namespace: str) -> str:
    """The topic's name on the cluster: offing.customers of namespace `offing` is <namespace>.customers of another.

    >>> physical(Topic("offing.customers", 8), "tests-7")
    'tests-7.customers'
    """
    return f"{namespace}.{topic.name.partition('.')[2]}"


def wanted(topic: Topic, replication: int) -> Mapping[str, str]:
    """The topic's own settings; whatever is not here is the cluster's business."""
    kept = FOR_EVER if topic.retention_ms is None else str(topic.retention_ms)
    settings = {
        "cleanup.policy": "delete",
        "retention.ms": kept,
        "retention.bytes": FOR_EVER,
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(max(1, replication - 1)),
        "unclean.leader.election.enable": "false",
    }
    if topic.retention_ms is None:
        return settings
    # Kafka forgets whole segments: small ones, or the last fix would keep a day of them alive.
    return settings | {"segment.ms": str(MINUTE_MS), "file.delete.delay.ms": str(SECOND_MS)}


@contextmanager
def admin_client(address: KafkaAddress, name: str = "offing-admin") -> Iterator[KafkaAdminClient]:
    """Raises Retry LOG_UNAVAILABLE, Stop LOG_NOT_ALLOWED."""
    with kafka_errors("connecting to administer"), closing(made(KafkaAdminClient, **options(address, name))) as admin:
        yield admin


def described(admin: KafkaAdminClient, names: Sequence[str]) -> Mapping[str, TopicState]:
    """Those of the names that exist."""
    found = {}
    for topic in admin.describe_topics(list(names)):
        if topic["error_code"] == 0:
            partitions = topic["partitions"]
            replication = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
            found[topic["name"]] = TopicState(str(topic["topic_id"] or ""), len(partitions), replication)
    return found


def check(states: Mapping[str, TopicState], topics: Sequence[Topic], namespace: str) -> None:
    """Raises Stop TOPICS_MISSING or LOG_PARTITIONS_DIFFER."""
    missing = [physical(topic, namespace) for topic in topics if physical(topic, namespace) not in states]
    if missing:
        raise Stop("TOPICS_MISSING", f"Kafka has no topic {', '.join(missing)}; make them with `offing migrate`")
    for topic in topics:
        name = physical(topic, namespace)
        if states[name].partitions != topic.partitions:
            message = f"topic {name} has {states[name].partitions} partitions; expected {topic.partitions}. {RENAME}"
            raise Stop("LOG_PARTITIONS_DIFFER", message)


RENAME = (
    "The count is fixed for the life of a namespace, since a customer's partition depends on it: start in a new "
    "OFFING_NAMESPACE, and import the events there"
)


def incarnation(states: Mapping[str, TopicState], names: Sequence[str]) -> str:
    """One name for these topics as they are: another once any of them was made anew."""
    return f"{tag(tuple(f'{name}={states[name].id}' for name in sorted(names)), 16):032x}"


def create(address: KafkaAddress, namespace: str, topics: Sequence[Topic]) -> tuple[str, ...]:
    """Make those that are missing; the names of those made. Raises Stop KAFKA_REPLICATION, Retry LOG_UNAVAILABLE."""
    names = {physical(topic, namespace): topic for topic in topics}
    with admin_client(address) as admin:
        missing = sorted(names.keys() - described(admin, list(names)).keys())
        if not missing:
            return ()
        asked = {name: _new(names[name], address.replication) for name in missing}
        answers = admin.create_topics(asked, raise_errors=False)["topics"]
        new = tuple(answer["name"] for answer in answers if _is_new(answer, address.replication))
        admin.wait_for_topics(missing)
    return new


def _new(topic: Topic, replication: int) -> Mapping[str, object]:
    return {
        "num_partitions": topic.partitions,
        "replication_factor": replication,
        "configs": dict(wanted(topic, replication)),
    }


def _is_new(answer: Mapping[str, Any], replication: int) -> bool:
    """False: somebody else made it at this moment."""
    error = for_code(answer["error_code"])
    if error is InvalidReplicationFactorError:
        message = (
            f"OFFING_KAFKA_REPLICATION is {replication}, and Kafka says of topic {answer['name']}: "
            f"{answer['error_message']} Start that many brokers, or set OFFING_KAFKA_REPLICATION to what there is and "
            "bear that losing a disk may lose events"
        )
        raise Stop("KAFKA_REPLICATION", message)
    if error not in (NoError, TopicAlreadyExistsError):
        raise error(f"topic {answer['name']}: {answer['error_message']}")
    return error is NoError


def examine(address: KafkaAddress, namespace: str, topics: Sequence[Topic]) -> tuple[TopicFinding, ...]:
    """One finding per topic, all that is wrong with it in one line. Raises Retry LOG_UNAVAILABLE, Stop."""
    names, copies = {physical(topic, namespace): topic for topic in topics}, address.replication
    with admin_client(address) as admin:
        states = described(admin, list(names))
        settings = _settings(admin, sorted(states))
    return tuple(
        _finding(name, topic, states.get(name), list(_wrong(topic, states.get(name), settings.get(name, {}), copies)))
        for name, topic in names.items()
    )


def _finding(name: str, topic: Topic, state: TopicState | None, wrong: Sequence[tuple[str, str]]) -> TopicFinding:
    found = (
        "; ".join(what for what, _ in wrong)
        or f"{topic.partitions} partition{'s' * (topic.partitions > 1)}, {_kept(topic)}"
    )
    code = (
        "TOPICS_MISSING" if state is None else "LOG_PARTITIONS_DIFFER" if state.partitions != topic.partitions else ""
    )
    return TopicFinding(f"topic {name}", not wrong, found, "; ".join(mend for _, mend in wrong), code)


def _wrong(
    topic: Topic, state: TopicState | None, settings: Mapping[str, str], copies: int
) -> Iterator[tuple[str, str]]:
    """(what was found, the mend)"""
    if state is None:
        yield "it does not exist", "run `offing migrate`"
        return
    if state.partitions != topic.partitions:
        yield f"{state.partitions} partitions, expected {topic.partitions}", RENAME
    if state.replication < copies:
        yield f"{state.replication} copies, expected {copies}", "kafka-reassign-partitions, or OFFING_KAFKA_REPLICATION"
    for name, value in wanted(topic, copies).items():
        if name in settings and settings[name] != value and not _stricter(name, settings[name], value):
            yield f"{name} is {settings[name]}, expected {value}", f"kafka-configs --alter --add-config {name}={value}"


def _stricter(name: str, found: str, value: str) -> bool:
    """More copies in step than expected is the operator's right."""
    return name == "min.insync.replicas" and int(found) > int(value)


def _kept(topic: Topic) -> str:
    return "kept for ever" if topic.retention_ms is None else f"kept for {topic.retention_ms // MINUTE_MS} min"


def _settings(admin: KafkaAdminClient, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """Topic -> its settings, defaults among them."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {name: {key: str(entry["value"]) for key, entry in entries.items()} for name, entries in found.items()}

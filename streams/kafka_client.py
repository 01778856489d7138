"""What every client of Kafka is given, and what its errors become."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import errors

from streams.errors import LogRestarted, OffingError, Retry, Stop
from streams.kafka_address import KafkaAddress
from streams.kafka_sockets import DIRECT, Selector

AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class KafkaLimits:
    """In seconds. `session_s`: a member that is dead is replaced after this. `poll_s`: so is one that does not poll.

    `delivery_s`: so long an append is tried; a sender waits for its 202 no longer than that.
    """

    session_s: float = 10.0
    poll_s: float = 60.0
    delivery_s: float = 10.0


DEFAULT_LIMITS = KafkaLimits()
FORBIDDEN = (
    errors.AuthorizationError, errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError,
)  # fmt: skip


def options(address: KafkaAddress, name: str) -> Mapping[str, object]:
    """Keyword arguments that producers, consumers and admin clients share; `name` is what brokers see."""
    found: dict[str, object] = {
        "bootstrap_servers": list(address.servers),
        "client_id": name,
        "bootstrap_timeout_ms": ms(address.answer_s),
        "request_timeout_ms": ms(address.answer_s),
        "reconnect_backoff_max_ms": 1_000,
        "proxy_url": DIRECT,
        "selector": Selector,
        "security_protocol": ("SASL_" if address.user else "") + ("SSL" if address.tls else "PLAINTEXT"),
    }
    if address.user:
        found["sasl_mechanism"] = address.mechanism
        found["sasl_plain_username"] = address.user
        found["sasl_plain_password"] = address.password
    files = {"ssl_cafile": address.ca, "ssl_certfile": address.cert, "ssl_keyfile": address.key}
    return found | {option: str(path) for option, path in files.items() if path is not None}


def made(kind: Any, **settings: object) -> Any:
    """A producer, consumer or admin client.

    One whose constructor fails in kafka-python 3.0.12 leaves a thread and four descriptors behind, and a broker that is
    away is asked every second: this ends them.
    """
    client = kind.__new__(kind)
    try:
        client.__init__(**settings)
    except errors.KafkaError:
        half_made = getattr(client, "_client", None)
        if half_made is not None:
            half_made.close()
        raise
    return client


def ms(seconds: float) -> int:
    """Kafka counts in whole milliseconds."""
    return int(seconds * 1000)


@contextmanager
def kafka_errors(doing: str) -> Iterator[None]:
    """Around every use of a client: its errors become Retry LOG_UNAVAILABLE, or Stop with the mend."""
    try:
        yield
    except (errors.KafkaError, OSError) as error:
        raise translated(error, doing) from error


def translated(error: Exception, doing: str) -> OffingError:
    """What an error of the client means for a caller of the log. `doing`: as in "while ... "."""
    said = f"Kafka, while {doing}: {error}"
    if isinstance(error, FORBIDDEN):
        mend = "mend OFFING_KAFKA_USER, OFFING_KAFKA_PASSWORD, OFFING_KAFKA_SASL, or this user's ACLs"
        return Stop("LOG_NOT_ALLOWED", f"{said}; {mend}")
    if isinstance(error, errors.LogTruncationError):
        return restarted(said)
    if isinstance(error, errors.CorruptRecordError):
        return Stop("LOG_DAMAGED", f"{said}; a batch fails its checksum: bring that partition back from a replica")
    if isinstance(error, (errors.InvalidSessionTimeoutError, errors.InconsistentGroupProtocolError)):
        mend = "let group.min.session.timeout.ms and .max. allow 10 s, and let nobody else use Offing's groups"
        return Stop("LOG_REFUSES_MEMBER", f"{said}; {mend}")
    if isinstance(error, (errors.UnsupportedVersionError, errors.IncompatibleBrokerVersion)):
        return Stop("LOG_UNSUPPORTED", f"{said}; Offing needs Kafka 2.8 or newer")
    if "bootstrap" in said:  # kafka-python 3.0.12 does not tell one reason from another here
        said += f"; {BOOTSTRAP}"
    return Retry("LOG_UNAVAILABLE", said, after_s=AFTER_S)


BOOTSTRAP = (
    "no broker lets this client in: they are away, OFFING_LOG names others, they speak TLS (kafka+ssl://) or do not, "
    "OFFING_KAFKA_CA did not sign their certificates, or OFFING_KAFKA_USER and OFFING_KAFKA_PASSWORD are wrong"
)


def restarted(found: str) -> LogRestarted:
    """The log lost what this process has seen of it."""
    mend = "bring the records back, or start every process of Offing again, so that all see the log that is there now"
    return LogRestarted("LOG_RESTARTED", f"{found}; {mend}")

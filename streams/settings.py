"""Settings: every OFFING_* environment variable, read once at start into one frozen value.

With none set everything is embedded under ./.offing. A name that is not a setting stops the start, so does a bad value.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from streams.address import Address
from streams.errors import InvalidInput
from streams.kafka_address import MECHANISMS, KafkaAddress, parse_servers

PREFIX = "OFFING_"
NAMESPACE = re.compile(r"[a-z][a-z0-9-]{0,31}")
TOKEN_KEY = re.compile(r"([A-Za-z0-9_-]{1,16}):(.{32,256})")
CAMPAIGNS_FROM = ("folder", "ledger")
LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process was told. Field `x_y` is the variable OFFING_X_Y; meanings are in SETTINGS."""

    namespace: str = "offing"
    artifacts: Path = Path(".offing")
    campaigns: Path = Path("deploy/campaigns")
    campaigns_from: str = "folder"
    redis_url: str = field(default="", repr=False)
    redis_cluster: bool = False
    redis_ca: Path | None = None
    redis_cert: Path | None = None
    redis_key: Path | None = None
    log: Path | KafkaAddress | None = None
    kafka_user: str = ""
    kafka_password: str = field(default="", repr=False)
    kafka_sasl: str = MECHANISMS[0]
    kafka_ca: Path | None = None
    kafka_cert: Path | None = None
    kafka_key: Path | None = None
    kafka_replication: int = 3
    ledger_url: str = field(default="", repr=False)
    token_keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(key id, secret), the signing one first; the others still verify."""
    simulated: bool = False
    allow_load: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    metrics_port: int = 0
    drain_s: float = 0.0
    candidates: int = 512
    lake_flush_s: float = 5.0
    lake_flush_records: int = 5000
    drift_every_s: float = 3600.0
    shadow_every_s: float = 60.0
    model_threads: int = 1
    dead_letters_in_a_row: int = 100
    log_level: str = "info"

    @property
    def published(self) -> bool:
        """Campaigns are those published in the ledger."""
        return self.campaigns_from == "ledger"

    @property
    def embedded(self) -> bool:
        """No server was named: Offing starts its own Valkey and writes its own secret."""
        return not self.redis_url

    def store(self, url: str) -> Address:
        """How to connect to this Redis, the one named or the embedded one that runs. Raises InvalidInput

        SETTING_INVALID for what cannot go together.
        """
        cluster, files = self.redis_cluster, (self.redis_ca, self.redis_cert, self.redis_key)
        return Address(url, cluster, *files, namespace=self.namespace)

    @property
    def log_file(self) -> Path:
        """The SQLite log, where the log is not on Kafka."""
        return self.log if isinstance(self.log, Path) else self.artifacts / "log.sqlite"

    @property
    def kafka(self) -> KafkaAddress | None:
        """Where the log is, if it is on Kafka. Raises InvalidInput SETTING_INVALID for half a login."""
        if not isinstance(self.log, KafkaAddress):
            return None
        return replace(
            self.log,
            user=self.kafka_user,
            password=self.kafka_password,
            mechanism=self.kafka_sasl,
            ca=self.kafka_ca,
            cert=self.kafka_cert,
            key=self.kafka_key,
            replication=self.kafka_replication,
        )

    @property
    def valkey_folder(self) -> Path:
        """Where the embedded Valkey keeps its append-only file."""
        return self.artifacts / "valkey"

    @property
    def lake(self) -> Path:
        """Where decisions and outcomes are kept as Parquet."""
        return self.artifacts / "lake"

    @property
    def models(self) -> Path:
        """Where model folders are."""
        return self.artifacts / "models"

    @property
    def metrics(self) -> Path:
        """Where the processes of a host that share the artifacts write what they count."""
        return self.artifacts / "metrics"

    @property
    def token_file(self) -> Path:
        """Where an embedded Offing keeps the keys of its tokens."""
        return self.artifacts / "token_keys"

    @property
    def ledger(self) -> str:
        """The SQLAlchemy URL of the ledger."""
        return self.ledger_url or f"sqlite:///{self.artifacts / 'ledger.sqlite'}"

    def check_serving(self) -> None:
        """Raises InvalidInput SETTING_MISSING if offers could not be signed the same way after a restart."""
        if not self.embedded and not self.token_keys:
            message = (
                "OFFING_TOKEN_KEYS is missing; with OFFING_REDIS_URL set it is required, as KEY_ID:SECRET of at least "
                "32 characters, the same in every process (openssl rand -hex 32)"
            )
            raise InvalidInput("SETTING_MISSING", message)


@dataclass(frozen=True, slots=True)
class Setting:
    """One documented variable. `parse` raises ValueError; `secret` values are never repeated in a message."""

    name: str
    default: str
    """As one would write it; empty: unset."""
    meaning: str
    expected: str
    parse: Callable[[str], object]
    secret: bool = False

    @property
    def field(self) -> str:
        """The field of Settings."""
        return self.name.removeprefix(PREFIX).lower()


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read every setting. Raises InvalidInput SETTING_UNKNOWN or SETTING_INVALID, naming every mistake at once."""
    known = {setting.name: setting for setting in SETTINGS}
    given = {name: text for name, text in sorted(environment.items()) if name.startswith(PREFIX)}
    unknown = [_unknown(name, known) for name in given if name not in known]
    if unknown:
        raise InvalidInput("SETTING_UNKNOWN", "; ".join(unknown))
    values: dict[str, object] = {}
    wrong: list[str] = []
    for name, text in given.items():
        setting = known[name]
        if not text and not setting.default:
            continue
        try:
            values[setting.field] = setting.parse(text)
        except ValueError:
            found = "not shown here" if setting.secret else repr(text)
            wrong.append(f"{name} is {found}; expected {setting.expected}")
    if wrong:
        raise InvalidInput("SETTING_INVALID", "; ".join(wrong))
    return Settings(**values)  # type: ignore[arg-type]  # each parser gives its field's type; a test compares them


def _unknown(name: str, known: Mapping[str, Setting]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else f"settings are {', '.join(sorted(known))}"
    return f"{name} is not a setting; {hint}"


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return parse


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
            raise ValueError(text)
        return int(text)

    return parse


def _seconds(least: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        number = float(text)
        if not least <= number <= 3600:
            raise ValueError(text)
        return number

    return parse


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return parse


def _file(text: str) -> Path:
    if "://" in text or "," in text or not text:
        raise ValueError(text)
    return Path(text)


def _log(text: str) -> Path | KafkaAddress:
    return parse_servers(text) if text.startswith("kafka") and "://" in text else _file(text)


def _token_keys(text: str) -> tuple[tuple[str, str], ...]:
    found = [TOKEN_KEY.fullmatch(part) for part in text.split(",")]
    keys = tuple((match[1], match[2]) for match in found if match)
    if len(keys) != len(found) or len({name for name, _ in keys}) != len(keys):
        raise ValueError
    return keys


def _number(name: str, least: int, most: int, meaning: str) -> Setting:
    default = str(getattr(_DEFAULTS, name.removeprefix(PREFIX).lower()))
    return Setting(name, default, meaning, f"a whole number from {least} to {most}", _whole(least, most))


_DEFAULTS = Settings()
_STORE_URL = "redis://, rediss:// (TLS) or unix:// with a host or a socket path"
_LOG = "the path of a file, or kafka://HOST:PORT,HOST:PORT (kafka+ssl:// with TLS)"
SETTINGS: tuple[Setting, ...] = (
    Setting("OFFING_NAMESPACE", "offing", "Prefix of Redis keys, topics and the SQL schema: a brand, a test run.",
            "1 to 32 of a-z, 0-9 and -, a letter first", _matching(NAMESPACE)),
    Setting("OFFING_ARTIFACTS", ".offing", "Folder of revisions, models, the lake, and whatever is embedded.",
            "the path of a folder", _file),
    Setting("OFFING_CAMPAIGNS", "deploy/campaigns", "Folder of campaign files.", "the path of a folder", _file),
    Setting("OFFING_CAMPAIGNS_FROM", CAMPAIGNS_FROM[0], "folder: OFFING_CAMPAIGNS as it is; ledger: what is published.",
            f"one of {', '.join(CAMPAIGNS_FROM)}", _one_of(CAMPAIGNS_FROM)),
    Setting("OFFING_REDIS_URL", "", "Redis or Valkey for profiles, cache and counters; unset: a private Valkey.",
            _STORE_URL, _matching(re.compile(r"(rediss?|unix)://.+")), secret=True),
    Setting("OFFING_REDIS_CLUSTER", "0", "1: it is a cluster; OFFING_REDIS_URL may then name several of its servers.",
            "0 or 1", _flag),
    Setting("OFFING_REDIS_CA", "", "PEM file of who signs its servers' certificates; unset: the system's.",
            "the path of a file", _file),
    Setting("OFFING_REDIS_CERT", "", "PEM file of this client's certificate, where its servers ask for one.",
            "the path of a file", _file),
    Setting("OFFING_REDIS_KEY", "", "PEM file of its key.", "the path of a file", _file),
    Setting("OFFING_LOG", "", "The event log: a file, or Kafka; unset: log.sqlite in OFFING_ARTIFACTS.", _LOG, _log,
            secret=True),  # who writes a password into the address by mistake must not read it in a log
    Setting("OFFING_KAFKA_USER", "", "Logs in to Kafka as this user.", "a name", _matching(re.compile(r"\S+"))),
    Setting("OFFING_KAFKA_PASSWORD", "", "... with this password.", "a password", _matching(re.compile(r".+")),
            secret=True),
    Setting("OFFING_KAFKA_SASL", MECHANISMS[0], "... in this way.", f"one of {', '.join(MECHANISMS)}",
            _one_of(MECHANISMS)),
    Setting("OFFING_KAFKA_CA", "", "PEM file of who signs the brokers' certificates; unset: the system's.",
            "the path of a file", _file),
    Setting("OFFING_KAFKA_CERT", "", "PEM file of this client's certificate, where brokers ask for one.",
            "the path of a file", _file),
    Setting("OFFING_KAFKA_KEY", "", "PEM file of its key.", "the path of a file", _file),
    _number("OFFING_KAFKA_REPLICATION", 1, 9, "Copies of each record, for topics that `offing migrate` makes."),
    Setting("OFFING_LEDGER_URL", "", "SQLAlchemy URL of the ledger; unset: ledger.sqlite in OFFING_ARTIFACTS.",
            "a SQLAlchemy URL", _matching(re.compile(r"[a-z0-9+]+://.+")), secret=True),
    Setting("OFFING_TOKEN_KEYS", "", "Keys of offer tokens, the first signs; unset and embedded: written at start.",
            "KEY_ID:SECRET of at least 32 characters each, separated by commas", _token_keys, secret=True),
    Setting("OFFING_SIMULATED", "0", "1: keys with scope `simulate` may set the clock; never on real traffic.",
            "0 or 1", _flag),
    Setting("OFFING_ALLOW_LOAD", "0", "1: a load test may run against this namespace; never where customers are.",
            "0 or 1", _flag),
    Setting("OFFING_HOST", "127.0.0.1", "Address the HTTP door listens on.", "an address",
            _matching(re.compile(r"[A-Za-z0-9.:_-]{1,253}"))),
    _number("OFFING_PORT", 0, 65_535, "Port the HTTP door listens on; 0 takes a free one."),
    _number("OFFING_WORKERS", 1, 64, "Processes that answer HTTP."),
    _number("OFFING_METRICS_PORT", 0, 65_535, "Port of /metrics of `offing consume`; 0: the host's `serve` has them."),
    _number("OFFING_CANDIDATES", 4, 2_048, "Most candidates of a decision: three quarters by worth, a quarter drawn."),
    Setting("OFFING_DRAIN_S", "0.0", "After SIGTERM a worker is not ready but answers on for so long, in seconds.",
            "seconds from 0 to 3600", _seconds(0)),
    Setting("OFFING_LAKE_FLUSH_S", "5.0", "The lake writes its files at least this often, in seconds.",
            "seconds from 0.05 to 3600", _seconds(0.05)),
    _number("OFFING_LAKE_FLUSH_RECORDS", 1, 1_000_000, "... or after this many records."),
    Setting("OFFING_DRIFT_EVERY_S", "3600.0", "`offing consume` looks for drift of the model this often; 0: never.",
            "seconds from 0 to 3600", _seconds(0)),
    Setting("OFFING_SHADOW_EVERY_S", "60.0", "`offing consume` scores in the shadow this often; 0: never.",
            "seconds from 0 to 3600", _seconds(0)),
    _number("OFFING_MODEL_THREADS", 1, 64, "Threads that train a model; serving uses one per decision."),
    _number("OFFING_DEAD_LETTERS_IN_A_ROW", 1, 10_000, "A consumer stops after this many unreadable records in a row."),
    Setting("OFFING_LOG_LEVEL", "info", "Least level of the process's own log lines.", f"one of {', '.join(LEVELS)}",
            _one_of(LEVELS)),
)  # fmt: skip
"""Every setting, in the order of the operator's page. A test compares it with Settings and with the docs."""

"""Settings: read once, wrong names and values stop the start."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from streams.address import Address
from streams.errors import InvalidInput
from streams.kafka_address import KafkaAddress
from streams.settings import SETTINGS, Settings, from_environment

SECRET = "0123456789abcdef0123456789abcdef"


def test_nothing_set_is_the_embedded_default() -> None:
    settings = from_environment({"PATH": "/bin", "HOME": "/root"})
    assert settings == Settings()
    assert settings.embedded
    assert settings.log_file == Path(".offing/log.sqlite")
    assert settings.valkey_folder == Path(".offing/valkey")
    assert settings.ledger == "sqlite:///.offing/ledger.sqlite"
    settings.check_serving()


def test_every_setting_is_read_into_its_field() -> None:
    settings = from_environment(
        {
            "OFFING_NAMESPACE": "blue-line",
            "OFFING_ARTIFACTS": "/srv/offing",
            "OFFING_REDIS_URL": "rediss://user:pw@cache:6380/2",
            "OFFING_LOG": "/srv/log.db",
            "OFFING_LEDGER_URL": "postgresql+psycopg://ledger",
            "OFFING_TOKEN_KEYS": f"k2:{SECRET},k1:{SECRET}x",
            "OFFING_SIMULATED": "1",
            "OFFING_PORT": "0",
            "OFFING_WORKERS": "4",
            "OFFING_LAKE_FLUSH_S": "0.5",
            "OFFING_LOG_LEVEL": "debug",
        }
    )
    assert settings.namespace == "blue-line"
    assert not settings.embedded
    assert settings.log_file == Path("/srv/log.db")
    assert settings.ledger == "postgresql+psycopg://ledger"
    assert settings.token_keys == (("k2", SECRET), ("k1", SECRET + "x"))
    assert settings.simulated
    assert (settings.port, settings.workers, settings.lake_flush_s) == (0, 4, 0.5)
    assert settings.lake == Path("/srv/offing/lake")
    settings.check_serving()


def test_documented_settings_and_fields_are_the_same_set_with_the_same_defaults() -> None:
    defaults = Settings()
    assert {setting.field for setting in SETTINGS} == set(Settings.__dataclass_fields__)
    for setting in SETTINGS:
        value = getattr(defaults, setting.field)
        if setting.default:
            assert setting.parse(setting.default) == value, setting.name
            assert type(setting.parse(setting.default)) is type(value), setting.name
        else:
            assert not value, setting.name
        assert setting.meaning.endswith("."), setting.name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("OFFING_NAMESPCAE", "did you mean OFFING_NAMESPACE?"),
        ("OFFING_REDIS_URI", "did you mean OFFING_REDIS_URL?"),
        ("OFFING_XYZZY_Q", "settings are OFFING_ALLOW_LOAD, OFFING_ARTIFACTS, "),
    ],
)
def test_unknown_name_stops_the_start_with_the_nearest_spelling(name: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match=name) as caught:
        from_environment({name: "1"})
    assert caught.value.code == "SETTING_UNKNOWN"
    assert hint in caught.value.message


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("OFFING_PORT", "80a", "OFFING_PORT is '80a'; expected a whole number from 0 to 65535"),
        ("OFFING_PORT", "65536", "OFFING_PORT is '65536'; expected a whole number from 0 to 65535"),
        ("OFFING_PORT", "", "OFFING_PORT is ''; expected a whole number from 0 to 65535"),
        ("OFFING_WORKERS", "0", "OFFING_WORKERS is '0'; expected a whole number from 1 to 64"),
        ("OFFING_SIMULATED", "yes", "OFFING_SIMULATED is 'yes'; expected 0 or 1"),
        ("OFFING_NAMESPACE", "Blue Line", "expected 1 to 32 of a-z, 0-9 and -, a letter first"),
        ("OFFING_LOG", "kafka://a", "expected the path of a file, or kafka://HOST:PORT,HOST:PORT"),
        ("OFFING_KAFKA_SASL", "GSSAPI", "expected one of SCRAM-SHA-512, SCRAM-SHA-256, PLAIN"),
        ("OFFING_LAKE_FLUSH_S", "nan", "expected seconds from 0.05 to 3600"),
        ("OFFING_LOG_LEVEL", "loud", "expected one of debug, info, warning, error"),
    ],
)
def test_wrong_value_names_variable_and_expectation(name: str, text: str, expected: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_environment({name: text})
    assert caught.value.code == "SETTING_INVALID"
    assert expected in caught.value.message


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(InvalidInput, match=r"OFFING_PORT is 'x'.*OFFING_WORKERS is 'y'"):
        from_environment({"OFFING_WORKERS": "y", "OFFING_PORT": "x"})


def test_a_store_has_its_address_its_files_and_its_namespace(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("a certificate")
    named = {"OFFING_REDIS_URL": "rediss://one:7000,two:7000", "OFFING_REDIS_CLUSTER": "1", "OFFING_REDIS_CA": str(ca)}
    settings = from_environment({**named, "OFFING_NAMESPACE": "blue"})
    assert settings.store(settings.redis_url) == Address(settings.redis_url, cluster=True, ca=ca, namespace="blue")
    assert Settings().store("unix:///run/valkey") == Address("unix:///run/valkey", namespace="offing")


def test_a_cluster_that_is_not_named_is_said() -> None:
    with pytest.raises(InvalidInput, match="a cluster has no unix socket"):
        from_environment({"OFFING_REDIS_CLUSTER": "1"}).store("unix:///the/embedded/one")


def test_a_log_on_kafka_has_its_address_and_its_login() -> None:
    settings = from_environment(
        {
            "OFFING_LOG": "kafka+ssl://one:9093,two:9093",
            "OFFING_KAFKA_USER": "offing",
            "OFFING_KAFKA_PASSWORD": "secret",
            "OFFING_KAFKA_CA": "/etc/ca.pem",
            "OFFING_KAFKA_REPLICATION": "2",
        }
    )
    assert settings.kafka == KafkaAddress(
        ("one:9093", "two:9093"), tls=True, user="offing", password="secret", ca=Path("/etc/ca.pem"), replication=2
    )
    assert "secret" not in repr(settings)
    assert Settings().kafka is None
    assert Settings(log=Path("log")).kafka is None


def test_a_password_in_the_address_of_kafka_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidInput, match="OFFING_LOG is not shown here") as caught:
        from_environment({"OFFING_LOG": "kafka://offing:hidden@one:9092"})
    assert "hidden" not in caught.value.message


@pytest.mark.parametrize("keys", ["short", f"k1:{SECRET},k1:{SECRET}", f"k 1:{SECRET}"])
def test_secrets_are_never_repeated(keys: str) -> None:
    with pytest.raises(InvalidInput, match="OFFING_TOKEN_KEYS is not shown here") as caught:
        from_environment({"OFFING_TOKEN_KEYS": keys})
    assert keys not in caught.value.message
    shown = repr(Settings(token_keys=(("k1", SECRET),), redis_url="redis://:pw@cache"))
    assert SECRET not in shown
    assert "pw" not in shown


def test_a_named_server_requires_token_keys_to_serve() -> None:
    settings = from_environment({"OFFING_REDIS_URL": "redis://cache"})
    with pytest.raises(InvalidInput, match="OFFING_TOKEN_KEYS is missing") as caught:
        settings.check_serving()
    assert caught.value.code == "SETTING_MISSING"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]

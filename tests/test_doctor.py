"""What would lose data is found before it does, with the mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from offers.doctor import EVICTION, LEAST_DISK_BYTES, Diagnosis, examine
from offers.ledger import Ledger
from streams.consumer import wall_clock
from streams.embedded_valkey import EmbeddedValkey
from streams.settings import Settings
from streams.sqlite_log import SqliteLog
from streams.valkey import connect


@contextmanager
def deployment(folder: Path) -> Iterator[tuple[Settings, SqliteLog, Ledger]]:
    """Settings, log and ledger of a folder."""
    settings = Settings(artifacts=folder)
    log, ledger = SqliteLog(settings.log_file, clock=wall_clock), Ledger(settings.ledger, "offing")
    try:
        yield settings, log, ledger
    finally:
        log.close()
        ledger.close()


def named(found: tuple[Diagnosis, ...]) -> dict[str, Diagnosis]:
    return {diagnosis.name: diagnosis for diagnosis in found}


def test_a_sound_deployment_is_good_in_everything(tmp_path: Path, valkey_url: str) -> None:
    with deployment(tmp_path) as (settings, log, ledger):
        ledger.migrate()
        found = examine(settings, valkey_url, log, ledger)
    assert [diagnosis.name for diagnosis in found] == ["disk", "log", "ledger", EVICTION, "clock skew"]
    bad = [diagnosis for diagnosis in found if not diagnosis.good and diagnosis.name != "disk"]
    assert bad == []
    assert named(found)[EVICTION].found == "noeviction"
    assert named(found)["disk"].mend.startswith(f"free {LEAST_DISK_BYTES >> 20} MiB")


def test_without_a_redis_the_store_is_the_embedded_one(tmp_path: Path) -> None:
    with deployment(tmp_path) as (settings, log, ledger):
        store = named(examine(settings, None, log, ledger))["store"]
    assert store == Diagnosis("store", True, "embedded: started and configured by `offing serve`")


def test_a_redis_that_is_away_says_which_setting_names_it(tmp_path: Path) -> None:
    with deployment(tmp_path) as (settings, log, ledger):
        store = named(examine(settings, "unix:///nowhere/valkey", log, ledger))["store"]
    assert store == Diagnosis(
        "store", False, "ConnectionError: no answer", "start Redis, or mend OFFING_REDIS_URL"
    )  # fmt: skip


def test_a_redis_that_may_evict_forgets_customers(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "valkey")
    url = server.start()
    with connect(url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    with deployment(tmp_path) as (settings, log, ledger):
        found = named(examine(settings, url, log, ledger))[EVICTION]
    assert (found.good, found.found) == (False, "allkeys-lru")
    assert found.mend.startswith("set maxmemory-policy noeviction: an evicted profile is a customer forgotten")
    server.stop()


def test_a_ledger_without_its_schema_or_of_another_version_says_migrate(tmp_path: Path) -> None:
    with deployment(tmp_path) as (settings, log, ledger):
        missing = named(examine(settings, None, log, ledger))["ledger"]
        assert (missing.good, missing.mend) == (False, "run `offing migrate`")
        ledger.migrate()
        assert named(examine(settings, None, log, ledger))["ledger"].good
        engine = create_engine(settings.ledger)
        with engine.begin() as connection:
            tables = connection.execute(text("SELECT name FROM sqlite_master WHERE name LIKE '%alembic%'")).scalars()
            connection.execute(text(f"UPDATE {next(iter(tables))} SET version_num = '9999'"))
        engine.dispose()
        newer = named(examine(settings, None, log, ledger))["ledger"]
    assert not newer.good
    assert "9999" in newer.found

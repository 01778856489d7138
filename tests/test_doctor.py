"""What would lose data is found before it does, with the mend; what can be mended without losing anything is."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from loadtests.postgres_server import postgres
from loadtests.valkey_servers import ValkeyCluster, one
from offers import doctor
from offers.doctor import EVICTION, LEAST_DISK_BYTES, LOOKED_AT, Diagnosis, Parts, examine, fix, refusal
from offers.ledger import Ledger
from offers.publications import Draft
from offers.revisions import keep
from offers.runtime import doctors_parts
from streams.embedded_valkey import EmbeddedValkey
from streams.errors import Retry, Stop
from streams.ids import CampaignId, RevisionId
from streams.instant import parse_instant
from streams.settings import Settings
from streams.valkey import connect
from tests.service import CAMPAIGNS

KEYS = (("k1", "00" * 32),)


@contextmanager
def parts_of(folder: Path, **settings: Any) -> Iterator[Parts]:
    """Of a deployment in this folder."""
    configured = Settings(**{"artifacts": folder, "campaigns": CAMPAIGNS, **settings})
    ledger = Ledger(configured.ledger, configured.namespace)
    try:
        yield doctors_parts(configured, ledger)
    finally:
        ledger.close()


def named(found: tuple[Diagnosis, ...]) -> dict[str, Diagnosis]:
    return {diagnosis.name: diagnosis for diagnosis in found}


def bad(found: tuple[Diagnosis, ...]) -> list[str]:
    """What is bad, but for this machine's own disk."""
    return [diagnosis.name for diagnosis in found if not diagnosis.good and diagnosis.name != "disk"]


def test_a_sound_deployment_is_good_in_everything(
    tmp_path: Path, valkey_url: str, postgres_url: str, namespace: str
) -> None:
    servers = {"redis_url": valkey_url, "ledger_url": postgres_url, "namespace": namespace}
    with parts_of(tmp_path, token_keys=KEYS, **servers) as parts:
        parts.ledger.migrate()
        found = examine(parts)
    assert tuple(diagnosis.name for diagnosis in found) == LOOKED_AT
    assert bad(found) == []
    assert named(found)[EVICTION].found == "noeviction"
    assert named(found)["campaigns"].found == f"4 campaigns in {CAMPAIGNS}"
    assert named(found)["token keys"].found == "OFFING_TOKEN_KEYS: k1; the first signs"
    assert named(found)["disk"].mend.startswith(f"free {LEAST_DISK_BYTES >> 20} MiB")
    assert refusal(found) is None


def test_a_fresh_embedded_one_lacks_what_fix_makes(tmp_path: Path) -> None:
    with parts_of(tmp_path / "artifacts") as parts:
        assert bad(examine(parts)) == ["artifacts", "ledger"]
        found = fix(parts)
        assert bad(found) == []
        assert [diagnosis.name for diagnosis in found if diagnosis.mended] == ["artifacts", "ledger"]
        assert named(found)["store"] == Diagnosis("store", True, "embedded: started and configured by `offing serve`")
        assert not any(diagnosis.mended for diagnosis in fix(parts)), "there is nothing left to mend"


def test_a_folder_of_somebody_else_is_said_and_not_fought_over(tmp_path: Path) -> None:
    file = tmp_path / "artifacts"
    file.write_text("not a folder")
    with parts_of(file) as parts:
        found = named(fix(parts))["artifacts"]
    assert (found.good, found.found) == (False, f"{file} is not a folder in which this user may write")
    assert found.mend == "mend its owner or mode, or set OFFING_ARTIFACTS"


def test_a_stop_that_stays_is_a_change_that_nobody_has_made(tmp_path: Path) -> None:
    now, day_ms = int(time.time() * 1000), 86_400_000
    with parts_of(tmp_path) as parts:
        parts.ledger.migrate()
        parts.ledger.stops.stop(CampaignId("dinner"), "the kitchen is closed", "bob", now - 6 * day_ms)
        assert named(examine(parts))["stops"].found == "1 in force, none for more than 7 days"
        parts.ledger.stops.stop(CampaignId("spa"), "wrong price", "ada", parse_instant("2026-01-02T03:04:05Z"))
        found = named(examine(parts))["stops"]
        assert (found.good, found.found) == (False, "spa since 2026-01-02T03:04:05Z by ada: wrong price")
        assert found.mend == "change or remove the campaign, then `offing campaigns lift spa`"
        parts.ledger.stops.lift(CampaignId("spa"), "ada", now)
        assert named(examine(parts))["stops"].good


def test_of_published_campaigns_the_revision_is_looked_at_and_not_the_folder(tmp_path: Path) -> None:
    with parts_of(tmp_path, campaigns=tmp_path / "none", campaigns_from="ledger") as parts:
        parts.ledger.migrate()
        found = named(examine(parts))["campaigns"]
        assert (found.good, found.found) == (False, "no revision was published yet")
        assert found.mend.startswith("`offing campaigns publish DIR --message WHY`")
        revision = RevisionId(keep(CAMPAIGNS, tmp_path).name)
        at = parse_instant("2026-01-02T03:04:05Z")
        parts.ledger.publications.publish(Draft(revision, None, "ada", "first"), at)
        found = named(examine(parts))["campaigns"]
        assert (found.good, found.found) == (True, f"{revision}, published by ada at 2026-01-02T03:04:05Z")
        parts.ledger.publications.publish(Draft(RevisionId("r-000000000000"), revision, "bob", "second"), at)
        found = named(examine(parts))["campaigns"]
        assert (found.good, found.mend) == (False, "copy the revision from where it was published")


def test_campaigns_with_errors_say_the_first_and_where_to_see_them_all(tmp_path: Path) -> None:
    with parts_of(tmp_path, campaigns=tmp_path) as parts:
        found = named(examine(parts))["campaigns"]
    assert not found.good
    assert "errors, the first: " in found.found and "attributes.yaml:1:1: UNREADABLE" in found.found
    assert found.mend == f"see `offing campaigns check {tmp_path}`"


def test_a_full_disk_is_said_with_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_DISK_BYTES", 1 << 60)
    with parts_of(tmp_path) as parts:
        found = named(examine(parts))["disk"]
    assert not found.good
    assert found.found.endswith(f" MiB free in {tmp_path}")


def test_a_log_that_cannot_be_opened_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_bytes(b"no database" * 1_000)
    with parts_of(tmp_path) as parts:
        found = named(examine(parts))["log"]
    assert (found.good, "OFFING_LOG" in found.mend) == (False, True)


# The store


def test_a_redis_that_is_away_says_which_setting_names_it(tmp_path: Path) -> None:
    with parts_of(tmp_path, redis_url="unix:///nowhere/valkey") as parts:
        found = examine(parts)
    mend = "start Redis, or mend OFFING_REDIS_URL"
    assert named(found)["store"] == Diagnosis("store", False, "ConnectionError: no answer", mend)
    assert "noeviction" not in str(found)


def test_a_redis_that_may_evict_forgets_customers_and_serve_refuses_it(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "valkey")
    url = server.start()
    with connect(url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    with parts_of(tmp_path, redis_url=url, token_keys=KEYS) as parts:
        parts.ledger.migrate()
        found = fix(parts)
        assert (named(found)[EVICTION].good, named(found)[EVICTION].found) == (False, "allkeys-lru")
        refused = refusal(found)
    assert refused is not None
    assert refused.code == "STORE_EVICTS"
    assert refused.message.startswith("eviction policy: allkeys-lru; set maxmemory-policy noeviction: an evicted")
    server.stop()


def test_a_cluster_is_looked_at_as_one(tmp_path: Path, valkey_cluster: ValkeyCluster) -> None:
    url = valkey_cluster.url
    with parts_of(tmp_path, redis_url=url, redis_cluster=True, token_keys=KEYS) as parts:
        parts.ledger.migrate()
        found = examine(parts)
    assert bad(found) == []
    assert named(found)["store"].found == "it answers"
    assert named(found)["cluster"].found == "a cluster; OFFING_REDIS_CLUSTER is 1"
    assert named(found)[EVICTION].found == "noeviction"


def test_a_cluster_with_servers_away_is_said_and_one_without_any_does_not_answer(
    tmp_path: Path, own_cluster: ValkeyCluster
) -> None:
    replica = own_cluster.replica(own_cluster.primaries()[0])
    with parts_of(tmp_path, redis_url=own_cluster.primaries()[0].url, redis_cluster=True, token_keys=KEYS) as parts:
        replica.kill()
        assert named(examine(parts))["store"].found == "1 of 6 servers do not answer"
        replica.start()
        own_cluster.wait_whole()
    with parts_of(tmp_path, redis_url="redis://127.0.0.1:1", redis_cluster=True, token_keys=KEYS) as parts:
        assert named(examine(parts))["store"].found == "ConnectionError: no answer"


@pytest.mark.parametrize("named_cluster", [False, True])
def test_a_cluster_that_is_called_one_server_or_the_other_way_round_is_refused(
    named_cluster: bool, tmp_path: Path, valkey_cluster: ValkeyCluster
) -> None:
    with one(tmp_path / "server") as server:
        url = server.url if named_cluster else valkey_cluster.url
        with parts_of(tmp_path, redis_url=url, redis_cluster=named_cluster, token_keys=KEYS) as parts:
            parts.ledger.migrate()
            refused = refusal(examine(parts))
    assert refused is not None
    assert refused.code == "STORE_CLUSTER"
    what = "one server" if named_cluster else "a cluster"
    mend = f"OFFING_REDIS_CLUSTER is {int(named_cluster)}; set OFFING_REDIS_CLUSTER={int(not named_cluster)}"
    assert refused.message == f"cluster: {what}; {mend}"


def test_clocks_that_differ_are_found(
    tmp_path: Path, valkey_url: str, postgres_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with parts_of(tmp_path, redis_url=valkey_url, ledger_url=postgres_url, namespace=namespace) as parts:
        parts.ledger.migrate()
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() - 30)
        found = named(examine(parts))
    for name in ("ledger's clock", "store's clock"):
        assert (found[name].good, found[name].mend) == (False, "run an NTP client on both")
        assert found[name].found.startswith(("29.", "30.")), found[name].found


# The ledger


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_a_ledger_without_its_schema_is_refused_and_mended(
    server: str, tmp_path: Path, request: pytest.FixtureRequest, namespace: str
) -> None:
    url = "" if server == "sqlite" else request.getfixturevalue("postgres_url")
    with parts_of(tmp_path, ledger_url=url, namespace=namespace) as parts:
        missing = named(examine(parts))["ledger"]
        assert (missing.good, missing.code) == (False, "LEDGER_SCHEMA")
        assert missing.mend == "`offing migrate`, or `offing doctor --fix`"
        mended = named(fix(parts))["ledger"]
        assert (mended.good, mended.mended, mended.found) == (True, True, "its schema is of this version")


def test_a_ledger_of_a_newer_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    with parts_of(tmp_path) as parts:
        parts.ledger.migrate()
        engine = create_engine(parts.settings.ledger)
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        engine.dispose()
        found = named(fix(parts))["ledger"]
    assert (found.good, found.code, "9999" in found.found) == (False, "LEDGER_SCHEMA", True)


def test_a_database_that_is_away_is_not_refused(tmp_path: Path) -> None:
    with postgres() as server:
        server.stop()
        with parts_of(tmp_path, ledger_url=server.url) as parts:
            found = examine(parts)
    ledger = named(found)["ledger"]
    assert (ledger.good, ledger.mend) == (False, "start the database, or mend OFFING_LEDGER_URL")
    assert server.password not in str(found)
    assert refusal(found) is None


# Keys


def test_without_token_keys_a_service_beside_servers_is_refused(tmp_path: Path, valkey_url: str) -> None:
    with parts_of(tmp_path, redis_url=valkey_url) as parts:
        parts.ledger.migrate()
        found = examine(parts)
    refused = refusal(found)
    assert refused is not None
    assert refused.code == "SETTING_MISSING"
    assert "openssl rand -hex 32" in named(found)["token keys"].mend


def test_token_keys_that_others_may_read_are_closed(tmp_path: Path) -> None:
    file = tmp_path / "token_keys"
    file.write_text("k1:" + "00" * 32)
    file.chmod(0o644)
    with parts_of(tmp_path) as parts:
        found = named(examine(parts))["token keys"]
        assert (found.good, found.found, found.mend) == (False, f"{file}, mode 644", f"chmod 600 {file}")
        assert named(fix(parts))["token keys"].mended
    assert os.stat(file).st_mode & 0o777 == 0o600


# Topics


def test_topics_are_looked_at_and_made_where_the_log_has_some(tmp_path: Path) -> None:
    made: list[str] = []

    def topics() -> list[Diagnosis]:
        return [
            Diagnosis("topic offing.market", bool(made), "there" if made else "it does not exist", "run", "MISSING")
        ]

    with parts_of(tmp_path) as parts:
        parts.ledger.migrate()
        parts = replace(parts, topics=topics, make_topics=lambda: made.append("offing.market"))
        refused = refusal(examine(parts))
        assert isinstance(refused, Stop) and refused.code == "MISSING"
        assert named(fix(parts))["topic offing.market"].mended


def test_what_cannot_be_mended_now_stays_bad_and_the_rest_is_mended(tmp_path: Path) -> None:
    def away() -> list[Diagnosis]:
        raise Retry("LOG_UNAVAILABLE", "Kafka does not answer")

    with parts_of(tmp_path) as parts:
        found = fix(replace(parts, topics=away, make_topics=away))
    assert (named(found)["log"].good, named(found)["log"].found) == (False, "Kafka does not answer")
    assert named(found)["ledger"].mended

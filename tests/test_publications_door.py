"""Publishing and stopping over HTTP: for keys of scope admin, with the same refusals as at the command line."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from offers import revisions
from offers.approval_rules import ApprovalRule
from offers.publications import Draft
from streams.ids import RevisionId
from tests.service import ALL_SCOPES, CAMPAIGNS, LIVORNO, NOW, PATIENCE_S, Service, items, offers_of, service

CABIN, UPGRADE = "cabin-upgrade-livorno-olbia", "cabin-upgrade-inside"
FILE = Path("campaigns/cabin-upgrade.yaml")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[RevisionId, RevisionId]]:
    """Two revisions in the artifacts."""
    folder = Path(shutil.copytree(CAMPAIGNS, tmp_path / "campaigns"))
    first = revisions.keep(folder, tmp_path / "artifacts").name
    (folder / FILE).write_text((folder / FILE).read_text().replace("Your cabin for tonight", "A cabin"))
    yield RevisionId(first), RevisionId(revisions.keep(folder, tmp_path / "artifacts").name)


async def active(live: Service, revision: str) -> None:
    with anyio.fail_after(PATIENCE_S):
        while live.runtime.engine().catalog.revision != revision:
            await anyio.sleep(0.01)


def test_a_revision_is_activated_by_who_knows_the_one_before(
    tmp_path: Path, valkey_url: str, kept: tuple[RevisionId, RevisionId]
) -> None:
    first, second = kept

    async def scenario() -> None:
        async with service(tmp_path / "artifacts", valkey_url) as live:
            door = f"/v1/revisions/{first}/activate"
            answer = await live.http.post(door, json={"message": "the first"}, headers=live.headers())
            assert answer.status_code == 200, answer.text
            assert (answer.json()["number"], answer.json()["base"]) == (1, None)
            stale = await live.http.post(
                f"/v1/revisions/{second}/activate", json={"message": "x"}, headers=live.headers()
            )
            assert (stale.status_code, stale.json()["code"]) == (409, "BASE_MOVED")
            assert f"publish with --base {first}" in stale.json()["detail"]
            said = {"message": "words", "base": first, "activate_at": "2099-01-02T15:00:00+01:00"}
            waits = await live.http.post(f"/v1/revisions/{second}/activate", json=said, headers=live.headers())
            assert waits.json()["activate_at"] == "2099-01-02T14:00:00Z"
            assert live.runtime.ledger.publications.history()[0].author.startswith("all-")
            for door, body, status, code in (
                ("r-000000000000", {"message": "x"}, 404, "REVISION_UNKNOWN"),
                (second, {}, 422, "REQUEST_INVALID"),
                (second, {"message": "x", "activate_at": "noon"}, 422, "TIME_INVALID"),
                (second, {"message": "x", "activate_at": "2020-01-01T00:00:00Z"}, 422, "AT_PAST"),
                (second, {"message": "two\nlines", "base": second}, 422, "MESSAGE"),
            ):
                refused = await live.http.post(f"/v1/revisions/{door}/activate", json=body, headers=live.headers())
                assert (refused.status_code, refused.json()["code"]) == (status, code)

    anyio.run(scenario)


def test_what_is_activated_is_decided_with(
    tmp_path: Path, valkey_url: str, kept: tuple[RevisionId, RevisionId]
) -> None:
    first, second = kept

    async def scenario() -> None:
        async with service(tmp_path / "artifacts", valkey_url, consuming=False) as live:
            body = {"message": "the first"}
            assert (
                await live.http.post(f"/v1/revisions/{first}/activate", json=body, headers=live.headers())
            ).is_success
        async with service(tmp_path / "artifacts", valkey_url, campaigns_from="ledger", consuming=False) as live:
            live.http.headers["authorization"] = f"Bearer {live.runtime.ledger.create_key('again', ALL_SCOPES, NOW)}"
            assert live.runtime.engine().catalog.revision == first
            body = {"message": "words", "base": first}
            assert (
                await live.http.post(f"/v1/revisions/{second}/activate", json=body, headers=live.headers())
            ).is_success
            await active(live, second)
            assert (await live.ask()).json()["revision"] == second

    anyio.run(scenario)


def test_a_campaign_is_stopped_and_lifted_by_the_back_office(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            (item,) = items(await live.ask(context={"location": LIVORNO}))
            whole = live.runtime.engine().catalog.revision
            reason = {"reason": "4.90 for 49.00"}
            unknown = await live.http.post("/v1/campaigns/cabin-upgrade/stop", json=reason, headers=live.headers())
            assert (unknown.status_code, unknown.json()["code"]) == (404, "CAMPAIGN_UNKNOWN")
            assert f"did you mean '{CABIN}'?" in unknown.json()["detail"]
            stopped = await live.http.post(f"/v1/campaigns/{CABIN}/stop", json=reason, headers=live.headers())
            assert (stopped.status_code, stopped.json()["reason"]) == (200, "4.90 for 49.00")
            await active(live, revisions.stopped(RevisionId(whole), [item["campaign_id"]]))
            assert UPGRADE not in offers_of(await live.ask(context={"location": LIVORNO}))
            lifted = await live.http.post(f"/v1/campaigns/{CABIN}/lift", headers=live.headers())
            assert lifted.json() == {"campaign_id": CABIN}
            await active(live, whole)
            again = await live.http.post(f"/v1/campaigns/{CABIN}/lift", headers=live.headers())
            assert (again.status_code, again.json()["code"]) == (404, "STOP_UNKNOWN")

    anyio.run(scenario)


def test_without_the_scope_nothing_is_changed(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            secret = live.runtime.ledger.create_key("app", ["decide", "events"], NOW)
            headers = {**live.headers(), "authorization": f"Bearer {secret}"}
            doors = (
                f"/v1/campaigns/{CABIN}/stop",
                f"/v1/campaigns/{CABIN}/lift",
                "/v1/revisions/r-000000000000/activate",
                "/v1/revisions/r-000000000000/approve",
                "/v1/revisions/r-000000000000/reject",
            )
            for door in doors:
                for sent, status in ((headers, 403), ({"authorization": "Bearer ok_guessed"}, 401)):
                    answer = await live.http.post(door, json={"reason": "x", "message": "x"}, headers=sent)
                    assert answer.status_code == status
            assert live.runtime.ledger.stops.history() == ()
            assert live.runtime.ledger.publications.history() == ()

    anyio.run(scenario)


def test_a_second_key_approves_what_the_first_published(tmp_path: Path, valkey_url: str) -> None:
    folder = Path(shutil.copytree(CAMPAIGNS, tmp_path / "campaigns"))
    (folder / "policies.yaml").write_text("approvals: {everything_else: {by: [anna, marco]}}")
    first = RevisionId(revisions.keep(folder, tmp_path / "artifacts").name)
    (folder / FILE).write_text((folder / FILE).read_text().replace("Your cabin for tonight", "A cabin"))
    second = RevisionId(revisions.keep(folder, tmp_path / "artifacts").name)
    rule = ApprovalRule("everything_else", "", ("anna", "marco"))

    async def scenario() -> None:
        async with service(tmp_path / "artifacts", valkey_url, consuming=False) as live:
            ledger = live.runtime.ledger
            names = ("anna", "marco", "pia")
            keys = {name: {"authorization": f"Bearer {ledger.create_key(name, ['admin'], NOW)}"} for name in names}
            ledger.publications.publish(Draft(first, None, "pia", "the first", rules=(rule,)), NOW)
            door, body = f"/v1/revisions/{second}", {"message": "words", "base": first}
            made = await live.http.post(f"{door}/activate", json=body, headers=keys["anna"])
            assert (made.status_code, made.json()["author"]) == (200, "anna"), made.text
            (waits,) = made.json()["waits_for"]
            assert (waits["by"], ledger.wanted(NOW * 2).revision) == (["anna", "marco"], first)
            for name, code in (("anna", "SELF_APPROVAL"), ("pia", "NOT_AN_APPROVER")):
                refused = await live.http.post(f"{door}/approve", json={}, headers=keys[name])
                assert (refused.status_code, refused.json()["code"]) == (403, code)
            agreed = await live.http.post(f"{door}/approve", json={"message": "yes"}, headers=keys["marco"])
            assert (agreed.status_code, agreed.json()["waits_for"]) == (200, [])
            assert ledger.wanted(NOW * 2).revision == second
            late = await live.http.post(f"{door}/reject", json={"message": "no"}, headers=keys["marco"])
            assert (late.status_code, late.json()["code"]) == (409, "ALREADY_DECIDED")
            back = {"message": "it was wrong", "base": second}
            gone = await live.http.post(f"/v1/revisions/{first}/activate", json=back, headers=keys["anna"])
            assert gone.json()["waits_for"] == [], "it was active before"

    anyio.run(scenario)

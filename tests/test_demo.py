"""The demo's parts that need no service: the hour of its story, the command it prints, the port it takes."""

import json
import shlex
import socket
from pathlib import Path

import pytest

from loadtests.demo_scenes import PHONE, Asking, Scene, german_tablet, no_upgrade, upgrade_costs
from loadtests.demo_screen import curl_of
from loadtests.demo_stage import LATEST_MS, SOONEST_MS, story_sailing
from loadtests.service import Failed, Service, free_port
from loadtests.world_clock import HOUR_MS, MINUTE_MS, local
from streams.embedded_valkey import EmbeddedValkey
from streams.instant import parse_instant

MIDNIGHT = parse_instant("2026-11-21T00:00:00Z")


def test_at_any_hour_of_any_season_there_is_a_sailing_on_which_people_dine() -> None:
    for day in ("2026-11-21", "2026-07-03", "2026-03-29", "2026-10-25"):
        for minute in range(0, 24 * 60, 15):
            now = parse_instant(f"{day}T00:00:00Z") + minute * MINUTE_MS
            sailing = story_sailing(now)
            assert SOONEST_MS <= sailing.departure - now <= LATEST_MS
            aboard = local(sailing.departure + HOUR_MS, "Europe/Rome")
            assert (11, 30) <= (aboard.hour, aboard.minute) < (23, 59)


def test_in_the_afternoon_the_story_takes_the_regular_sailing() -> None:
    assert story_sailing(MIDNIGHT + 15 * HOUR_MS).id == "ITLIV-ITOLB/2026-11-21T21:30"


def test_the_printed_command_survives_the_shell() -> None:
    body = {"locale": "it-IT", "note": "l'isola è «qui»"}
    words = shlex.split(curl_of("http://127.0.0.1:8080", "ct1.abc", body))
    assert words[0] == "curl"
    assert "Authorization: Bearer ct1.abc" in words
    assert json.loads(words[-1]) == body


def test_a_phone_sends_neither_its_customer_id_nor_options_nor_the_time_of_its_fix() -> None:
    body = Asking("giulia", "it-IT", MIDNIGHT, (43.55, 10.3), PHONE, trip="b-1").phone_body()
    assert set(body) == {"locale", "placements", "context"}
    assert set(body["context"]["location"]) == {"status", "lat", "lon", "accuracy_m"}


def test_the_checks_see_what_is_wrong() -> None:
    upgrade = _item("cabin-upgrade-inside", "it", 4850)
    shown = _scene(upgrade)
    assert upgrade_costs(6900)(shown) == ""
    assert upgrade_costs(5500)(shown) == "the upgrade costs 4850, expected 3850"
    assert no_upgrade(shown) == "cabin-upgrade-inside should not be offered"
    assert "should be German, found ['it']" in german_tablet(shown)
    assert upgrade_costs(6900)(_scene(_item("gold-lounge", "it", 1500), upgrade)).startswith("the first offer")


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Failed, match=f"port {port} is taken"):
            free_port(port)
        assert free_port(0) != port


def _item(offer: str, locale: str, minor: int) -> dict[str, object]:
    return {"offer_id": offer, "representation": {"locale": locale}, "price": {"minor": minor}}


def _scene(*items: dict[str, object]) -> Scene:
    asking = Asking("giulia", "it-IT", MIDNIGHT, (43.55, 10.3))
    return Scene("a scene", asking, {"placements": [{"placement": "app.home.hero", "items": list(items)}]})


def test_the_folder_of_a_running_service_is_not_emptied(tmp_path: Path) -> None:
    service = Service(tmp_path / "demo", tmp_path / "campaigns", 0)
    server = EmbeddedValkey(service.folder / "valkey")
    server.start()
    (service.folder / "log.sqlite").write_text("the truth")
    with pytest.raises(Failed, match=r"still runs in .*demo"):
        service.empty()
    assert (service.folder / "log.sqlite").read_text() == "the truth"
    server.stop()
    service.empty()
    assert list(service.folder.iterdir()) == []

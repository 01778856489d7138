"""The demo's scenes: who asks for what from where, the answer, and the checks that make a scene a claim."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loadtests.world_clock import rfc3339
from loadtests.world_geography import LatLon

PHONE = (("app.home.hero", 1), ("app.trip.card", 3), ("app.home.list", 3))
HOME = (("app.home.hero", 1), ("app.home.list", 3))
TABLET = (("app.home.tablet", 4),)
UPGRADE = "cabin-upgrade-inside"
Check = Callable[["Scene"], str]
"""What is wrong with a scene; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, from where, on what."""

    customer: str
    locale: str
    at: int
    position: LatLon
    placements: tuple[tuple[str, int], ...] = PHONE
    device: str = "phone"
    trip: str | None = None
    rehearsed: bool = False
    """Asked as a dry run: at a later hour, without leaving anything behind."""
    explained: bool = False

    def phone_body(self) -> dict[str, Any]:
        """What the customer's own phone sends: no customer_id, which its token says, and nothing that needs a scope.

        The fix has no time, so it is of the moment at which it is sent.
        """
        body = self.body("")
        del body["context"]["location"]["at"]
        return {name: body[name] for name in ("locale", "placements", "context")}

    def body(self, request_id: str) -> dict[str, Any]:
        """The request as the operator's own server would send it for a customer."""
        lat, lon = self.position
        where = {"status": "precise", "lat": lat, "lon": lon, "accuracy_m": 25, "at": rfc3339(self.at)}
        context: dict[str, Any] = {"device": {"class": self.device}, "location": where}
        context["app"] = {"platform": "ios", "version": "7.4.0"}
        if self.trip is not None:
            context["trip"] = {"booking_id": self.trip}
        options = {"dry_run": self.rehearsed, "explain": "full" if self.explained else "none"}
        return {
            "request_id": request_id,
            "customer_id": self.customer,
            "locale": self.locale,
            "placements": [{"placement": name, "limit": limit} for name, limit in self.placements],
            "context": context,
            "options": options,
        }


@dataclass(frozen=True, slots=True)
class Scene:
    """An answer with what it is about."""

    title: str
    asking: Asking
    answer: Mapping[str, Any]

    @property
    def items(self) -> list[tuple[str, Mapping[str, Any]]]:
        """(placement, item), as shown; fallbacks too."""
        placements = self.answer["placements"]
        return [(placement["placement"], item) for placement in placements for item in placement["items"]]

    @property
    def offers(self) -> list[str]:
        return [item["offer_id"] for _, item in self.items]

    def price(self, offer: str) -> int | None:
        """In cents; None if the offer is not shown or has none."""
        return next((item["price"]["minor"] for _, item in self.items if item["offer_id"] == offer), None)

    def reasons(self) -> list[Mapping[str, Any]]:
        """Verdicts of offers that were ruled out."""
        told = {"SELECTED", "FALLBACK", "OUTRANKED", "FALLBACK_ONLY"}
        return [
            verdict
            for verdict in self.answer["ruled_out"]["offers"]
            if not told & {reason["code"] for reason in verdict["reasons"]}
        ]


def upgrade_costs(fare: int) -> Check:
    """30 % off, to the nearest half euro, half up: as the campaign says."""
    wanted = (fare * 7 // 10 + 25) // 50 * 50

    def check(scene: Scene) -> str:
        if scene.items[0][1]["offer_id"] != UPGRADE:
            return f"the first offer should be {UPGRADE}"
        found = scene.price(UPGRADE)
        return "" if found == wanted else f"the upgrade costs {found}, expected {wanted}"

    return check


def has_upgrade(scene: Scene) -> str:
    return "" if UPGRADE in scene.offers else "the upgrade should be offered"


def no_upgrade(scene: Scene) -> str:
    return f"{UPGRADE} should not be offered" if UPGRADE in scene.offers else ""


def only_the_ship(scene: Scene) -> str:
    missing = {"dinner-on-board", "spa-on-board", "bottega-on-board"} - set(scene.offers)
    return f"missing on board: {', '.join(sorted(missing))}" if missing else no_upgrade(scene)


def only_the_island(scene: Scene) -> str:
    missing = {"lido-lunch", "olbia-tasting-walk"} - set(scene.offers)
    elsewhere = {"dinner-on-board", "spa-on-board", UPGRADE} & set(scene.offers)
    if missing:
        return f"missing in Olbia: {', '.join(sorted(missing))}"
    return f"not for Olbia: {', '.join(sorted(elsewhere))}" if elsewhere else ""


def german_tablet(scene: Scene) -> str:
    locales = {item["representation"]["locale"] for _, item in scene.items}
    if locales != {"de"}:
        return f"the words should be German, found {sorted(locales)}"
    if "panorama-suite" not in scene.offers or len(scene.items) < 3:
        return "three or more wide cards with the suite among them are expected"
    return ""

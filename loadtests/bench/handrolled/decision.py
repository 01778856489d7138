"""The decision: a loop over the offers, caps, scores, the best three, their words and tokens."""

import base64
import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import orjson

from loadtests.bench.handrolled.features import Asked, Candidate, Model
from loadtests.bench.handrolled.places import Places, nearest
from loadtests.bench.handrolled.rules import Context, Offer
from loadtests.bench.handrolled.words import Words

ZONE = ZoneInfo("Europe/Rome")
WINTER = (11, 12, 1, 2, 3)
SUMMER = (6, 7, 8)
ALL_A_DAY = 80
"""policies.yaml: exposures of anything in 24 hours."""
DAY_S = 86_400
TTL_S = 900
TOKEN_BYTES = 16


@dataclass(slots=True)
class Service:
    """Everything that stays."""

    offers: list[Offer]
    model: Model
    words: Words
    places: Places
    sailings: dict[str, dict[str, Any]]
    """Sailing -> its facts."""
    secret: bytes


@dataclass(slots=True)
class Decided:
    """An answer, and what is written down of it."""

    answer: dict[str, Any]
    record: dict[str, Any]
    reasons: Counter[str]


def decide(service: Service, asked: dict[str, Any], profile: dict[str, Any]) -> Decided:
    """One placement's best offers for one customer."""
    now_s = time.time()
    wanted = asked["placements"][0]
    context = _context(service, asked, profile, now_s)
    subjects = _subjects(service, profile, now_s)
    reasons: Counter[str] = Counter()
    met = _Met(profile["events"], now_s)
    candidates = list(_allowed(service.offers, (context, subjects, met), (wanted["placement"], now_s), reasons))
    chosen, scored, rows = _ranked(service.model, candidates, Asked(context.facts, profile["events"], now_s * 1000))
    decision = str(uuid4())
    shown = chosen[: min(wanted["limit"], ALL_A_DAY - met.today)]
    items = [
        _item(service, candidates[place], (decision, rank), (asked, wanted["placement"], now_s))
        for rank, place in enumerate(shown, 1)
    ]
    reasons["OUTRANKED"] += len(chosen) - len(items)
    answer = {
        "decision_id": decision,
        "request_id": asked["request_id"],
        "server_time": datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds"),
        "model": "handrolled",
        "degraded": [],
        "took_ms": round((time.time() - now_s) * 1000, 3),
        "placements": [{"placement": wanted["placement"], "refresh_after_s": 120, "items": items}],
    }
    record = {
        "decision_id": decision,
        "at": now_s,
        "asked": {name: value for name, value in asked.items() if name != "context"},
        "facts": context.facts,
        "bookings": profile["bookings"],
        "events": profile["events"],
        "candidates": [[candidates[place][1].id, scored[place][0], scored[place][1]] for place in chosen],
        "shown": [{"offer": candidates[p][1].id, "rank": r, "row": rows[p].tolist()} for r, p in enumerate(shown, 1)],
        "reasons": reasons,
    }
    return Decided(answer, record, reasons)


def _context(service: Service, asked: dict[str, Any], profile: dict[str, Any], now_s: float) -> Context:
    sent = asked["context"]
    port_km, fences = service.places.of(sent.get("location"))
    local = datetime.fromtimestamp(now_s, ZONE)
    facts = {
        **profile["attributes"],
        "context.app_platform": sent["app"]["platform"],
        "context.device_class": sent["device"]["class"],
        "context.weather": sent.get("weather"),
        "context.local_hour": local.hour,
        "context.weekday": local.isoweekday(),
        "context.month": local.month,
        "context.season": seasons(local),
        "place.status": sent["location"]["status"] if "location" in sent else "not_determined",
        "place.fence": fences,
    }
    near = nearest(port_km)
    if near is not None:
        facts["context.nearest_port"], facts["context.nearest_port_distance"] = near
    return Context(facts, port_km, fences)


def seasons(local: datetime) -> tuple[str, ...]:
    """Those of seasons.yaml."""
    if local.month in WINTER:
        return ("winter",)
    return ("summer",) if local.month in SUMMER or (local.month == 9 and local.day <= 15) else ()


def _subjects(service: Service, profile: dict[str, Any], now_s: float) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """about -> (name, facts) of what an offer can be about: open bookings, and the next sailing among them."""
    bookings = []
    for booking in profile["bookings"]:
        sailing = service.sailings.get(booking["sailing_id"])
        if sailing is None or sailing["sailing.departure"] / 1000 < now_s:
            continue
        phase = "planned" if sailing["sailing.departure"] / 1000 - now_s > 3 * 3600 else "check_in"
        facts = {
            **sailing,
            "booking.accommodation": booking["accommodation"],
            "booking.party": booking["party"],
            "booking.phase": phase,
            "sailing.departs_in": sailing["sailing.departure"] - now_s * 1000,
            "sailing.friends_booked": 0,
        }
        bookings.append((f"booking:{booking['id']}", facts))
    bookings.sort(key=lambda booking: booking[1]["sailing.departure"])
    own = ("booking.accommodation", "booking.party", "booking.phase")
    following = [
        (f"sailing:{facts['sailing.id']}", {name: value for name, value in facts.items() if name not in own})
        for _, facts in bookings[:1]
    ]
    return {"": [("", {})], "booking": bookings, "sailing": following}


class _Met:
    """What the customer has met before: counted once a request, asked by every offer."""

    def __init__(self, events: Sequence[dict[str, Any]], now_s: float) -> None:
        self.exposed: dict[str, list[float]] = {}
        self.dismissed: dict[str, float] = {}
        self.today = 0
        for event in events:
            if event["event"] == "exposed":
                self.exposed.setdefault(event["offer"], []).append(event["at"])
                self.today += event["at"] > now_s - DAY_S
            elif event["event"] == "dismissed":
                self.dismissed[event["offer"]] = max(event["at"], self.dismissed.get(event["offer"], 0.0))

    def reason(self, offer: Offer, now_s: float) -> str | None:
        """Why it is not shown again; None: it may be."""
        dismissed = self.dismissed.get(offer.id)
        if dismissed is not None and dismissed > now_s - offer.dismissed_s:
            return "SUPPRESSED"
        seen = self.exposed.get(offer.id)
        if seen is not None:
            for cap in offer.caps:
                if sum(at > now_s - cap.window_s for at in seen) >= cap.at_most:
                    return "CAPPED"
        return "CAPPED" if self.today >= ALL_A_DAY else None


Known = tuple[Context, dict[str, list[tuple[str, dict[str, Any]]]], _Met]


def _allowed(
    offers: Sequence[Offer], known: Known, asked: tuple[str, float], reasons: Counter[str]
) -> Iterator[Candidate]:
    """Every offer that nothing speaks against; the others are counted under the first thing that does."""
    context, subjects, met = known
    placement, now_s = asked
    weekday, active = context.facts["context.weekday"], context.facts["context.season"]
    purposes, channels = context.facts["purposes"], context.facts["channels"]
    for number, offer in enumerate(offers):
        if not _scheduled(offer, now_s, weekday, active):
            reasons["NOT_SCHEDULED"] += 1
        elif placement not in offer.placements:
            reasons["PLACEMENT"] += 1
        elif not (offer.purposes <= purposes and offer.channels <= channels):
            reasons["CONSENT"] += 1
        else:
            reason: str | None = "NO_SUBJECT"
            for _, facts in subjects[offer.about]:
                reason = _against(offer, context, facts) or met.reason(offer, now_s)
                if reason is None:
                    yield number, offer, facts
            if reason is not None:
                reasons[reason] += 1


def _scheduled(offer: Offer, now_s: float, weekday: int, active: tuple[str, ...]) -> bool:
    if not offer.starts <= now_s < offer.ends or (offer.days and weekday not in offer.days):
        return False
    return not offer.seasons or not offer.seasons.isdisjoint(active)


def _against(offer: Offer, context: Context, facts: dict[str, Any]) -> str | None:
    for code, test in offer.tests:
        if not test(context, facts):
            return code
    return "PRICE_UNKNOWN" if offer.price.of(facts) is None else None


def _ranked(model: Model, candidates: Sequence[Candidate], asked: Asked) -> tuple[list[int], list[Any], Any]:
    """(places of the candidates, best first; (probability, rank score) of each; rows)."""
    if not candidates:
        return [], [], []
    chances, rows = model.scores(candidates, asked)
    scored = []
    for chance, (_, offer, facts) in zip(chances.tolist(), candidates, strict=True):
        price = offer.price.of(facts) or 0
        scored.append((chance, chance * (offer.value + offer.margin * price / 100)))
    order = sorted(range(len(candidates)), key=lambda place: (-scored[place][1], candidates[place][1].id))
    return order, scored, rows


def _item(
    service: Service, candidate: Candidate, named: tuple[str, int], asked: tuple[dict[str, Any], str, float]
) -> dict[str, Any]:
    _, offer, facts = candidate
    decision, rank = named
    request, placement, now_s = asked
    expires = int(min(now_s + TTL_S, offer.ends))
    said = [decision, placement, rank, offer.id, offer.campaign, offer.collection, request["customer_id"], expires]
    token = signed(service.secret, said)
    price = offer.price.of(facts) or 0
    shown = service.words.of(offer, facts, price, request["locale"])
    shown["action"] = {kind: link.replace("{token}", token) for kind, link in shown["action"].items()}
    return {
        "offer_id": offer.id,
        "campaign_id": offer.campaign,
        "rank": rank,
        "token": token,
        "expires_at": datetime.fromtimestamp(expires, UTC).isoformat(),
        "ttl_s": int(expires - now_s),
        "price": {"minor": price, "currency": "EUR"},
        "representation": shown,
    }


def signed(secret: bytes, said: list[Any]) -> str:
    """A token: base64 of an HMAC and what it signs."""
    body = orjson.dumps(said)
    mac = hmac.new(secret, body, hashlib.sha256).digest()[:TOKEN_BYTES]
    return base64.urlsafe_b64encode(mac + body).decode().rstrip("=")

"""The answer's JSON: what an app shows as it is, and no bigger than a bad network bears."""

import gzip
import json
from hashlib import sha256
from typing import Any

import msgspec

from offers import reply
from offers.catalog import Catalog
from offers.decide import decide
from offers.events_door import EventResult
from offers.explain import explain
from offers.offer import Image, ImageVariant, Offer, Placement, Price, Representation, Selector, Text, Value
from offers.proposition import Decision, Item, Offline, PlacementSlate
from offers.tokens import OfferToken, OfferTokens, keys_of
from streams.ids import CampaignId, CustomerId, OfferId, PlacementId
from streams.instant import HOUR_MS, parse_instant
from streams.record import DecisionInputs, PlacementRequest, Subject
from tests.catalogs import HERO, NOW, catalog, inputs, offer
from tests.deciding import declared
from tests.geography import PLACES

TOKENS = OfferTokens(keys_of([("k1", "11" * 32)], "tests"))
BOOKINGS = Selector("booking")
WORDS = """
La tua cabina per stanotte; Cabina interna con due letti, partenza {sailing.departure|time}: {price}.; Cabina
A cena sul ponte 7; Il menù di mare del Ristorante Ponte 7, con vista sulla scia della nave.; Prenota il tavolo
Il tuo posto auto; Porta la macchina in Sardegna: garage coperto, imbarco prioritario, {price}.; Aggiungi l'auto
Spa al tramonto; Sauna, bagno turco e un massaggio di trenta minuti mentre si passa la Corsica.; Scegli l'ora
Vermentino a due passi; La cantina Gallura ha posto oggi, e la navetta parte dal porto ogni ora.; Prenota la visita
Sala Gold aperta; Poltrone, caffè e stampa fino alla partenza delle {sailing.departure|time}.; Entra in sala
Un film per i piccoli; Stasera alle 21 in sala cinema: entra tutta la famiglia, i bambini non pagano.; Riserva i posti
La bottega del porto; Bottarga, mirto e formaggi: il 10 % in meno a chi parte oggi da Livorno.; Mostra il codice
In Corsica domenica; Livorno - Bastia andata e ritorno in giornata, ponte compreso: {price}.; Guarda gli orari
"""
"""Title, body and button of nine offers."""
WHY = "La mostriamo perché parti oggi da Livorno e sei socio Gold; puoi chiederci di non farlo più."


def picture(name: str) -> Image:
    """Three sizes, each with its own name and hash, as a content network gives them."""
    variants = []
    for w in (390, 780, 1170):
        content = sha256(f"{name}-{w}".encode()).hexdigest()
        variants.append(
            ImageVariant(f"https://cdn.example/{content[:16]}.webp", w, w // 2, int(content[:4], 16), content)
        )
    return Image(name, "#2b4a6f", tuple(variants))


def rich(number: int) -> Offer:
    title, body, button = WORDS.strip().splitlines()[number].split("; ")
    words = Text(title, body, button, f"Fotografia: {title.lower()}", WHY)
    name = f"offer-number-{number}"
    link = f"https://app.example/trip/{{booking.id}}/{name}?ot={{token}}"
    shown = Representation(picture(name), link, f"https://www.example/{name}?ot={{token}}", {"it": words}, "it")
    placement = PlacementId(f"app.placement.{number // 3}")
    return offer(
        name, about=BOOKINGS, representation=shown, placements=(placement,), value=Value(20.0 - number),
        price=Price("EUR", "market.fare.deck", discount=0.2), collection="cabins",
    )  # fmt: skip


ASKED = tuple(PlacementRequest(PlacementId(f"app.placement.{n}"), 3) for n in range(3))
TRIP = Subject(
    "booking:b-771",
    {"booking.id": ("b-771", NOW), "sailing.departure": (NOW + 3 * HOUR_MS, NOW), "sailing.origin": ("ITLIV", NOW),
     "market.fare.deck": (4_900, NOW - 30_000)},
    {"booking_id": "b-771", "sailing_id": "ITLIV-ITOLB/2026-11-21T21:30"},
)  # fmt: skip


def full() -> Decision:
    placements = {each.placement: Placement(each.placement, opt_out="app://privacy/offers") for each in ASKED}
    book = catalog([rich(number) for number in range(9)], PLACES, placements=placements)
    situation = inputs(asked=ASKED, subjects={BOOKINGS.key: (TRIP,)}, locale="it-IT")
    return decide(situation, book, declared())


def tokens(decision: Decision) -> list[list[str]]:
    """Real ones."""
    return [[minted(decision, slate, item) for item in slate.items] for slate in decision.placements]


def minted(decision: Decision, slate: PlacementSlate, item: Item) -> str:
    offer_id, campaign_id = OfferId(item.offer_id), CampaignId(item.campaign_id)
    ids = (offer_id, campaign_id, "cabins", item.subject, CustomerId("c-4711"), "phone")
    return TOKENS.mint(OfferToken(decision.decision_id, slate.placement, item.rank, *ids, item.expires))


LEVEL = 5
"""The service's compression level."""
AROUND = reply.Around(NOW + 4_500, "0198f2c1-7a", 12.34567)


def answered(decision: Decision, around: reply.Around = AROUND) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(reply.encode(reply.told(decision, tokens(decision)), around))
    return found


def test_nine_items_with_three_pictures_each_travel_in_under_6_kb() -> None:
    decision = full()
    body = reply.encode(reply.told(decision, tokens(decision)), AROUND)
    assert [len(slate.items) for slate in decision.placements] == [3, 3, 3]
    assert all(len(item.representation.image.variants) == 3 for slate in decision.placements for item in slate.items)
    assert 16_000 < len(body) < 20_000
    assert len(gzip.compress(body, LEVEL)) < 6_000


def test_an_item_is_all_that_an_app_needs_to_show_it() -> None:
    decision = full()
    (first, *_), made = decision.placements, tokens(decision)
    item = answered(decision)["placements"][0]["items"][0]
    representation = item.pop("representation")
    assert item == {
        "offer_id": "offer-number-0", "campaign_id": "c-offer-number-0", "rank": 1,
        "about": {"booking_id": "b-771", "sailing_id": "ITLIV-ITOLB/2026-11-21T21:30"}, "token": made[0][0],
        "expires_at": "2026-11-21T18:15:00Z", "ttl_s": 895, "offline": {"show": False, "because": "PRICE_AND_STOCK"},
        "price": {"minor": 3_920, "currency": "EUR", "text": "39,20\xa0€", "as_of": "2026-11-21T17:59:30Z"},
    }  # fmt: skip
    assert representation["body"] == "Cabina interna con due letti, partenza 22:00: 39,20\xa0€."
    assert representation["action"] == {
        "link": f"https://app.example/trip/b-771/offer-number-0?ot={made[0][0]}",
        "web": f"https://www.example/offer-number-0?ot={made[0][0]}",
    }
    assert sorted(representation) == [
        "action", "body", "button", "dir", "image", "locale", "opt_out", "schema", "title", "why_shown",
    ]  # fmt: skip
    assert "{token}" not in json.dumps(answered(decision))
    assert first.items[0].representation.action["link"].endswith("{token}"), "the decision itself holds none"


def test_the_head_says_what_was_decided_when_and_by_what() -> None:
    found = answered(full())
    placements = found.pop("placements")
    assert found == {
        "decision_id": "019dd0a1-52cb-7c3e-9d12-6b1f0c3f8a11", "request_id": "0198f2c1-7a",
        "server_time": "2026-11-21T18:00:04.500Z", "revision": "r-test", "model": "m-test", "degraded": [],
        "withdrawn": [], "events": [], "took_ms": 12.346,
    }  # fmt: skip
    assert [(each["placement"], each["fallback"], each["refresh_after_s"]) for each in placements] == [
        (f"app.placement.{n}", False, 120) for n in range(3)
    ]


def test_what_the_request_had_to_do_without_is_told_beside_the_decision() -> None:
    lame = msgspec.structs.replace(full(), degraded=("profile_behind",))
    around = msgspec.structs.replace(
        AROUND, degraded=("events_not_kept",), withdrawn=("ot1.a7",), events=(EventResult("e-91", "accepted"),)
    )
    found = answered(lame, around)
    assert found["degraded"] == ["events_not_kept", "profile_behind"]
    assert found["withdrawn"] == ["ot1.a7"]
    assert [(each["id"], each["status"]) for each in found["events"]] == [("e-91", "accepted")]


def test_time_to_live_never_falls_below_nothing() -> None:
    late = msgspec.structs.replace(AROUND, now=NOW + HOUR_MS)
    assert answered(full(), late)["placements"][0]["items"][0]["ttl_s"] == 0


def small() -> tuple[Catalog, DecisionInputs]:
    gone = PlacementId("app.gone")
    placements = {HERO: Placement(HERO, fallback=OfferId("letter"))}
    book = catalog([offer("letter", fallback=True)], PLACES, placements=placements)
    return book, inputs(asked=(PlacementRequest(HERO, 1), PlacementRequest(gone, 1)))


def test_a_fallback_and_an_unknown_placement_say_what_they_are() -> None:
    book, situation = small()
    found = answered(decide(situation, book, declared()))["placements"]
    assert [(each["placement"], each["fallback"], each.get("problem"), len(each["items"])) for each in found] == [
        ("app.home.hero", True, None, 1), ("app.gone", False, "UNKNOWN_PLACEMENT", 0),
    ]  # fmt: skip
    assert "price" not in found[0]["items"][0]
    assert found[0]["items"][0]["offline"] == msgspec.to_builtins(Offline(True))


def test_counts_and_reasons_come_only_when_asked_for() -> None:
    book, situation = small()
    decision = decide(situation, book, declared())
    assert "ruled_out" not in answered(decision)
    told = reply.ruled_out(decision, explain(situation, book, decision))
    assert answered(decision, msgspec.structs.replace(AROUND, ruled_out=told))["ruled_out"] == {
        "counts": {}, "offers": [{
            "offer_id": "letter", "where": "letter.yaml:1", "about": "",
            "reasons": [{"code": "FALLBACK", "where": "", "detail": ""}],
        }],
    }  # fmt: skip


def test_the_answer_holds_no_score() -> None:
    body = reply.encode(reply.told(full(), tokens(full())), AROUND).decode()
    assert "score" not in body and "propensity" not in body
    assert parse_instant(json.loads(body)["server_time"]) == NOW + 4_500

"""Every check of the load test passes a good answer and fails a doctored one: a check that cannot fail is none."""

import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from loadtests.load.campaign_facts import OfferFacts
from loadtests.load.checks import CHECKS, Asked, Checks
from loadtests.load.measured import Checked
from loadtests.load.sold_out import GRACE_S, SoldOut
from offers.tokens import OfferToken, OfferTokens, keys_of
from streams.ids import CampaignId, CustomerId, DecisionId, Millis, OfferId, PlacementId

ME, SHE = "load.c-00001", "load.c-00002"
DECISION = "01a1ff47-b178-7916-a55f-c743f490e494"
SAILING = "ITLIV-ITOLB/2026-11-21T21:30"
TOKENS = OfferTokens(keys_of([("k1", "00" * 32)], "loadtest"))
FACTS = {
    "night-cabin": OfferFacts(("it", "en", "de"), "en", ("inside",)),
    "bottega": OfferFacts(("it", "en"), None),
    "letter": OfferFacts(("it", "en", "zh-Hant"), "en"),
}
PLACEMENTS = [{"placement": "hero", "limit": 1}, {"placement": "list", "limit": 3}]
Answer = dict[str, Any]


def token(placement: str, rank: int, offer: str, customer: str = ME, decision: str = DECISION) -> str:
    return TOKENS.mint(
        OfferToken(
            decision_id=DecisionId(decision),
            placement=PlacementId(placement),
            rank=rank,
            offer_id=OfferId(offer),
            campaign_id=CampaignId(f"{offer}-1"),
            collection="all",
            about="",
            customer_id=CustomerId(customer),
            device_class="phone",
            expires=Millis(1_795_000_000_000),
        )
    )


def item(placement: str, rank: int, offer: str, locale: str = "it", **about: str) -> Answer:
    return {
        "offer_id": offer,
        "rank": rank,
        "about": about,
        "token": token(placement, rank, offer),
        "expires_at": "2026-11-21T18:19:11.250Z",
        "ttl_s": 900,
        "representation": {"locale": locale},
    }


def answer() -> Answer:
    return {
        "decision_id": DECISION,
        "server_time": "2026-11-21T18:04:11Z",
        "placements": [
            {
                "placement": "hero",
                "items": [item("hero", 1, "night-cabin", sailing_id=SAILING, booking_id=f"b-{ME}-0")],
            },
            {"placement": "list", "items": [item("list", 1, "bottega"), item("list", 2, "letter")]},
        ],
    }


def looked(found: Answer, *, locale: str = "it-IT", sold: SoldOut | None = None, at: float = 100.0) -> Checked:
    checks = Checks(FACTS, sold or SoldOut())
    checks.look(Asked(ME, locale, PLACEMENTS, at, at + 0.02), orjson.dumps(found), found)
    return checks.checked


def hero(found: Answer) -> Answer:
    first: Answer = found["placements"][0]["items"][0]
    return first


def changed(**fields: Any) -> Callable[[Answer], None]:
    return lambda found: hero(found).update(fields)


def test_a_good_answer_violates_nothing_and_every_check_looked_at_it() -> None:
    sold = SoldOut()
    sold.gone(SAILING, "inside", at=200.0)
    checked = looked(answer(), sold=sold)
    assert checked.violated == {} and checked.told == []
    assert checked.looked_at == {**dict.fromkeys(CHECKS, 3), "not_sold_out": 1}


def _swap(found: Answer) -> None:
    found["placements"].reverse()


def _too_many(found: Answer) -> None:
    found["placements"][0]["items"].append(item("hero", 2, "other"))


def _twice(found: Answer) -> None:
    found["placements"][1]["items"][1] = item("list", 2, "bottega")


def _same_token(found: Answer) -> None:
    items = found["placements"][1]["items"]
    items[1]["token"] = items[0]["token"]


DOCTORED: dict[str, tuple[str, Callable[[Answer], None]]] = {
    "a placement is missing": ("as_asked", lambda found: found["placements"].pop()),
    "placements in another order": ("as_asked", _swap),
    "more items than wanted": ("as_asked", _too_many),
    "a language nobody asked for": ("language", changed(representation={"locale": "fr"})),
    "the token of another customer": ("nobody_else", changed(token=token("hero", 1, "night-cabin", SHE))),
    "the token of another decision": (
        "nobody_else", changed(token=token("hero", 1, "night-cabin", ME, "01a1ff47-b178-7916-a55f-c743f490e495")),
    ),
    "another customer's booking": ("nobody_else", changed(about={"booking_id": f"b-{SHE}-0", "sailing_id": SAILING})),
    "another customer's name in a link": ("nobody_else", changed(action={"link": f"app://trip/{SHE}"})),
    "expired when it was made": ("not_expired", changed(expires_at="2026-11-21T18:04:11Z", ttl_s=0)),
    "expired long ago": ("not_expired", changed(expires_at="2026-11-21T18:00:00Z", ttl_s=0)),
    "a ttl that promises more": ("not_expired", changed(ttl_s=1_800)),
    "ranks that begin at 2": ("ranks", changed(rank=2, token=token("hero", 2, "night-cabin"))),
    "the same rank twice": ("ranks", lambda found: found["placements"][1]["items"][1].update(rank=1)),
    "an offer twice": ("unique", _twice),
    "a token twice": ("unique", _same_token),
    "a token that is too long": ("tokens", changed(token="ot1." + "A" * 509)),
    "a token that is none": ("tokens", changed(token="")),
    "a token of another offer": ("tokens", changed(token=token("hero", 1, "bottega"))),
    "a token of another placement": ("tokens", changed(token=token("list", 1, "night-cabin"))),
    "a token of nonsense": ("tokens", changed(token="ot1.!!!!")),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCTORED)
def test_a_doctored_answer_violates_the_check_it_was_doctored_for(name: str) -> None:
    check, doctor = DOCTORED[name]
    found = copy.deepcopy(answer())
    doctor(found)
    checked = looked(found)
    assert check in checked.violated, checked
    assert any(told.check == check and told.found for told in checked.told)


def test_every_check_has_an_answer_that_violates_it() -> None:
    assert {check for check, _ in DOCTORED.values()} | {"not_sold_out"} == set(CHECKS)


def test_an_offer_of_a_sailing_that_was_sold_out_a_while_ago() -> None:
    sold = SoldOut()
    sold.gone(SAILING, "inside", at=90.0)
    assert looked(answer(), sold=sold, at=90.0 + GRACE_S - 0.1).violated == {}, "the news may still be on its way"
    checked = looked(answer(), sold=sold, at=90.0 + GRACE_S)
    assert checked.violated == {"not_sold_out": 1}
    assert checked.told[0].found == f"night-cabin about {SAILING}, which has no inside left"
    sold.back(SAILING, "inside", at=100.0)
    assert looked(answer(), sold=sold, at=99.99).violated == {}, "it was answered when there was room again"
    assert looked(answer(), sold=sold, at=150.0).violated == {}


def test_another_kind_of_room_or_sailing_does_not_matter() -> None:
    sold = SoldOut()
    sold.gone(SAILING, "outside", at=0.0)
    sold.gone("ITLIV-ITOLB/2026-11-22T21:30", "inside", at=0.0)
    checked = looked(answer(), sold=sold)
    assert checked.violated == {} and "not_sold_out" not in checked.looked_at


@pytest.mark.parametrize(
    ("locale", "written", "right"),
    [
        ("it-IT", "it", True),
        ("de-AT", "de", True),
        ("de-AT", "en", False),
        ("fr-FR", "en", True),
        ("fr-FR", "it", False),
        ("zh-TW", "zh-Hant", False),
        ("zh-TW", "en", True),
    ],
)
def test_the_closest_language_or_the_one_for_everyone_else(locale: str, written: str, right: bool) -> None:
    found = answer()
    found["placements"] = [
        {"placement": "hero", "items": [item("hero", 1, "night-cabin", written)]},
        {"placement": "list", "items": []},
    ]
    assert looked(found, locale=locale).violated == ({} if right else {"language": 1})


def test_an_offer_without_words_for_everyone_else_is_shown_to_nobody_else() -> None:
    found = answer()
    found["placements"][1]["items"] = [item("list", 1, "bottega", "en")]
    found["placements"][0]["items"] = []
    checked = looked(found, locale="de-DE")
    assert checked.told[0].found == "bottega for de-DE is in en; expected nothing"


def test_only_the_first_violations_are_told_and_all_are_counted() -> None:
    checks = Checks(FACTS, SoldOut())
    found = answer()
    hero(found)["ttl_s"] = 1
    for _ in range(50):
        checks.look(Asked(ME, "it-IT", PLACEMENTS, 1.0, 1.1), orjson.dumps(found), found)
    assert checks.checked.violated == {"not_expired": 50} and len(checks.checked.told) == 20

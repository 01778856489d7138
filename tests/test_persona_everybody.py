"""What all customers together did, as a persona says it: the limits it reaches, and what simulate says to them."""

from offers.changes import needs
from offers.condition_words import Words
from offers.explain import verdicts
from offers.offer import Budget, Limit, Window
from offers.persona_everybody import Everybody, reached_by
from offers.situation import Situation, situate
from streams.ids import DecisionId, OfferId
from streams.instant import DAY_MS
from streams.market import EMPTY
from streams.places import NOWHERE
from streams.profile import MaskedProfile
from tests.catalogs import ATTRIBUTES, NOW, catalog, inputs, offer

TOGETHER = Limit("redeemed", "campaign", "campaign", 300, Window("calendar", unit="day"), "spa.yaml:9:5")
HOMES = Limit("exposed", "customer.home", "all", 5, Window("rolling", DAY_MS), "spa.yaml:10:5")
SPENT = Limit("clicked", "campaign", "campaign", 2, where="spa.yaml:11:5", budget=Budget(1_000, 490, "EUR"))
BOOK = catalog([offer("spa", limits=(TOGETHER, HOMES, SPENT)), offer("bar")])
LIVORNESE = MaskedProfile({"customer.home": ("ITLIV", NOW)})


def words(everybody: Everybody, profile: MaskedProfile = LIVORNESE) -> list[str]:
    """What would have to change for the spa to be shown."""
    reached = reached_by(everybody, BOOK, profile.facts, NOW)
    found = Situation(DecisionId("d"), NOW, inputs().request, NOWHERE, profile, EMPTY, 384, reached=reached)
    situation = situate(found, BOOK)
    verdict = next(each for each in verdicts(situation, BOOK) if each.offer_id == "spa")
    return [change.words for change in needs(verdict, situation, BOOK, Words(ATTRIBUTES)).changes]


def done(name: str, **events: int) -> Everybody:
    return {OfferId(name): events}


def test_what_everybody_did_is_told_with_its_numbers() -> None:
    assert words(done("spa", redeemed=299, clicked=1)) == []
    assert words(done("spa", redeemed=300)) == [
        "redeemed fewer than 300 times of its campaign in this day (redeemed 300 of at most 300 by everybody)"
    ]
    assert words(done("spa", clicked=2)) == ["more money (9.80 EUR of 10.00 EUR spent, 4.90 EUR each)"]


def test_what_others_with_the_same_value_saw_counts_of_every_offer() -> None:
    seen = [
        "exposed fewer than 5 times of anything in 1 d (exposed 6 of at most 5 by everybody of the same customer.home)"
    ]
    assert words({OfferId("spa"): {"exposed": 2}, OfferId("bar"): {"exposed": 4}}) == seen
    assert words(done("bar", redeemed=300, exposed=4)) == [], "another campaign's redemptions are its own"
    assert words(done("bar", exposed=9), MaskedProfile()) == [], "of whom no home is known"

from dataclasses import replace

import pytest

from offers import bits, eligibility
from offers.candidates import Candidates
from offers.catalog import FOREVER, Catalog, prior_value
from offers.condition import All, Leaf, Op
from offers.offer import (
    Campaign,
    CampaignFolder,
    Consent,
    Limit,
    Placement,
    Price,
    RelativeTime,
    Representation,
    Schedule,
    Selector,
    Suppression,
    Value,
    Window,
)
from offers.schedule import status
from streams.ids import OfferId, PlacementId, RevisionId
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS
from streams.places import Places
from streams.profile import MaskedProfile
from streams.record import NOTHING, DecisionInputs, PlacementRequest, Subject
from tests.catalogs import ATTRIBUTES, HERO, NOW, TEXT, catalog, inputs, offer, representation
from tests.geography import PLACES

CARD = PlacementId("app.trip.card")
BOOKINGS = Selector("booking")
TIER = Leaf("customer.tier", Op.IN, ("gold",))


def surviving(book: Catalog, situation: DecisionInputs) -> list[str]:
    return [book.layout[position].id for position in bits.every(book.survivors(situation))]


def test_offers_are_laid_out_by_what_they_are_worth_and_then_by_id() -> None:
    cheap, dear = offer("a-cheap", value=Value(1)), offer("z-dear", value=Value(8))
    pushed, equal = offer("pushed", value=Value(1), lever=4.0), offer("b-equal", value=Value(1))
    book = catalog([cheap, equal, pushed, dear])
    assert [each.id for each in book.layout] == ["z-dear", "pushed", "a-cheap", "b-equal"]
    assert prior_value(dear) == 0.05 * 8


def test_only_offers_of_the_placements_asked_survive() -> None:
    book = catalog([offer("hero"), offer("card", placements=(CARD,)), offer("both", placements=(HERO, CARD))],
                   placements={HERO: Placement(HERO), CARD: Placement(CARD)})  # fmt: skip
    asked = {
        names: surviving(book, inputs(asked=tuple(PlacementRequest(name, 1) for name in names)))
        for names in ((HERO,), (CARD,), (HERO, CARD), (PlacementId("app.gone"),))
    }
    assert asked == {
        (HERO,): ["both", "hero"], (CARD,): ["both", "card"], (HERO, CARD): ["both", "card", "hero"],
        (PlacementId("app.gone"),): [],
    }  # fmt: skip
    assert book.asked(inputs(asked=(PlacementRequest(PlacementId("app.gone"), 2), PlacementRequest(CARD, 1)))) == (
        (PlacementId("app.gone"), None, 2), (CARD, Placement(CARD), 1),
    )  # fmt: skip


def test_schedule_words_and_consent_are_answered_before_any_condition() -> None:
    book = catalog(
        [
            offer("always"),
            offer("tomorrow", schedule=Schedule(starts=NOW + DAY_MS)),
            offer("german", representation=representation(("de",), None)),
            offer("asking", consent=Consent(("personalised_offers",), ("app",))),
            offer("fallback", fallback=True),
        ]
    )
    assert surviving(book, inputs()) == ["always"]
    assert surviving(book, inputs(now=NOW + DAY_MS)) == ["always", "tomorrow"]
    assert surviving(book, inputs(locale="de-AT")) == ["always", "german"]
    granted = MaskedProfile(purposes=("location", "personalised_offers"), channels=("app",))
    assert surviving(book, inputs(profile=granted)) == ["always", "asking"]
    assert surviving(book, inputs(profile=MaskedProfile(purposes=("personalised_offers",)))) == ["always"]


def test_what_is_live_and_excluded_is_counted_without_the_fallbacks() -> None:
    book = catalog([offer("gold", eligibility=TIER), offer("any"), offer("fallback", fallback=True)])
    found = Candidates(book, inputs())
    assert (found.count, found.index_excluded) == (1, 1)
    assert found.at_ranks([0]) == [book.layout.index(book.by_id[offer("any").id])]


def test_no_bit_beyond_the_last_offer_survives() -> None:
    for size in (1, 63, 64, 65, 130):
        lenient = Leaf("customer.tier", Op.IN, ("x",), negated=True, on_missing=True)
        book = catalog([offer(f"o{n:03}", eligibility=lenient) for n in range(size)])
        assert len(surviving(book, inputs())) == size
        assert Candidates(book, inputs({"customer.tier": ("gold", NOW)})).count == size


def test_an_empty_catalog_decides_nothing() -> None:
    book = catalog([])
    assert surviving(book, inputs()) == []
    assert book.interval(NOW) == (NOW, FOREVER)
    assert list(Candidates(book, inputs()).positions()) == []


def test_an_interval_does_not_depend_on_when_it_was_asked_for_first() -> None:
    nightly = offer("nightly", schedule=Schedule("Europe/Rome", hours=(20 * 60, 22 * 60)))
    for offers in ([offer("always")], [nightly], [nightly, offer("until", schedule=Schedule(ends=NOW + 3 * DAY_MS))]):
        used, fresh = catalog(offers), catalog(offers)
        for instant in (NOW, NOW + HOUR_MS, NOW + DAY_MS - 1, NOW - DAY_MS, NOW + DAY_MS):
            assert used.interval(instant)[1] == catalog(offers).interval(instant)[1]
            assert used.interval(instant)[0] <= instant < used.interval(instant)[1]
        assert fresh.interval(NOW + 9 * DAY_MS)[1] == used.interval(NOW + 9 * DAY_MS)[1]


def test_with_a_schedule_for_every_offer_each_is_live_by_its_own() -> None:
    plans = [
        Schedule("Europe/Rome", starts, ends, days=days, hours=hours)
        for starts in (None, NOW - DAY_MS, NOW, NOW + 40 * MINUTE_MS)
        for ends in (None, NOW, NOW + 25 * MINUTE_MS, NOW + DAY_MS)
        for days in ((), (6,), (7,))
        for hours in (None, (19 * 60 + 10, 19 * 60 + 45), (22 * 60, 60))
    ]
    shared = representation()
    book = catalog(offer(f"o{number:03}", schedule=plan, representation=shared) for number, plan in enumerate(plans))
    instant = NOW - HOUR_MS
    while instant < NOW + DAY_MS:
        now, ends = book.interval(instant)
        live = {f"o{number:03}" for number, plan in enumerate(plans) if status(plan, instant, ()) is None}
        assert set(surviving(book, inputs(now=instant))) == live
        assert set(surviving(book, inputs(now=ends - 1))) == live
        assert now <= instant < ends
        instant = ends


def test_what_is_live_follows_the_clock_and_the_seasons() -> None:
    evening = offer("evening", schedule=Schedule("UTC", hours=(18 * 60, 19 * 60)))
    winter = offer("winter", schedule=Schedule(seasons=("winter",)))
    book = catalog([evening, winter])
    found = [surviving(book, inputs(now=NOW + shift, seasons=seasons)) for shift, seasons in (
        (0, ()), (59 * MINUTE_MS, ("winter",)), (HOUR_MS, ("winter",)), (-1, ()), (0, ("summer",)),
    )]  # fmt: skip
    assert found == [["evening"], ["evening", "winter"], ["winter"], [], ["evening"]]


def test_caps_of_the_policies_hold_for_every_offer_but_fallbacks() -> None:
    own, shared = Limit("clicked", "customer", "offer", 1), Limit("exposed", "customer", "all", 40)
    offers = [offer("capped", limits=(own,)), offer("free"), offer("fallback", fallback=True)]
    campaigns = tuple(Campaign(each.campaign_id, "tests", each, f"{each.id}.yaml") for each in offers)
    folder = CampaignFolder(campaigns, {HERO: Placement(HERO, fallback=offers[2].id)}, global_limits=(shared,))
    book = Catalog(RevisionId("r-1"), folder, ATTRIBUTES, Places())
    assert {each.id: each.limits for each in book.layout} == {
        "capped": (own, shared), "free": (shared,), "fallback": (),
    }  # fmt: skip
    assert book.counts
    assert book.fallbacks == {HERO: offers[2]}


def test_the_catalog_knows_what_can_change_a_decision() -> None:
    soon = Leaf("sailing.departs_in", Op.RANGE, high=48 * HOUR_MS)
    between = Leaf("sailing.departs_in", Op.RANGE, low=2 * HOUR_MS, negated=True)
    exactly = Leaf("sailing.departs_in", Op.IN, (5 * HOUR_MS,))
    recent = Leaf("customer.tier", Op.IN, ("gold",), fresh_ms=DAY_MS)
    ends, until = RelativeTime("sailing.departure", -HOUR_MS), RelativeTime("sailing.arrival", 0)
    rich = offer(
        "rich",
        about=BOOKINGS,
        eligibility=All((soon, between, exactly, recent)),
        suitability=Leaf("customer.age", Op.RANGE, low=18),
        price=Price(source="market.fare.deck", fresh_ms=MINUTE_MS),
        schedule=Schedule(ends_relative=ends),
        suppress=(Suppression("dismissed", 20 * MINUTE_MS), Suppression("clicked", until=until)),
        limits=(Limit("exposed", "customer", "offer", 3, Window("rolling", 50 * MINUTE_MS)),
                Limit("exposed", "customer", "offer", 9, Window("calendar", unit="day"))),
    )  # fmt: skip
    book = catalog([rich])
    assert book.reads == {"sailing.departs_in", "customer.tier", "customer.age"}
    assert book.freshness == (("customer.tier", DAY_MS), ("market.fare.deck", MINUTE_MS))
    assert book.countdowns == (2 * HOUR_MS, 5 * HOUR_MS, 48 * HOUR_MS)
    assert book.relative_ends == {ends, until}
    assert book.spans == (20 * MINUTE_MS, 50 * MINUTE_MS)
    assert book.selectors == {"booking:each": BOOKINGS}
    plain = catalog([offer("plain")])
    assert (plain.reads, plain.countdowns, plain.spans, plain.counts) == (frozenset(), (), (), False)


def test_friends_are_read_where_words_tell_of_them() -> None:
    told = replace(TEXT, body="{sailing.friends_booked|number} amici")
    shown = representation(("it",))
    telling = Representation(shown.image, shown.link, shown.web, {"it": told})
    assert catalog([offer("told", representation=telling, about=BOOKINGS)]).reads == {"sailing.friends_booked"}


def test_candidates_are_an_offer_with_each_of_its_subjects_and_share_their_views() -> None:
    first, second = Subject("booking:b1", {"booking.id": ("b1", NOW)}), Subject("booking:b2")
    book = catalog([offer("general"), offer("upgrade", about=BOOKINGS), offer("lounge", about=BOOKINGS)], PLACES)
    found = Candidates(book, inputs({"customer.age": (7, NOW)}, subjects={BOOKINGS.key: (first, second)}))
    made = {book.layout[position].id: found.of_offer(position) for position in found.positions()}
    assert {name: [each.subject.key for each in each_made] for name, each_made in made.items()} == {
        "general": [""], "lounge": ["booking:b1", "booking:b2"], "upgrade": ["booking:b1", "booking:b2"],
    }  # fmt: skip
    lounge, upgrade, general = (made[OfferId(name)][0] for name in ("lounge", "upgrade", "general"))
    assert lounge.view is upgrade.view
    assert (lounge.view.subject, lounge.view.facts) == (first.facts, {"customer.age": (7, NOW)})
    assert (general.subject, general.view.subject) == (NOTHING, {})
    none = Candidates(book, inputs())
    assert not none.of_offer(book.layout.index(book.by_id[upgrade.offer.id]))


def test_selectors_are_those_of_the_offers_that_survive() -> None:
    nearby = offer("nearby", about=Selector("venue", "here"), eligibility=TIER)
    book = catalog([offer("upgrade", about=BOOKINGS), nearby, offer("general")])
    assert book.selectors_of(book.survivors(inputs())) == ["booking:each"]
    gold = book.survivors(inputs({"customer.tier": ("gold", NOW)}))
    assert book.selectors_of(gold) == ["booking:each", "venue:here"]


def test_equal_selectors_share_a_key_and_unequal_ones_do_not() -> None:
    line = Selector("sailing", "line", line="ITLIV-ITOLB", within_ms=HOUR_MS)
    selectors = [
        BOOKINGS, Selector("sailing", "next"), Selector("sailing", "any"), Selector("sailing", "from_here"), line,
        replace(line, within_ms=None), replace(line, line="ITLIV-FRBIA"), Selector("sailing", "any", within_ms=HOUR_MS),
        Selector("venue", "here"), Selector("venue", "on_board"), Selector("venue", "id", venue="spa"),
    ]  # fmt: skip
    assert len({selector.key for selector in selectors}) == len(selectors)
    assert line.key == "sailing:line:ITLIV-ITOLB::3600000"


BODIES = ["Corpo", "da {price}", "meno {discount}", "{sailing.departure|time}", "{{ok}} {price}"]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    "price",
    [None, Price(amount=4_900), Price(amount=4_900, discount=0.5), Price(source="market.fare.deck", discount=0.1)],
)
@pytest.mark.parametrize("ends", [None, RelativeTime("sailing.departure", 0)])
def test_what_is_called_presentable_has_no_obstacle(body: str, price: Price | None, ends: RelativeTime | None) -> None:
    plain = representation(("it",))
    words = Representation(plain.image, plain.link, plain.web, {"it": replace(TEXT, body=body)}, "it")
    each = offer("o", representation=words, price=price, about=BOOKINGS, schedule=Schedule(ends_relative=ends))
    knowing = Subject("booking:b1", {"sailing.departure": (NOW + 1, NOW), "market.fare.deck": (5_000, NOW)})
    subjects = (knowing, Subject("booking:b2", {"sailing.departure": (NOW, NOW)}), Subject("booking:b3"))
    situation = inputs(subjects={BOOKINGS.key: subjects})
    found = Candidates(catalog([each]), situation)
    assert [candidate.subject for candidate in found.of_offer(0)] == list(subjects)
    for candidate, (number, _, doubtful) in zip(found.of_offer(0), found.look(0), strict=True):
        obstacles = list(eligibility.obstacles(candidate, situation))
        assert doubtful is not None or not obstacles
        assert not (candidate.presentable and obstacles)
        assert doubtful is None or obstacles or ends is not None, f"subject {number} is asked about for nothing"

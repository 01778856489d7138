from dataclasses import replace

from offers.condition import All, Leaf, Op, View
from offers.fallback import complete
from offers.offer import Consent, Image, Limit, Offer, Price, RelativeTime, Representation, Schedule, Selector, Text
from offers.proposition import Candidate, Slate, Slot
from streams.ids import CampaignId, CustomerId, DecisionId, OfferId, PlacementId, RevisionId
from streams.instant import HOUR_MS, parse_instant
from streams.places import NOWHERE, Places
from streams.profile import MaskedProfile
from streams.record import NOTHING, DecisionInputs, FactDict, OfferFacts, PlacementRequest, Request, Subject

NOW = parse_instant("2026-11-21T18:04:11Z")
HERO, CARD = PlacementId("app.home.hero"), PlacementId("app.trip.card")
PLACES = Places()
EMPTY = Slate(HERO, ())
BOOKINGS = Selector("booking")


def newsletter(body: str = "Una lettera al mese", **changes: object) -> Offer:
    text = Text(title="Le isole", body=body, button="Iscriviti", alt="Il mare", why="La mostriamo a tutti.")
    offer = Offer(
        facts=OfferFacts(OfferId("islands-newsletter"), CampaignId("islands-newsletter"), ""),
        where="newsletter.yaml:1",
        placements=(HERO,),
        representation=Representation(Image("sea", "#004"), "x://n?ot={token}", "https://n", {"it": text}, "it"),
        fallback=True,
    )
    return replace(offer, **changes)  # type: ignore[arg-type]


def inputs(
    locale: str = "it-IT", profile: MaskedProfile | None = None, bookings: tuple[Subject, ...] = ()
) -> DecisionInputs:
    request = Request(CustomerId("c-1"), (PlacementRequest(HERO, 1), PlacementRequest(CARD, 3)), locale)
    return DecisionInputs(
        decision_id=DecisionId("d-1"),
        now=NOW,
        revision=RevisionId("r-1"),
        request=request,
        profile=profile or MaskedProfile(),
        subjects={BOOKINGS.key: bookings},
    )


def booking(key: str, departs_in_h: int) -> Subject:
    facts: FactDict = {"booking.id": (key, NOW), "sailing.departure": (NOW + departs_in_h * HOUR_MS, NOW)}
    return Subject(f"booking:{key}", facts, {"booking_id": key})


def shown(offer: Offer, given: DecisionInputs) -> Slate:
    return complete([EMPTY], {HERO: offer}, given, PLACES)[0]


def test_an_empty_placement_shows_its_fallback_without_a_probability() -> None:
    offer = newsletter()
    slate = shown(offer, inputs())
    view = View({}, {}, NOWHERE, PLACES, NOW)
    assert slate == Slate(HERO, (Slot(Candidate(offer, NOTHING, view), scored=None, propensity=None),), fallback=True)


def test_a_placement_that_shows_something_and_one_without_a_fallback_stay_as_they_are() -> None:
    chosen = Slate(HERO, shown(newsletter(), inputs()).slots)
    unknown = Slate(PlacementId("app.gone"), (), problem="UNKNOWN_PLACEMENT")
    slates = (chosen, Slate(CARD, ()), unknown)
    assert complete(slates, {HERO: newsletter(body="another")}, inputs(), PLACES) == slates


def test_conditions_and_caps_are_not_asked() -> None:
    never = All((Leaf("customer.loyalty_tier", Op.IN, ("gold",)),))
    offer = newsletter(eligibility=never, applicability=never, limits=(Limit("exposed", "customer", "offer", 0),))
    assert shown(offer, inputs()).fallback


def test_consent_schedule_and_language_are_not_passed_over() -> None:
    asking = newsletter(consent=Consent(purposes=("personalised_offers",)))
    assert shown(asking, inputs()) == EMPTY
    assert shown(asking, inputs(profile=MaskedProfile(purposes=("personalised_offers",)))).fallback
    assert shown(newsletter(schedule=Schedule(ends=NOW)), inputs()) == EMPTY
    silent = newsletter(representation=replace(newsletter().representation, others=None))
    assert shown(silent, inputs("ja-JP")) == EMPTY
    assert shown(silent, inputs("it-CH")).fallback


def test_a_fallback_with_an_unknown_price_or_word_is_not_shown_in_part() -> None:
    assert shown(newsletter(price=Price(source="market.fare.deck")), inputs()) == EMPTY
    assert shown(newsletter(body="Da {price}"), inputs()) == EMPTY
    assert shown(newsletter(body="Da {price}", price=Price(amount=900)), inputs()).fallback


def test_a_fallback_about_a_booking_is_about_the_first_one_that_it_fits() -> None:
    offer = newsletter(
        body="{booking.id}",
        about=BOOKINGS,
        schedule=Schedule(ends_relative=RelativeTime("sailing.departure", -2 * HOUR_MS)),
    )
    slate = shown(offer, inputs(bookings=(booking("b-1", 1), booking("b-2", 5), booking("b-3", 9))))
    assert [slot.candidate.subject.key for slot in slate.slots] == ["booking:b-2"]
    assert shown(offer, inputs()) == EMPTY

"""Every stored form starts with its format version, and the committed sample of each version is read for ever.

Profile and market have theirs in test_profile_form and test_market. What fails here needs a new version, not a new
sample.
"""

import shutil
from pathlib import Path

import msgspec
import pytest

from offers import cache, revisions
from offers.cache import CachedDecision
from offers.proposition import Decision, Item, Offline, Picture, PlacementSlate, PriceTag, Shown
from offers.reply import told
from offers.tokens import CustomerToken, CustomerTokens, OfferToken, OfferTokens, keys_of
from scoring import model_folder
from scoring.distribution import Binned, Distribution
from scoring.propensity import load
from streams import events, profile_store, record
from streams.errors import InvalidInput, NotAllowed, Stop
from streams.events import Event, Outcome
from streams.ids import CampaignId, CustomerId, DecisionId, ModelId, OfferId, PlacementId, RevisionId
from streams.log import CUSTOMERS, Position
from streams.profile import BookingFact, MaskedProfile
from streams.record import (
    DecisionInputs,
    DecisionRecord,
    OfferFacts,
    PlacementRequest,
    Request,
    ScoredCandidate,
    ShownItem,
    Subject,
)
from streams.whereabouts import Whereabouts

SAMPLES = Path(__file__).parent / "samples"
NOW = 1_795_284_251_123
DECISION = DecisionId("019dd0a1-52cb-7c3e-9d12-6b1f0c3f8a11")
HERO = PlacementId("app.home.hero")
ABOUT = "booking:b-771"
SAILING = "ITLIV-ITOLB/2026-11-21T22:30"
KEY = ("exposed", "cabin-upgrade", "cabin-winter", "cabins", HERO, ABOUT, "phone")
OFFER = OfferFacts(
    OfferId("cabin-upgrade"), CampaignId("cabin-winter"), "cabins", {"offer.kind": "upgrade", "offer.discount": 0.2},
    0.08, 40.0, "redeemed", 3_600_000,
)  # fmt: skip
WHEREABOUTS = Whereabouts("precise", "861eb5217ffffff", 50, (("livorno-terminal", 3),), NOW - 1_000)
SHOWN = ShownItem(OFFER, ABOUT, HERO, 1, 0.125, 0.75, 12.5, (1.0, 0.5))
CANDIDATES = (ScoredCandidate(OfferId("cabin-upgrade"), ABOUT, 0.125, 1.5, 1.0),)

RECORD = DecisionRecord(
    v=1,
    inputs=DecisionInputs(
        decision_id=DECISION,
        now=NOW,
        revision=RevisionId("r-0123456789ab"),
        request=Request(
            CustomerId("c-Ü"), (PlacementRequest(HERO, 3),), "it-IT", {"context.month": (11, NOW)}, "b-771", "app"
        ),
        whereabouts=WHEREABOUTS,
        profile=MaskedProfile(
            {"customer.tier": ("gold", NOW), "customer.interests": (("spa", "wine"), NOW)},
            {"b-771": BookingFact(SAILING, "ITLIV-ITOLB", "open", {40: "deck"}, NOW, 7)},
            {KEY: {1_994_760: 2}},
            {(*KEY[:4], "", "", ""): 41},
            ("personalised_offers",),
            ("app",),
        ),
        subjects={
            "booking:each": (
                Subject(ABOUT, {"booking.id": ("b-771", NOW)}, {"booking_id": "b-771"}, (SAILING,), NOW + 9),
            )
        },
        consulted=(SAILING,),
        seasons=("winter",),
        season_changes_at=NOW + 1,
        subjects_change_at=NOW + 2,
        market_version=5,
        candidate_limit=100,
        degraded=("profile_behind",),
        origin="test",
    ),
    model=ModelId("m-0123456789ab"),
    engine="offing-0.1.0",
    features=("offer.starting_mean", "customer.age"),
    candidates=CANDIDATES,
    shown=(SHOWN,),
    digest="00" * 16,
)

PICTURE = Picture("Cabina", "#2b4a6f", ({"url": "https://cdn.example/cabin.webp", "w": 390},))
WORDS = Shown(
    1, "it", "ltr", "Titolo", "Corpo", "Vai", PICTURE, {"link": "app://{token}"}, "Perché sì", "app://o", ("IVA",)
)
ITEM = Item(
    "cabin-upgrade", "cabin-winter", 1, {"booking_id": "b-771"}, ABOUT, NOW + 1, WORDS, Offline(False, "price"),
    PriceTag(4_900, "EUR", "49,00 €", "2026-11-21T18:03:40Z"),
)  # fmt: skip
GONE = PlacementSlate(PlacementId("gone"), False, 0, (), "UNKNOWN_PLACEMENT")
DECIDED = Decision(
    DECISION, NOW, RevisionId("r-0123456789ab"), ModelId("prior"), ("model_unavailable",),
    (PlacementSlate(HERO, False, 120, (ITEM,)), GONE),
    (("OUTRANKED", 2),), CANDIDATES, (SHOWN,), NOW + 60_000, (SAILING,),
)  # fmt: skip
CACHED = CachedDecision(
    v=2,
    stamp=2**64 - 1,
    seen=bytes(range(16)),
    seen_until=NOW + 30_000,
    market_epoch="log-1",
    market_version=5,
    consulted=(SAILING, "line:ITLIV-ITOLB"),
    decided_at=NOW,
    valid_until=NOW + 60_000,
    located_at=NOW - 1_000,
    told=told(DECIDED, (("ot1.x",), ())),
)
CACHED_BEFORE = msgspec.structs.replace(CACHED, seen=b"", seen_until=0)
"""What version 1 kept of the same decision, as it is read now."""

EVENT = Event(
    "e-91", "app", "offer.exposed", "c-Ü", NOW,
    Outcome(DECISION, "cabin-upgrade", "cabin-winter", "cabins", HERO, ABOUT, "phone"), "test",
)  # fmt: skip
KEYS = keys_of([("k1", "5a" * 32)], "samples")
OFFER_TOKEN = OfferToken(
    DECISION, HERO, 2, OfferId("cabin-upgrade"), CampaignId("cabin-winter"), "cabins", ABOUT, CustomerId("c-Ü"),
    "phone", NOW + 60_000,
)  # fmt: skip
CUSTOMER_TOKEN = CustomerToken(CustomerId("c-Ü"), NOW + 60_000)
BAR = OfferFacts(
    OfferId("bar"), CampaignId("campaign-bar"), "onboard", {"offer.affinity": "customer.bar_visits"}, 0.3, 20.0
)
CHANCES = {"never": 0.2566374215151316, "often": 0.2659911495051639}
"""What the sample said when it was made."""
POSITION = Position("log-1", CUSTOMERS.name, 3, 77)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def text(name: str) -> str:
    return sample(name).decode().strip()


def test_a_decision_record_of_version_1_is_read_and_no_other() -> None:
    line = sample("decision_record.v1.bin")
    assert record.decode(line) == RECORD
    assert line[1:4] == b"\xa1v\x01", "the version is its first field"
    with pytest.raises(msgspec.ValidationError, match="a decision record of version 2; expected 1"):
        record.decode(record.encode(msgspec.structs.replace(RECORD, v=2)))


def test_cached_decisions_of_versions_1_and_2_are_read_and_another_is_no_decision() -> None:
    stored = {version: sample(f"cached_decision.v{version}.bin") for version in (1, 2)}
    assert cache.decode(stored[1]) == CACHED_BEFORE
    assert cache.decode(stored[2]) == CACHED
    assert [form[1] for form in stored.values()] == [1, 2], "the version is its first entry"
    assert cache.decode(cache.encode(msgspec.structs.replace(CACHED, v=3))) is None


def test_an_event_of_version_1_is_read_and_no_other() -> None:
    line = sample("event.v1.json")
    assert events.parse(line) == EVENT
    assert line.startswith(b'{"v":1,')
    with pytest.raises(InvalidInput, match="v is 2; expected 1"):
        events.parse(line.replace(b'"v":1', b'"v":2', 1))


def test_a_pending_line_of_version_1_is_read_and_another_is_left_out() -> None:
    line = sample("pending_line.v1.bin")
    assert profile_store.read_pending([line]) == ((POSITION, NOW + 5, EVENT),)
    assert line[1] == 1
    assert profile_store.read_pending([line[:1] + b"\x02" + line[2:]]) == ()


def test_a_presence_of_version_1_is_read_and_no_other() -> None:
    stored = sample("presence.v1.bin")
    assert profile_store.read_presence(stored) == WHEREABOUTS
    with pytest.raises(Stop, match="expected 1"):
        profile_store.read_presence(b"\x02" + stored[1:])


def test_tokens_of_version_1_are_read_and_no_other() -> None:
    offer, customer = text("offer_token.v1.txt"), text("customer_token.v1.txt")
    assert OfferTokens(KEYS).read(offer) == OFFER_TOKEN
    assert CustomerTokens(KEYS).read(customer, NOW) == CUSTOMER_TOKEN
    assert (offer[:4], customer[:4]) == ("ot1.", "ct1.")
    with pytest.raises(InvalidInput, match=r"expected 'ot1\.'"):
        OfferTokens(KEYS).read(f"ot2.{offer[4:]}")
    with pytest.raises(NotAllowed):
        OfferTokens(keys_of([("k1", "5a" * 32)], "elsewhere")).read(offer)


def test_a_distribution_of_version_1_is_read() -> None:
    found = msgspec.json.decode((SAMPLES / "distribution.v1.json").read_bytes(), type=Distribution)
    age = Binned((18.0, 40.5, 70.25), (0, 30, 29, 0, 1))
    assert found == Distribution(1, 40, {"customer.age": age}, Binned((0.05, 0.0500000001), (0, 60, 0, 0)))


def test_a_model_of_version_1_is_read_and_scores_as_it_did(tmp_path: Path) -> None:
    (folder,) = (SAMPLES / "model.v1").iterdir()
    manifest = model_folder.check(folder)
    assert (manifest.v, manifest.model, manifest.compiled) == (1, folder.name, None)
    propensity = load(folder)
    for visits, expected in CHANCES.items():
        guest = MaskedProfile({"customer.bar_visits": (visits, NOW)})
        asked = msgspec.structs.replace(RECORD.inputs, profile=guest)
        assert propensity.score(asked, [(BAR, record.NOTHING)]).probability.tolist() == pytest.approx(
            [expected], abs=1e-9
        )
    newer = Path(shutil.copytree(folder, tmp_path / folder.name))
    written = msgspec.json.encode(msgspec.structs.replace(manifest, v=2))
    (newer / model_folder.MANIFEST).write_bytes(written)
    with pytest.raises(InvalidInput, match="its format is 2, this version reads 1"):
        model_folder.check(newer)


def test_a_kept_revision_of_language_1_is_compiled_for_a_replay(tmp_path: Path) -> None:
    (folder,) = (SAMPLES / "revision.v1").iterdir()
    assert revisions.fingerprint(folder) == folder.name, "named by its content"
    catalog = revisions.catalog_of(folder)
    assert catalog.revision == folder.name
    assert sorted(catalog.by_id) == ["cabin-upgrade-inside", "islands-newsletter", "late-deck-fare", "winery-visit"]
    upgrade = catalog.by_id[OfferId("cabin-upgrade-inside")]
    assert upgrade.about is not None
    assert upgrade.about.key == "booking:each"
    newer = Path(shutil.copytree(folder, tmp_path / folder.name))
    campaign = newer / "campaigns" / "cabin-upgrade.yaml"
    campaign.write_text(f"language: 2\n{campaign.read_text()}")
    with pytest.raises(InvalidInput, match="LANGUAGE_VERSION this Offing reads language 1"):
        revisions.catalog_of(newer)

"""The bytes of a profile: exact, compact, versioned, and the sample of every version is read for ever."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings

from streams import profile, profile_form
from streams.errors import Stop
from streams.events import Attributes, Booking, Consent, Social
from streams.fold import Draft, FoldStatus
from streams.instant import DAY_MS, HOUR_MS
from streams.profile import BookingFact, Cell, Delivery, Opened, Profile, ProfileFacts, bucket_of, mark_of_epoch
from streams.profile_form import canonical, decode, encode, encode_many, open_many
from streams.profile_mask import Retention
from tests.profile_events import ATTRIBUTES, NOW, Recorded, event, folded, histories, outcome

SAMPLES = Path(__file__).parent / "samples"
KEY = ("exposed", "cabin-upgrade", "cabin-winter", "cabins", "app.home.hero", "booking:b-771", "phone")
SAMPLED = Profile(
    ProfileFacts(
        cells={
            1: Cell("gold", NOW, 4_000_000_000),
            2: Cell(None, NOW, 4_000_000_000),
            3: Cell(-7, 0, 1),
            4: Cell(2.5, NOW + 1, 2),
            5: Cell(True, NOW - 400 * DAY_MS, 3),
            9001: Cell(("c-2", "c-Ü"), NOW, 5),
        },
        consent={"purpose:social": Cell(True, NOW, 6), "purpose:reef_trips": Cell(False, NOW, 6)},
        bookings={
            "b-771": BookingFact("ITLIV-ITOLB/2026-11-21T21:30", "ITLIV-ITOLB", "open", {101: "deck", 102: 3}, NOW, 7),
        },
        linked={"c-9": NOW - 12_345},
        counters={
            KEY: {bucket_of(NOW): 2, bucket_of(NOW - 300 * DAY_MS): 1},
            ("friend_booked", "", "", "ITLIV-ITOLB", "", "ITLIV-ITOLB/2026-11-21T21:30", ""): {
                bucket_of(NOW - HOUR_MS): 1
            },
        },
        lifetime={(*KEY[:4], "", "", ""): 41},
    ),
    Delivery(
        {mark_of_epoch("log-1"): (3, 77), mark_of_epoch("log-2"): (3, 5)},
        {b"\xff" * 6: 29_921_405, b"\0" * 6: 29_921_404},
    ),
)


@pytest.mark.parametrize("version", [1, 2])
def test_the_sample_of_every_version_is_read(version: int) -> None:
    stored = (SAMPLES / f"profile.v{version}.bin").read_bytes()
    assert stored[0] == version
    assert decode(stored) == SAMPLED


def test_the_dictionary_of_version_2_is_never_another() -> None:
    found = sha256(profile_form.DICTIONARY.read_bytes()).hexdigest()
    assert found == "d4f47135ff0e8752c028adcc6d7ec188519acf12fc28cd2f75b97542132f6d0f"


def test_many_are_opened_and_written_as_one_by_one_whatever_their_version() -> None:
    found = [folded([(NOW, event(outcome(), NOW, f"e-{n}"))]) for n in range(5)]
    stored = [encode(each) for each in found]
    assert encode_many([Opened.of(each) for each in found]) == stored
    assert [each.profile() for each in open_many(stored)] == found
    older = (SAMPLES / "profile.v1.bin").read_bytes()
    opened = open_many([stored[0], older, *stored])
    assert [each.profile() for each in opened] == [found[0], SAMPLED, *found]
    assert [decode(each) for each in encode_many(opened)] == [found[0], SAMPLED, *found]
    assert (encode_many([]), open_many([])) == ([], [])
    with pytest.raises(Stop, match="cannot be read"):
        open_many([*stored, stored[0][:-9]])


def test_what_was_said_is_written_back_unread() -> None:
    found = folded([(NOW, event(Attributes({"interests": ["spa"]}), NOW - 5)), (NOW, event(outcome(), event_id="e-2"))])
    stored = encode(found)
    (opened,) = open_many([stored])
    assert not isinstance(opened.said, ProfileFacts)
    assert opened.said.since == NOW - 5
    assert encode_many([opened]) == [stored]
    counted = Draft(opened, ATTRIBUTES, Retention(ATTRIBUTES))
    assert counted.apply(event(outcome(), event_id="new"), None, NOW) is FoldStatus.APPLIED
    after = counted.opened()
    assert after.said is opened.said
    assert decode(encode_many([after])[0]).facts.cells == found.facts.cells
    late = Draft(opened, ATTRIBUTES, Retention(ATTRIBUTES))
    assert late.apply(event(outcome(), NOW + 40 * DAY_MS, "late"), None, NOW + 40 * DAY_MS) is FoldStatus.APPLIED
    assert late.opened().profile().facts.cells == {}, "past its retention, though nothing was said"
    (unknown,) = open_many([encode(folded([(NOW, event(outcome()))]))])
    assert not isinstance(unknown.said, ProfileFacts)
    assert unknown.said.since is None


def test_a_thread_has_a_compressor_of_its_own() -> None:
    found = [folded([(NOW, event(outcome(f"offer-{n}"), NOW, f"e-{n}"))]) for n in range(200)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda each: decode(encode(each)), found * 5)) == found * 5


@settings(max_examples=100, deadline=None)
@given(histories(span_ms=40 * DAY_MS))
def test_a_stored_profile_comes_back_as_it_was(history: list[Recorded]) -> None:
    found = folded(history)
    assert decode(encode(found)) == found
    assert canonical(decode(encode(found)).facts) == canonical(found.facts)


@settings(max_examples=50, deadline=None)
@given(histories(), histories(most=10))
def test_folding_goes_on_from_the_stored_form(first: list[Recorded], second: list[Recorded]) -> None:
    kept = folded(first)
    assert folded(second, decode(encode(kept)), 99) == folded(second, kept, 99)


def test_milliseconds_survive() -> None:
    found = folded([(NOW, event(Attributes({"loyalty_tier": "gold"}), NOW - 7))])
    assert decode(encode(found)).facts.cells[1].at == NOW - 7


def test_canonical_bytes_know_no_order_and_no_delivery() -> None:
    facts = SAMPLED.facts
    turned = ProfileFacts(
        dict(reversed(facts.cells.items())),
        dict(reversed(facts.consent.items())),
        facts.bookings,
        facts.linked,
        {key: dict(reversed(held.items())) for key, held in reversed(facts.counters.items())},
        facts.lifetime,
    )
    assert canonical(turned) == canonical(facts)
    changed = ProfileFacts(cells={**facts.cells, 3: Cell(-7.0, 0, 1)})
    assert canonical(changed) != canonical(ProfileFacts(cells=facts.cells))


def test_a_mean_customer_takes_little_room() -> None:
    """12 attributes, a booking, 3 friends, 8 counted events: a third are ids and ties, which nothing shortens."""
    cells = {n: Cell(value, NOW + n // 4 * DAY_MS, 4_000_000_000 + n // 4) for n, value in enumerate(("medium",) * 12)}
    said = [
        (
            NOW,
            event(Booking("b-771", "ITLIV-ITOLB/2026-11-21T21:30", "ITLIV-ITOLB", "open", {"accommodation": "deck"})),
        ),
        (NOW, event(Social(["c-001923", "c-001311", "c-011923"]), event_id="e-2")),
        (
            NOW,
            event(
                Consent({"personalised_offers": True, "location": True, "social": True}, {"app": True}), event_id="e-3"
            ),
        ),
    ]
    for n in range(8):
        shown = outcome(("cabin-upgrade", "dinner-sunset")[n % 2], ("app.home.hero", "app.trip.card")[n % 2])
        said.append((NOW, event(shown, NOW + n * HOUR_MS, f"e-{n + 4}")))
    found = folded(said)
    facts = found.facts
    facts = ProfileFacts({**facts.cells, **cells}, facts.consent, facts.bookings, facts.linked, facts.counters)
    assert len(encode(Profile(facts, found.delivery))) < 350


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        (b"", "no bytes"),
        (b"\x03" + encode(profile.EMPTY)[1:], "format 3; expected 2"),
        (encode(SAMPLED)[:-9], "format 2 cannot be read"),
        (b"\x02\xff\xff", "format 2 cannot be read"),
        (b"\x02", "format 2 cannot be read"),
        (b"\x01\xc0", "format 1 cannot be read"),
    ],
)
def test_what_is_not_a_stored_profile_stops_and_says_the_mend(stored: bytes, found: str) -> None:
    with pytest.raises(Stop, match=found) as caught:
        decode(stored)
    assert caught.value.code == "PROFILE_FORMAT"

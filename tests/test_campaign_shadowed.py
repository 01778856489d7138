"""Limits and suppressions that another is always reached before: never said where it is not so, tried on customers."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers.campaign_shadowed import covers, outlasted, shadowed
from offers.capping import reached
from offers.folder import LoadedFolder, check_folder, load_folder
from offers.offer import DEVICE_CLASS, VISIT, Limit, Suppression, Window
from streams.instant import DAY_MS, HOUR_MS
from streams.profile import CounterKey, MaskedProfile
from streams.record import Subject
from tests.catalogs import NOW, inputs, offer
from tests.deciding import candidate, counters
from tests.test_campaign_analysis import BASE, PLACEMENTS, deployment

__all__ = ["deployment"]
SUBJECTS = (Subject("booking:b1"), Subject("booking:b2"), Subject(""))
WINDOWS = [
    Window(), Window(VISIT), Window("voyage"), *(Window("rolling", hours * HOUR_MS) for hours in (1, 24, 48, 192, 768)),
    *(Window("calendar", unit=unit, zone=zone) for unit in ("day", "week", "month") for zone in ("Europe/Rome", "UTC")),
]  # fmt: skip
limits = st.builds(
    Limit,
    st.sampled_from(["exposed", "clicked"]),
    st.sampled_from(["customer", "booking", DEVICE_CLASS]),
    st.sampled_from(["offer", "campaign", "collection", "all"]),
    st.integers(1, 3),
    st.sampled_from(WINDOWS),
)
met = st.tuples(
    st.sampled_from(["exposed", "clicked"]),
    st.sampled_from([("o", "c-o", "fares"), ("o", "c-old", "cabins"), ("other", "c-other", "fares"), ("x", "c-x", "")]),
    st.sampled_from(["booking:b1", "booking:b2", ""]),
    st.sampled_from(["phone", "tablet"]),
    st.one_of(st.integers(0, 4), st.integers(0, 200), st.integers(0, 2_000)),
)


@given(st.lists(limits, min_size=2, max_size=4), st.lists(met, max_size=8), st.integers(0, 31 * 24), st.booleans())
@settings(max_examples=200, deadline=None)
def test_whenever_a_shadowed_limit_is_reached_so_is_the_other(
    caps: list[Limit], events: list[tuple[str, tuple[str, str, str], str, str, int]], shift: int, says_device: bool
) -> None:
    now = NOW + shift * HOUR_MS
    context = {"context.device_class": ("phone", now)} if says_device else {}
    known: list[tuple[CounterKey, int]] = [
        ((event, *ids, "app.home.hero", about, device), now - ago * HOUR_MS)
        for event, ids, about, device, ago in events
    ]
    situation = inputs(profile=MaskedProfile(counters=counters(*known)), context=context, now=now)
    for limit, other in shadowed(caps):
        for subject in SUBJECTS:
            one, wide = (offer("o", limits=(each,), collection="fares") for each in (limit, other))
            if any(reached(candidate(one, situation, subject), situation)):
                assert any(reached(candidate(wide, situation, subject), situation)), (limit, other)


@given(st.lists(limits, max_size=5))
def test_what_is_left_without_the_shadowed_ones_covers_them_all(caps: list[Limit]) -> None:
    found = {id(limit) for limit, _ in shadowed(caps)}
    left = [limit for limit in caps if id(limit) not in found]
    assert all(any(covers(other, limit) for other in left) for limit in caps if id(limit) in found)
    assert not list(shadowed(left))


DAY, WEEK, MONTH = (Window("calendar", unit=unit, zone="Europe/Rome") for unit in ("day", "week", "month"))
HOURS = {hours: Window("rolling", hours * HOUR_MS) for hours in (1, 24, 25, 48)}


@pytest.mark.parametrize(
    ("wide", "window", "whether"),
    [
        (HOURS[25], HOURS[24], True), (HOURS[24], HOURS[25], False),
        (HOURS[48], DAY, True), (HOURS[24], DAY, False), (HOURS[48], WEEK, False),  # a day has up to 25 hours
        (WEEK, DAY, True), (MONTH, DAY, True), (MONTH, WEEK, False), (DAY, HOURS[1], False),
        (Window(), Window(VISIT), True), (Window(VISIT), HOURS[1], False), (HOURS[24], Window(VISIT), False),
        (Window(), Window("voyage"), True), (Window("voyage"), Window(), False), (HOURS[24], Window(), False),
    ],
)  # fmt: skip
def test_a_window_holds_another_only_if_it_always_does(wide: Window, window: Window, whether: bool) -> None:
    one = Limit("exposed", "customer", "offer", 2, window)
    assert covers(replace(one, window=wide, at_most=1), one) is whether
    assert not covers(replace(one, window=wide, at_most=3), one)


@pytest.mark.parametrize(
    ("wide", "per", "whether"),
    [
        ("customer", "booking", True), ("customer", DEVICE_CLASS, True), ("booking", "booking", True),
        ("booking", "customer", False), (DEVICE_CLASS, "customer", False), ("booking", DEVICE_CLASS, False),
        ("campaign", "campaign", True), ("campaign", "customer", False), ("customer", "campaign", False),
        ("customer.home_port", "customer.tier", False),
    ],
)  # fmt: skip
def test_who_counts_together_may_be_wider(wide: str, per: str, whether: bool) -> None:
    one = Limit("exposed", per, "offer", 2, HOURS[24])
    assert covers(replace(one, per=wide), one) is whether
    assert not covers(replace(one, per=wide, event="clicked"), one)


def test_of_suppressions_for_a_time_the_longest_is_left() -> None:
    week, month = Suppression("dismissed", 7 * DAY_MS, where="a"), Suppression("dismissed", 30 * DAY_MS, where="b")
    again, clicked = Suppression("dismissed", 30 * DAY_MS, where="c"), Suppression("clicked", 60 * DAY_MS, where="d")
    assert list(outlasted((week, month, again, clicked))) == [(week, month), (again, month)]


def test_a_limit_beyond_that_of_the_policies_names_both_places(tmp_path: Path, deployment: LoadedFolder) -> None:
    for file in ("seasons.yaml", "images.yaml"):
        (tmp_path / file).write_bytes((Path(__file__).parent / "deployment" / file).read_bytes())
    (tmp_path / "placements.yaml").write_text(PLACEMENTS)
    (tmp_path / "policies.yaml").write_text(
        "limits:\n  - {count: exposure, at_most: 3, window: rolling 24 h}\n"
        "defaults:\n  limits: [{count: exposure, at_most: 9, window: rolling 24 h}]\n"
    )
    (tmp_path / "spa.yaml").write_text(
        BASE + "limits:\n  - {count: exposure, at_most: 5, window: rolling 8 h}\n"
        "  - {count: exposure, at_most: 2, window: rolling 24 h}\n"
    )
    assert deployment.attributes is not None and deployment.places is not None
    _, findings = check_folder(tmp_path, deployment.attributes, deployment.places)
    assert [str(finding) for finding in findings] == [
        "spa.yaml:11:5: SHADOWED warning: whenever this limit is reached, so is that of policies.yaml:2:5. "
        "It decides nothing: remove it, or make it the stricter one."
    ]
    assert load_folder(Path(__file__).parent / "deployment").findings == ()

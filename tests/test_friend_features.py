"""Friends as features: who goes there counts for those who share their friends, and is missing for everybody else."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from scoring.features import COUNTERS, Column, FeatureList, Scorable, feature_list
from scoring.friends import bookings_by_line
from scoring.propensity import prior
from scoring.rows import plan, rows
from streams.attributes import AttributeSet
from streams.declared_features import EVERY, FRIENDS_ON_LINE, UP, Declared
from streams.events import Consent, FriendBooked
from streams.fold import fold
from streams.instant import DAY_MS, MINUTE_MS
from streams.profile import EMPTY, CounterKey, MaskedProfile, Profile, bucket_of
from streams.profile_mask import mask
from streams.record import NOTHING, DecisionInputs, Subject, decode, encode
from tests.decision_log import inputs, record, scorables
from tests.makers import NOW
from tests.profile_events import event
from tests.scoring_world import ATTRIBUTES, BAR, SPA

OUT, BACK = "ITLIV-ITOLB", "ITOLB-ITLIV"
LISTED: AttributeSet = replace(
    ATTRIBUTES, features=replace(EVERY, listed={FRIENDS_ON_LINE: Declared(monotone=UP)}, others=True)
)
SAILING = Subject("sailing:s-1", {"sailing.line": (OUT, NOW), "sailing.friends_booked": (1, NOW)})
RETURN = Subject("booking:b-1", {"sailing.line": (BACK, NOW)})
NOWHERE_YET = Subject("booking:b-2", {"booking.accommodation": ("deck", NOW)})


def booked(sailing: str, line: str) -> CounterKey:
    return ("friend_booked", "", "", line, "", sailing, "")


COUNTED = {
    booked("s-1", OUT): {bucket_of(NOW): 1, bucket_of(NOW - 40 * DAY_MS): 2},
    booked("s-2", OUT): {bucket_of(NOW - DAY_MS): 1, bucket_of(NOW + DAY_MS): 7},
    booked("s-3", BACK): {bucket_of(NOW): 1},
    ("exposed", "bar", "c", OUT, "home", "", ""): {bucket_of(NOW): 50},
}
LIFETIME = {booked("", OUT): 10, ("friend_booked", "", "", "", "", "", ""): 100}


def asked(*purposes: str) -> DecisionInputs:
    profile = MaskedProfile(counters=COUNTED, lifetime=LIFETIME, purposes=purposes)
    return msgspec.structs.replace(inputs(), profile=profile)


def friends_of(made: DecisionInputs, *items: Scorable) -> list[float]:
    features = feature_list(LISTED)
    told: list[float] = rows(made, items, plan(features))[:, features.names.index(FRIENDS_ON_LINE)].tolist()
    return told


def column_of(features: FeatureList) -> Column:
    return next(column for column in features.columns if column.name == FRIENDS_ON_LINE)


def test_what_friends_booked_of_a_line_is_counted_ever_and_never_from_the_future() -> None:
    items: list[Scorable] = [(BAR, SAILING), (SPA, RETURN), (BAR, NOWHERE_YET), (SPA, NOTHING)]
    told = friends_of(asked("social"), *items)
    assert told[:2] == [14.0, 1.0], "3 of s-1, 1 of s-2, 10 of long ago"
    assert np.isnan(told[2:]).all(), "no line: nothing to go to"
    assert friends_of(asked("social"), (BAR, Subject("sailing:s", {"sailing.line": ("FRNCE-FRBIA", NOW)}))) == [0.0]


def test_who_does_not_share_friends_has_none_known() -> None:
    assert np.isnan(friends_of(asked("personalised_offers"), (BAR, SAILING), (SPA, RETURN))).all()


def folded(*grants: bool) -> Profile:
    """A friend's booking was told; then the customer said what may be done with it."""
    found = fold(EMPTY, event(FriendBooked("s-1", OUT), NOW, "e-0"), None, NOW, ATTRIBUTES).profile
    for number, granted in enumerate(grants, 1):
        said = event(Consent(purposes={"social": granted}), NOW + number * MINUTE_MS, f"e-{number}")
        found = fold(found, said, None, said.time, ATTRIBUTES).profile
    return found


@pytest.mark.parametrize(("grants", "known"), [((), {}), ((True,), {OUT: 1}), ((True, False), {})])
def test_consent_given_and_taken_back_decides_what_is_known(grants: tuple[bool, ...], known: dict[str, int]) -> None:
    masked = mask(folded(*grants).facts, ATTRIBUTES, now=NOW + DAY_MS)
    assert bookings_by_line(masked, NOW + DAY_MS) == known


def test_it_is_a_column_only_where_it_is_listed_and_says_what_it_reads() -> None:
    assert FRIENDS_ON_LINE not in feature_list(ATTRIBUTES).names
    assert "sailing.friends_booked" in feature_list(ATTRIBUTES).names
    features = feature_list(LISTED)
    assert column_of(features).monotone == UP
    assert set(features.names) - set(feature_list(ATTRIBUTES).names) == {FRIENDS_ON_LINE}
    assert FeatureList(1, (column_of(features),)).reads == {COUNTERS, "sailing.line"}


def test_a_logged_row_comes_again_from_its_record_bit_for_bit() -> None:
    propensity = prior(LISTED)
    made = msgspec.structs.replace(asked("social"), subjects={"sailing:next": (SAILING,), "booking:each": (RETURN,)})
    logged = decode(encode(record(made, [(BAR, SAILING), (SPA, RETURN)], propensity)))
    again = propensity.score(logged.inputs, scorables(logged))
    assert np.array([item.row for item in logged.shown]).tobytes() == again.rows.tobytes()
    assert again.rows[:, propensity.features.index(FRIENDS_ON_LINE)].tolist() == [14.0, 1.0]
    assert FRIENDS_ON_LINE not in SAILING.facts, "the subject stays as it was"

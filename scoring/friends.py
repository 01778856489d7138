"""Friends who go there: how often friends booked the line that a candidate's sailing is of.

Counted from what the consumer told this customer of friends' bookings (streams.friends): only bookers who consent are
told of, and only who shares friends (purpose `social`) has the counts; the mask leaves them out otherwise. Nobody is
named, so one friend who booked twice counts twice.
"""

from collections.abc import Sequence

from streams.attributes import Facts
from streams.declared_features import FRIENDS_ON_LINE, WHERE_LISTED
from streams.ids import Millis
from streams.profile import MaskedProfile, bucket_of
from streams.profile_mask import FRIEND_BOOKED, SOCIAL

LINE = WHERE_LISTED[FRIENDS_ON_LINE]


def with_friends(subjects: Sequence[Facts], profile: MaskedProfile, now: Millis) -> list[Facts]:
    """The facts of each subject, and `sailing.friends_on_line` of those that have a line; none without `social`."""
    if SOCIAL not in profile.purposes:
        return list(subjects)
    counted = bookings_by_line(profile, now)

    def told(facts: Facts) -> Facts:
        line = str(facts[LINE][0]) if LINE in facts else ""
        return {**facts, FRIENDS_ON_LINE: (counted.get(line, 0), now)} if line else facts

    return [told(facts) for facts in subjects]


def bookings_by_line(profile: MaskedProfile, now: Millis) -> dict[str, int]:
    """How often friends booked each line, ever, as far as it was known at `now`."""
    found: dict[str, int] = {}
    current = bucket_of(now)
    for key, buckets in profile.counters.items():
        if key[0] == FRIEND_BOOKED:
            known = sum(number for bucket, number in buckets.items() if bucket <= current)
            found[key[3]] = found.get(key[3], 0) + known
    for key, number in profile.lifetime.items():
        if key[0] == FRIEND_BOOKED:
            found[key[3]] = found.get(key[3], 0) + number
    return found

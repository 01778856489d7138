"""situate(): everything a decision sees, gathered from what was read: the one way to make DecisionInputs."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from offers import schedule, subjects
from offers.catalog import Catalog
from offers.shared_limits import NONE_REACHED, Reached
from streams.ids import DecisionId, Millis
from streams.instant import moment
from streams.market import Market
from streams.places import Places, Whereabouts
from streams.profile import MaskedProfile
from streams.record import DecisionInputs, FactDict, Request


@dataclass(frozen=True, slots=True)
class Situation:
    """What was read for one request."""

    decision_id: DecisionId
    now: Millis
    request: Request
    whereabouts: Whereabouts
    profile: MaskedProfile
    market: Market
    candidate_limit: int
    candidates_with_time: int = 384
    degraded: tuple[str, ...] = ()
    origin: str = "live"
    arms: dict[str, str] = field(default_factory=dict)
    """Experiment -> arm; see DecisionInputs."""
    reached: Reached = NONE_REACHED
    """What all customers together have reached."""


def situate(
    found: Situation, catalog: Catalog, *, every_subject: bool = False, only: Collection[str] | None = None
) -> DecisionInputs:
    """The inputs of decide(). Only subjects that survivors of the index are about are bound, unless every one is

    wanted (explain: full), or `only` names the selectors whose subjects are."""
    seasons, season_changes_at = catalog.active_seasons(found.market.seasons, found.now)
    derived = derived_context(found, catalog.places, seasons)
    inputs = DecisionInputs(
        decision_id=found.decision_id,
        now=found.now,
        revision=catalog.revision,
        request=msgspec.structs.replace(found.request, context={**found.request.context, **derived}),
        whereabouts=found.whereabouts,
        profile=found.profile,
        seasons=seasons,
        season_changes_at=season_changes_at,
        market_version=found.market.version,
        candidate_limit=found.candidate_limit,
        candidates_with_time=found.candidates_with_time,
        degraded=found.degraded,
        origin=found.origin,
        arms=found.arms,
        counters=found.reached.of(found.profile.facts),
    )
    keys = sorted(catalog.selectors if only is None else only)
    if only is None and not every_subject:
        keys = catalog.selectors_of(catalog.survivors(inputs))
    around = subjects.Surroundings(found.profile, found.whereabouts, found.market, found.now, found.request.trip)
    bound = subjects.bind(catalog, keys, around)
    return msgspec.structs.replace(
        inputs, subjects=bound.subjects, consulted=bound.consulted, subjects_change_at=bound.changes_at
    )


DERIVED = frozenset(
    f"context.{name}" for name in ("local_hour", "weekday", "month", "season", "nearest_port", "nearest_port_distance")
)
"""What the clock and the whereabouts say of the context; the rest is said by the app that asks."""


def derived_context(found: Situation, places: Places, seasons: tuple[str, ...]) -> FactDict:
    """context.* facts of the clock and the whereabouts; the clock is that of the customer's place."""
    nearest = places.nearest_port(found.whereabouts)
    zone = clock_zone(places, nearest[0] if nearest else None)
    hour, weekday, month = _local(zone, found.now // schedule.QUARTER_MS)
    facts: FactDict = {
        "context.local_hour": (hour, found.now),
        "context.weekday": (weekday, found.now),
        "context.month": (month, found.now),
        "context.season": (seasons, found.now),
    }
    if nearest is not None:
        facts["context.nearest_port"] = (nearest[0], found.now)
        facts["context.nearest_port_distance"] = (nearest[1], found.now)
    return facts


@lru_cache(maxsize=512)
def _local(zone: str, quarter: int) -> tuple[int, int, int]:
    """(hour, ISO weekday, month) in a zone, which none of them changes within a quarter of an hour of UTC."""
    local = moment(quarter * schedule.QUARTER_MS).astimezone(schedule.zone(zone))
    return local.hour, local.isoweekday(), local.month


def clock_zone(places: Places, port: str | None) -> str:
    """The zone of the nearest port; without one, that of the catalog's first port in order of id."""
    name = port if port is not None else min(places.ports, default=None)
    return places.ports[name].zone if name is not None else "UTC"

"""What `campaigns simulate --customer` does: a customer as stored, looked at there and then. Nothing is counted."""

from pathlib import Path

import typer

from offers import live
from offers.catalog import Catalog
from offers.persona_place import spot
from offers.simulation import Simulation, decision_id, simulated
from offers.situation import Situation, clock_zone
from offers.tryout import Instead, compiled, placement, scores
from streams.consumer import wall_clock
from streams.errors import InvalidInput, NotFound
from streams.events import MAX_ID
from streams.findings import shown
from streams.ids import CustomerId, Millis
from streams.places import NOWHERE, Fix, Whereabouts
from streams.profile_scan import one
from streams.record import PlacementRequest, Request
from streams.settings import Settings
from streams.units import written_time

LOCALE = "en"
"""In which they are answered where --locale does not say."""


def simulate(folder: Path, customer: str, instead: Instead, model: Path | None, settings: Settings) -> Simulation:
    """Raises NotFound CUSTOMER_UNKNOWN, Stop STORE_STOPPED, Retry STORE_UNAVAILABLE, typer.BadParameter."""
    catalog = compiled(folder)
    found = _situation(customer, instead, catalog, settings)
    return simulated(found, _zone(catalog, found.whereabouts), catalog, scores(catalog, model))


def _situation(customer: str, instead: Instead, catalog: Catalog, settings: Settings) -> Situation:
    if not 1 <= len(customer) <= MAX_ID:
        raise typer.BadParameter(f"--customer has {len(customer)} characters; expected 1 to {MAX_ID}")
    name = CustomerId(customer)
    try:
        now = written_time(instead.now, _zone(catalog, NOWHERE)).at if instead.now else wall_clock()
        resolved = _resolved(instead.at, catalog, now)
        asked = _asked(instead.placements, catalog)
    except InvalidInput as error:
        raise typer.BadParameter(f"{error.code} {error.message}") from error
    with live.opened(settings, "offing-simulate") as store:
        held = one(store.client, store.keys, name)
        around = store.around(catalog, now)
    if held.profile is None and held.presence is None and not held.pending:
        raise NotFound("CUSTOMER_UNKNOWN", f"nothing is stored of {shown(customer)} in {settings.namespace}")
    request = Request(name, asked, instead.locale or LOCALE)
    return live.situation(held, around, request, resolved, decision_id(customer))


def _resolved(at: str, catalog: Catalog, now: Millis) -> Whereabouts:
    if not at:
        return NOWHERE
    point, accuracy_m = spot(at, catalog.places)
    return catalog.places.resolve(Fix(*point, accuracy_m, now), "precise")


def _asked(names: tuple[str, ...], catalog: Catalog) -> tuple[PlacementRequest, ...]:
    """Those named, or every placement as full as it may be."""
    return tuple(placement(name, catalog) for name in names or catalog.placements)


def _zone(catalog: Catalog, whereabouts: Whereabouts) -> str:
    nearest = catalog.places.nearest_port(whereabouts)
    return clock_zone(catalog.places, None if nearest is None else nearest[0])

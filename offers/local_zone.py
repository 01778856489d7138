"""`zone: customer` and `zone: port`: on whose clock the days and hours of a schedule are read."""

from functools import cache, lru_cache
from zoneinfo import available_timezones

from offers.condition import View
from offers.offer import Schedule
from streams.attributes import Facts, Value

CUSTOMER, PORT = "customer", "port"
LOCAL = (CUSTOMER, PORT)
CUSTOMER_ZONES = ("context.zone", "customer.zone")
"""What says where a customer's clock is, IANA names; the first that does. The phone is asked before the register."""
PORT_ZONES = ("sailing.origin", "venue.id", "context.nearest_port")
"""What says which port's clock it is: of the sailing or venue the offer is about, else of the nearest port."""


def zone_of(local: str, view: View) -> str | None:
    """The zone whose clock counts for one candidate, or None: nobody knows."""
    return _of_customer(view) if local == CUSTOMER else _of_port(view)


@lru_cache(maxsize=4_096)
def placed(plan: Schedule, zone: str) -> Schedule:
    """A schedule on one clock: its days and hours are those of a zone."""
    return Schedule(zone, days=plan.days, hours=plan.hours)


def _of_customer(view: View) -> str | None:
    for name in CUSTOMER_ZONES:
        said = _value(view.facts, name)
        if isinstance(said, str) and said in _zones():
            return said
    return None


def _of_port(view: View) -> str | None:
    ports = view.places.ports
    venue = view.places.venues.get(str(_value(view.subject, "venue.id")))
    names = (
        _value(view.subject, "sailing.origin"),
        None if venue is None else venue.port,
        _value(view.facts, "context.nearest_port"),
    )
    return next((ports[name].zone for name in names if isinstance(name, str) and name in ports), None)


def _value(facts: Facts, name: str) -> Value | None:
    fact = facts.get(name)
    return None if fact is None else fact[0]


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())

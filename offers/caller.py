"""Who is calling, and what they may do: an API key with scopes, or a customer's own token."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from streams.attributes import BUILT_IN, AttributeSet
from streams.errors import InvalidInput, NotAllowed
from streams.events import APP_EVENTS, Attributes, Event
from streams.ids import CustomerId

SCOPES = ("decide", "events", "simulate", "admin")
"""What a key may do: ask for decisions; send events and outcomes; set the clock of a simulated namespace; the rest."""
CUSTOMER_SCOPES = frozenset({"decide", "events"})
DERIVED_EVENTS = frozenset({"customer.friend_booked"})
"""Only the consumer makes these."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. `customer_id` is set for a customer's token only."""

    kind: Literal["key", "customer"]
    scopes: frozenset[str]
    name: str
    """The key's name, or `customer`: never an id, so it may be logged and counted."""
    customer_id: CustomerId | None = None


def key_caller(name: str, scopes: Iterable[str]) -> Caller:
    """The holder of an API key."""
    return Caller("key", frozenset(scopes), name)


def customer_caller(customer_id: CustomerId) -> Caller:
    """The holder of a customer's token."""
    return Caller("customer", CUSTOMER_SCOPES, "customer", customer_id)


def parse_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Known scopes in their order, each once. Raises InvalidInput SCOPE_UNKNOWN."""
    wanted = set(scopes)
    unknown = sorted(wanted - set(SCOPES))
    if unknown or not wanted:
        found = ", ".join(repr(scope[:60]) for scope in unknown) or "none"
        raise InvalidInput("SCOPE_UNKNOWN", f"scopes are {found}; choose from {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in wanted)


def require(caller: Caller, scope: str) -> None:
    """Raises NotAllowed SCOPE_MISSING. No scope includes another."""
    if scope in caller.scopes:
        return
    held = ", ".join(scope for scope in SCOPES if scope in caller.scopes)
    message = f"{caller.name!r} holds {held}; this needs scope {scope}: `offing keys create --scopes {scope},...`"
    raise NotAllowed("SCOPE_MISSING", message)


def may_act_for(caller: Caller, customer_id: str) -> None:
    """A key acts for everyone, a customer for themselves. Raises NotAllowed NOT_YOURS."""
    if caller.customer_id is not None and caller.customer_id != customer_id:
        raise NotAllowed("NOT_YOURS", "this token acts for its own customer only; send that customer's id")


def may_send_type(caller: Caller, event_type: str) -> None:
    """Raises NotAllowed NOT_YOURS_TO_SET: a customer's token sends app events only, nobody sends derived ones."""
    if event_type in DERIVED_EVENTS:
        raise NotAllowed("NOT_YOURS_TO_SET", f"{event_type} is made by Offing itself and is not accepted from outside")
    if caller.kind == "customer" and event_type not in APP_EVENTS:
        sent = event_type[:60]
        message = f"a customer's token may not send {sent}; it may send {', '.join(sorted(APP_EVENTS))}"
        raise NotAllowed("NOT_YOURS_TO_SET", message)


def may_send(caller: Caller, event: Event, attributes: AttributeSet) -> None:
    """Raises NotAllowed NOT_YOURS_TO_SET or NOT_YOURS.

    A customer's token sends app events about its own customer, and in them only attributes declared `from: app`.
    """
    may_send_type(caller, event.type)
    if caller.kind == "key":
        return
    may_act_for(caller, event.subject)
    if isinstance(event.data, Attributes):
        for name in event.data.attributes:
            attribute = attributes.by_name.get(f"customer.{name}")
            if attribute is None or attribute.set_by != "app":
                message = f"customer.{name[:60]} is not set by apps; it is declared `from: server` or not declared"
                raise NotAllowed("NOT_YOURS_TO_SET", message)


def may_say(caller: Caller, context: Iterable[str], attributes: AttributeSet) -> None:
    """Raises NOT_YOURS_TO_SET. A customer's token says only what is declared `from: app` of its own context; what is

    built in (device, app) every app says."""
    if caller.kind == "key":
        return
    for name in context:
        attribute = attributes.by_name[name]
        if attribute.set_by != "app" and attribute not in BUILT_IN:
            message = f"{name} is declared `from: server`; an app may not say it, leave it out"
            raise NotAllowed("NOT_YOURS_TO_SET", message)

"""A publication told: for machines, and in a word for people."""

from dataclasses import asdict
from typing import Any

from rich.markup import escape

from offers.approval_rules import told
from offers.publications import Publication
from offers.verdicts import Said, waits_for
from streams.ids import Millis
from streams.instant import format_instant

TIMES = ("published_at", "activate_at", "canceled_at", "approved_at", "rejected_at")


def as_json(each: Publication, said: Said = ()) -> dict[str, Any]:
    """With instants as text, what was said of it, and the rules it still waits for."""
    found: dict[str, Any] = asdict(each)
    del found["rules"]
    for name in TIMES:
        found[name] = None if found[name] is None else format_instant(found[name])
    found["waits_for"] = [asdict(rule) for rule in waits_for(each, said)]
    found["verdicts"] = [{**asdict(verdict), "at": format_instant(verdict.at)} for verdict in said]
    return found


def waiting(each: Publication, said: Said = ()) -> str:
    """`waits for anna or marco for collection cabins`; empty: for nobody."""
    wanted = waits_for(each, said)
    return f"waits for {told(wanted)}" if wanted else ""


def state(each: Publication, said: Said, now: Millis, *, active: bool) -> str:
    """What became of it, with rich's markup."""
    waits = waiting(each, said)
    if waits:
        return f"[yellow]{escape(waits)}[/yellow]"
    if each.rejected_at is not None:
        last = said[-1]
        return escape(f"rejected by {last.person}: {last.message}")
    if each.canceled_at is not None:
        return "canceled"
    by = f" approved by {escape(' and '.join(one.person for one in said))}" if said else ""
    if active:
        return f"[green]active[/green]{by}"
    return f"[yellow]from {format_instant(each.activate_at or now)}[/yellow]{by}" if each.waits(now) else by.strip()

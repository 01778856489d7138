"""What `campaigns reach` does: count how far every customer that is stored comes through one offer's conditions."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from offers import live, schedule
from offers.catalog import Catalog
from offers.commands import errors, say
from offers.condition_words import Words, instant
from offers.offer import Offer
from offers.one_campaign import one_campaign
from offers.reach import Step, Told, depth, steps, told
from offers.reading import UNAVAILABLE
from streams.consumer import wall_clock
from streams.ids import Millis
from streams.instant import format_instant
from streams.profile_scan import scan
from streams.record import Request
from streams.settings import Settings
from streams.units import written_time


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    campaign: str
    """A file, or the id of a campaign."""
    folder: Path | None
    now: str
    """In the campaign's zone, or with an offset; empty: the clock's."""


@dataclass(frozen=True, slots=True)
class Reach:
    """A funnel that was counted."""

    offer: Offer
    now: Millis
    status: str | None
    """Why nobody is shown it at this time, whatever they meet; None: it is live."""
    lines: tuple[Told, ...]
    unread: int
    """Profiles that could not be read."""


def reach(wanted: Wanted, settings: Settings, as_json: bool) -> None:
    """Count and print it. Raises InvalidInput, NotFound, Stop STORE_STOPPED, Retry STORE_UNAVAILABLE."""
    catalog, campaign = one_campaign(wanted.campaign, wanted.folder, live.folder(settings))
    offer = catalog.by_id[campaign.offer.id]
    now = written_time(wanted.now, offer.schedule.zone).at if wanted.now else wall_clock()
    funnel = steps(offer, catalog, Words(catalog.attributes, offer.schedule.zone))
    with live.opened(settings, "offing-reach") as store:
        around = store.around(catalog, now)
        reached, unread = _count(funnel, store, around, (offer, catalog))
    seasons = catalog.active_seasons(around.market.seasons, now)[0]
    status = schedule.status(offer.schedule, now, seasons)
    found = Reach(offer, now, None if status is None else status.value, told(funnel, reached), unread)
    if as_json:
        say(_told(found))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _page(found)))


def _count(
    funnel: tuple[Step, ...], store: live.Live, around: live.Around, of: tuple[Offer, Catalog]
) -> tuple[list[int], int]:
    """(customers that came to each step, profiles that could not be read)."""
    offer, catalog = of
    stopped, unread = [0] * (len(funnel) + 1), 0
    columns = TextColumn("looking at profiles"), BarColumn(), TextColumn("{task.completed:,.0f}"), TimeElapsedColumn()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("profiles", total=None)
        for batch in scan(store.client, store.keys):
            for held in batch:
                found = live.situation(held, around, Request(held.customer, (), ""))
                if UNAVAILABLE in found.degraded:
                    unread += 1
                else:
                    stopped[depth(funnel, found, offer, catalog)] += 1
            progress.advance(task, len(batch))
    return list(accumulate(reversed(stopped)))[::-1], unread


def _page(found: Reach) -> Iterator[str]:
    offer = found.offer
    yield f"{offer.campaign_id} at {instant(found.now, offer.schedule.zone)} {offer.schedule.zone}  [{offer.where}]"
    if found.status is not None:
        yield f"not live at this time ({found.status}): nobody is shown it, whatever stands below"
    width = max(len(line.text) for line in found.lines)
    for line in found.lines:
        yield f"  {line.text.rjust(width)}  {line.words}" + (f"  [{line.where}]" if line.where else "")
    if found.unread:
        yield "  some profiles could not be read and are left out; the log says which format they have"


def _told(found: Reach) -> dict[str, Any]:
    return {
        "campaign": found.offer.campaign_id,
        "offer": found.offer.id,
        "at": format_instant(found.now),
        "status": found.status,
        "unread": found.unread > 0,
        "steps": found.lines,
    }

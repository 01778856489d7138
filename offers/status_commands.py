"""`offing campaigns status`: how one campaign is doing, from the lake and the ledger."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from offers import live, runtime, schedule, status
from offers.approval_rules import told
from offers.budget import Money, amount, money_left
from offers.catalog import Catalog
from offers.commands import Json, command, say
from offers.last_change import LastChange, is_changed, last_change
from offers.offer import Campaign, Offer
from offers.one_campaign import one_campaign
from offers.publications import Publication
from offers.stops import CampaignStop
from offers.verdicts import Said, waits_for
from streams import lake_counts
from streams.errors import Retry, Stop
from streams.ids import Millis
from streams.instant import format_instant, parse_instant
from streams.lake import Lake
from streams.lake_counts import LakeCounts
from streams.record import DecisionRecord
from streams.settings import Settings, from_environment
from streams.units import duration_ms

NEWEST = 10_000
OUTCOMES = ("exposed", "clicked", "dismissed", "redeemed")


class Left(msgspec.Struct, frozen=True):
    """A budget of the campaign in its window of now. It may be passed by a few events, and lags by as many."""

    where: str
    amount: str
    spent: str
    left: str


class Waiting(msgspec.Struct, frozen=True):
    """A change that is not active until somebody approves it."""

    revision: str
    by: str
    """Who published it."""
    message: str
    wanted: str
    """`anna or marco for collection cabins`."""


class Report(msgspec.Struct, frozen=True):
    """Everything `campaigns status` says."""

    campaign: str
    owner: str
    offer: str
    where: str
    at: str
    since: str
    schedule: str | None
    """Why its schedule keeps it from everybody now; None: it is live."""
    stopped: dict[str, str] | None
    """`reason`, `by`, `at`."""
    last_change: LastChange | None
    """None: no publication that is kept here changed it."""
    waits: Waiting | None
    """The newest publication, if it changes the campaign and waits for approval."""
    decisions: int
    """All of the window."""
    shown: int
    """Decisions of the window that showed it."""
    outcomes: dict[str, int]
    budgets: tuple[Left, ...] | None
    """Empty: it has none; None: it has, and the store, where they are counted, does not answer."""
    looked: status.Looked
    """The newest decisions of the window, at most `newest`."""
    newest: int


@command
def show(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN|FILE")],
    folder: Annotated[Path | None, typer.Option("--dir", help="The folder of campaigns; else those that run.")] = None,
    since: Annotated[str, typer.Option(help="How far back, such as 24 h or 7 d.")] = "24 h",
    limit: Annotated[int, typer.Option(min=1, help="Newest decisions that are asked why it was not shown.")] = NEWEST,
    now: Annotated[str, typer.Option(help="The clock of a simulated namespace, such as 2026-11-21T18:00:00Z.")] = "",
    as_json: Json = False,
) -> None:
    """Shown, clicked, redeemed, why it was not shown, whether it is stopped, and who changed it last."""
    settings = from_environment()
    at = parse_instant(now) if now else runtime.wall_clock()
    found = _report(
        one_campaign(campaign, folder, live.folder(settings)), settings, (at - duration_ms(since), at), limit
    )
    if as_json:
        say(found)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _page(found)))


def _report(of: tuple[Catalog, Campaign], settings: Settings, window: tuple[Millis, Millis], limit: int) -> Report:
    catalog, campaign = of
    offer, (since, now) = catalog.by_id[campaign.offer.id], window
    with closing(runtime.ledger(settings)) as book:
        stop = next((each for each in book.stops.in_force() if each.campaign_id == campaign.id), None)
        history = book.publications.history()
        said = book.verdicts.of(history[:1])
    lake = Lake(settings.lake)
    counts: LakeCounts = lake_counts.count(lake, offer.id, since, now)
    keeps = schedule.status(offer.schedule, now, catalog.active_seasons({}, now)[0])
    return Report(
        campaign=campaign.id,
        owner=campaign.owner,
        offer=offer.id,
        where=offer.where,
        at=format_instant(now),
        since=format_instant(since),
        schedule=None if keeps is None else keeps.value,
        stopped=None if stop is None else _stopped(stop),
        last_change=last_change(campaign.id, history, settings.artifacts),
        waits=_waiting(campaign, history, said, settings),
        decisions=counts.decisions,
        shown=counts.shown,
        outcomes={event: counts.outcomes.get(event, 0) for event in OUTCOMES},
        budgets=_budgets(offer, settings, now),
        looked=status.look(islice(_newest(lake, since, now), limit), offer, catalog),
        newest=limit,
    )


def _waiting(
    campaign: Campaign, history: tuple[Publication, ...], said: Mapping[int, Said], settings: Settings
) -> Waiting | None:
    newest = history[0] if history else None
    wanted = waits_for(newest, said.get(newest.number, ())) if newest is not None else ()
    if newest is None or not wanted or not is_changed(campaign.id, newest, history, settings.artifacts):
        return None
    return Waiting(newest.revision, newest.author, newest.message, told(wanted))


def _budgets(offer: Offer, settings: Settings, now: Millis) -> tuple[Left, ...] | None:
    limits = [limit for limit in (*offer.limits, *offer.shared) if limit.budget is not None]
    if not limits:
        return ()
    try:
        with live.opened(settings, "offing-status") as store:
            totals = store.totals()
    except (Retry, Stop):
        return None
    return tuple(_left(each) for each in money_left(offer, totals, now))


def _left(each: Money) -> Left:
    whole = each.spent + each.left if each.limit.budget is None else each.limit.budget.amount
    told = (amount(minor, each.currency) for minor in (whole, each.spent, each.left))
    return Left(each.limit.where, *told)


def _newest(lake: Lake, since: Millis, until: Millis) -> Iterator[DecisionRecord]:
    """Decisions of the window, those of the newest day first."""
    for part in sorted(lake.parts(since, until), key=lambda part: (part.day, -part.bucket), reverse=True):
        yield from (record for record in lake.decisions(part) if since <= record.inputs.now < until)


def _stopped(stop: CampaignStop) -> dict[str, str]:
    return {"reason": stop.reason, "by": stop.stopped_by, "at": format_instant(stop.stopped_at)}


def _page(found: Report) -> Iterator[str]:
    yield f"{found.campaign}, {found.owner}  [{found.where}]"
    yield f"  {_standing(found)}"
    change = found.last_change
    if change is None:
        yield "  last change: no publication that is kept here changed it"
    else:
        yield f"  last change: {change.at} by {change.by}, publication {change.number}: {change.message}"
    if found.waits is not None:
        yield f"  {found.waits.revision} by {found.waits.by} waits for {found.waits.wanted}: {found.waits.message}"
    outcomes = ", ".join(f"{event} {number:,}" for event, number in found.outcomes.items())
    yield f"  since {found.since}: shown in {found.shown:,} of {found.decisions:,} decisions; {outcomes}"
    yield from (f"  {line}" for line in _money(found.budgets))
    looked = found.looked
    yield f"  of the newest {looked.decisions:,} decisions that asked for its placements: {_shares(looked)}"
    for why in looked.why:
        where = f"  [{why.where}]" if why.where else ""
        yield f"    {why.decisions:>9,}  {why.code}{' ' * bool(why.words)}{why.words}{where}"


def _money(budgets: tuple[Left, ...] | None) -> Iterator[str]:
    if budgets is None:
        yield "money left: not known, the store does not answer"
    elif not budgets:
        yield "money left: no budget"
    for each in budgets or ():
        yield f"money left: {each.left} of {each.amount}  [{each.where}]"


def _standing(found: Report) -> str:
    if found.stopped is not None:
        return f"stopped {found.stopped['at']} by {found.stopped['by']}: {found.stopped['reason']}"
    return "live" if found.schedule is None else f"not live now: {found.schedule}"


def _shares(looked: status.Looked) -> str:
    return f"eligible in {looked.eligible:,}, shown in {looked.shown:,}" + (". Else:" if looked.why else "")

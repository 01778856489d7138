"""`offing campaigns publish|history|rollback|stop|lift|stops`: what of a folder is live, since when, by whom."""

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from offers import publication_words, publishing, runtime
from offers.commands import Json, command, console, say
from offers.publications import Publication
from offers.publishing import Wish
from streams.errors import InvalidInput
from streams.ids import CampaignId, Millis
from streams.instant import format_instant, parse_instant
from streams.settings import from_environment

Message = Annotated[str, typer.Option("--message", "-m", help="One line: what changed, and why.")]
Author = Annotated[str, typer.Option(help="Who answers for it; else the user of this host.")]
FOLLOWED = "processes with OFFING_CAMPAIGNS_FROM=ledger run it within a second"


@command
def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    message: Message,
    author: Author = "",
    base: Annotated[str, typer.Option(help="The revision it rests on; else what was last published from here.")] = "",
    at: Annotated[str, typer.Option(help="Active from then on: 2026-11-21T15:00+01:00; else at once.")] = "",
    as_json: Json = False,
) -> None:
    """Check a folder and make it what runs. Exits 1 if it has errors, or somebody published meanwhile."""
    settings, wish = from_environment(), Wish(message, author, base, _instant(at))
    with closing(runtime.ledger(settings)) as book:
        done = publishing.publish(folder, wish, settings, book, runtime.wall_clock())
    if as_json:
        say({"published": done.fresh, **publication_words.as_json(done.publication), "warnings": len(done.findings)})
        return
    for finding in done.findings:
        console.print(f"[yellow]{escape(str(finding))}[/yellow]", soft_wrap=True)
    if done.fresh:
        _say_published(done.publication)
        return
    waits = publication_words.waiting(done.publication)
    told = f"{done.publication.revision} is published already{f', and {waits}' if waits else ''}"
    console.print(f"{told}; there is nothing new in {escape(str(folder))}", soft_wrap=True)


@command
def rollback(
    message: Message,
    revision: Annotated[str, typer.Argument(metavar="[REVISION]", help="Else the one before the newest.")] = "",
    author: Author = "",
    as_json: Json = False,
) -> None:
    """Publish an earlier revision again. It is a publication like any other: once more undoes it."""
    settings = from_environment()
    with closing(runtime.ledger(settings)) as book:
        made = publishing.rollback(revision, Wish(message, author), settings, book, runtime.wall_clock())
    if as_json:
        say(publication_words.as_json(made))
    else:
        _say_published(made)


@command
def history(
    most: Annotated[int, typer.Option("--most", min=1, max=1_000, help="How many, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """What was published, when, by whom and why; who approved it, and what waits for whom."""
    now = runtime.wall_clock()
    with closing(runtime.ledger(from_environment())) as book:
        found, active = book.publications.history(most), book.publications.active(now)
        said = book.verdicts.of(found)
    number = None if active is None else active.number
    if as_json:
        told = ((publication_words.as_json(each, said.get(each.number, ())), each.number == number) for each in found)
        say([{**each, "active": is_active} for each, is_active in told])
        return
    table = Table("", "revision", "published", "by", "message", "")
    for each in found:
        at = format_instant(each.published_at)
        state = publication_words.state(each, said.get(each.number, ()), now, active=each.number == number)
        table.add_row(str(each.number), each.revision, at, escape(each.author), escape(each.message), state)
    console.print(table)


@command
def stop(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="One line: why.")],
    author: Author = "",
    as_json: Json = False,
) -> None:
    """Take a campaign out of every decision, in under a second, until `lift`. No revision, no git, no approval."""
    settings = from_environment()
    with closing(runtime.ledger(settings)) as book:
        stopped = publishing.stop(campaign, reason, author, settings, book, runtime.wall_clock())
    if as_json:
        say(asdict(stopped))
        return
    since = f"since {format_instant(stopped.stopped_at)} by {escape(stopped.stopped_by)}: {escape(stopped.reason)}"
    console.print(f"{campaign} is stopped {since}\n`offing campaigns lift {campaign}` shows it again", soft_wrap=True)


@command
def lift(campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN")], author: Author = "") -> None:
    """End the stop of a campaign."""
    with closing(runtime.ledger(from_environment())) as book:
        book.stops.lift(CampaignId(campaign), author or publishing.author(), runtime.wall_clock())
    console.print(f"{escape(campaign)} may be shown again")


@command
def stops(
    every: Annotated[bool, typer.Option("--all", help="Lifted ones too, the newest first.")] = False,
    as_json: Json = False,
) -> None:
    """The campaigns that are stopped, since when, by whom and why."""
    with closing(runtime.ledger(from_environment())) as book:
        found = book.stops.history() if every else book.stops.in_force()
    if as_json:
        say([asdict(each) for each in found])
        return
    table = Table("campaign", "stopped", "by", "reason", "lifted")
    for each in found:
        lifted = "" if each.lifted_at is None else f"{format_instant(each.lifted_at)} by {each.lifted_by}"
        at = format_instant(each.stopped_at)
        table.add_row(each.campaign_id, at, escape(each.stopped_by), escape(each.reason), escape(lifted))
    console.print(table)


def add_publishing(campaigns: typer.Typer) -> None:
    """The commands of this module."""
    for each in (publish, history, rollback, stop, lift, stops):
        campaigns.command(each.__name__)(each)


def _instant(text: str) -> Millis | None:
    try:
        return parse_instant(text) if text else None
    except InvalidInput as error:
        raise typer.BadParameter(f"--at: {error.message}") from error


def _say_published(made: Publication) -> None:
    rests = "the first here" if made.base is None else f"rests on {made.base}"
    head = f"{made.revision} is published, number {made.number}, {rests}"
    waits = publication_words.waiting(made)
    if waits:
        console.print(f"{head}: {escape(waits)}\n`offing campaigns approve {made.revision}` is theirs", soft_wrap=True)
        return
    when = "active now" if made.activate_at is None else f"active from {format_instant(made.activate_at)} on"
    console.print(f"{head}: {when}\n{FOLLOWED}", soft_wrap=True)

"""`offing campaigns approve|reject`: the word of a second person on a publication that waits for it."""

from contextlib import closing
from typing import Annotated

import typer
from rich.markup import escape

from offers import publication_words, publishing, runtime
from offers.commands import Json, command, console, say
from offers.publish_commands import FOLLOWED, Author
from offers.verdicts import Decided
from streams.instant import format_instant
from streams.settings import from_environment

Revision = Annotated[str, typer.Argument(metavar="REVISION", help="As `history` shows it.")]


@command
def approve(
    revision: Revision,
    message: Annotated[str, typer.Option("--message", "-m", help="One line, if there is something to say.")] = "",
    author: Author = "",
    as_json: Json = False,
) -> None:
    """Agree to a publication that waits for you; after the last approval it needs, it is active."""
    with closing(runtime.ledger(from_environment())) as book:
        person = author or publishing.author()
        _say(book.verdicts.approve(revision, person, message, runtime.wall_clock()), as_json)


@command
def reject(
    revision: Revision,
    message: Annotated[str, typer.Option("--message", "-m", help="One line: why not.")],
    author: Author = "",
    as_json: Json = False,
) -> None:
    """Refuse a publication that waits for approval, or take back your own; it is never active."""
    with closing(runtime.ledger(from_environment())) as book:
        person = author or publishing.author()
        _say(book.verdicts.reject(revision, person, message, runtime.wall_clock()), as_json)


def add_approving(campaigns: typer.Typer) -> None:
    """The commands of this module."""
    for each in (approve, reject):
        campaigns.command(each.__name__)(each)


def _say(decided: Decided, as_json: bool) -> None:
    made = decided.publication
    if as_json:
        say(publication_words.as_json(made, decided.said))
        return
    waits = publication_words.waiting(made, decided.said)
    if waits:
        console.print(f"{made.revision} still {escape(waits)}", soft_wrap=True)
    elif made.rejected_at is not None:
        console.print(f"{made.revision} is rejected; what was active stays", soft_wrap=True)
    elif made.waits(made.approved_at or 0):
        console.print(f"{made.revision} is approved: active from {format_instant(made.activate_at or 0)} on")
    else:
        console.print(f"{made.revision} is approved: active now\n{FOLLOWED}", soft_wrap=True)

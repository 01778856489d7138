"""`offing models`: which are known, what became of each, and which is active; back with one command."""

import getpass
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from offers import learning, runtime, shadow_report, shadow_scoring
from offers.activation import load_model
from offers.commands import Json, command, console, errors, say
from offers.ledger import Ledger
from offers.models import PRIOR, Change, ModelState
from scoring.gate import Verdict, page
from streams.errors import InvalidInput
from streams.instant import format_instant
from streams.settings import Settings, from_environment

models = typer.Typer(no_args_is_help=True, help="Models: list, show, activate, roll back.")
OFF = "off"
Reason = Annotated[str, typer.Option(help="Why, for the history.")]


@models.command("list")
@command
def listed(as_json: Json = False) -> None:
    """Every known model with its state and why, the latest change first."""
    with closing(runtime.ledger(from_environment())) as book:
        found = book.models.states()
    if as_json:
        say([_line(each) for each in found])
        return
    table = Table("model", "state", "since", "by", "why")
    for each in found:
        state = f"[green]{each.state}[/green]" if each.state == "active" else each.state
        table.add_row(each.model, state, format_instant(each.changed_at), escape(each.changed_by), escape(each.reason))
    console.print(table)


@models.command("show")
@command
def shown(model: str, as_json: Json = False) -> None:
    """What became of a model, what the gate found, and its card."""
    settings = from_environment()
    with closing(runtime.ledger(settings)) as book:
        history = book.models.history(model)
    verdict = next((each.verdict for each in history if each.verdict is not None), None)
    if as_json:
        judged = None if verdict is None else msgspec.Raw(verdict.encode())
        say({"model": model, "history": [_line(each) for each in history], "verdict": judged})
        return
    for each in history:
        console.print(
            f"{format_instant(each.changed_at)} {each.state} by {escape(each.changed_by)}: {escape(each.reason)}"
        )
    if verdict is not None:
        console.print(f"\n{escape(_verdict_text(verdict))}", soft_wrap=True)
    card = _folder(settings, model) / "card.md"
    console.print(
        f"\n{escape(card.read_text())}" if card.is_file() else f"\n{card} is not on this host", soft_wrap=True
    )


@models.command("activate")
@command
def activate(model: str, reason: Reason = "by hand", as_json: Json = False) -> None:
    """Make a model active on every worker within a second, whatever the gate said; `prior` serves without a model.

    It is loaded first: one that cannot serve is refused, and what is active stays.
    """
    settings = from_environment()
    with closing(runtime.ledger(settings)) as book:
        change = _change(reason)
        if model == PRIOR:
            book.models.deactivate(change)
        else:
            _check(settings, book, model, change)
            book.models.activate(model, change)
    _say_active(model, as_json)


@models.command("rollback")
@command
def rollback(reason: Reason = "rolled back", as_json: Json = False) -> None:
    """Go back to the model that was active before, or to the prior if there was none.

    One that cannot serve any more is gone back to all the same, and it is said: the prior serves in its place.
    """
    settings = from_environment()
    with closing(runtime.ledger(settings)) as book:
        target = book.models.rollback(_change(reason))
    _say_active(target, as_json)
    if target != PRIOR:
        try:
            load_model(target, settings.artifacts, learning.attributes(settings))
        except InvalidInput as error:
            errors.print(f"[yellow]the prior serves: {error.code} {escape(error.message)}[/yellow]", soft_wrap=True)


@models.command("shadow")
@command
def shadow(
    model: Annotated[
        str, typer.Argument(help="Put this one there, or `off`; without it: how the one there does.")
    ] = "",
    score: Annotated[bool, typer.Option(help="Score what is new in the lake now, as `offing consume` does.")] = False,
    reason: Reason = "by hand",
    as_json: Json = False,
) -> None:
    """A model that is scored beside what serves, without influence on any answer, and how its scores compare."""
    settings = from_environment()
    if score:
        say(shadow_scoring.score(settings))
    elif model:
        _put_in_shadow(settings, model, reason, as_json)
    else:
        found = shadow_report.report(settings)
        if as_json:
            say(found)
        else:
            console.print(escape(shadow_report.page(found)), soft_wrap=True)


def _put_in_shadow(settings: Settings, model: str, reason: str, as_json: bool) -> None:
    """Loaded first: one that cannot serve says so now, and not in a log at night."""
    with closing(runtime.ledger(settings)) as book:
        change = _change(reason)
        if model != OFF:
            _check(settings, book, model, change)
        book.models.put_in_shadow(None if model == OFF else model, change)
    if as_json:
        say({"shadow": None if model == OFF else model})
    else:
        console.print("no model is in the shadow" if model == OFF else f"{escape(model)} is in the shadow")


def register(app: typer.Typer) -> None:
    """Make the commands ones of `offing`."""
    app.add_typer(models, name="models")


def _check(settings: Settings, book: Ledger, model: str, change: Change) -> None:
    """Raises NotFound MODEL_UNKNOWN, InvalidInput MODEL_INVALID or MODEL_PROTECTED, which is in the history then."""
    book.models.history(model)
    try:
        hindered = load_model(model, settings.artifacts, learning.attributes(settings)).hindered
    except InvalidInput as error:
        book.models.refuse(model, Change(change.by, change.now, f"{error.code} {error.message}"))
        raise
    if hindered:
        errors.print(f"[yellow]{model} serves by its booster, several times slower: {escape(hindered)}[/yellow]")


def _say_active(model: str, as_json: bool) -> None:
    if as_json:
        say({"active": model})
    else:
        console.print(f"{escape(model)} is active")


def _change(reason: str) -> Change:
    return Change(_who(), runtime.wall_clock(), reason)


def _verdict_text(verdict: str) -> str:
    """One of another version is shown as it is stored."""
    try:
        return page(msgspec.json.decode(verdict, type=Verdict))
    except msgspec.DecodeError:
        return verdict


def _who() -> str:
    try:
        return getpass.getuser()[:128]
    except (KeyError, OSError):  # a container without names
        return "offing models"


def _folder(settings: Settings, model: str) -> Path:
    return settings.artifacts / "models" / Path(model).name


def _line(each: ModelState) -> dict[str, Any]:
    return {**asdict(each), "verdict": None if each.verdict is None else msgspec.Raw(each.verdict.encode())}

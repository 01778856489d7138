"""`offing`: serve, consume, train, models, evaluate, replay, campaigns, keys, tokens, explain, doctor, migrate, ..."""

import logging
import os
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from offers import (
    consuming,
    contributed,
    doctor,
    drift_commands,
    evaluate_commands,
    group_commands,
    model_commands,
    runtime,
    serving,
    train_commands,
)
from offers.api.replays import told
from offers.campaign_commands import campaigns
from offers.commands import Json, command, console, say
from offers.import_commands import app as imports
from offers.replay import replay
from offers.tokens import CustomerToken, CustomerTokens
from streams.errors import InvalidInput, NotFound
from streams.events import MAX_ID
from streams.ids import CustomerId, DecisionId
from streams.instant import format_instant, parse_instant
from streams.lake import Lake
from streams.settings import Settings, from_environment
from streams.telemetry import configure_logging
from streams.units import duration_ms

logger = logging.getLogger("offing.cli")
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
keys = typer.Typer(no_args_is_help=True, help="API keys.")
tokens = typer.Typer(no_args_is_help=True, help="Customers' tokens.")
app.add_typer(campaigns, name="campaigns")
app.add_typer(imports, name="import")
app.add_typer(keys, name="keys")
app.add_typer(tokens, name="tokens")


def settings() -> Settings:
    """From the environment."""
    found = from_environment()
    configure_logging(found.log_level)
    return found


@app.command()
@command
def serve(
    watch: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Campaigns of this folder, each change as it is saved.")
    ] = None,
) -> None:
    """Answer HTTP. With nothing configured Valkey, the log, the ledger and the consumer are embedded in ./.offing."""
    if watch is not None:  # in the environment, where workers and the embedded consumer read it too
        os.environ |= {"OFFING_CAMPAIGNS": str(watch), "OFFING_CAMPAIGNS_FROM": "folder"}
    serving.serve(settings())


@app.command()
@command
def consume(while_parent: Annotated[int, typer.Option(hidden=True)] = 0) -> None:
    """Run the profile, location, market and lake consumers, a thread each."""
    consuming.consume(settings(), while_parent or None)


@app.command()
@command
def migrate() -> None:
    """Bring the ledger's schema to this version, and make the topics of a log on Kafka that are missing."""
    found = settings()
    found.artifacts.mkdir(parents=True, exist_ok=True)
    with closing(runtime.unprepared_ledger(found)) as book:
        book.migrate()
    console.print("the ledger's schema is of this version")
    for topic in runtime.prepare_log(found):
        console.print(f"topic {topic} is made")


@app.command("doctor")
@command
def examine(
    mend: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without losing anything.")] = False,
    as_json: Json = False,
) -> None:
    """Look for what would lose data, and say the mend. Exits 1 if anything is wrong."""
    found = settings()
    with closing(runtime.unprepared_ledger(found)) as book:
        parts = runtime.doctors_parts(found, book)
        diagnoses = doctor.fix(parts) if mend else doctor.examine(parts)
    if as_json:
        say([asdict(diagnosis) for diagnosis in diagnoses])
    else:
        table = Table("", "looked at", "found", "mend")
        for each in diagnoses:
            mark = "[green]good[/green]" if each.good else "[red]bad[/red]"
            table.add_row(mark, each.name, escape(each.found), _done(each))
        console.print(table)
    if not all(diagnosis.good for diagnosis in diagnoses):
        raise typer.Exit(1)


def _done(each: doctor.Diagnosis) -> str:
    if each.good:
        return "[green]mended[/green]" if each.mended else ""
    return escape(each.mend)


@keys.command("create")
@command
def create_key(
    name: Annotated[str, typer.Option()],
    scopes: Annotated[str, typer.Option(help="Of decide, events, simulate, admin; separated by commas.")],
    as_json: Json = False,
) -> None:
    """Make a key. Its secret is shown this once; only a hash of it is stored."""
    with closing(runtime.ledger(settings())) as book:
        secret = book.create_key(name, [scope.strip() for scope in scopes.split(",")], runtime.wall_clock())
    if as_json:
        say({"name": name, "secret": secret})
    else:
        console.print(f"{secret}\nkeep it: it is not shown again", soft_wrap=True)


@keys.command("list")
@command
def list_keys(as_json: Json = False) -> None:
    """All keys, revoked ones too."""
    with closing(runtime.ledger(settings())) as book:
        found = book.list_keys()
    if as_json:
        say([{"name": key.name, "scopes": key.scopes, "revoked": key.revoked_at is not None} for key in found])
        return
    table = Table("name", "scopes", "created", "revoked")
    for key in found:
        revoked = "" if key.revoked_at is None else format_instant(key.revoked_at)
        table.add_row(escape(key.name), " ".join(key.scopes), format_instant(key.created_at), revoked)
    console.print(table)


@keys.command("revoke")
@command
def revoke_key(name: Annotated[str, typer.Option()]) -> None:
    """Stop a key; every process refuses it within 5 seconds."""
    with closing(runtime.ledger(settings())) as book:
        book.revoke_key(name, runtime.wall_clock())
    console.print(f"{escape(name)} is revoked")


@tokens.command("mint")
@command
def mint(
    customer: Annotated[str, typer.Option()],
    ttl: Annotated[str, typer.Option(help="For example 1h, 30 min, 7 d.")] = "1h",
    now: Annotated[str, typer.Option(help="The clock of a simulated namespace.")] = "",
) -> None:
    """A token with which a phone acts for this customer only."""
    if not 1 <= len(customer) <= MAX_ID:
        raise InvalidInput("CUSTOMER_ID", f"--customer has {len(customer)} characters; expected 1 to {MAX_ID}")
    found = settings()
    at = parse_instant(now) if now else runtime.wall_clock()
    minted = CustomerTokens(runtime.token_keys(found))
    sys.stdout.write(minted.mint(CustomerToken(CustomerId(customer), at + duration_ms(ttl))) + "\n")


@app.command()
@command
def explain(decision_id: str, as_json: Json = False) -> None:
    """A decision as it was, replayed from its record: what was shown, and why everything else was not."""
    found = settings()
    record = Lake(found.lake).find(DecisionId(decision_id))
    if record is None:
        raise NotFound(
            "DECISION_UNKNOWN", f"{decision_id[:40]!r} is not in {found.lake}; records arrive within seconds"
        )
    with closing(runtime.ledger(found)) as book:
        active = runtime.activation(found, book)
        active.load()
        result = replay(record, active.revision(record.inputs.revision))
    if as_json:
        say(told(record, result, found.models))
        return
    console.print(
        f"[bold]{decision_id}[/bold] at {format_instant(record.inputs.now)} for {record.inputs.request.locale}"
    )
    console.print("the same bytes as logged" if result.same_bytes else "[red]not the bytes that were logged[/red]")
    for difference in result.differences:
        console.print(f"[yellow]{escape(difference)}[/yellow]")
    for line in contributed.lines_of(record, found.models):
        console.print(escape(line), soft_wrap=True)
    table = Table("offer", "about", "why", "rule", "found")
    for verdict in result.verdicts:
        for reason in verdict.reasons:
            table.add_row(verdict.offer_id, verdict.about, reason.code, escape(reason.where), escape(reason.detail))
    console.print(table)


drift_commands.register(app)
group_commands.register(app)
evaluate_commands.register(app)
train_commands.register(app)
model_commands.register(app)


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()

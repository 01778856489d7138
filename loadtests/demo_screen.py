"""What the demo looks like on a terminal."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from loadtests.demo_scenes import Scene
from loadtests.world import WorldReport
from loadtests.world_clock import local, rfc3339

ZONE = "Europe/Rome"
SHORT = 7
"""So many offers of the report's list."""


def show_scene(console: Console, scene: Scene, note: str = "") -> None:
    """An answer as a table of cards."""
    table = Table(box=None, padding=(0, 1), show_header=False, expand=True)
    table.add_column(style="dim", no_wrap=True, width=15)
    table.add_column(ratio=3)
    table.add_column(justify="right", no_wrap=True, width=11)
    for placement, item in scene.items:
        words = item["representation"]
        card = Text.assemble((words["title"], "bold"), "  ", (item["offer_id"], "cyan"), "\n", words["body"])
        table.add_row(placement, card, item["price"]["text"] if "price" in item else "")
    when = f"{local(scene.asking.at, ZONE):%a %d %b %H:%M}" + (" (rehearsed)" if scene.asking.rehearsed else "")
    subtitle = f"{when}, {scene.asking.device}, {scene.asking.locale}"
    title = f"[bold]{scene.title}[/bold]"
    console.print(
        Panel(table, title=title, title_align="left", subtitle=f"[dim]{subtitle}[/dim]", subtitle_align="right")
    )
    if note:
        console.print(f"  [green]{note}[/green]")


def show_report(console: Console, report: WorldReport) -> None:
    """What the world did."""
    outcomes = report.outcomes
    span = f"{rfc3339(report.start)[:16]} to {rfc3339(report.end)[:16]}"
    seen = f"{outcomes['exposed']:,} offers seen, {outcomes['clicked']:,} opened ({report.acceptance:.1%})"
    speed = f"{report.requests:,} requests in {report.seconds:.0f} s ({report.requests_per_s:.0f}/s)"
    console.print(
        f"[bold]{report.customers:,}[/bold] customers lived from {span}: [bold]{report.decisions:,}[/bold] decisions, "
        f"{seen}, {outcomes['redeemed']:,} paid for, {report.events['accepted']:,} events; {speed}"
    )
    most = report.offers.most_common(SHORT)
    best = ", ".join(f"{offer} {report.clicked[offer] / shown:.0%} of {shown:,}" for offer, shown in most)
    console.print(f"[dim]most seen: {best}[/dim]")


def show_model(console: Console, card: Mapping[str, Any], seconds: float) -> None:
    """What the model's card says."""
    aucs = ", ".join(f"{judged['auc']:.3f} for {who}" for who, judged in card["metrics"].items())
    console.print(
        f"trained in {seconds:.0f} s on {card['rows']:,} seen offers of {card['customers']:,} customers "
        f"({card['positives']:,} opened); AUC {aucs}"
    )
    weightiest = ", ".join(f"{name} {share:.0%}" for name, share in card["importance"][:SHORT])
    console.print(f"[dim]it looks most at {weightiest}[/dim]")


def show_reason(console: Console, offer: str, reason: Mapping[str, Any]) -> None:
    """Why an offer was not shown, and what would change that."""
    text = f"[bold]{offer}[/bold] was not shown: {reason['code']} at [cyan]{reason['where']}[/cyan]\n{reason['detail']}"
    console.print(Panel(text, title="[bold]Why not[/bold]", title_align="left"))


def curl_of(url: str, token: str, body: Mapping[str, Any]) -> str:
    """A command that works as pasted in any POSIX shell; the body holds no single quote."""
    sent = json.dumps(body, ensure_ascii=True).replace("'", "\\u0027")
    return (
        f"curl -s {url}/v1/decisions -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{sent}'"
    )

"""The bench's table: on the terminal, and in Markdown between two marks of docs/performance.md."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests.bench.results import GOALS, Results, Row

PAGE = Path("docs/performance.md")
BEGIN = "<!-- bench: written by make bench -->"
END = "<!-- end of bench -->"


def say(results: Results, console: Console) -> None:
    """Both tables."""
    runs = Table("asked", "p50 ms", "p99 ms", "per s", "CPU ms", "client", "runs", title="Medians of the runs")
    for row in results.rows:
        runs.add_row(*_cells(row))
    console.print(runs)
    goals = Table("number", "found", "target", "met", title=f"{results.commit}, {results.machine}")
    for key, value in results.values.items():
        goals.add_row(key, *_judged(key, value))
    console.print(goals)
    for note in results.notes:
        console.print(note)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.scene,
        f"{row.p50_ms:.3f}",
        f"{row.p99_ms:.3f}",
        f"{row.per_s:,.0f}",
        f"{row.service_cpu_ms:.3f}",
        f"{row.client_share:.0%}",
        f"{row.runs} x {row.requests // max(1, row.runs)}",
    )


def _judged(key: str, value: float | None) -> tuple[str, str, str]:
    goal = GOALS.get(key)
    found = "not measured" if value is None else f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
    if goal is None or value is None:
        return found, "" if goal is None else goal.text, ""
    met = "no" if not goal.met(value) else "yes, and the aim" if goal.aimed(value) else "yes"
    return found, goal.text, met


def markdown(results: Results) -> str:
    """Both tables with the conditions, as they stand in the docs."""
    return "\n".join(_lines(results))


def _lines(results: Results) -> Iterator[str]:
    yield f"Commit {results.commit}, {results.at}, {results.machine}; {results.seconds / 60:.1f} minutes."
    yield ""
    yield results.conditions
    yield ""
    yield "| number | found | target | met |"
    yield "|---|---|---|---|"
    for key, value in results.values.items():
        yield f"| `{key}` | {' | '.join(_judged(key, value))} |"
    yield ""
    yield "| asked | p50 ms | p99 ms | per s | service CPU ms | client's core | runs x requests |"
    yield "|---|---|---|---|---|---|---|"
    for row in results.rows:
        yield f"| {' | '.join(_cells(row))} |"
    for note in results.notes:
        yield ""
        yield note


def publish(results: Results, page: Path = PAGE) -> None:
    """Put the tables between the marks. Raises ValueError if they are not there."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no {BEGIN} ... {END}; put both lines where the bench's tables shall stand")
    page.write_text(f"{before}{BEGIN}\n{markdown(results)}\n{END}{after}")

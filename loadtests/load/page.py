"""The report as one page that needs nothing else: verdict and knee first. Made from report.json's document alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from loadtests.load.chart import bars, lines
from loadtests.load.histogram import three_figures
from loadtests.load.shapes import JUDGED, STEP
from loadtests.load.style import STYLE
from loadtests.load.summary import knee_told

Document = Mapping[str, Any]
TIMES = ("p50", "p90", "p95", "p99", "p99_9", "max")
WORDS = {
    "passed": "The target kept its budget under this load.",
    "failed": "The target did not keep its budget, or answered something that must never be answered.",
    "invalid": "This run says nothing about the target: the load was not what was asked for.",
}


def page(found: Document) -> str:
    """HTML."""
    judged = [stage for stage in found["stages"] if stage["role"] in JUDGED]
    parts = [
        _verdict(found),
        *(_tiles(stage) for stage in judged[:1]),
        _ramp(found),
        *(_latency(stage, found["budget"]) for stage in judged),
        _stages(found["stages"]),
        *(_where(stage) for stage in judged[:1]),
        _checks(found),
        _run(found),
    ]
    title = f"Load test {found['outcome']}"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = f"<body><main>{''.join(parts)}</main></body>"
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>{body}</html>\n'


def _verdict(found: Document) -> str:
    outcome = found["outcome"]
    reasons = "".join(
        f"<li><b>{escape(reason['stage'])}</b>: {escape(reason['what'])}</li>" for reason in found["reasons"]
    )
    told = f"<ul>{reasons}</ul>" if reasons else ""
    knee = escape(knee_told(found["knee"]))
    return (
        f'<header class="{outcome}"><h1>{outcome}</h1><p>{WORDS[outcome]}</p>{told}'
        f'<p class="knee">{knee[:1].upper()}{knee[1:]}.</p></header>'
    )


def _tiles(stage: Document) -> str:
    times = stage["latency_ms"].get("decision", {}).get("from_due", {})
    decisions, fresh, cpu = stage["decisions"], stage["freshness_ms"], stage["generator"]["cpu"]
    tiles = (
        ("answered", f"{stage['rate']['answered']:.0f}/s", f"of {stage['rate']['offered']:.0f}/s offered"),
        ("decision p50", _ms(times.get("p50")), "from the instant it was due"),
        ("decision p99", _ms(times.get("p99")), f"{times.get('count', 0):,} decisions"),
        ("errors", f"{stage['errors']:.2%}", f"{stage['retries']} retries"),
        ("degraded", f"{decisions['degraded']:.2%}", _counts(decisions["degraded_by"]) or "nothing was missing"),
        ("hit rate", f"{decisions['hit_rate']:.1%}", f"{decisions['hit_rate_as_live']:.1%} if its outcomes counted"),
        ("freshness p99", _ms(fresh["p99"]), f"{fresh['count']} fare changes, p50 {_ms(fresh['p50'])}"),
        ("generator", "" if cpu is None else f"{cpu:.0%}", "of one core"),
    )
    inside = "".join(f"<div><dt>{name}</dt><dd>{value}</dd><small>{note}</small></div>" for name, value, note in tiles)
    return f'<section><h2>{escape(stage["name"])}</h2><dl class="tiles">{inside}</dl></section>'


def _ramp(found: Document) -> str:
    steps = [stage for stage in found["stages"] if stage["role"] in (*JUDGED, STEP)]
    if not any(stage["role"] == STEP for stage in steps):
        return ""
    series = {name: _over_rate(steps, name) for name in ("p50", "p95", "p99")}
    limit = found["budget"]["latency_ms"].get("decision", {}).get("p99")
    drawn = lines(
        series, limit=limit, mark=found["knee"]["rate"], caption="Decisions: ms from due, over the offered rate"
    )
    return f"<section><h2>Up to the knee</h2>{drawn}</section>"


def _over_rate(steps: Sequence[Document], quantile: str) -> list[tuple[float, float]]:
    found = []
    for stage in steps:
        value = stage["latency_ms"].get("decision", {}).get("from_due", {}).get(quantile)
        if value is not None:
            found.append((stage["rate"]["planned"], value))
    return sorted(found)


def _latency(stage: Document, budget: Document) -> str:
    rows = []
    for name, kind in stage["latency_ms"].items():
        limits = budget["latency_ms"].get(name, {})
        rows.append(
            [name, f"{kind['from_due']['count']:,}", *_cells(kind["from_due"], limits), *_sent(kind["from_sent"])]
        )
    fresh = stage["freshness_ms"]
    rows.append(["freshness", f"{fresh['count']:,}", *_cells(fresh, budget["freshness_ms"]), "", ""])
    head = ["ms", "count", *(name.replace("_", ".") for name in TIMES), "p50 from sent", "p99 from sent"]
    failed = _counts(stage["requests"]["failed"])
    note = f"<p>Without a usable answer: {escape(failed)}.</p>" if failed else ""
    title = f"<h2>Latency, {escape(stage['name'])}</h2>"
    return f"<section>{title}{_table(head, rows)}{note}<p>Marked: beyond the budget.</p></section>"


def _cells(times: Document, limits: Document) -> Iterator[str]:
    for name in TIMES:
        value, limit = times[name], limits.get(name)
        shown = three_figures(value)
        beyond = value is not None and limit is not None and value > limit
        note = "" if limit is None else f"<small> / {limit:g}</small>"
        yield f"<b class=beyond>{shown}</b>{note}" if beyond else f"{shown}{note}"


def _sent(times: Document) -> tuple[str, str]:
    return three_figures(times["p50"]), three_figures(times["p99"])


def _stages(stages: Sequence[Document]) -> str:
    head = [
        "stage",
        "offered/s",
        "sent/s",
        "answered/s",
        "p50",
        "p95",
        "p99",
        "errors",
        "degraded",
        "hits",
        "generator",
        "late p99",
    ]
    rows = []
    for stage in stages:
        rate, times, made, decisions = stage["rate"], stage["all_ms"], stage["generator"], stage["decisions"]
        rows.append(
            [
                escape(stage["name"]),
                *(f"{rate[name]:.0f}" for name in ("offered", "sent", "answered")),
                *(three_figures(times[name]) for name in ("p50", "p95", "p99")),
                f"{stage['errors']:.2%}",
                f"{decisions['degraded']:.2%}",
                f"{decisions['hit_rate']:.0%}",
                "" if made["cpu"] is None else f"{made['cpu']:.0%}",
                three_figures(made["unpunctual_ms"]["p99"]),
            ]
        )
    note = "<p>Times in ms. Late: how long after it was due a request left though a connection was free.</p>"
    return f"<section><h2>All stages</h2>{_table(head, rows)}{note}</section>"


def _where(stage: Document) -> str:
    target = stage["target"]
    by_stage = {name: value["mean"] for name, value in target["stage_ms"].items()}
    drawn = [
        bars(by_stage, "ms", "Stages of answering a decision, on average, by the service's own clock (/metrics)"),
        bars(target["cpu_ms_per_request"], "ms", "CPU per request of any kind, by process of the target"),
    ]
    cores = {**target["cores"], "the generator": stage["generator"]["cpu"] or 0.0}
    cores["anything else on this machine"] = stage["generator"]["elsewhere_cores"]
    if target["cores"]:
        drawn.append(bars(cores, "cores", "Cores used meanwhile"))
    cache = _counts({name: int(number) for name, number in target["cache"].items()})
    told = f"<p>Kept decisions, the probe's questions included: {escape(cache)}.</p>" if cache else ""
    return f"<section><h2>Where the time goes</h2>{''.join(drawn)}{told}</section>" if any(drawn) or told else ""


def _checks(found: Document) -> str:
    rows = [
        [each["name"], escape(each["meaning"]), _looked(each["looked_at"]), _violated(each["violated"])]
        for each in found["checks"]
    ]
    told = "".join(f"<li>{escape(each['check'])}: {escape(each['found'])}</li>" for each in found["violations"])
    head = ["check", "what must be true", "items looked at", "violated"]
    return (
        f"<section><h2>Every answer was checked</h2>{_table(head, rows)}{f'<ul>{told}</ul>' if told else ''}</section>"
    )


def _looked(number: int) -> str:
    return f"{number:,}" if number else "<b class=odd>none: it met nothing</b>"


def _violated(number: int) -> str:
    return f"<b class=beyond>{number:,}</b>" if number else "0"


def _run(found: Document) -> str:
    rows = [[escape(name), escape(_told(value))] for name, value in found["run"].items()]
    how = (
        "<p>Requests are due at instants fixed beforehand (Poisson arrivals); none waits for another's answer. Latency "
        "counts from that instant, repeats included. Numbers have three significant figures.</p>"
    )
    return f"<section><h2>The run</h2>{how}{_table(['', ''], rows)}</section>"


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return str(value)


def _counts(counts: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))


def _ms(value: float | None) -> str:
    return f"{three_figures(value)} ms" if value is not None else "–"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    first = "".join(f"<th>{name}</th>" for name in head)
    rest = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{first}</tr></thead><tbody>{rest}</tbody></table></div>'

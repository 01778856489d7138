"""card.html: the card for a person, in one file: no network, no script, readable in print and in the dark."""

from collections.abc import Iterator, Mapping
from html import escape

from scoring import plots
from scoring.calibration import Calibration
from scoring.card import Card
from scoring.features import FeatureList, Part
from scoring.metrics import Metrics
from streams.instant import format_instant

MOST_COLUMNS = 15
_PARTS: Mapping[Part, str] = {
    Part.COMMON: "customer, context and place",
    Part.OFFER: "offer",
    Part.SUBJECT: "booking, sailing, venue and market",
    Part.HISTORY: "responses so far",
    Part.OWN: "crosses of customer and offer",
    Part.RATES: "rates of the offer among customers alike",
}
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #5d6878; --line: #d9dee6; --card: #f6f8fb; --page: #fff;
  --blue: #2563c9; --warm: #d97706; --soft: #2563c926; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --quiet: #9aa5b5; --line: #333c4a; --card: #1b222d;
  --page: #12171f; --blue: #6ea8fe; --warm: #f2a33c; --soft: #6ea8fe33; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 24px 56px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 6px; } h2 { font-size: 19px; margin: 44px 0 4px; }
h3 { font-size: 14px; margin: 0 0 6px; overflow-wrap: anywhere; }
p { margin: 4px 0 12px; max-width: 78ch; } .quiet, caption { color: var(--quiet); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 22px 0 0; }
.tile, figure { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 14px; } .tile b { display: block; font-size: 25px; line-height: 1.25; letter-spacing: -.01em; }
.tile span { color: var(--quiet); font-size: 13px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(310px, 1fr)); gap: 14px; margin-top: 14px; }
.two { grid-template-columns: repeat(auto-fit, minmax(430px, 1fr)); }
figure { margin: 0; padding: 14px 14px 8px; break-inside: avoid; } svg { display: block; width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; margin-top: 12px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 500; font-size: 13px; } th:first-child, td:first-child { text-align: left; }
.scroll { overflow-x: auto; } td.words { text-align: left; overflow-wrap: anywhere; }
.bars td:first-child { width: 34%; overflow-wrap: anywhere; } .bars td:nth-child(2) { width: 54%; }
.bars i { display: block; height: 13px; margin-top: 4px; border-radius: 3px; background: var(--blue); }
code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.grid { stroke: var(--line); } .tick { fill: var(--quiet); font-size: 11px; } .bar { fill: var(--blue); opacity: .75; }
.dot { fill: var(--blue); fill-opacity: .8; } .range { stroke: var(--blue); stroke-width: 2; opacity: .6; }
.line { fill: none; stroke: var(--warm); stroke-width: 2; } .point { fill: var(--warm); } .band { fill: var(--soft); }
.right { fill: none; stroke: var(--quiet); stroke-dasharray: 4 4; }
@media print { :root { color-scheme: light; --ink: #000; --quiet: #444; --line: #bbb; --card: #fff; --page: #fff;
  --blue: #2563c9; --warm: #b45309; --soft: #2563c926; } body { font-size: 12px; } main { padding: 0; max-width: none; }
  .bars i { print-color-adjust: exact; -webkit-print-color-adjust: exact; } h2 { break-after: avoid; } }
"""


def page(card: Card, features: FeatureList, calibration: Calibration) -> str:
    """card.html."""
    parts = [
        *_head(card),
        *_judged(card),
        *_looked_at(card),
        *_dependence(card),
        *_made(card, calibration),
        *_columns(features),
    ]
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f"<head>{meta}<title>Propensity model {escape(card.data[:8])}</title><style>{_STYLE}</style></head>"
    return f'<!doctype html>\n<html lang="en">{head}\n<body><main>\n' + "\n".join(parts) + "\n</main></body></html>\n"


def _head(card: Card) -> Iterator[str]:
    yield "<h1>Propensity model</h1>"
    yield (
        f'<p class="quiet">{card.rows:,} shown and seen items of {card.customers:,} customers and {card.offers:,} '
        f"offers, {card.positives:,} accepted ({card.positives / card.rows:.2%}); decisions from {_day(card.since)} to "
        f"{_day(card.until)}.</p>"
    )
    yield '<div class="tiles">'
    for kind, found in sorted(card.metrics.items()):
        yield _tile(_number(found.auc, 3), f"AUC, {kind}")
        yield _tile(f"{found.ece:.3f}", f"calibration error, {kind}")
        yield _tile(f"{1 - found.log_loss / found.log_loss_of_mean:.1%}", f"less log loss than the mean rate, {kind}")
    yield "</div>"


def _tile(value: str, words: str) -> str:
    return f'<div class="tile"><b>{value}</b><span>{escape(words)}</span></div>'


def _judged(card: Card) -> Iterator[str]:
    yield "<h2>On rows it had not seen</h2>"
    yield '<p class="quiet">Every number is of trees that did not see the row, by the kind of split.</p>'
    heads = ("split", "rows", "AUC", "95 %", "log loss", "of the mean rate", "Brier", "calibration error")
    yield '<div class="scroll"><table><tr>' + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"
    for kind, found in sorted(card.metrics.items()):
        yield f"<tr><td>{escape(kind)}</td>" + "".join(f"<td>{cell}</td>" for cell in _cells(found)) + "</tr>"
    yield "</table></div>"
    yield '<div class="plots two">'
    for kind, found in sorted(card.metrics.items()):
        if found.reliability:
            yield _figure(f"Reliability, {kind}", plots.reliability(found.reliability))
        if found.deciles:
            yield _figure(f"Gain by decile, {kind}", plots.gain(found.deciles, found.positives / found.rows))
    yield "</div>"
    yield (
        '<p class="quiet">Reliability: dots on the dashed line said what came; the larger, the more rows; with 95 % '
        "intervals. Gain: bars are what came, the line is what was said, dashes are the mean.</p>"
    )


def _cells(found: Metrics) -> tuple[str, ...]:
    interval = "-" if found.auc_interval is None else f"{found.auc_interval[0]:.3f} to {found.auc_interval[1]:.3f}"
    losses = (f"{found.log_loss:.4f}", f"{found.log_loss_of_mean:.4f}", f"{found.brier:.4f}", f"{found.ece:.4f}")
    return f"{found.rows:,}", _number(found.auc, 3), interval, *losses


def _looked_at(card: Card) -> Iterator[str]:
    yield "<h2>What it looks at</h2>"
    rest = card.importance[MOST_COLUMNS:]
    yield '<p class="quiet">Share of the loss that splits on a column take away.</p><table class="bars">'
    most = card.importance[0][1] if card.importance else 1.0
    for name, share in card.importance[:MOST_COLUMNS]:
        bar = f'<i style="width:{100 * share / most:.1f}%"></i>'
        yield f"<tr><td><code>{escape(name)}</code></td><td>{bar}</td><td>{share:.1%}</td></tr>"
    if rest:
        yield f"<tr><td>{len(rest)} others</td><td></td><td>{sum(share for _, share in rest):.1%}</td></tr>"
    yield "</table>"


def _dependence(card: Card) -> Iterator[str]:
    if not card.dependence:
        return
    yield "<h2>How they move the probability</h2>"
    yield (
        '<p class="quiet">Partial dependence: what is said on average if everybody had this value and all else stayed; '
        "the band or bar holds the middle half of the rows.</p>"
    )
    most = plots.ceiling(card.dependence)
    yield '<div class="plots">'
    yield from (_figure(of.column, plots.dependence(of, most)) for of in card.dependence)
    yield "</div>"


def _figure(title: str, picture: str) -> str:
    return f"<figure><h3>{escape(title)}</h3>{picture}</figure>"


def _made(card: Card, calibration: Calibration) -> Iterator[str]:
    if calibration.method == "platt":
        curve = f"platt: 1 / (1 + exp(-({calibration.slope:.4g} x margin {calibration.intercept:+.4g})))"
    else:
        curve = f"{calibration.method}: {len(calibration.margins)} points"
    yield "<h2>How it was made</h2><table>"
    told = {
        "window": f"{format_instant(card.since)} to {format_instant(card.until)}",
        "decided by": ", ".join(card.models),
        "revisions": ", ".join(card.revisions),
        "left out": ", ".join(f"{count:,} {reason}" for reason, count in card.left_out.items()) or "nothing",
        "data": card.data,
        "trees": f"{card.trees}, LightGBM {card.lightgbm}, seed {card.seed}",
        "weights": card.weights or "none: all rows alike",
        "calibration": curve,
        "trust in declared propensities": f"{card.trust:.2f}",
        "compiled for": card.target or "nothing: the booster serves",
    }
    for name, value in told.items():
        yield f'<tr><td>{name}</td><td class="words"><code>{escape(value)}</code></td></tr>'
    yield "</table>"


def _columns(features: FeatureList) -> Iterator[str]:
    yield f"<h2>Its {len(features.columns)} columns</h2><table>"
    for part, words in _PARTS.items():
        names = [column.name for column in features.of_part(part)]
        if names:
            told = " · ".join(f"<code>{escape(name)}</code>" for name in names)
            yield f'<tr><td>{words} ({len(names)})</td><td class="words">{told}</td></tr>'
    yield "</table>"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _day(at: int) -> str:
    return format_instant(at)[:10]

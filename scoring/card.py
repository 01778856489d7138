"""The card of a model: what it was trained on, how good it is, what it looks at."""

from collections.abc import Mapping, Sequence

import msgspec

from scoring.dependence import Dependence
from scoring.metrics import Metrics
from streams.ids import Millis
from streams.instant import format_instant


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """card.json; card.html and card.md say the same to a person."""

    v: int
    seed: int
    rows: int
    positives: int
    customers: int
    offers: int
    since: Millis
    until: Millis
    """Instants of the first and last decision."""
    data: str
    """Digest of the rows and outcomes."""
    revisions: tuple[str, ...]
    models: tuple[str, ...]
    """Whose decisions these were."""
    left_out: dict[str, int]
    trees: int
    calibration: str
    trust: float
    """In declared propensities, 0 to 1 (scoring.cold_start)."""
    metrics: dict[str, Metrics]
    """On rows the trees had not seen."""
    importance: tuple[tuple[str, float], ...]
    """Share of the loss taken away by each column, the greatest first."""
    lightgbm: str
    target: str
    """What the compiled trees are for (scoring.compiled.TARGET); empty: there are none."""
    dependence: tuple[Dependence, ...] = ()
    """Of the most important columns; cards of earlier versions have none."""
    weights: str = ""
    """Of rows, in words; empty: they all weigh the same."""


FORMAT = 1
_SHOWN = 15


def page(card: Card) -> str:
    """card.md."""
    lines = [
        "# Propensity model",
        "",
        f"{card.rows:,} shown and seen items of {card.customers:,} customers, {card.offers} offers; "
        f"{card.positives:,} accepted ({card.positives / card.rows:.2%}).",
        f"Decisions from {format_instant(card.since)} to {format_instant(card.until)}, "
        f"by {', '.join(map(_plain, card.models))} on {_counted([*map(_plain, card.revisions)], 'revision')}.",
        f"{card.trees} trees, {card.calibration} calibration, trust in declared propensities {card.trust:.2f}, "
        f"seed {card.seed}, LightGBM {card.lightgbm}, compiled for {card.target or 'nothing'}, data {card.data}.",
        f"Left out: {', '.join(f'{count:,} {reason}' for reason, count in card.left_out.items()) or 'nothing'}.",
        *([f"Weights: {card.weights}."] if card.weights else []),
        "",
        "## On rows it had not seen",
        "",
        "| | AUC (95 %) | log loss | of the mean | Brier | ECE |",
        "|---|---|---|---|---|---|",
        *(_row(kind, found) for kind, found in sorted(card.metrics.items())),
        *(line for kind, found in sorted(card.metrics.items()) for line in _reliability(kind, found)),
        "",
        "## What it looks at",
        "",
        "| column | share of the gain |",
        "|---|---|",
        *(f"| {_plain(name)} | {share:.1%} |" for name, share in card.importance[:_SHOWN]),
        "",
    ]
    return "\n".join(lines)


def _plain(name: str) -> str:
    r"""A name out of a log, in a table: on one line, and no markup of its own.

    >>> print(_plain("a|b\n<i>"))
    a\|b &lt;i>
    """
    told = "".join(letter if letter.isprintable() else " " for letter in name)
    return told.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|") or "not said"


def _row(kind: str, found: Metrics) -> str:
    interval = "" if found.auc_interval is None else f" ({found.auc_interval[0]:.3f} to {found.auc_interval[1]:.3f})"
    auc = "-" if found.auc is None else f"{found.auc:.3f}"
    losses = f"{found.log_loss:.4f} | {found.log_loss_of_mean:.4f} | {found.brier:.4f} | {found.ece:.4f}"
    return f"| {kind} | {auc}{interval} | {losses} |"


def _reliability(kind: str, found: Metrics) -> Sequence[str]:
    rows = (
        f"| {bin.low:.1f} to {bin.high:.1f} | {bin.rows:,} | {bin.predicted:.3f} | {bin.observed:.3f} |"
        for bin in found.reliability
    )
    return ["", f"### Reliability, {kind}", "", "| said | rows | mean said | came |", "|---|---|---|---|", *rows]


def _counted(names: Sequence[str], noun: str) -> str:
    return f"{noun} {names[0]}" if len(names) == 1 else f"{len(names)} {noun}s"


def shares(gains: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """Gains as shares of their sum, the greatest first, without the columns that were never used."""
    total = sum(gains.values()) or 1.0
    used = ((name, gain / total) for name, gain in gains.items() if gain > 0)
    return tuple(sorted(used, key=lambda entry: (-entry[1], entry[0])))

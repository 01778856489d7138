"""An evaluation as text: in all, by segment, by offer."""

from collections.abc import Iterator

from scoring.evaluate import Evaluation, OfferLine, SegmentLine
from scoring.metrics import Intervals

SHOWN = 50
"""Offers on the page; the JSON has more."""


def page(found: Evaluation) -> str:
    """What a person reads."""
    lines = [
        f"{found.model} ({found.form}) on {found.rows:,} items of {found.customers:,} customers, "
        f"{found.positives / found.rows:.2%} accepted",
        *_flattered(found),
        f"  AUC {_number(found.auc)}{_between(found.auc_interval)}   log loss {found.log_loss:.4f} "
        f"(mean rate {found.log_loss_of_mean:.4f})   Brier {found.brier:.4f}   ECE {found.ece:.4f}",
        *_intervals(found.intervals),
        f"  declared propensities: AUC {_number(found.declared.auc)}, log loss {found.declared.log_loss:.4f}",
    ]
    if found.logged is not None:
        lines.append(f"  as logged: AUC {_number(found.logged.auc)}, log loss {found.logged.log_loss:.4f}")
    lines += ["", "  said         rows   mean said   came"]
    lines += [
        f"  {bin.low:.1f} to {bin.high:.1f} {bin.rows:>7,}   {bin.predicted:>9.3f}  {bin.observed:>5.3f}"
        for bin in found.reliability
    ]
    if found.segments:
        lines += [
            "",
            f"  {'segment':<40} rows   customers   mean said   came                    AUC                   ECE",
        ]
        lines += [_segment(line) for line in found.segments]
    lines += ["", f"  {'offer':<40} rows   mean said   came                    AUC   log loss   Brier    ECE"]
    lines += [_offer(line) for line in found.offers[:SHOWN]]
    more = len(found.offers) - SHOWN + found.offers_not_told
    if more > 0:
        lines.append(f"  and {more:,} offers with fewer rows")
    return "\n".join(lines)


def _flattered(found: Evaluation) -> Iterator[str]:
    if found.learnt_from:
        yield (
            f"  {found.learnt_from:,} of the items are of the time it was trained on, and flatter it if they are what "
            "it learnt from: --fresh leaves them out"
        )


def _intervals(found: Intervals | None) -> Iterator[str]:
    if found is not None:
        yield (
            f"  95 % by customer: log loss{_between(found.log_loss, 4)}, Brier{_between(found.brier, 4)}, "
            f"ECE{_between(found.ece, 4)}, came / said{_between(found.came_to_said)}"
        )


def _segment(line: SegmentLine) -> str:
    name = _short(f"{line.attribute} {line.segment}")
    came = _came(line.observed, line.intervals)
    auc = f"{_number(line.metrics.auc)}{_between(line.metrics.auc_interval)}"
    said = f"{line.rows:>6,}   {line.customers:>9,}   {line.predicted:>9.3f}"
    return f"  {name:<38} {said}   {came:<22}  {auc:<22} {line.metrics.ece:.3f}"


def _offer(line: OfferLine) -> str:
    came = _came(line.observed, line.intervals)
    losses = f"{_number(line.auc)}  {line.log_loss:>8.4f}  {line.brier:.4f}  {line.ece:.4f}"
    return f"  {_short(line.offer_id):<38} {line.rows:>6,}   {line.predicted:>9.3f}   {came:<22}  {losses}"


def _came(observed: float, found: Intervals | None) -> str:
    return f"{observed:.3f}{'' if found is None else _between(found.came)}"


def _short(name: str) -> str:
    return name if len(name) <= 38 else f"{name[:35]}..."


def _between(interval: tuple[float, float] | None, digits: int = 3) -> str:
    return "" if interval is None else f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

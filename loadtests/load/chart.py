"""Drawings for the page: SVG as text, in the page's own colours. Pure."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from loadtests.load.histogram import three_figures

WIDTH, HEIGHT = 720, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 96, 16, 40
BAR, GAP, LABEL = 18, 8, 190
Line = Sequence[tuple[float, float]]


def lines(series: Mapping[str, Line], *, limit: float | None, mark: float | None, caption: str) -> str:
    """Milliseconds, upwards and logarithmic, over requests/s. `limit`: a level, `mark`: a rate. Empty: no drawing."""
    points = [point for line in series.values() for point in line if point[1] > 0]
    if not points:
        return ""
    rates = [rate for rate, _ in points]
    low, high = _decades([value for _, value in points] + ([limit] if limit else []))
    place = _Place((min(rates), max(rates)), (low, high))
    parts = [*_grid(place), *_ticks(place, sorted(set(rates)))]
    if limit:
        y = place.y(limit)
        parts.append(f'<line class="limit" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(_text(WIDTH - RIGHT + 6, y + 4, f"budget {three_figures(limit)}", "limit"))
    if mark:
        x = place.x(mark)
        parts.append(f'<line class="knee" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(_text(x + 4, TOP + 10, "knee", "knee"))
    for number, (name, line) in enumerate(series.items()):
        parts += _line(place, number, name, [point for point in line if point[1] > 0])
    return _svg(WIDTH, HEIGHT, parts, caption)


def bars(rows: Mapping[str, float], unit: str, caption: str) -> str:
    """One bar a row, the longest at full width. Empty: no drawing."""
    most = max(rows.values(), default=0.0)
    if most <= 0:
        return ""
    parts = []
    for number, (name, value) in enumerate(rows.items()):
        y = number * (BAR + GAP) + GAP
        wide = (WIDTH - LABEL - RIGHT) * value / most
        parts.append(_text(LABEL - 8, y + BAR - 5, name, "label end"))
        parts.append(f'<rect class="bar" x="{LABEL}" y="{y}" width="{max(1.0, wide):.1f}" height="{BAR}" rx="2"/>')
        parts.append(_text(LABEL + max(1.0, wide) + 6, y + BAR - 5, f"{three_figures(value)} {unit}", "label"))
    return _svg(WIDTH, len(rows) * (BAR + GAP) + GAP, parts, caption)


class _Place:
    """Where a rate and a latency lie in the drawing."""

    def __init__(self, rates: tuple[float, float], values: tuple[float, float]) -> None:
        self.rates, self.values = rates, values

    def x(self, rate: float) -> float:
        low, high = self.rates
        return LEFT + (WIDTH - LEFT - RIGHT) * ((rate - low) / (high - low) if high > low else 0.5)

    def y(self, value: float) -> float:
        low, high = (math.log10(bound) for bound in self.values)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(value) - low) / (high - low)


def _decades(values: Sequence[float]) -> tuple[float, float]:
    low, high = (math.log10(bound) for bound in (min(values), max(values)))
    return 10 ** math.floor(low), 10 ** max(math.ceil(high), math.floor(low) + 1)


def _grid(place: _Place) -> list[str]:
    parts, level = [], place.values[0]
    while level <= place.values[1] * 1.001:
        y = place.y(level)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{level:g} ms", "label end"))
        level *= 10
    return parts


def _ticks(place: _Place, rates: Sequence[float]) -> list[str]:
    shown = rates[:: max(1, len(rates) // 8)]
    ticks = [_text(place.x(rate), HEIGHT - BOTTOM + 16, f"{rate:.0f}", "label middle") for rate in shown]
    return [*ticks, _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "requests a second", "label middle")]


def _line(place: _Place, number: int, name: str, line: Line) -> list[str]:
    if not line:
        return []
    drawn = " ".join(f"{place.x(rate):.1f},{place.y(value):.1f}" for rate, value in line)
    dots = [
        f'<circle class="dot s{number}" cx="{place.x(rate):.1f}" cy="{place.y(value):.1f}" r="3"/>'
        for rate, value in line
    ]
    end = line[-1]
    told = _text(place.x(end[0]) + 8, place.y(end[1]) + 4, name, f"s{number}")
    return [f'<polyline class="line s{number}" points="{drawn}"/>', *dots, told]


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _svg(wide: int, high: int, parts: Sequence[str], caption: str) -> str:
    head = f'<svg viewBox="0 0 {wide} {high}" role="img" aria-label="{escape(caption)}">'
    return f"<figure>{head}{''.join(parts)}</svg><figcaption>{escape(caption)}</figcaption></figure>"

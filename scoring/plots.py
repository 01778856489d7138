"""Plots as SVG, written by hand: no network, no script, the page's own colours, the same bytes for the same numbers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from scoring.dependence import Dependence, DependencePoint, plain
from scoring.metrics import Decile, ReliabilityBin

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 40
SURE = 1.96
_LABEL = 14


@dataclass(frozen=True, slots=True)
class Frame:
    """Where numbers lie on the picture."""

    across: tuple[float, float]
    up: tuple[float, float]

    def x(self, value: float) -> float:
        """Pixels from the left."""
        low, high = self.across
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        low, high = self.up
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def rule(self, value: float, label: str) -> str:
        """A horizontal line with its number."""
        y = self.y(value)
        line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        return f'{line}<text class="tick" x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>'

    def under(self, x: float, label: str, anchor: str = "middle") -> str:
        """A label below the picture."""
        place = f'x="{x:.1f}" y="{HEIGHT - BOTTOM + 15}"'
        return f'<text class="tick" {place} text-anchor="{anchor}">{escape(_short(label))}</text>'


def reliability(bins: Sequence[ReliabilityBin]) -> str:
    """What was said against what came, with 95 % intervals; on the diagonal is right. Larger: more rows."""
    most = _ceiling(max(max(each.predicted, _wilson(each)[1]) for each in bins))
    frame = Frame((0.0, most), (0.0, most))
    parts = [*_rules(frame), *(frame.under(frame.x(tick), _percent(tick)) for tick in _ticks(most))]
    parts.append(
        f'<path class="right" d="M{frame.x(0):.1f} {frame.y(0):.1f}L{frame.x(most):.1f} {frame.y(most):.1f}"/>'
    )
    whole = sum(each.rows for each in bins)
    for each in bins:
        low, high = _wilson(each)
        x, radius = frame.x(each.predicted), 3 + 9 * math.sqrt(each.rows / whole)
        told = f"said {each.predicted:.3f}, came {each.observed:.3f} of {each.rows:,}"
        parts.append(f'<path class="range" d="M{x:.1f} {frame.y(low):.1f}V{frame.y(high):.1f}"/>')
        circle = f'<circle class="dot" cx="{x:.1f}" cy="{frame.y(each.observed):.1f}" r="{radius:.1f}">'
        parts.append(f"{circle}<title>{told}</title></circle>")
    return _picture("What was said against what came", parts, "said")


def gain(deciles: Sequence[Decile], mean: float) -> str:
    """Share accepted by tenth of the rows, the highest scores first; a line: what was predicted, dashes: the mean."""
    most = _ceiling(max(mean, *(max(each.predicted, each.observed) for each in deciles)))
    frame = Frame((0.0, float(len(deciles))), (0.0, most))
    parts = [*_rules(frame)]
    for number, each in enumerate(deciles):
        x, y, width = frame.x(number + 0.12), frame.y(each.observed), frame.x(0.76) - frame.x(0)
        bar = f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{frame.y(0) - y:.1f}" rx="2">'
        parts.append(f"{bar}<title>came {each.observed:.3f} of {each.rows:,}, said {each.predicted:.3f}</title></rect>")
        parts.append(frame.under(frame.x(number + 0.5), str(number + 1)))
    middle = [(frame.x(number + 0.5), frame.y(each.predicted)) for number, each in enumerate(deciles)]
    parts.append(f'<path class="line" d="{_path(middle)}"/>')
    parts += [f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in middle]
    y = frame.y(mean)
    parts.append(f'<path class="right" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
    return _picture("Accepted by tenth of the scores", parts, "tenth of the rows, the highest scores first")


def dependence(of: Dependence, most: float) -> str:
    """The mean over the rows and their middle half, up to `most`."""
    frame = Frame((0.0, 1.0), (0.0, most))
    numbers = [point for point in of.points if point.value is not None] if of.ordered else []
    levels = [point for point in of.points if point not in numbers]
    room = 0.14 * len(levels) if numbers else 1.0
    parts = [*_rules(frame), *_curve(frame, numbers, 1.0 - room)]
    for number, point in enumerate(levels):
        parts += _level(frame, point, (1.0 - room) + room * (number + 0.5) / len(levels))
    return _picture(f"Partial dependence of {of.column}", parts, "")


def _curve(frame: Frame, points: Sequence[DependencePoint], room: float) -> Iterator[str]:
    """A number: a line over its own scale, with a band."""
    if not points:
        return
    values = [point.value or 0.0 for point in points]
    low, wide = values[0], (values[-1] - values[0]) or 1.0
    spots = [frame.x(room * (0.03 + 0.94 * (value - low) / wide)) for value in values]
    upper = [(x, frame.y(point.high)) for x, point in zip(spots, points, strict=True)]
    lower = [(x, frame.y(point.low)) for x, point in zip(spots, points, strict=True)]
    middle = [(x, frame.y(point.mean)) for x, point in zip(spots, points, strict=True)]
    yield f'<path class="band" d="{_path(upper + lower[::-1])}Z"/>'
    yield f'<path class="line" d="{_path(middle)}"/>'
    for (x, y), point in zip(middle, points, strict=True):
        told = f"<title>{point.label}: {point.mean:.3f}</title>"
        yield f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="2.6">{told}</circle>'
    yield frame.under(spots[0], points[0].label, "start")
    yield frame.under((spots[0] + spots[-1]) / 2, plain(low + wide / 2))
    yield frame.under(spots[-1], points[-1].label, "end")


def _level(frame: Frame, point: DependencePoint, place: float) -> Iterator[str]:
    x, y = frame.x(place), frame.y(point.mean)
    yield f'<path class="range" d="M{x:.1f} {frame.y(point.low):.1f}V{frame.y(point.high):.1f}"/>'
    told = f"<title>{escape(point.label)}: {point.mean:.3f}</title>"
    yield f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="5">{told}</circle>'
    yield frame.under(x, point.label)


def _wilson(of: ReliabilityBin) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    spread = SURE * SURE / of.rows
    middle = (of.observed + spread / 2) / (1 + spread)
    reach = SURE / (1 + spread) * math.sqrt(of.observed * (1 - of.observed) / of.rows + spread / (4 * of.rows))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _rules(frame: Frame) -> Iterator[str]:
    for tick in _ticks(frame.up[1]):
        yield frame.rule(tick, _percent(tick))


def ceiling(dependences: Sequence[Dependence]) -> float:
    """One scale for all of them: what moves less is to look so."""
    return _ceiling(max(max(point.mean, point.high) for of in dependences for point in of.points))


def _ceiling(value: float) -> float:
    """A round number above it, at most 1."""
    for step in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8):
        if value <= step:
            return step
    return 1.0


def _ticks(most: float) -> list[float]:
    return [most * number / 4 for number in range(5)]


def _percent(value: float) -> str:
    return f"{100 * value:.4g}%"


def _short(label: str) -> str:
    return label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _picture(title: str, parts: Sequence[str], below: str) -> str:
    foot = (
        f'<text class="tick" x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{below}</text>'
    )
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"'
    return f"<svg {size}>{''.join(parts)}{foot if below else ''}</svg>"

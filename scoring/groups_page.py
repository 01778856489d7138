"""A report on groups for people."""

from collections.abc import Iterator

from scoring.groups import APART, LEAST, NOT_SAID, Estimate, Group, GroupReport, Protected
from streams.instant import format_instant


def page(found: GroupReport) -> Iterator[str]:
    """Line by line."""
    yield f"{found.decisions:,} decisions from {format_instant(found.since)} to {format_instant(found.at)}"
    if not found.attributes:
        yield "no attribute is declared protected (attributes.yaml: `protected: true`)"
    for each in found.attributes:
        yield ""
        yield from _attribute(each)
    if found.attributes:
        yield ""
        yield (
            f"95 % intervals by customer. Groups of fewer than {LEAST} customers are not told; {NOT_SAID}: not known "
            "or no consent. Protected attributes are read for this report alone: no model sees them."
        )


def _attribute(found: Protected) -> Iterator[str]:
    yield f"{found.attribute}"
    head = ("customers", "decisions", "items seen", "per decision", "accepted", "predicted", "value shown")
    yield f"  {'':<20}{head[0]:>10}{head[1]:>11}{head[2]:>12}  {head[3]:<22}{head[4]:<24}{head[5]:<11}{head[6]}"
    for group in found.groups:
        yield _line(group)
    for group in found.groups:
        for rate in group.apart:
            yield (
                f"  {rate} of {group.group} is under {APART[0]:g} or over {APART[1]:g} times everyone else's, by more "
                "than chance: look for the rule or feature behind it"
            )


def _line(group: Group) -> str:
    name = group.group if len(group.group) <= 19 else f"{group.group[:16]}..."
    if group.customers is None:
        return f"  {name:<20}{f'<{LEAST}':>10}".rstrip()
    counts = f"{group.customers:>10,}{group.decisions:>11,}{group.exposed:>12,}"
    predicted = "-" if group.predicted is None else f"{group.predicted:.3f}"
    rates = f"{_told(group.exposure, 2):<22}{_told(group.acceptance, 3):<24}{predicted:<11}{_told(group.value, 2)}"
    return f"  {name:<20}{counts}  {rates}"


def _told(found: Estimate | None, digits: int) -> str:
    if found is None:
        return "-"
    return f"{found.mean:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"

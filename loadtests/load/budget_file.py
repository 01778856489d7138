"""budget.yaml -> Budget, strictly: what is unknown, missing or impossible is told with its line and the mend."""

from collections.abc import Mapping
from pathlib import Path

from loadtests.load.budget import QUANTILES, Budget
from loadtests.load.traffic import MIX
from streams.errors import InvalidInput
from streams.positioned_yaml import Node, read_file
from streams.sheet import Sheet
from streams.units import share

VERSION = 1
LEAST_MS, MOST_MS = 0.01, 60_000.0
MOST_RATE = 1_000_000.0
KEYS = ("version", "latency_ms", "freshness_ms", "errors", "degraded", "knee")


def read(path: Path) -> Budget:
    """Raises InvalidInput BUDGET_INVALID with every mistake: `path:line:column: CODE message mend`."""
    sheet = Sheet(str(path))
    root, findings = read_file(path, sheet.path)
    sheet.findings += findings
    budget = None if root is None else _budget(sheet, root)
    if budget is None or sheet.failed:
        told = "; ".join(map(str, sheet.findings))
        raise InvalidInput("BUDGET_INVALID", told)
    return budget


def _budget(sheet: Sheet, root: Node) -> Budget | None:
    fields = sheet.fields(root, "the budget", KEYS, required=KEYS)
    if len(fields) != len(KEYS):
        return None
    sheet.integer(fields["version"], "version", VERSION, VERSION)
    kinds = sheet.fields(fields["latency_ms"], "latency_ms", tuple(MIX), required=tuple(MIX))
    latency = {kind: _quantiles(sheet, node, f"latency_ms.{kind}") for kind, node in kinds.items()}
    freshness = _quantiles(sheet, fields["freshness_ms"], "freshness_ms")
    errors = sheet.parsed(fields["errors"], "errors", share)
    degraded = sheet.parsed(fields["degraded"], "degraded", share)
    knee = sheet.number(fields["knee"], "knee", 0.0, MOST_RATE)
    if errors is None or degraded is None or knee is None:
        return None
    return Budget(latency, freshness, errors, degraded, knee)


def _quantiles(sheet: Sheet, node: Node, name: str) -> dict[str, float]:
    """All of them, none below the one before."""
    given = sheet.fields(node, name, tuple(QUANTILES), required=tuple(QUANTILES))
    found: dict[str, float] = {}
    for quantile in QUANTILES:
        if quantile in given:
            limit = sheet.number(given[quantile], f"{name}.{quantile}", LEAST_MS, MOST_MS)
            if limit is not None:
                _rising(sheet, given[quantile], f"{name}.{quantile}", limit, found)
                found[quantile] = limit
    return found


def _rising(sheet: Sheet, node: Node, name: str, limit: float, before: Mapping[str, float]) -> None:
    highest = max(before.values(), default=0.0)
    if limit < highest:
        message = f"{name} is {limit:g}, less than what fewer requests may take ({highest:g})."
        sheet.error(node, "NOT_RISING", message, f"Write at least {highest:g}.")

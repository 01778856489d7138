"""What a run must meet."""

import msgspec

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
"""Name -> share of the requests that must not take longer."""


class Budget(msgspec.Struct, frozen=True):
    """Limits; a run that goes beyond one of them has failed."""

    latency_ms: dict[str, dict[str, float]]
    """Kind of request -> quantile -> ms from the instant it was due. Every kind, every quantile."""
    freshness_ms: dict[str, float]
    """Quantile -> ms from a fare change accepted to the first decision that shows it."""
    errors: float
    """Share of the requests due that may stay without a usable answer."""
    degraded: float
    """Share of the decisions that may do without something."""
    knee: float
    """Requests a second that a ramp must reach."""

"""What a request's deadline leaves: for the one read, and for how many candidates may be scored."""

import time

from offers.shortlist import ALLOW

RESERVE_MS = 3.0
"""Kept of a deadline for rendering and the network."""
CANDIDATES_PER_MS = 20
"""How many candidates a millisecond of deadline is good for: .05 ms each, on a slow core."""
READ_S = 0.3
"""A decision does without Redis rather than wait longer for it."""


def left_ms(deadline_ms: float | None, started: float) -> float:
    """What is left, less what rendering needs; infinite without a deadline, never below 0.

    `started` is time.perf_counter() at the first byte.
    """
    if deadline_ms is None:
        return float("inf")
    return max(0.0, deadline_ms - RESERVE_MS - (time.perf_counter() - started) * 1000)


def read_s(deadline_ms: float | None, started: float) -> float:
    """How long the one read may take: at most half of what is left, so that there is time to decide without it."""
    return min(READ_S, left_ms(deadline_ms, started) / 2000)


def candidate_limit(deadline_ms: float | None, started: float, most: int = ALLOW) -> int:
    """How many candidates may be scored in what is left; 0: fallback at once. It is in the inputs: replay sees it.

    `most`: how many a decision with time scores in layout order.
    """
    return int(min(most, left_ms(deadline_ms, started) * CANDIDATES_PER_MS))

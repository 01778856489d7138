"""Inclusion: the chance with which an offer beyond the candidate limit was looked at, alone and beside others. Pure.

Of the R survivors of the index that a decision did not come to in layout order, m are drawn uniformly without
replacement. So one of them is among the drawn with probability m / R; but once d of them stand in the answer already,
one more is with (m - d) / (R - d): the draws of one answer are not independent of each other.
"""

DRAWN = 3
"""Of those left, one is drawn for so many that may be allowed."""


def drawn(candidate_limit: int) -> int:
    """How many of those left are drawn, if there are as many: m."""
    return candidate_limit // DRAWN


def beside(inclusion: float, shown: int, candidate_limit: int) -> float:
    """Probability that an offer was drawn, given that `shown` others that were drawn were; `inclusion` is m / R.

    Times those of the others it is the exact probability that all of them were drawn (hypergeometric).

    >>> beside(2 / 4, 0, 6), beside(2 / 4, 1, 6)  # 2 of 4: both of a pair are drawn once in 6 times, not in 4
    (0.5, 0.3333333333333333)
    """
    if inclusion >= 1.0 or not shown:
        return inclusion
    most = drawn(candidate_limit)
    among = round(most / inclusion)
    return (most - shown) / (among - shown)

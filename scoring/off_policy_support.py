"""Support: whether a log can tell what another policy would have earned, and if not, why, in words."""

from dataclasses import dataclass

import msgspec

LEAST_EFFECTIVE = 100.0
LEAST_SHARE = 0.05
"""Of the choices, as effective sample size: below it the estimate hangs on a handful of choices."""
LEAST_CLUSTERS = 30
LEAST_POSITIVES = 10
"""Choices with a reward that the target could have made too: fewer make no distribution to draw from."""
MOST_MISSING = 0.05
MOST_OUTSIDE = 0.01
"""Of the target's choices, those that the log could not have shown."""
MOST_OF_ONE = 0.1
"""Of all weight, what one cluster may carry."""
LEAST_PAIRED = 700
"""Choices for a difference of two policies: of 181 logs of 400 that could tell, 165 intervals held the true one."""
OFF_BY = 4.0
"""Standard errors that the mean weight may be from 1 (Li et al. 2015: a test of the logged propensities)."""


class Doubt(msgspec.Struct, frozen=True):
    """Why a log cannot answer."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Support:
    """What a log holds about another policy."""

    rows: int
    """Choices with a known propensity."""
    clusters: int
    positives: int
    """Choices with a reward that the policy would make too."""
    missing: int
    """Choices without a propensity."""
    effective: float
    """Effective sample size."""
    heaviest: float
    """Share of all weight that one cluster carries."""
    outside: float
    """Share of the policy's choices that the log could not have made."""


def doubts(found: Support, mean_weight: tuple[float, float] | None) -> tuple[Doubt, ...]:
    """Why this log cannot answer; nothing if it can. `mean_weight`: with its standard error, None if clipped."""
    total = found.rows + found.missing
    share = found.effective / found.rows
    off = mean_weight is not None and abs(mean_weight[0] - 1) > OFF_BY * mean_weight[1] + 1e-9
    rules = (
        (found.clusters < LEAST_CLUSTERS, "few_clusters",
         f"the log holds {found.clusters} independent decisions or customers; expected at least {LEAST_CLUSTERS}"),
        (found.effective < LEAST_EFFECTIVE or share < LEAST_SHARE, "few_effective",
         f"the {found.rows:,} logged choices tell as much about this policy as {found.effective:,.0f} of its own would "
         f"({share:.1%}); expected at least {LEAST_EFFECTIVE:.0f} and {LEAST_SHARE:.0%}. It chooses what was seldom "
         "shown: explore more, or value a policy nearer to the one that ran"),
        (found.positives < LEAST_POSITIVES, "few_positives",
         f"{found.positives} rewarded choices are among those this policy would make; expected at least "
         f"{LEAST_POSITIVES}: wait for more outcomes"),
        (found.missing > MOST_MISSING * total, "propensities_missing",
         f"{found.missing:,} of {total:,} choices have no logged propensity; expected at most {MOST_MISSING:.0%}"),
        (found.outside > MOST_OUTSIDE, "outside_log",
         f"{found.outside:.1%} of what this policy would show could not be shown in the log; expected at most "
         f"{MOST_OUTSIDE:.0%}. Nothing is known about it: explore, or try it"),
        (found.heaviest > MOST_OF_ONE, "one_cluster",
         f"one decision or customer carries {found.heaviest:.0%} of all weight; expected at most {MOST_OF_ONE:.0%}"),
        (off, "weights_off",
         f"the mean weight is {(mean_weight or (1.0, 0.0))[0]:.3f} where 1 was expected: the logged propensities are "
         "not those of what was shown, or this policy would show what the log never could"),
    )  # fmt: skip
    return tuple(Doubt(code, text) for broken, code, text in rules if broken)


def too_few_to_compare(rows: int) -> tuple[Doubt, ...]:
    """Why two policies cannot be compared on so many choices; nothing if they can."""
    if rows >= LEAST_PAIRED:
        return ()
    text = f"{rows:,} logged choices are too few to compare two policies; expected at least {LEAST_PAIRED}"
    return (Doubt("few_choices", text),)

"""A drift report for people: the verdict, what moved, what came against what was predicted, and what to do."""

from collections.abc import Iterator

from scoring.drift import CALENDAR, DriftReport, FeatureDrift
from streams.instant import DAY_MS, HOUR_MS, format_instant

MOST = 10
_SAID = {
    "stable": "stable: customers, offers and outcomes look as they did in training",
    "watch": "watch: something moved, and the probabilities still hold",
    "act": "act: the probabilities no longer hold, or are said of another mix of customers and offers",
    "unknown": "unknown: too few items with a known outcome are newer than the training",
}


def page(found: DriftReport) -> Iterator[str]:
    """Line by line."""
    yield f"{found.model}: {_SAID[found.verdict]}"
    yield (
        f"  {found.rows:,} items of {found.customers:,} customers since {format_instant(found.since)}; "
        f"the newest decision it was trained on is {_age(found.age_ms)} old"
    )
    yield from _prior(found)
    if found.rows:
        yield from _calibration(found)
        yield from _features(found)
    yield ""
    yield "What to do:"
    yield from (f"  {line}" for line in advice(found))


def advice(found: DriftReport) -> Iterator[str]:
    """What a person should do now, the most urgent first."""
    if found.verdict == "unknown":
        yield f"wait until attribution windows have closed{_left_out(found)}"
    if found.calibration.drifted:
        much = "more" if (found.calibration.ratio or 0) > 1 else "less"
        yield f"`offing train`: people accept {much} than is predicted, so value is ranked wrongly"
    if found.score is not None and found.score.level != "stable":
        yield "`offing train`: the scores are spread otherwise than in training"
    for each in found.features:
        yield from _mend(each)
    if not found.distribution_known:
        yield "`offing train`: this model's folder is of an earlier version and does not know what it was trained on"
    if found.verdict == "stable" and found.distribution_known:
        yield "nothing"
    elif found.verdict == "watch":
        yield "look again tomorrow; `offing train` if it stays"


def _mend(each: FeatureDrift) -> Iterator[str]:
    if each.level != "large" or each.feature in CALENDAR:
        return
    if each.missing[1] > each.missing[0] + 0.1:
        yield f"{each.feature} is missing in {each.missing[1]:.0%} of rows: look whether what sends it still does"
    elif each.unseen is not None and each.unseen[1] > each.unseen[0] + 0.1:
        yield f"{each.feature} has values the model does not know in {each.unseen[1]:.0%} of rows: `offing train`"


def _prior(found: DriftReport) -> Iterator[str]:
    prior = found.prior
    if prior.decisions:
        yield (
            f"  {prior.by_prior / prior.decisions:.1%} of {prior.decisions:,} decisions were made by the prior; "
            f"declared propensities weigh {prior.declared:.1%} in this model's scores, "
            f"and more than the model in {prior.mostly_declared:.1%} of items"
        )


def _calibration(found: DriftReport) -> Iterator[str]:
    yield ""
    yield "  day             items  customers  predicted    came  came / predicted (99 %)"
    for each in (*found.days, found.calibration):
        name = f"{'all' if each is found.calibration else format_instant(each.since)[:10]:<10}"
        told = "too few to say"
        if each.ratio is not None and each.interval is not None:
            told = f"{each.ratio:.2f} ({each.interval[0]:.2f} to {each.interval[1]:.2f})"
        mark = "  drifted" if each.drifted else ""
        counts = f"{each.rows:>9,}  {each.customers:>9,}"
        yield f"  {name}  {counts}  {each.predicted:>9.3f}  {each.came:>6.3f}  {told}{mark}"


def _features(found: DriftReport) -> Iterator[str]:
    yield ""
    if found.score is None:
        yield "  Drift of features and score is not known: the model's folder holds no distribution of its training."
        return
    moved = [each for each in found.features if each.level != "stable"]
    rest = len(found.features) - len(moved)
    yield "  feature                               PSI   by chance      gain  what grew"
    for each in (found.score, *moved[:MOST]):
        chance = "any" if each.noise is None else f"{each.noise:.2f}"
        note = "; the calendar moves by itself" if each.feature in CALENDAR else ""
        gain = "" if each is found.score else f"{each.importance:.1%}"
        grew = f"{each.grew}: {each.grew_share[0]:.0%} -> {each.grew_share[1]:.0%}"
        yield f"  {_short(each.feature):<32} {each.psi:>8.3f}    {chance:>8}  {gain:>8}  {grew}{_level(each)}{note}"
    if len(moved) > MOST:
        yield f"  and {len(moved) - MOST} more; --json has all of them"
    yield f"  {rest} other features are stable (PSI below .1, or below what chance reaches)"


def _level(each: FeatureDrift) -> str:
    return "" if each.level == "stable" else f"  ({each.level})"


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:29]}..."


def _age(age_ms: int) -> str:
    return f"{age_ms / DAY_MS:.1f} days" if age_ms >= 2 * DAY_MS else f"{age_ms / HOUR_MS:.1f} hours"


def _left_out(found: DriftReport) -> str:
    told = ", ".join(f"{count:,} {reason}" for reason, count in found.left_out.items())
    return f" (left out: {told})" if told else ""

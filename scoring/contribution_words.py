"""What a feature was, in words a person reads: `the customer's spa visits: often`. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence

from scoring.features import Column, FeatureList, Part, Transform
from streams.record import OfferFacts

UNKNOWN = "not known"
_WHOSE = {"customer": "the customer's ", "context": "", "offer": "the offer's "}
_DID = {
    "exposed": "has {times} seen",
    "clicked": "has {times} clicked on",
    "dismissed": "has {times} dismissed",
    "redeemed": "has {times} redeemed",
}
_WHAT = {"any": "any offer", "offer": "this offer", "collection": "its collection", "campaign": "its campaign"}
_WHEN = {"24h": " in the last day", "7d": " in the last week", "ever": ""}


def words(columns: Sequence[tuple[Column, float]], offer: OfferFacts, features: FeatureList) -> str:
    """One feature: its columns with their values in the row, the one that weighs most first."""
    first = columns[0][0]
    if first.part is Part.HISTORY:
        return _history(columns)
    if first.part is Part.OWN:
        return _own(first, columns[0][1], offer, features)
    if first.transform is Transform.LEARNT:
        return _rate(first, columns[0][1])
    told = [each for each in columns if each[0].transform not in _DERIVED] or columns
    column, value = next((each for each in told if each[0].transform is Transform.IS and each[1] == 1), told[0])
    return f"{_named(column.source)}: {_valued(column, value)}"


_DERIVED = (Transform.SIN, Transform.COS)
"""Nobody reads these: the same fact has a column of its own."""


def _named(source: str) -> str:
    scope, _, rest = source.partition(".")
    return _WHOSE.get(scope, f"the {scope}'s ") + (rest or scope).replace("_", " ").replace(".", " ")


def _valued(column: Column, value: float) -> str:
    if math.isnan(value):
        return UNKNOWN
    said = _SAID.get(column.transform)
    return f"{value:.4g}" if said is None else said(column, value)


def _level(column: Column, value: float) -> str:
    code = int(value)
    return column.levels[code] if 0 <= code < len(column.levels) else "a value the model does not know"


def _hours(value: float) -> str:
    if value < 48:
        return f"{value:.0f} hours" if value >= 2 else f"{value * 60:.0f} minutes"
    return f"{value / 24:.0f} days"


def _since(value: float) -> str:
    return f"{_hours(value)} ago" if value >= 0 else f"in {_hours(-value)}"


_SAID: Mapping[Transform, Callable[[Column, float], str]] = {
    Transform.CODE: _level,
    Transform.FLAG: lambda column, value: "yes" if value else "no",
    Transform.IS: lambda column, value: column.member if value else f"not {column.member}",
    Transform.MEMBER: lambda column, value: f"{column.member} is {'' if value else 'not '}among them",
    Transform.SIZE: lambda column, value: f"{value:.0f} of them",
    Transform.SINCE: lambda column, value: _since(value),
    Transform.HOURS: lambda column, value: _hours(value),
}


def _history(columns: Sequence[tuple[Column, float]]) -> str:
    """By the shortest window in which it happened; never, if it happened in none."""
    level, _, response = columns[0][0].source.partition(".")
    rate = next((value for column, value in columns if column.transform is Transform.RATE), None)
    if rate is not None:
        return f"how often this customer clicks {_WHAT.get(level, level)}, by what is known: {rate:.0%}"
    did, what = _DID.get(response, f"has {{times}} {response}"), _WHAT.get(level, level)
    counted = {
        column.name.rpartition(".")[2]: value for column, value in columns if column.transform is Transform.COUNT
    }
    for window, when in _WHEN.items():
        number = counted.get(window, 0.0)
        if number > 0:
            return f"the customer {did.format(times=_times(number))} {what}{when}"
    since = next((value for column, value in columns if column.transform is Transform.SINCE), math.nan)
    if not counted and not math.isnan(since):
        return f"the customer {did.format(times='last')} {what} {_since(since)}"
    if "ever" in counted or not counted:
        return f"the customer {did.format(times='never')} {what}"
    longest = [when for window, when in _WHEN.items() if window in counted][-1]
    return f"the customer {did.format(times='not')} {what}{longest}"


def _rate(column: Column, value: float) -> str:
    """What others did; learnt with the model, so it may be missing where nothing was."""
    among = f" at this level of {_named(column.source)}" if column.part is Part.RATES else ""
    return f"how often this offer is accepted{among}: {UNKNOWN if math.isnan(value) else f'{value:.1%}'}"


def _times(number: float) -> str:
    return {1.0: "once", 2.0: "twice"}.get(number, f"{number:.0f} times")


def _own(column: Column, value: float, offer: OfferFacts, features: FeatureList) -> str:
    """A cross: the fact that the offer points to, with the words of that fact's own column."""
    pointed = offer.attributes.get(column.source)
    if column.member:
        pointed = f"{pointed}.{column.member}"
    kind = column.name.removeprefix("own_").replace("_", " ")
    named = next((each for each in features.columns if pointed in (each.name, each.source)), None)
    if named is None:
        return f"this offer's own {kind}: {UNKNOWN if math.isnan(value) else f'{value:.4g}'}"
    return f"{_named(named.source)}, which is this offer's own {kind}: {_valued(named, value)}"

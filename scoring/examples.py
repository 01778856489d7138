"""Examples: logged decisions with what became of them. Only what was shown, seen, and has had its time counts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scoring.features import Scorable
from streams.ids import Millis
from streams.lake import Lake
from streams.lake_rows import LoggedOutcome, Part
from streams.record import NOTHING, DecisionInputs, DecisionRecord, ShownItem, Subject

LIVE = "live"
MOST = 1_000_000
"""Labelled items that training looks at, the newest first: about 1 GB of rows."""


@dataclass(frozen=True, slots=True)
class Logged:
    """The rows that items were scored on when they were shown."""

    features: tuple[str, ...]
    engine: str
    """Which program made them."""
    rows: tuple[tuple[float, ...], ...]
    """Parallel to the example's items."""


@dataclass(frozen=True, slots=True)
class Example:
    """One decision with those of its items whose outcome is known; the tuples are parallel."""

    inputs: DecisionInputs
    model: str
    items: tuple[Scorable, ...] = ()
    outcomes: tuple[int, ...] = ()
    """1: the goal came within its window after exposure; 0: the window closed without it."""
    scores: tuple[float | None, ...] = ()
    propensities: tuple[float | None, ...] = ()
    left_out: tuple[str, ...] = ()
    """Why its other items are no examples: a code each."""
    logged: Logged | None = None
    """None: the log does not hold rows."""


Examples = Callable[[], Iterable[Example]]
"""May be called again: a log is read twice, for its vocabulary and for its rows."""


def from_lake(lake: Lake, now: Millis, most: int = MOST, *, since: Millis = 0) -> Examples:
    """Live decisions from `since` up to `now`, the newest days first, until there are `most` labelled items."""
    return lambda: _from_lake(lake, (since, now), most)


def _from_lake(lake: Lake, span: tuple[Millis, Millis], most: int) -> Iterator[Example]:
    found, (since, now) = 0, span
    for part in reversed(lake.parts(since, now)):
        if found >= most:
            return
        for record, responses in answered(lake, part, now):
            if since <= record.inputs.now:
                example = label(record, responses, now)
                found += len(example.items)
                yield example


def answered(lake: Lake, part: Part, now: Millis) -> Iterator[tuple[DecisionRecord, "Responses"]]:
    """Each decision of a part up to `now`, with what became of its items by then."""
    responses = responses_of(lake.outcomes(part), now)
    for record in lake.decisions(part):
        if record.inputs.now <= now:
            yield record, responses.get(record.inputs.decision_id, {})


Item = tuple[str, str, str]
"""(about, offer_id, placement)"""
Responses = Mapping[Item, Sequence[tuple[str, Millis]]]
"""What became of a decision's items: (event, instant)."""


def responses_of(outcomes: Iterable[LoggedOutcome], now: Millis) -> dict[str, dict[Item, list[tuple[str, Millis]]]]:
    """Live outcomes up to `now`, by the id of their decision."""
    found: dict[str, dict[Item, list[tuple[str, Millis]]]] = {}
    for each in outcomes:
        if each.origin == LIVE and each.at <= now:
            items = found.setdefault(each.decision_id, {})
            items.setdefault((each.about, each.offer_id, each.placement), []).append((each.event, each.at))
    return found


def label(record: DecisionRecord, responses: Responses, now: Millis) -> Example:
    """A record with the outcomes known at `now`."""
    subjects = {subject.key: subject for bound in record.inputs.subjects.values() for subject in bound}
    subjects[NOTHING.key] = NOTHING
    kept: list[tuple[ShownItem, Subject, int]] = []
    left_out: list[str] = []
    for item, outcome in zip(record.shown, outcomes_of(record, responses, now), strict=True):
        subject = subjects.get(item.about)
        if isinstance(outcome, str) or subject is None:
            left_out.append(outcome if isinstance(outcome, str) else "no_subject")
        else:
            kept.append((item, subject, outcome))
    return Example(
        inputs=record.inputs,
        model=record.model,
        items=tuple((item.offer, subject) for item, subject, _ in kept),
        outcomes=tuple(outcome for _, _, outcome in kept),
        scores=tuple(item.score for item, _, _ in kept),
        propensities=tuple(item.propensity for item, _, _ in kept),
        left_out=tuple(left_out),
        logged=Logged(record.features, record.engine, tuple(item.row for item, _, _ in kept)),
    )


def outcomes_of(record: DecisionRecord, responses: Responses, now: Millis) -> list[int | str]:
    """Of each shown item, 1 or 0, or the code of why neither is known at `now`."""
    if record.inputs.origin != LIVE:
        return ["not_live"] * len(record.shown)
    found = ((item, responses.get((item.about, item.offer.offer_id, item.placement), ())) for item in record.shown)
    return [_outcome(item, seen, now) for item, seen in found]


def _outcome(item: ShownItem, seen: Sequence[tuple[str, Millis]], now: Millis) -> int | str:
    """1 or 0, or why neither. A click may come a moment before the exposure, which takes a second of being visible."""
    if item.propensity is None:
        return "fallback"
    exposed = min((at for event, at in seen if event == "exposed"), default=None)
    if exposed is None:
        return "not_exposed"
    closes = exposed + item.offer.goal_within_ms
    if closes > now:
        return "window_open"
    return int(any(event == item.offer.goal_event and at <= closes for event, at in seen))

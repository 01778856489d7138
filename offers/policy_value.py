"""The value of another policy, model or revision on the lake's log: what `offing evaluate --policy` tells."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from offers.catalog import Catalog
from offers.counterfactual import Counterfactual, Policy, counterfactuals
from scoring.examples import Responses, answered, outcomes_of
from scoring.off_policy import Estimate, LoggedChoices, OffPolicy, value_of
from streams.errors import InvalidInput, NotFound
from streams.ids import CustomerId, Millis, RevisionId
from streams.instant import format_instant
from streams.lake import Lake
from streams.record import DecisionRecord

FORMAT = 1
MOST = 10_000
"""Decisions made again, the newest first, unless another limit is given."""
Seen = Callable[[int], None]
"""Told how many more decisions are done."""
_NAMES = {
    "ips": "IPS",
    "snips": "SNIPS",
    "dm": "direct method",
    "dr": "doubly robust",
    "sndr": "doubly robust, own weights",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be valued, and by which part of the log."""

    policy: Policy
    name: str
    """How it is told."""
    now: Millis
    """Attribution windows closed by then count."""
    after: Millis | None = None
    """Only decisions later than this: the policy learnt from those before, and would be flattered by them."""
    most: int = MOST
    worth: bool = False
    """The reward of an acceptance is what it is worth, else 1."""
    clip: float | None = None
    seed: int = 0


class PolicyValue(msgspec.Struct, frozen=True):
    """What `offing evaluate --policy` prints. Rewards are per item shown."""

    v: int
    policy: str
    reward: str
    """accepted: 1 for each acceptance; value: what it is worth."""
    decisions: int
    since: Millis
    until: Millis
    value: OffPolicy
    left_out: dict[str, int]
    """Items and decisions that tell nothing, by reason."""


@dataclass(slots=True)
class _Collected:
    """Items so far; the lists are parallel."""

    items: list[Counterfactual] = field(default_factory=list)
    outcomes: list[int] = field(default_factory=list)
    customers: list[int] = field(default_factory=list)
    codes: dict[CustomerId, int] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    instants: list[Millis] = field(default_factory=list)

    def add(self, record: DecisionRecord, outcomes: list[int | str], made: list[Counterfactual]) -> None:
        known = {(item.placement, item.rank): outcome for item, outcome in zip(record.shown, outcomes, strict=True)}
        customer = self.codes.setdefault(record.inputs.request.customer_id, len(self.codes))
        self.instants.append(record.inputs.now)
        for each in made:
            outcome = known[each.item.placement, each.item.rank]
            if isinstance(outcome, int):
                self.items.append(each)
                self.outcomes.append(outcome)
                self.customers.append(customer)


def policy_value(
    lake: Lake, question: Question, catalog_of: Callable[[RevisionId], Catalog], seen: Seen = lambda _: None
) -> PolicyValue:
    """What the policy would have earned per item shown, had it chosen each rank in the situations of the log.

    `catalog_of`: the catalog of a kept revision. Raises InvalidInput OFF_POLICY_EMPTY where nothing can be asked.
    """
    found = _Collected()
    for record, responses in _newest(lake, question, found.left_out):
        seen(1)
        outcomes = outcomes_of(record, responses, question.now)
        found.left_out.update(outcome for outcome in outcomes if isinstance(outcome, str))
        if any(isinstance(outcome, int) for outcome in outcomes):
            _ask(found, record, outcomes, (question, catalog_of))
    if not found.items:
        dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items())) or "it is empty"
        message = f"the log has no item to value a policy by: {dropped}. Wait, or give a later --now"
        raise InvalidInput("OFF_POLICY_EMPTY", message)
    return PolicyValue(
        v=FORMAT,
        policy=question.name,
        reward="value" if question.worth else "accepted",
        decisions=len(found.instants),
        since=min(found.instants),
        until=max(found.instants),
        value=value_of(_choices(found, question.worth), clip=question.clip, seed=question.seed),
        left_out=dict(sorted(found.left_out.items())),
    )


def choices(
    answers: Iterable[tuple[DecisionRecord, Responses]],
    questions: Sequence[Question],
    catalog_of: Callable[[RevisionId], Catalog],
) -> tuple[LoggedChoices, ...]:
    """What each of several policies would have chosen at the same items of a log; empty where no item is known.

    `answers`: decisions with what became of them; of the questions only policy, now and worth matter.
    """
    found = [_Collected() for _ in questions]
    for record, responses in answers:
        outcomes = outcomes_of(record, responses, questions[0].now)
        if any(isinstance(outcome, int) for outcome in outcomes):
            for each, question in zip(found, questions, strict=True):
                _ask(each, record, outcomes, (question, catalog_of))
    pairs = zip(found, questions, strict=True)
    return tuple(_choices(each, question.worth) for each, question in pairs) if found[0].items else ()


def _ask(
    found: _Collected,
    record: DecisionRecord,
    outcomes: list[int | str],
    of: tuple[Question, Callable[[RevisionId], Catalog]],
) -> None:
    question, catalog_of = of
    try:
        catalog = catalog_of(record.inputs.revision)
    except (NotFound, InvalidInput):
        found.left_out["revision_not_kept"] += 1
        return
    found.add(record, outcomes, counterfactuals(record, catalog, question.policy, worth=question.worth))


def _newest(lake: Lake, question: Question, left_out: Counter[str]) -> Iterator[tuple[DecisionRecord, Responses]]:
    done, parts = 0, lake.parts(question.after, question.now)
    for part in sorted(parts, key=lambda part: (part.day, -part.bucket), reverse=True):
        for each in answered(lake, part, question.now):
            if done >= question.most:
                return
            if question.after is not None and each[0].inputs.now <= question.after:
                left_out["learnt_from"] += 1
                continue
            done += 1
            yield each


def _choices(found: _Collected, worth: bool) -> LoggedChoices:
    items = found.items
    values = np.array([each.item.value if worth else 1.0 for each in items])
    return LoggedChoices(
        reward=np.array(found.outcomes, dtype=np.float64) * values,
        propensity=np.array([each.item.propensity for each in items], dtype=np.float64),
        target=np.array([each.chance for each in items]),
        cluster=np.array(found.customers, dtype=np.intp),
        logged_value=np.array([each.logged_value for each in items]),
        target_value=np.array([each.expected_value for each in items]),
        outside=np.array([each.outside for each in items]),
        reward_range=(0.0, max(1.0, float(values.max()))),
    )


def page(found: PolicyValue) -> str:
    """The same as text: the refusal first, if it is one."""
    value = found.value
    each = "acceptances" if found.reward == "accepted" else "value of acceptances"
    lines = [
        f"{found.policy}: {each} per item shown, by {value.rows:,} items of {value.clusters:,} customers in "
        f"{found.decisions:,} decisions, {format_instant(found.since)} to {format_instant(found.until)}"
    ]
    if not value.reliable:
        lines += ["", "this log cannot answer it:", *(f"  {doubt.code}: {doubt.text}" for doubt in value.why)]
    lines += ["", f"  {'':<28}    value   95 % interval", _line("what the log showed", value.logged)]
    for name, told in _NAMES.items():
        estimate = getattr(value, name)
        if isinstance(estimate, Estimate):
            lines.append(_line(told, estimate, of_model=name == "dm"))
    clipped = "" if value.clip is None else f"   {value.clipped:,} weights cut to {value.clip:g}"
    lines += [
        "",
        f"  effective sample size {value.effective_sample_size:,.0f} ({value.effective_sample_size / value.rows:.1%})"
        f"   mean weight {value.mean_weight:.3f}   largest {value.largest_weight:.1f}{clipped}",
        "  The policy chooses each rank given what the log placed above it; values are per item shown and seen.",
    ]
    if found.left_out:
        lines.append(f"  left out: {', '.join(f'{count:,} {reason}' for reason, count in found.left_out.items())}")
    return "\n".join(lines)


def _line(name: str, estimate: Estimate, *, of_model: bool = False) -> str:
    low, high = estimate.interval
    note = "   of the log only: its model's error is not in it" if of_model else ""
    return f"  {name:<28} {estimate.value:>8.4f}   {low:.4f} to {high:.4f}{note}"

"""What the shadow's log says of a model: how it would have scored and ranked, and, as outcomes close, its log loss."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field

import msgspec
import numpy as np

from offers import learning, runtime
from offers.shadow_log import ShadowDecision, ShadowLog
from offers.shadow_scoring import no_shadow, sides_of
from scoring.examples import Responses, answered, outcomes_of
from scoring.shadow import Known, ShadowLoss, ShadowScores, Sides, loss_of, scores_of
from streams.ids import CustomerId, DecisionId, Millis
from streams.lake import Lake
from streams.lake_rows import time_of
from streams.record import DecisionRecord
from streams.settings import Settings

FORMAT = 1
REPORTED = 10_000
"""Decisions a report is about, the newest."""


class ShadowReport(msgspec.Struct, frozen=True):
    """What `offing models shadow` tells."""

    v: int
    model: str
    since: Millis
    """When it was put in the shadow."""
    by: str
    scores: ShadowScores | None
    """None: no decision was scored yet."""
    seconds: float | None
    """Middle of what scoring a decision's candidates took."""
    active_seconds: float | None
    """The active model's on the same ones; None: the prior was active."""
    loss: ShadowLoss | None
    """None: of no item the outcome is known yet."""


def report(settings: Settings) -> ShadowReport:
    """How the model in the shadow does. Raises InvalidInput NO_SHADOW, SHADOW_LOG."""
    with closing(runtime.ledger(settings)) as book:
        chosen = book.models.shadow()
    if chosen is None:
        raise no_shadow()
    made = {each.decision_id: each for each in ShadowLog.of(settings.artifacts, chosen.id).newest(REPORTED)}
    lake = Lake(settings.lake)
    gathered = _Gathered(learning.clock(settings, lake))
    gathered.of(lake, made)
    beside = [each.active_seconds for each in made.values() if each.active_seconds is not None]
    return ShadowReport(
        v=FORMAT,
        model=chosen.id,
        since=chosen.activated_at,
        by=chosen.activated_by,
        scores=scores_of(gathered.sides),
        seconds=float(np.median([each.seconds for each in made.values()])) if made else None,
        active_seconds=float(np.median(beside)) if beside else None,
        loss=loss_of(gathered.known()),
    )


def page(found: ShadowReport) -> str:
    """The same as text."""
    if found.scores is None:
        return f"{found.model} is in the shadow, and no decision was scored yet: `offing consume` does it as they come"
    scores, loss = found.scores, found.loss
    agreement = "" if scores.rank_agreement is None else f", rank agreement {scores.rank_agreement:.2f}"
    lines = [
        f"{found.model} in the shadow of {scores.decisions:,} decisions with {scores.candidates:,} candidates",
        f"  scores    {scores.mean_shadow:.4f} on average, served were {scores.mean_served:.4f}; they differ by "
        f"{scores.mean_absolute_difference:.4f}, PSI {scores.psi:.3f}",
        f"  choices   another first candidate in {scores.top_changed:.1%} of the decisions{agreement}",
        f"  latency   {_ms(found.seconds)} a decision, the active model {_ms(found.active_seconds)}",
    ]
    if loss is None:
        return "\n".join([*lines, "  log loss  no outcome of these decisions is known yet"])
    ends = "too few customers for an interval"
    if loss.interval is not None:
        ends = f"difference {loss.interval[0]:+.4f} to {loss.interval[1]:+.4f}"
    known = f"on {loss.rows:,} items of {loss.customers:,} customers, {loss.positives:,} accepted"
    return "\n".join([*lines, f"  log loss  {loss.shadow:.4f}, served {loss.served:.4f} ({ends}) {known}"])


def _ms(seconds: float | None) -> str:
    return "is the prior" if seconds is None else f"{seconds * 1000:.2f} ms"


@dataclass(slots=True)
class _Gathered:
    """Decisions that were scored in the shadow, with what became of them by `now`."""

    now: Millis
    sides: list[Sides] = field(default_factory=list)
    rows: list[tuple[float, int, float, float]] = field(default_factory=list)
    codes: dict[CustomerId, int] = field(default_factory=dict)

    def of(self, lake: Lake, made: Mapping[DecisionId, ShadowDecision]) -> None:
        """Of the lake's days that the shadow has seen."""
        instants = [time_of(each) for each in made]
        for part in lake.parts(min(instants), max(instants)) if instants else ():
            for record, responses in answered(lake, part, self.now):
                shadow = made.get(record.inputs.decision_id)
                if shadow is not None:
                    self._add(record, responses, shadow)

    def _add(self, record: DecisionRecord, responses: Responses, shadow: ShadowDecision) -> None:
        self.sides.append(sides_of(record.candidates, shadow.candidates))
        said = {(each.offer_id, each.about): each.score for each in shadow.candidates}
        code = self.codes.setdefault(record.inputs.request.customer_id, len(self.codes))
        for item, outcome in zip(record.shown, outcomes_of(record, responses, self.now), strict=True):
            score = said.get((item.offer.offer_id, item.about))
            if isinstance(outcome, int) and item.score is not None and score is not None:
                self.rows.append((outcome, code, item.score, score))

    def known(self) -> Known:
        """Items whose outcome is known."""
        outcome, customer, served, shadow = np.array(self.rows, dtype=np.float64).reshape(-1, 4).T
        return Known(outcome, customer.astype(np.intp), served, shadow)

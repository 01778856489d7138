"""Evaluation: how good a model is on a log it was not trained on, in all, by offer and by segment."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.dataset import Dataset, build
from scoring.examples import Examples, from_lake
from scoring.metrics import Intervals, Metrics, ReliabilityBin, auc, brier, ece, intervals, log_loss, measure
from scoring.model_folder import CARD
from scoring.propensity import Model, open_model
from scoring.segments import Segmenting, told
from streams.errors import InvalidInput
from streams.ids import Millis, ModelId, OfferId
from streams.lake import Lake

Numbers = NDArray[np.float64]
MOST_OFFERS = 200
"""Offers that are told: those with the most rows."""


class OfferLine(msgspec.Struct, frozen=True):
    """One offer: what was said and what came."""

    offer_id: OfferId
    rows: int
    predicted: float
    observed: float
    auc: float | None
    log_loss: float
    brier: float
    ece: float
    intervals: Intervals | None
    """None of fewer than two customers."""


class SegmentLine(msgspec.Struct, frozen=True):
    """The rows whose customers or situations have something in common; of five customers at least."""

    attribute: str
    """`history`, or a declared attribute."""
    segment: str
    """new | returning, or a level; `missing`."""
    rows: int
    customers: int
    predicted: float
    observed: float
    metrics: Metrics
    intervals: Intervals | None


class Evaluation(msgspec.Struct, frozen=True):
    """What `offing evaluate` prints. The first fields are those of Metrics, of the model itself."""

    v: int
    model: ModelId
    form: str
    """compiled | booster"""
    rows: int
    positives: int
    customers: int
    learnt_from: int
    """Rows of decisions no later than the last that the model was trained on: their numbers flatter it."""
    auc: float | None
    auc_interval: tuple[float, float] | None
    log_loss: float
    log_loss_of_mean: float
    brier: float
    ece: float
    intervals: Intervals | None
    reliability: tuple[ReliabilityBin, ...]
    declared: Metrics
    """Of the declared starting propensities on the same rows: what the prior would have said."""
    logged: Metrics | None
    """Of the scores in the log, where every row has one: what was said when it was shown."""
    offers: tuple[OfferLine, ...]
    offers_not_told: int
    segments: tuple[SegmentLine, ...]
    left_out: dict[str, int]


FORMAT = 1


def evaluate_lake(
    folder: Path,
    lake: Lake,
    *,
    now: Millis | None = None,
    since: Millis = 0,
    seed: int = 0,
    segments: Segmenting | None = None,
) -> Evaluation:
    """A model folder on everything in the lake from `since` on whose attribution window had closed at `now` (default:

    newest record). Raises InvalidInput MODEL_INVALID, DATASET_EMPTY.
    """
    at = lake.newest() if now is None else now
    return evaluate_model(folder, from_lake(lake, at or 0, since=since), seed=seed, segments=segments)


def evaluate_model(
    folder: Path, examples: Examples, *, seed: int = 0, segments: Segmenting | None = None
) -> Evaluation:
    """A model folder on any log, also by new and returning customers. Raises as evaluate_lake does."""
    model, noted = open_model(folder), segments or Segmenting()
    dataset = build(noted.noting(examples), model.plan.features)
    found = evaluate(model, dataset, seed=seed)
    lines = tuple(_segment_lines(dataset, said_of(model, dataset), noted, seed))
    until = learnt_until(folder)
    learnt_from = 0 if until is None else int((dataset.at <= until).sum())
    return msgspec.structs.replace(found, segments=lines, learnt_from=learnt_from)


class _Learnt(msgspec.Struct, frozen=True):
    """What is read of a card here, whatever version wrote it."""

    until: Millis


def learnt_until(folder: Path) -> Millis | None:
    """The instant of the last decision that a model was trained on; None: its folder does not say."""
    try:
        return msgspec.json.decode((folder / CARD).read_bytes(), type=_Learnt).until
    except (OSError, msgspec.DecodeError):
        return None


def said_of(model: Model, dataset: Dataset) -> Numbers:
    """(n,) what the model says of rows made with its own feature list."""
    exposures = np.array([model.evidence.of(offer_id) for offer_id in dataset.offers], dtype=np.float64)
    declared = np.column_stack([dataset.starts.mean, dataset.starts.evidence, exposures[dataset.offer]])
    return model.probability(np.ascontiguousarray(dataset.rows), declared)


def evaluate(model: Model, dataset: Dataset, *, seed: int = 0) -> Evaluation:
    """A model on a dataset made with its own feature list."""
    if not len(dataset):
        dropped = ", ".join(f"{count} {reason}" for reason, count in dataset.left_out.items()) or "it is empty"
        message = f"the log has no item with a known outcome: {dropped}. Wait, or give a later --now"
        raise InvalidInput("DATASET_EMPTY", message)
    said = said_of(model, dataset)
    found = _measured(dataset, said, seed)
    offers = _offer_lines(dataset, said, seed)
    return Evaluation(
        v=FORMAT,
        model=model.id,
        form=model.form,
        rows=found.rows,
        positives=found.positives,
        customers=len(dataset.customers),
        learnt_from=0,
        auc=found.auc,
        auc_interval=found.auc_interval,
        log_loss=found.log_loss,
        log_loss_of_mean=found.log_loss_of_mean,
        brier=found.brier,
        ece=found.ece,
        intervals=intervals(dataset.outcome, said, dataset.customer, dataset.weight, seed),
        reliability=found.reliability,
        declared=_measured(dataset, dataset.starts.mean, seed),
        logged=None if np.isnan(dataset.score).any() else _measured(dataset, dataset.score, seed),
        offers=tuple(offers),
        offers_not_told=len(dataset.offers) - len(offers),
        segments=(),
        left_out=dict(dataset.left_out),
    )


def _measured(dataset: Dataset, said: Numbers, seed: int) -> Metrics:
    return measure(dataset.outcome, said, dataset.customer, dataset.weight, seed)


def _offer_lines(dataset: Dataset, said: Numbers, seed: int) -> Sequence[OfferLine]:
    """Offers by their number of rows, the most first."""
    counts = np.bincount(dataset.offer, minlength=len(dataset.offers))
    most = sorted(range(len(dataset.offers)), key=lambda code: (-counts[code], dataset.offers[code]))[:MOST_OFFERS]
    order = np.argsort(dataset.offer, kind="stable")
    spots = np.split(order, np.cumsum(counts)[:-1])
    return [_offer_line(dataset, said, code, spots[code], seed) for code in most]


def _offer_line(dataset: Dataset, said: Numbers, code: int, spots: NDArray[np.intp], seed: int) -> OfferLine:
    outcome, probability, weight = dataset.outcome[spots], said[spots], dataset.weight[spots]
    return OfferLine(
        offer_id=dataset.offers[code],
        rows=len(spots),
        predicted=float(np.average(probability, weights=weight)),
        observed=float(np.average(outcome, weights=weight)),
        auc=auc(outcome, probability, weight),
        log_loss=log_loss(outcome, probability, weight),
        brier=brier(outcome, probability, weight),
        ece=ece(outcome, probability, weight),
        intervals=intervals(outcome, probability, dataset.customer[spots], weight, seed),
    )


def _segment_lines(dataset: Dataset, said: Numbers, noted: Segmenting, seed: int) -> Iterator[SegmentLine]:
    for name, column in zip(noted.names, noted.columns(), strict=True):
        for segment, rows, customers in told(column, dataset.customer):
            outcome, probability, weight = dataset.outcome[rows], said[rows], dataset.weight[rows]
            customer = dataset.customer[rows]
            yield SegmentLine(
                attribute=name,
                segment=segment,
                rows=len(outcome),
                customers=customers,
                predicted=float(np.average(probability, weights=weight)),
                observed=float(np.average(outcome, weights=weight)),
                metrics=measure(outcome, probability, customer, weight, seed),
                intervals=intervals(outcome, probability, customer, weight, seed),
            )

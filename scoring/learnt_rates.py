"""Response rates of offers, learnt with the trees: which share of others accepted this offer, in all and at a level.

A row that is learnt from sees what other customers did and nothing else: customers are dealt into FOLDS by the one
hash, and the rates of a row are made of the folds that its customer is not in. Rows that are asked (held out, served)
see the rates of all rows that were learnt from, as they do in serving. So no row sees its own outcome, and where there
is nothing to be learnt nothing is found.

Rates are monotone: without that trees learn that of one offer those folds accepted most whose others accepted least,
which is only how folds add up, and lose .005 AUC in a world that rates tell nothing about (see docs/propensity.md).

Few responses are drawn towards what is known without them by empirical Bayes: an offer's rate towards that of all
offers, its rate at a level towards the offer's own (Micci-Barreca 2001, SIGKDD Explorations 3 (1)).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.dataset import Dataset
from scoring.features import NOTHING_LEARNT, Column, FeatureList, Part, Rows, Transform
from scoring.offer_rates import level, levels_of, unknown
from scoring.rates import evidence_around, shrinkage, smoothed
from scoring.vocabulary import LEAST_CUSTOMERS
from streams.bucket import bucket
from streams.ids import OfferId

FOLDS = 5
SALT = "rates"
EVERY = slice(None)
Numbers = NDArray[np.float64]
Spots = NDArray[np.intp]
Number = TypeVar("Number", np.float64, np.intp)


def out_of_fold(dataset: Dataset, spots: Spots) -> Rows:
    """The rows at `spots`, to be learnt from: their rates are those of other customers at `spots`. A copy."""
    rows: Rows = dataset.rows[spots]
    if _rates(dataset.features):
        fold = _folds(dataset)[dataset.customer[spots]]
        seen = _Seen.of(dataset, spots, fold)
        _fill(rows, [seen.features(number) for number in range(FOLDS)], dataset.offers, dataset.offer[spots], fold)
    return rows


def as_served(dataset: Dataset, known: Spots, asked: Spots) -> Rows:
    """The rows at `asked`, with the rates that a model has which learnt from the rows at `known`. A copy."""
    rows: Rows = dataset.rows[asked]
    if _rates(dataset.features):
        _fill(rows, [learnt(dataset, known)], dataset.offers, dataset.offer[asked])
    return rows


def with_rates(dataset: Dataset) -> Dataset:
    """With the rates that a model has which learnt from all of it: feature list and rows as they are served."""
    if not _rates(dataset.features):
        return dataset
    features = learnt(dataset, np.arange(len(dataset)))
    return replace(dataset, features=features, rows=filled(features, dataset))


def filled(features: FeatureList, asked: Dataset) -> Rows:
    """The rows of a dataset with the rates of a feature list of the same columns."""
    if not _rates(features):
        return asked.rows
    rows = asked.rows.copy()
    _fill(rows, [features], asked.offers, asked.offer)
    return rows


def learnt(dataset: Dataset, spots: Spots) -> FeatureList:
    """The dataset's feature list with the rates of the rows at `spots`."""
    return _Seen.of(dataset, spots, _folds(dataset)[dataset.customer[spots]]).features()


def _rates(features: FeatureList) -> list[tuple[int, Column]]:
    return [(spot, c) for spot, c in enumerate(features.columns) if c.transform is Transform.LEARNT]


def _folds(dataset: Dataset) -> Spots:
    """(customers,): which fold each is in, whoever else there is."""
    return np.array([int(bucket(SALT, customer) * FOLDS) for customer in dataset.customers], dtype=np.intp)


def _fill(
    rows: Rows, lists: Sequence[FeatureList], offers: Sequence[OfferId], offer: Spots, which: Spots | int = 0
) -> None:
    """In place: the rates of each row's offer, by that of the feature lists that `which` says."""
    for spot, _ in _rates(lists[0]):
        levels, codes = _levels(lists[0], rows, spot)
        tables = np.array([_table(features.columns[spot], offers, levels) for features in lists])
        rows[:, spot] = tables[which, offer, codes]


def _table(column: Column, offers: Sequence[OfferId], levels: int) -> list[tuple[float, ...]]:
    nothing = (unknown(column),) * (levels + 1)
    return [column.table.get(offer, nothing) for offer in offers]


def _levels(features: FeatureList, rows: Rows, spot: int, which: Spots | slice = EVERY) -> tuple[int, Spots]:
    """(how many levels the column's rates are at, which one each row is at; the last is none)."""
    column = features.columns[spot]
    if column.part is not Part.RATES:
        return 0, np.zeros(len(rows[which, 0]), dtype=np.intp)
    told = features.names.index(column.source)
    levels = levels_of(features.columns[told])
    return levels, level(rows[which, told], levels)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What was done by groups of rows: arrays (groups,), or (FOLDS, groups) as the folds add up to it."""

    exposed: Numbers
    accepted: Numbers
    customers: Spots

    def without(self, fold: int | None) -> "_Counted":
        """All folds but one, or all of them."""

        def rest(each: NDArray[Number]) -> NDArray[Number]:
            whole: NDArray[Number] = each.sum(axis=0)
            return whole if fold is None else whole - each[fold]

        return _Counted(rest(self.exposed), rest(self.accepted), rest(self.customers))

    @property
    def enough(self) -> NDArray[np.bool_]:
        """Whether so many customers are in a group that it tells of none of them."""
        return self.customers >= LEAST_CUSTOMERS


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is learnt from, counted once: what some folds saw is what all saw less what the others did."""

    dataset: Dataset
    of_offer: _Counted
    at_level: dict[int, _Counted]
    """Spot of a column -> counts by offer and level, none of them last."""

    @classmethod
    def of(cls, dataset: Dataset, spots: Spots, fold: Spots) -> "_Seen":
        offer, customer, outcome = dataset.offer[spots], dataset.customer[spots], dataset.outcome[spots]

        def counted(levels: int, codes: Spots) -> _Counted:
            size = len(dataset.offers) * (levels + 1)
            groups = fold * size + offer * (levels + 1) + codes
            people = max(len(dataset.customers), 1)
            met = np.unique(groups * people + customer) // people  # a customer is in one fold: these add up too
            shape = (FOLDS, size)
            return _Counted(
                exposed=np.bincount(groups, minlength=FOLDS * size).reshape(shape).astype(np.float64),
                accepted=np.bincount(groups, outcome, minlength=FOLDS * size).reshape(shape).astype(np.float64),
                customers=np.bincount(met, minlength=FOLDS * size).reshape(shape),
            )

        features, rows = dataset.features, dataset.rows
        by = [spot for spot, column in _rates(features) if column.part is Part.RATES]
        of_offer = counted(0, np.zeros(len(spots), dtype=np.intp))
        return cls(dataset, of_offer, {spot: counted(*_levels(features, rows, spot, spots)) for spot in by})

    def features(self, without: int | None = None) -> FeatureList:
        """The feature list with the rates of all folds, or of all but one."""
        counted = self.of_offer.without(without)
        prior = shrinkage(np.column_stack([counted.exposed, counted.accepted]))
        known = np.flatnonzero(counted.enough).tolist() if prior != NOTHING_LEARNT else []
        mean, evidence = np.array(prior.mean), np.array(prior.evidence)
        own = np.where(counted.enough, smoothed(counted.accepted, counted.exposed, mean, evidence), mean)
        columns = list(self.dataset.features.columns)
        for spot, column in _rates(self.dataset.features):
            rates = _at_levels(self.at_level[spot].without(without), own) if spot in self.at_level else own[:, None]
            table = {self.dataset.offers[number]: tuple(rates[number].tolist()) for number in known}
            columns[spot] = msgspec.structs.replace(column, mean=prior.mean, evidence=prior.evidence, table=table)
        return FeatureList(self.dataset.features.v, tuple(columns))


def _at_levels(counted: _Counted, own: Numbers) -> Numbers:
    """(offers, levels + 1): drawn towards the offer's own rate; just that where too few were, and at none of them."""
    wide = len(counted.exposed) // max(len(own), 1)
    rates = np.repeat(own, wide)
    met = counted.enough & (np.arange(len(rates)) % wide < wide - 1)
    if met.any() and 0 < own.min() and own.max() < 1:
        exposed, accepted = counted.exposed[met], counted.accepted[met]
        evidence = np.array(evidence_around(exposed, accepted, rates[met]))
        rates[met] = smoothed(accepted, exposed, rates[met], evidence)
    return rates.reshape(-1, wide)

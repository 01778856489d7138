"""Response rates of offers, learnt with the trees: which share of others accepted this offer, in all and at a level.

A row that is learnt from sees what other customers did and nothing else: customers are dealt into FOLDS by the one
hash, and the rates of a row are made of the folds that its customer is not in. Rows that are asked (held out, served)
see the rates of all rows that were learnt from, as they do in serving. So no row sees its own outcome, and where there
is nothing to be learnt nothing is found.

Few responses are drawn towards what is known without them by empirical Bayes: an offer's rate towards that of all
offers, its rate at a level towards the offer's own (Micci-Barreca 2001, SIGKDD Explorations 3 (1)).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.dataset import Dataset
from scoring.features import NOTHING_LEARNT, Column, FeatureList, Part, Rows, Transform
from scoring.offer_rates import level, levels_of, unknown
from scoring.rates import evidence_around, shrinkage, smoothed
from scoring.vocabulary import LEAST_CUSTOMERS
from streams.bucket import bucket

FOLDS = 5
SALT = "rates"
Numbers = NDArray[np.float64]
Spots = NDArray[np.intp]


def out_of_fold(dataset: Dataset, spots: Spots) -> Rows:
    """The rows at `spots`, to be learnt from: their rates are those of other customers at `spots`. A copy."""
    rows: Rows = dataset.rows[spots]
    if not _rates(dataset.features):
        return rows
    fold = _folds(dataset)[dataset.customer[spots]]
    for number in np.unique(fold):
        mine = fold == number
        _fill(rows, mine, learnt(dataset, spots[~mine]), (dataset, spots[mine]))
    return rows


def as_served(dataset: Dataset, known: Spots, asked: Spots) -> Rows:
    """The rows at `asked`, with the rates that a model has which learnt from the rows at `known`. A copy."""
    rows: Rows = dataset.rows[asked]
    if _rates(dataset.features):
        _fill(rows, np.ones(len(rows), np.bool_), learnt(dataset, known), (dataset, asked))
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
    _fill(rows, np.ones(len(rows), np.bool_), features, (asked, np.arange(len(asked))))
    return rows


def learnt(dataset: Dataset, spots: Spots) -> FeatureList:
    """The dataset's feature list with the rates of the rows at `spots`."""
    seen = _Seen.of(dataset, spots)
    columns = list(dataset.features.columns)
    for spot, column in _rates(dataset.features):
        columns[spot] = seen.column(column)
    return FeatureList(dataset.features.v, tuple(columns))


def _rates(features: FeatureList) -> list[tuple[int, Column]]:
    return [(spot, c) for spot, c in enumerate(features.columns) if c.transform is Transform.LEARNT]


def _folds(dataset: Dataset) -> Spots:
    """(customers,): which fold each is in, whoever else there is."""
    return np.array([int(bucket(SALT, customer) * FOLDS) for customer in dataset.customers], dtype=np.intp)


def _fill(rows: Rows, which: NDArray[np.bool_], features: FeatureList, of: tuple[Dataset, Spots]) -> None:
    """In place: the rates of the rows that `of` says, in the order of `which`."""
    dataset, spots = of
    for spot, column in _rates(features):
        levels, codes = _levels(dataset, spots, column)
        nothing = (unknown(column),) * (levels + 1)
        table = np.array([column.table.get(offer, nothing) for offer in dataset.offers]).reshape(-1, levels + 1)
        rows[which, spot] = table[dataset.offer[spots], codes]


def _levels(dataset: Dataset, spots: Spots, column: Column) -> tuple[int, Spots]:
    """(how many levels there are, which one each row is at; the last is none)."""
    if column.part is not Part.RATES:
        return 0, np.zeros(len(spots), dtype=np.intp)
    told = dataset.features.names.index(column.source)
    levels = levels_of(dataset.features.columns[told])
    return levels, level(dataset.rows[spots, told], levels)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Arrays of groups of rows."""

    exposed: Numbers
    accepted: Numbers
    enough: NDArray[np.bool_]
    """Whether so many customers are in it that it tells of none of them."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is learnt from."""

    dataset: Dataset
    spots: Spots
    of_offer: _Counted
    mean: float
    evidence: float
    rate: Numbers
    """(offers,)"""

    @classmethod
    def of(cls, dataset: Dataset, spots: Spots) -> "_Seen":
        counted = _count(dataset, spots, dataset.offer[spots], len(dataset.offers))
        mean, evidence = shrinkage(np.column_stack([counted.exposed, counted.accepted]))
        towards, weight = np.array(mean), np.array(evidence)
        rate = np.where(counted.enough, smoothed(counted.accepted, counted.exposed, towards, weight), mean)
        return cls(dataset, spots, counted, mean, evidence, rate)

    def column(self, column: Column) -> Column:
        """A rate column with its table; the offers that are not in it have the mean at every level."""
        told = msgspec.structs.replace(column, mean=self.mean, evidence=self.evidence)
        if (self.mean, self.evidence) == NOTHING_LEARNT:
            return msgspec.structs.replace(told, table={})
        own = self.rate[:, None]
        rates = np.column_stack([self._at_levels(column), own]) if column.part is Part.RATES else own
        table = {self.dataset.offers[spot]: tuple(rates[spot].tolist()) for spot in self._known()}
        return msgspec.structs.replace(told, table=table)

    def _known(self) -> Iterator[int]:
        return iter(np.flatnonzero(self.of_offer.enough).tolist())

    def _at_levels(self, column: Column) -> Numbers:
        """(offers, levels): drawn towards the offer's own rate; that where too few were at the level."""
        levels, codes = _levels(self.dataset, self.spots, column)
        groups = self.dataset.offer[self.spots] * (levels + 1) + codes
        counted = _count(self.dataset, self.spots, groups, len(self.dataset.offers) * (levels + 1))
        own = np.repeat(self.rate, levels + 1)
        met = counted.enough
        rates = own.copy()
        if met.any():
            exposed, accepted = counted.exposed[met], counted.accepted[met]
            evidence = np.array(evidence_around(exposed, accepted, own[met]))
            rates[met] = smoothed(accepted, exposed, own[met], evidence)
        return rates.reshape(-1, levels + 1)[:, :levels]


def _count(dataset: Dataset, spots: Spots, groups: Spots, size: int) -> _Counted:
    """Of `size` groups; `groups` (rows,): which one each row at `spots` is in."""
    people = len(dataset.customers)
    pairs = np.unique(groups * people + dataset.customer[spots])
    customers = np.bincount(pairs // max(people, 1), minlength=size)
    return _Counted(
        exposed=np.bincount(groups, minlength=size).astype(np.float64),
        accepted=np.bincount(groups, weights=dataset.outcome[spots], minlength=size).astype(np.float64),
        enough=customers >= LEAST_CUSTOMERS,
    )

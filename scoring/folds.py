"""Folds: by customer (people nobody has met) and at random with equal shares of acceptances (people known already)."""

import numpy as np
from numpy.typing import NDArray

from scoring.dataset import Dataset
from streams.bucket import bucket

Fold = NDArray[np.intp]
"""The rows held out."""


def by_customer(dataset: Dataset, count: int, seed: int) -> list[Fold]:
    """`count` folds; all rows of a customer are in one. Customers are dealt out in the order of the one hash."""
    places = [bucket(f"fold:{seed}", customer) for customer in dataset.customers]
    dealt = np.empty(len(places), dtype=np.intp)
    dealt[np.argsort(places, kind="stable")] = np.arange(len(places)) % count
    of_row = dealt[dataset.customer]
    return [np.flatnonzero(of_row == number) for number in range(count)]


def stratified(dataset: Dataset, count: int, seed: int) -> list[Fold]:
    """`count` folds of rows, each with its share of acceptances."""
    places = np.array([bucket(f"fold:{seed}", str(row)) for row in range(len(dataset))])
    of_row = np.empty(len(dataset), dtype=np.intp)
    for outcome in (0.0, 1.0):
        spots = np.flatnonzero(dataset.outcome == outcome)
        of_row[spots[np.argsort(places[spots], kind="stable")]] = np.arange(len(spots)) % count
    return [np.flatnonzero(of_row == number) for number in range(count)]

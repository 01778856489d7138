"""Contributions: what each feature of a row added to its score, in log odds (TreeSHAP).

Shapley values of a forest are exact and add up: base + contributions = the margin of the trees (Lundberg et al., From
local explanations to global understanding with explainable AI for trees, Nature Machine Intelligence 2, 2020, algorithm
2; LightGBM's `pred_contrib`). The columns of one fact are told as one. Read from the model folder when first asked for:
serving holds no trees that it does not need.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import lightgbm
import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.calibration import Calibration
from scoring.cold_start import Evidence, Start, declared_only, start_of
from scoring.contribution_words import words
from scoring.features import Column, FeatureList, Rows
from scoring.model_folder import CALIBRATION, EVIDENCE, FEATURES, MODEL, check, invalid
from streams.record import OfferFacts, ShownItem

MOST = 6
"""Features that are told of an item; the others are summed."""
NEVER = 1e-9
LEAST = 0.005
"""Log odds: what would be told as +0.00 is not told."""


class Contribution(msgspec.Struct, frozen=True):
    """One feature of one item."""

    feature: str
    log_odds: float
    words: str
    """Its value, for a person to read."""


class ItemContributions(msgspec.Struct, frozen=True):
    """A shown item: base + contributions + rest = margin."""

    offer_id: str
    about: str
    placement: str
    score: float
    """What it was shown with: the model's probability, drawn towards the declared one where evidence is small."""
    modelled: float
    """The calibrated probability of the model alone."""
    margin: float
    """Log odds that the trees say; without a model those of the declared propensity, and so is the base."""
    base: float
    """Of the average row of the training."""
    contributions: tuple[Contribution, ...]
    """The largest first, by what they add or take."""
    rest: float
    """All other features together."""
    start: Start
    """How the model's word and the declared one came together."""


class Explainer:
    """A model folder's contributions. Thread-safe; may block when it is asked first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, shown: Sequence[ShownItem]) -> tuple[ItemContributions, ...]:
        """Of the items that were scored by this model. Raises InvalidInput MODEL_INVALID."""
        scored = [(item, item.score) for item in shown if item.score is not None]
        if not scored:
            return ()
        read = self._read
        rows = _rows([item for item, _ in scored], read.features, self._folder)
        table = contributions(read.booster, rows)
        margins = table.sum(axis=1)
        modelled = read.calibration.apply(margins)
        return tuple(
            _item(
                item,
                score,
                (float(margins[spot]), read.start(item.offer, float(modelled[spot]))),
                read.told(item.offer, rows[spot], table[spot]),
            )
            for spot, (item, score) in enumerate(scored)
        )

    @cached_property
    def _read(self) -> "_Read":
        check(self._folder)  # LightGBM ends the process over half a model
        try:
            return _Read(
                booster=lightgbm.Booster(model_str=(self._folder / MODEL).read_text()),
                features=msgspec.json.decode((self._folder / FEATURES).read_bytes(), type=FeatureList),
                calibration=msgspec.json.decode((self._folder / CALIBRATION).read_bytes(), type=Calibration),
                evidence=msgspec.json.decode((self._folder / EVIDENCE).read_bytes(), type=Evidence),
            )
        except (OSError, msgspec.DecodeError, lightgbm.basic.LightGBMError) as error:
            raise invalid(self._folder, str(error)) from error


def contributions(booster: lightgbm.Booster, rows: Rows) -> NDArray[np.float64]:
    """(n, features) -> (n, features + 1): log odds of each column, the base last."""
    return np.asarray(booster.predict(rows, pred_contrib=True, num_threads=1), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Read:
    booster: lightgbm.Booster
    features: FeatureList
    calibration: Calibration
    evidence: Evidence

    def start(self, offer: OfferFacts, modelled: float) -> Start:
        return start_of(offer, self.evidence.of(offer.offer_id), self.evidence.trust, modelled)

    def told(self, offer: OfferFacts, row: Rows, added: Rows) -> tuple[float, list[Contribution]]:
        """(base, every feature, the largest first)"""
        grouped: dict[str, list[tuple[float, Column, float]]] = {}
        for column, value, log_odds in zip(self.features.columns, row.tolist(), added.tolist(), strict=False):
            grouped.setdefault(column.feature, []).append((log_odds, column, value))
        every = [self._feature(feature, columns, offer) for feature, columns in grouped.items()]
        every.sort(key=lambda each: (-abs(each.log_odds), each.feature))
        return float(added[-1]), every

    def _feature(self, feature: str, columns: list[tuple[float, Column, float]], offer: OfferFacts) -> Contribution:
        ranked = sorted(columns, key=lambda each: -abs(each[0]))
        told = words([(column, value) for _, column, value in ranked], offer, self.features)
        return Contribution(feature, math.fsum(log_odds for log_odds, _, _ in columns), told)


def _rows(items: Sequence[ShownItem], features: FeatureList, folder: Path) -> Rows:
    rows = [item.row for item in items]
    if any(len(row) != len(features.columns) for row in rows):
        raise invalid(folder, f"the items have rows of {len(rows[0])} columns, {FEATURES} has {len(features.columns)}")
    return np.array(rows, dtype=np.float64)


def _item(
    item: ShownItem, score: float, said: tuple[float, Start], told: tuple[float, list[Contribution]]
) -> ItemContributions:
    (margin, start), (base, every) = said, told
    largest = [each for each in every[:MOST] if abs(each.log_odds) >= LEAST]
    return ItemContributions(
        offer_id=item.offer.offer_id,
        about=item.about,
        placement=item.placement,
        score=score,
        modelled=score if start.modelled is None else start.modelled,
        margin=margin,
        base=base,
        contributions=tuple(largest),
        rest=math.fsum(each.log_odds for each in every[len(largest) :]),
        start=start,
    )


def without_model(shown: Sequence[ShownItem]) -> tuple[ItemContributions, ...]:
    """Of items that no model scored: nothing is added to what their offers declare."""
    found = []
    for item in shown:
        if item.score is not None:
            chance = min(max(item.score, NEVER), 1 - NEVER)  # JSON has no infinity
            odds = math.log(chance / (1 - chance))
            found.append(_item(item, item.score, (odds, declared_only(item.offer)), (odds, [])))
    return tuple(found)


def lines(found: ItemContributions) -> list[str]:
    """For a person: the item, then a line per feature."""
    about = f" ({found.about})" if found.about else ""
    head = f"{found.offer_id}{about}: {found.score:.1%} = {found.start.words}"
    if found.start.modelled is None:
        return [head]
    told = [f"  {each.log_odds:+.2f}  {each.words}" for each in found.contributions]
    rest = [f"  {found.rest:+.2f}  everything else"] if abs(found.rest) >= LEAST else []
    return [head, f"  {found.base:+.2f}  on average, in log odds", *told, *rest]


@lru_cache(maxsize=2)
def explainer(folder: Path) -> Explainer:
    """Of a model folder, whose name says what is in it."""
    return Explainer(folder)

"""Rows for the model: as its feature list says, offers made once, the customer once a request, numpy for the rest."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np
from numpy.typing import NDArray

from loadtests.bench.handrolled.rules import Offer

Numbers = NDArray[np.float64]
HOUR_MS = 3_600_000
BUCKET_S = 900
RESPONSES = ("exposed", "clicked", "dismissed")
WINDOWS_S = (86_400, 7 * 86_400, None)
LEVELS = ("any", "offer", "collection", "campaign")
NEVER = (*(0.0,) * len(RESPONSES) * len(WINDOWS_S), math.nan)
"""Responses in each window, then hours since the last exposure: as the feature list has them for each level."""
CROSSES = ("affinity", "price_source", "room_source")
Candidate = tuple[int, Offer, dict[str, Any]]
"""(number of the offer, offer, facts of its subject)"""


class Model:
    """A model folder: its columns by part, its trees, its calibration, what it knows of each offer."""

    def __init__(self, folder: Path, offers: Sequence[Offer]) -> None:
        columns = json.loads((folder / "features.json").read_text())["columns"]
        self.width = len(columns)
        self.spots = {column["name"]: spot for spot, column in enumerate(columns)}

        def of_part(part: str) -> list[tuple[int, dict[str, Any]]]:
            return [(spot, column) for spot, column in enumerate(columns) if column["part"] == part]

        self.common = _readers(of_part("common"))
        self.subject = _readers(of_part("subject"))
        history = of_part("history")
        self.history = {level: _counts(level, history) for level in LEVELS}
        self.rates = [_rate(spot, column, self.spots) for spot, column in history if column["transform"] == "rate"]
        self.own = [spot for spot, _ in of_part("own")]
        self.booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
        evidence = json.loads((folder / "evidence.json").read_text())
        calibration = json.loads((folder / "calibration.json").read_text())
        self.slope, self.intercept = calibration["slope"], calibration["intercept"]
        of_offer = _readers(of_part("offer"))
        self.rows = np.array([self._offer_row(offer, of_offer) for offer in offers])
        self.crosses = np.array([self._crosses(offer) for offer in offers])
        seen = np.array([evidence["exposures"].get(offer.id, 0) for offer in offers], dtype=float)
        doubt = np.array([evidence["trust"] * offer.evidence for offer in offers])
        self.weight = np.where(seen > 0, seen / (seen + doubt), 0.0)
        self.mean = np.array([offer.mean for offer in offers])

    def _offer_row(self, offer: Offer, columns: "Readers") -> Numbers:
        row = np.full(self.width, np.nan)
        facts = {
            **offer.attributes,
            "offer.collection": offer.collection,
            "offer.id": offer.id,
            "offer.starting_mean": offer.mean,
            "offer.discount": float(offer.price.percent_off),
            **({} if offer.price.source else {"offer.price": offer.price.amount}),
        }
        for spot, source, encode in columns:
            if source in facts:
                row[spot] = encode(facts[source], 0.0)
        return row

    def _crosses(self, offer: Offer) -> list[int]:
        named = {"affinity": offer.attributes.get("offer.affinity"), "price_source": offer.price.source or None}
        return [self.spots.get(str(named.get(cross)), -1) for cross in CROSSES]

    def scores(self, candidates: Sequence[Candidate], asked: "Asked") -> tuple[Numbers, Numbers]:
        """(probabilities, rows)."""
        numbers = [number for number, _, _ in candidates]
        rows = self.rows[numbers]
        for spot, source, encode in self.common:
            value = asked.facts.get(source)
            if value is not None:
                rows[:, spot] = encode(value, asked.now_ms)
        self._add_subjects(rows, candidates, asked.now_ms)
        self._add_history(rows, candidates, asked)
        crosses = self.crosses[numbers]
        for place, spot in enumerate(self.own):
            at = crosses[:, place]
            rows[:, spot] = np.where(at >= 0, rows[np.arange(len(rows)), at], np.nan)
        margins = self.booster.predict(rows, raw_score=True, num_threads=1)
        modelled = np.clip(1 / (1 + np.exp(-(self.slope * margins + self.intercept))), 1e-6, 1 - 1e-6)
        weight = self.weight[numbers]
        return weight * modelled + (1 - weight) * self.mean[numbers], rows

    def _add_subjects(self, rows: Numbers, candidates: Sequence[Candidate], now: float) -> None:
        made: dict[int, list[tuple[int, float]]] = {}
        for place, (_, _, subject) in enumerate(candidates):
            if not subject:
                continue
            values = made.get(id(subject))
            if values is None:
                known = ((spot, subject.get(source), encode) for spot, source, encode in self.subject)
                values = made[id(subject)] = [(spot, encode(v, now)) for spot, v, encode in known if v is not None]
            for spot, value in values:
                rows[place, spot] = value

    def _add_history(self, rows: Numbers, candidates: Sequence[Candidate], asked: "Asked") -> None:
        for level, spots in self.history.items():
            rows[:, spots] = NEVER
            if level == "any":
                rows[:, spots] = asked.tallies.get(("any", ""), NEVER)
                continue
            for place, (_, offer, _) in enumerate(candidates):
                tally = asked.tallies.get((level, getattr(offer, level if level != "offer" else "id")))
                if tally is not None:
                    rows[place, spots] = tally
        for rate in self.rates:
            exposed = rows[:, rate.exposed]
            clicked = np.minimum(rows[:, rate.clicked], exposed)
            rows[:, rate.spot] = rate.mean + (clicked - exposed * rate.mean) / (exposed + rate.evidence)


class Rate(NamedTuple):
    """A rate column: drawn towards `mean`, which weighs `evidence` exposures."""

    spot: int
    exposed: int
    clicked: int
    mean: float
    evidence: float


def _rate(spot: int, column: dict[str, Any], spots: dict[str, int]) -> Rate:
    level = column["source"].removesuffix(".rate")
    exposed, clicked = (spots[f"history.{level}.{response}.ever"] for response in ("exposed", "clicked"))
    return Rate(spot, exposed, clicked, column.get("mean", 0.0), column.get("evidence", 0.0))


def _counts(level: str, history: Sequence[tuple[int, dict[str, Any]]]) -> list[int]:
    names = f"history.{level}."
    return [spot for spot, column in history if column["name"].startswith(names) and column["transform"] != "rate"]


class Asked:
    """What rows need of one request."""

    def __init__(self, facts: dict[str, Any], events: Sequence[dict[str, Any]], now_ms: float) -> None:
        self.facts = facts
        self.now_ms = now_ms
        self.tallies = tallies(events, now_ms / 1000)


def tallies(events: Sequence[dict[str, Any]], now_s: float) -> dict[tuple[str, str], list[float]]:
    """(level, id) -> the columns of a level; windows count every quarter of an hour they touch."""
    current = int(now_s) // BUCKET_S
    first = [0 if length is None else int(now_s - length) // BUCKET_S for length in WINDOWS_S]
    found: dict[tuple[str, str], list[float]] = {}
    for event in events:
        bucket, place = int(event["at"]) // BUCKET_S, RESPONSES.index(event["event"]) * len(WINDOWS_S)
        for about in (("any", ""), *((level, event[level]) for level in LEVELS[1:])):
            tally = found.setdefault(about, list(NEVER))
            for window, start in enumerate(first):
                tally[place + window] += bucket >= start
            if place == 0 and not tally[-1] < (current - bucket) / 4:
                tally[-1] = (current - bucket) / 4
    return found


Readers = list[tuple[int, str, Callable[[Any, float], float]]]
"""(spot, fact, encoder)"""


def _readers(columns: Sequence[tuple[int, dict[str, Any]]]) -> Readers:
    return [(spot, column["source"], encoder(column)) for spot, column in columns]


def encoder(column: dict[str, Any]) -> Callable[[Any, float], float]:
    """(value, now in ms) -> number."""
    transform = column["transform"]
    if transform == "code":
        codes = {level: float(code) for code, level in enumerate(column["levels"])}
        return lambda value, now: codes.get(value, -1.0)
    if transform == "member":
        return lambda value, now: float(column["member"] in value)
    if transform in ("sin", "cos"):
        wave, turn = (math.sin if transform == "sin" else math.cos), 2 * math.pi / column["period"]
        return lambda value, now: wave(value * turn)
    return {
        "size": lambda value, now: float(len(value)),
        "since": lambda value, now: (now - value) / HOUR_MS,
        "hours": lambda value, now: value / HOUR_MS,
        "flag": lambda value, now: float(value),
        "number": lambda value, now: float(value),
    }[transform]

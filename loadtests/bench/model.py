"""The bench's model: 300 trees of 31 leaves on rows of the bench's own decisions, written as a model folder.

What customers would do is drawn by a rule over attributes, so that the trees split on many columns, as trained ones do.
No folds and no judging, which cost minutes and change nothing about serving: this model is for its size alone.
"""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from random import Random

import msgspec
import numpy as np

import scoring
from loadtests.bench.customers import CROWDS, DENSE_CROWD, Crowd, biography, question
from offers.candidates import Candidates
from offers.catalog import Catalog
from offers.decision_id import new as new_decision_id
from offers.request import DecisionRequest, parse
from offers.shortlist import ALLOW
from offers.situation import Situation, situate
from scoring.calibration import AS_IT_IS
from scoring.cold_start import FORMAT as EVIDENCE_FORMAT
from scoring.cold_start import Evidence
from scoring.compiled import compile_trees
from scoring.dataset import build, learn_features
from scoring.examples import Example
from scoring.features import Scorable
from scoring.fit import Recipe, Run, grow, text_of
from scoring.model_folder import CALIBRATION, EVIDENCE, FEATURES, MODEL, SAMPLE, draft, finish
from scoring.train import sample
from streams.attributes import AttributeSet
from streams.fold import fold
from streams.ids import CustomerId, Millis
from streams.market import Market
from streams.profile import EMPTY, Profile
from streams.profile_mask import mask
from streams.record import DecisionInputs

LOOKED_AT = 24
"""Offers of one decision that have an outcome."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the model is, and from how many decisions of each crowd it is grown."""

    trees: int = 300
    leaves: int = 31
    people: int = 150


FULL = Size()
HERE = Path(__file__).parent
MADE_BY = ("campaigns.py", "customers.py", "model.py")


def key() -> str:
    """What the model is made of: the code of scoring and of the bench's world. Other code, another model."""
    digest = blake2b(digest_size=6)
    for path in (*sorted(Path(scoring.__path__[0]).glob("*.py")), *(HERE / name for name in MADE_BY)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def trained(models: Path, catalog: Catalog, market: Market, now: Millis, size: Size = FULL) -> Path:
    """The model's folder in `models`, made there. Raises ValueError if fewer trees could be grown."""
    examples = partial(_examples, catalog, market, now, size.people)
    run = Run(seed=1, recipe=Recipe(rounds=(size.trees,), leaves=size.leaves, least_rows=5))
    features = learn_features(examples, catalog.attributes)
    dataset = build(examples, features)
    booster = grow(dataset, np.arange(len(dataset)), size.trees, run)
    if booster.num_trees() != size.trees:
        raise ValueError(f"{booster.num_trees()} trees were grown; expected {size.trees}")
    folder = draft(models)
    try:
        (folder / MODEL).write_text(text_of(booster))
        (folder / FEATURES).write_bytes(msgspec.json.encode(features))
        (folder / CALIBRATION).write_bytes(msgspec.json.encode(AS_IT_IS))
        (folder / EVIDENCE).write_bytes(msgspec.json.encode(Evidence(EVIDENCE_FORMAT, 1.0, dataset.exposures)))
        rows = sample(dataset)
        margins = np.asarray(booster.predict(rows, raw_score=True, num_threads=1))
        np.save(folder / SAMPLE, np.column_stack([rows, margins]))
        return finish(folder, compile_trees(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def profile_of(crowd: Crowd, number: int, now: Millis, attributes: AttributeSet) -> Profile:
    """A bench customer's profile, by the real fold."""
    profile = EMPTY
    for event in biography(crowd, number, now):
        profile = fold(profile, event, None, event.time, attributes).profile
    return profile


def situation_of(crowd: Crowd, number: int, catalog: Catalog, market: Market, now: Millis) -> Situation:
    """What is read for one request of a bench customer."""
    wire = msgspec.convert(question(crowd, number, 0), DecisionRequest)
    asked = parse(wire, CustomerId(crowd.customer(number)), catalog.attributes, now)
    profile = profile_of(crowd, number, now, catalog.attributes)
    return Situation(
        decision_id=new_decision_id(now),
        now=now,
        request=asked.request,
        whereabouts=catalog.places.resolve(asked.fix, asked.location_status),
        profile=mask(profile.facts, catalog.attributes, now=now),
        market=market,
        candidate_limit=ALLOW,
    )


def _examples(catalog: Catalog, market: Market, now: Millis, people: int) -> Iterator[Example]:
    for crowd in (*CROWDS.values(), DENSE_CROWD):
        for number in range(people):
            inputs = situate(situation_of(crowd, number, catalog, market, now), catalog)
            yield _example(inputs, catalog, Random(f"bench:outcome:{crowd.name}:{number}"))


def _example(inputs: DecisionInputs, catalog: Catalog, rng: Random) -> Example:
    found = Candidates(catalog, inputs)
    positions = list(found.positions())
    looked_at = rng.sample(positions, min(LOOKED_AT, len(positions)))
    items: tuple[Scorable, ...] = tuple(
        (candidate.offer.facts, candidate.subject) for at in looked_at for candidate in found.of_offer(at)
    )
    unknown = (None,) * len(items)
    outcomes = tuple(int(rng.random() < _appetite(inputs, item)) for item in items)
    return Example(inputs, "prior", items, outcomes, unknown, unknown)


def _appetite(inputs: DecisionInputs, item: Scorable) -> float:
    """How likely this customer takes this offer: kinds of taste, money, time and trip all have their say."""
    facts, subject = item
    known = inputs.profile.facts
    affinity = known.get(str(facts.attributes.get("offer.affinity")), (0, 0))[0]
    spend = known["customer.average_spend"][0]
    price = facts.attributes.get("offer.price", 5_000)
    said = -2.5 + 0.25 * _number(affinity) - _number(price) / (1_000 + _number(spend))
    said += 0.03 * _number(facts.attributes.get("offer.discount", 0)) + 6 * facts.starting_mean
    said += 0.4 * ("customer.children" in known and _number(known["customer.children"][0]) > 0)
    said += 0.5 * (facts.attributes.get("offer.kind") in ("spa", "wine", "beach")) - 0.2 * bool(subject.key)
    said += 0.3 * (str(known["customer.age_band"][0]) == "from_61") + 0.2 * (inputs.whereabouts.accuracy_m < 20)
    return 1 / (1 + math.exp(-said))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0

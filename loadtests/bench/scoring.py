"""What a score costs beside LightGBM's own `Booster.predict` on the same rows: `python -m loadtests.bench.scoring`.

The bench's model (300 trees of 31 leaves) and its reference decision (100 candidates). Three things are timed on the
same decisions, one thread each, CPU time of the thread: `Booster.predict` on the rows, the compiled trees on the same
rows, and the whole scoring step, which makes the rows first: facts, history, crosses, trees, calibration, cold start.
They take turns, round by round; a ratio is the median of the rounds' ratios, so that what slows the machine for a
moment slows both sides.
"""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import lightgbm
import numpy as np

from loadtests.bench import model, stage
from loadtests.bench.customers import REFERENCE
from offers import capping, eligibility, shortlist
from offers.candidates import Candidates
from offers.catalog import Catalog
from offers.columns import in_columns
from offers.revisions import catalog_of, keep
from offers.situation import situate
from scoring.features import Propensity, Rows
from scoring.lineup import Lineup
from scoring.model_folder import MODEL
from scoring.propensity import load, open_model
from streams.errors import Stop
from streams.record import DecisionInputs

PEOPLE = 60
CANDIDATES = 100
ROUNDS = 31
WARM = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """One decision up to its scoring."""

    inputs: DecisionInputs
    lineup: Lineup
    rows: Rows


@dataclass(frozen=True, slots=True)
class Costs:
    """Medians of the rounds: us of CPU per decision, and the ratios of the rounds."""

    decisions: int
    columns: int
    form: str
    booster_us: float
    compiled_us: float
    step_us: float
    booster_over_compiled: float
    step_over_booster: float


def measured(folder: Path, catalog: Catalog, people: int = PEOPLE, rounds: int = ROUNDS) -> Costs:
    """A model on decisions of the reference crowd. Raises Stop NO_DECISIONS if none of them has CANDIDATES."""
    opened, propensity = open_model(folder), load(folder)
    booster = lightgbm.Booster(model_str=(folder / MODEL).read_text())
    asked = decisions(catalog, propensity, people)
    steps: dict[str, Callable[[Asked], object]] = {
        "booster": lambda each: booster.predict(each.rows, num_threads=1),
        "compiled": lambda each: opened.margins(each.rows),
        "step": lambda each: propensity.score(each.inputs, each.lineup),
    }
    for _ in range(WARM):
        for step in steps.values():
            _cpu_us(step, asked)
    gc.collect()
    gc.freeze()
    try:
        found = [{name: _cpu_us(step, asked) for name, step in steps.items()} for _ in range(rounds)]
    finally:
        gc.unfreeze()
    return Costs(
        decisions=len(asked),
        columns=asked[0].rows.shape[1],
        form=opened.form,
        booster_us=median(each["booster"] for each in found),
        compiled_us=median(each["compiled"] for each in found),
        step_us=median(each["step"] for each in found),
        booster_over_compiled=median(each["booster"] / each["compiled"] for each in found),
        step_over_booster=median(each["step"] / each["booster"] for each in found),
    )


def decisions(catalog: Catalog, propensity: Propensity, people: int) -> list[Asked]:
    """The first CANDIDATES of each customer who may be shown so many. Raises Stop NO_DECISIONS if nobody may."""
    market, at = stage.folded_market(catalog.places), stage.now()
    rules = (eligibility.rule_out, capping.rule_out)
    propensity.meet(catalog.columns.book)
    found = []
    for number in range(people):
        inputs = situate(model.situation_of(REFERENCE, number, catalog, market, at), catalog)
        lineup = in_columns(shortlist.take(Candidates(catalog, inputs), rules, inputs).kept).lineup[:CANDIDATES]
        if len(lineup) == CANDIDATES:
            found.append(Asked(inputs, lineup, np.ascontiguousarray(propensity.score(inputs, lineup).rows)))
    if not found:
        raise Stop("NO_DECISIONS", f"no decision of {REFERENCE.name} has {CANDIDATES} candidates")
    return found


def _cpu_us(step: Callable[[Asked], object], asked: Sequence[Asked]) -> float:
    """Per decision, over all of them: nothing is asked of the same one twice in a row."""
    began = time.thread_time()
    for each in asked:
        step(each)
    return (time.thread_time() - began) / len(asked) * 1e6


def told(costs: Costs) -> str:
    """One sentence for the notes."""
    return (
        f"Scoring {CANDIDATES} candidates on {costs.columns} columns, one thread, us of CPU per decision, "
        f"{costs.decisions} decisions: Booster.predict {costs.booster_us:.0f}, the {costs.form} trees "
        f"{costs.compiled_us:.0f} ({costs.booster_over_compiled:.1f} x as fast), the whole step {costs.step_us:.0f} "
        f"({costs.step_over_booster:.2f} of Booster.predict)."
    )


def measure_scoring() -> Costs:
    """The bench's model on its 1,000 offers; trained if it is not there."""
    folder = stage.made_model()
    campaigns = stage.ROOT / "live-1000" / "campaigns"
    stage.written(campaigns, 1_000)
    return measured(folder, catalog_of(keep(campaigns, stage.ROOT / "live-1000" / "artifacts")))


def main() -> None:
    """Measure and tell."""
    print(told(measure_scoring()))


if __name__ == "__main__":
    main()

"""The Open Bandit sample: what Thompson sampling is worth by the log of a random policy, beside what was published."""

import csv
import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from scoring.off_policy import Estimate, LoggedChoices, Numbers, OffPolicy, value_of

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "examples" / "open-bandit"
ITEMS, RANKS, FOLDS = 80, 3, 3
DRAWS = 100_000
"""Simulated choices of the Thompson policy; as many as were published with."""
QUICK_DRAWS = 5_000
SEED = 12345
SEEDS = f"{SEED} for the simulated choices, 0 for the bootstrap"
EVIDENCE = 500.0
"""Impressions at the mean rate that stand for each item in the direct method's model."""
PUBLISHED = {"ips": 0.004553, "dm": 0.003545, "dr": 0.004727}
PUBLISHED_SNIPS, PUBLISHED_EFFECTIVE, REVERSE_EFFECTIVE = 0.004776, 1640.0, 340.0
NAMES = {"ips": "IPS", "snips": "SNIPS", "dm": "direct method", "dr": "doubly robust", "sndr": "the same, own weights"}
Progress = Callable[[str, float], None]
_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class BanditLog:
    """n impressions: which item was shown at which rank (from 0), with which probability, and if it was clicked."""

    item: NDArray[np.intp]
    rank: NDArray[np.intp]
    click: Numbers
    propensity: Numbers


@dataclass(frozen=True, slots=True)
class Answered:
    """Both questions, and how far simulating the policy may move the first."""

    thompson: OffPolicy
    uniform: OffPolicy
    monte_carlo_error: float


def section(progress: Progress) -> str:
    """The section of the results."""
    return page(answered(DRAWS, progress), DRAWS)


def quick(progress: Progress) -> str:
    """The same from fewer simulated choices."""
    return page(answered(QUICK_DRAWS, progress), QUICK_DRAWS)


def answered(draws: int, progress: Progress = lambda _stage, _done: None, seed: int = SEED) -> Answered:
    """Thompson sampling valued on the random log, and uniform choice on the log of Thompson sampling."""
    progress("simulating Thompson sampling", 0.0)
    shown = simulated(draws, seed)
    log = read("random")
    chances = np.stack([np.bincount(shown[:, rank], minlength=ITEMS) for rank in range(RANKS)], axis=1) / draws
    progress("valuing it on the random log", 0.7)
    thompson = value_of(choices(log, chances))
    clicks = np.zeros((ITEMS, RANKS))
    np.add.at(clicks, (log.item, log.rank), log.click / log.propensity / len(log.click))
    worth = clicks[shown, np.arange(RANKS)].sum(axis=1)  # IPS is the mean of this over the simulated choices
    progress("the reverse question", 0.9)
    uniform = value_of(choices(read("bts"), np.full((ITEMS, RANKS), 1 / ITEMS)))
    return Answered(thompson, uniform, float(worth.std() / draws**0.5))


def simulated(draws: int, seed: int) -> NDArray[np.intp]:
    """(draws, 3) the items that Bernoulli Thompson sampling shows at ranks 0 to 2: those of the highest draws from the

    beta distributions that `prior_bts_all.yaml` states for the items.
    """
    stated = yaml.safe_load((FOLDER / "prior_bts_all.yaml").read_text())["all"]
    alpha, beta = np.array(stated["alpha"]), np.array(stated["beta"])
    draw = np.random.default_rng(seed)
    made = [draw.beta(alpha, beta, (min(_CHUNK, draws - at), ITEMS)) for at in range(0, draws, _CHUNK)]
    return np.concatenate([np.argsort(-rates, axis=1)[:, :RANKS] for rates in made])


def read(policy: str) -> BanditLog:
    """The log of `random` or `bts`."""
    text = gzip.decompress((FOLDER / f"{policy}.csv.gz").read_bytes()).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    return BanditLog(
        item=np.array([int(row["item_id"]) for row in rows], dtype=np.intp),
        rank=np.array([int(row["position"]) - 1 for row in rows], dtype=np.intp),
        click=np.array([float(row["click"]) for row in rows]),
        propensity=np.array([float(row["propensity_score"]) for row in rows]),
    )


def choices(log: BanditLog, chances: Numbers) -> LoggedChoices:
    """The log for a policy that shows item i at rank r with `chances[i, r]`; every impression by itself.

    The model of the direct method is each item's rate of clicks, pulled to the mean, from the other two thirds of the
    log: it never saw the clicks that it corrects.
    """
    fold = np.arange(len(log.item)) % FOLDS
    rates = np.array([_rates(log, fold != each) for each in range(FOLDS)])
    expected = np.einsum("fi,ir->fr", rates, chances)
    return LoggedChoices(
        reward=log.click,
        propensity=log.propensity,
        target=chances[log.item, log.rank],
        cluster=np.arange(len(log.item)),
        logged_value=rates[fold, log.item],
        target_value=expected[fold, log.rank],
    )


def _rates(log: BanditLog, known: NDArray[np.bool_]) -> Numbers:
    shown = np.bincount(log.item[known], minlength=ITEMS)
    clicked = np.bincount(log.item[known], weights=log.click[known], minlength=ITEMS)
    return np.asarray((clicked + EVIDENCE * log.click[known].mean()) / (shown + EVIDENCE))


def page(found: Answered, draws: int) -> str:
    """As Markdown."""
    forward, reverse = found.thompson, found.uniform
    off = abs(forward.ips.value - PUBLISHED["ips"])
    lines = [
        "## Open Bandit: Thompson sampling by the log of a random policy",
        "",
        f"{forward.rows:,} impressions of a shop front chosen at random among {ITEMS} items, "
        f"{int(forward.logged.value * forward.rows + 0.5)} clicks ([the sample and its "
        "licence](../deploy/examples/open-bandit/README.md)). The policy to be valued is Bernoulli Thompson sampling "
        f"with the published priors; its probabilities by {draws:,} simulated choices.",
        "",
        "| clicks per impression | published | here | 95 % interval |",
        "|---|---|---|---|",
        *(_row(name, getattr(forward, name)) for name in NAMES),
        "",
        f"IPS is {off:.1e} from the published value; simulating the choices alone moves it by "
        f"{found.monte_carlo_error:.1e} (one standard error). Effective sample size "
        f"{forward.effective_sample_size:,.0f} of {forward.rows:,} (computed by others: {PUBLISHED_EFFECTIVE:,.0f}), "
        f"largest weight {forward.largest_weight:.1f}, mean weight {forward.mean_weight:.3f}. The direct method, and "
        "with it doubly robust, is as good as its model, and the published model is another one: the one here is each "
        f"item's own rate of clicks out of fold, pulled to the mean with {EVIDENCE:.0f} impressions. "
        f"{_verdict(forward)}",
        "",
        f"The reverse, a uniform choice valued by the log of Thompson sampling ({reverse.rows:,} impressions, "
        f"{reverse.positives} clicks): effective sample size {reverse.effective_sample_size:,.0f} "
        f"({REVERSE_EFFECTIVE:,.0f} expected). {_verdict(reverse)}",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, estimate: Estimate) -> str:
    published = {**PUBLISHED, "snips": PUBLISHED_SNIPS}.get(name)
    said = "" if published is None else f"{published:.6f}"
    low, high = estimate.interval
    interval = "that of its model, unknown" if name == "dm" else f"{low:.4f} to {high:.4f}"
    return f"| {NAMES[name]} | {said} | {estimate.value:.6f} | {interval} |"


def _verdict(found: OffPolicy) -> str:
    if found.reliable:
        return "The log can answer this."
    return f"Refused: {'; '.join(doubt.text for doubt in found.why)}."

"""Experiments across campaigns: one id is one division of the customers, wherever it stands."""

from collections.abc import Callable, Iterable

from offers.campaign import ReadCampaign
from offers.experiment import Experiment, Holdout
from streams.findings import shown
from streams.sheet import Sheet


def check_experiments(found: Iterable[ReadCampaign], holdout: Holdout | None, sheet_of: Callable[[str], Sheet]) -> None:
    """EXPERIMENT_DIFFERS where an id divides customers in two ways; DUPLICATE_ID where it is the holdout's."""
    first: dict[str, tuple[Experiment, str]] = {}
    for read in found:
        experiment, node = read.campaign.offer.experiment, read.experiment_node
        if experiment is None or node is None:
            continue
        sheet = sheet_of(read.campaign.path)
        if holdout is not None and experiment.id == holdout.id:
            message = f"{shown(experiment.id)} is the holdout at {holdout.where} already."
            sheet.error(node, "DUPLICATE_ID", message, "Take another id: it would hold back the same customers.")
        before, where = first.setdefault(experiment.id, (experiment, sheet.where(node)))
        if before != experiment:
            message = f"experiment {shown(experiment.id)} divides customers otherwise at {where}."
            hint = "Write the same holdout, shares, ramp and others in both, or take another id."
            sheet.error(node, "EXPERIMENT_DIFFERS", message, hint)

"""The contributions of the items a decision shows, by the model that scored them. Only where somebody asks why."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from scoring.contributions import ItemContributions, explainer, lines, without_model
from scoring.features import Propensity
from scoring.propensity import PRIOR
from streams.errors import InvalidInput
from streams.record import DecisionRecord, ShownItem

logger = logging.getLogger("offing.contributed")
Contributions = tuple[ItemContributions, ...]


def of_shown(shown: Sequence[ShownItem], propensity: Propensity) -> Contributions:
    """By the model that serves; none of a folder that cannot be read any more. May block."""
    if propensity.folder is None:
        return without_model(shown)
    try:
        return explainer(propensity.folder).of(shown)
    except InvalidInput as error:
        logger.warning("contributions are not known: %s", error, extra={"code": error.code})
        return ()


def of_record(record: DecisionRecord, models: Path) -> Contributions:
    """By the model that decided then, from the rows it saw. Raises InvalidInput MODEL_INVALID if it is here no more."""
    if record.model == PRIOR:
        return without_model(record.shown)
    return explainer(models / Path(record.model).name).of(record.shown)


def of_record_or_why_not(record: DecisionRecord, models: Path) -> tuple[Contributions, str]:
    """The same, or in words why they are not known."""
    try:
        return of_record(record, models), ""
    except InvalidInput as error:
        return (), error.message


def lines_of(record: DecisionRecord, models: Path) -> Iterator[str]:
    """For a person: why each shown item has the score it has."""
    found, unknown = of_record_or_why_not(record, models)
    if unknown:
        yield f"what each feature added is not known: {unknown}"
    for each in found:
        yield from lines(each)

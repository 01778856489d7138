"""What a worker decides with: the active revision and model, swapped whole."""

from dataclasses import dataclass

from offers.catalog import Catalog
from scoring.features import Propensity


@dataclass(frozen=True, slots=True)
class Engine:
    """Immutable: a decision takes the reference once and never sees half of a swap."""

    catalog: Catalog
    propensity: Propensity
    degraded: tuple[str, ...] = ()
    """`model_unavailable` while the prior stands in for a model that could not be loaded."""

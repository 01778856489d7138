"""Deployment: what streams needs of the active revision; offers makes it, so that streams need not know campaigns."""

from collections.abc import Callable
from dataclasses import dataclass

from streams.attributes import AttributeSet
from streams.places import Places
from streams.totals import Series


@dataclass(frozen=True, slots=True)
class Deployment:
    """Immutable; a new revision brings a new one."""

    attributes: AttributeSet
    places: Places
    totals: tuple[Series, ...] = ()
    """What is counted over all customers, besides each campaign's events since ever."""


Active = Callable[[], Deployment]
"""The deployment active now. Consumers ask once per batch, so a batch sees one revision."""

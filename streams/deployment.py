"""Deployment: what streams needs of the active revision; offers makes it, so that streams need not know campaigns."""

from collections.abc import Callable
from dataclasses import dataclass

from streams.attributes import AttributeSet
from streams.places import Places


@dataclass(frozen=True, slots=True)
class Deployment:
    """Immutable; a new revision brings a new one."""

    attributes: AttributeSet
    places: Places


Active = Callable[[], Deployment]
"""The deployment active now. Consumers ask once per batch, so a batch sees one revision."""

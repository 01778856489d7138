"""Which sections there are, in the page's order, and where each is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

from scoring.cross_validation import Progress

Make = Callable[[Progress], str]
"""Markdown that begins with a `## ` heading."""
MODULES: Mapping[str, str] = MappingProxyType(
    {
        "coupons": "loadtests.results.coupons",
        "open_bandit": "loadtests.results.open_bandit",
        "worlds": "loadtests.results.worlds",
        "thirty_days": "loadtests.results.thirty_days",
    }
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    name: str
    make: Make
    quick: Make | None = None
    """On a small part, in seconds; None: there is no such thing."""
    seeds: str = ""


def known(modules: Mapping[str, str] = MODULES) -> dict[str, Section]:
    """Every section by name, in order. Raises ModuleNotFoundError for one whose module is not there."""
    return {name: _section(name, import_module(path)) for name, path in modules.items()}


def _section(name: str, module: Any) -> Section:
    return Section(name, module.section, getattr(module, "quick", None), getattr(module, "SEEDS", ""))

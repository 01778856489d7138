"""Campaign files as dataclasses, their conditions as closures."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

TIERS = {"loyalty_tier": ("blue", "silver", "gold", "platinum")}
PLACEMENT_FILES = ("attributes.yaml", "images.yaml", "policies.yaml", "seasons.yaml", "placements.yaml")
HOUR_S = 3600.0
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(slots=True)
class Context:
    """What a rule may look at."""

    facts: dict[str, Any]
    """customer.* and context.*"""
    port_km: dict[str, float]
    """How far the phone is from each port; empty: nobody knows."""
    fences: frozenset[str]


Test = Callable[[Context, dict[str, Any]], bool]
"""(context, facts of the booking or sailing)"""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many exposures of the offer in so many seconds."""

    at_most: int
    window_s: float


@dataclass(frozen=True, slots=True)
class Price:
    """In cents."""

    amount: int = 0
    source: str = ""
    percent_off: int = 0
    step: int = 1

    def of(self, subject: dict[str, Any]) -> int | None:
        """What it costs, rounded half up to the step; None: nobody knows."""
        full = subject.get(self.source) if self.source else self.amount
        if full is None:
            return None
        return int((2 * full * (100 - self.percent_off) + 100 * self.step) // (200 * self.step) * self.step)


@dataclass(frozen=True, slots=True)
class Offer:
    """One campaign."""

    id: str
    campaign: str
    collection: str
    starts: float
    ends: float
    days: frozenset[int]
    """ISO; empty: all."""
    seasons: frozenset[str]
    about: str
    """"" | booking | sailing"""
    tests: tuple[tuple[str, Test], ...]
    """(what a failure is counted as, the rule)"""
    purposes: frozenset[str]
    channels: frozenset[str]
    placements: frozenset[str]
    caps: tuple[Cap, ...]
    dismissed_s: float
    price: Price
    value: float
    margin: float
    mean: float
    evidence: float
    attributes: dict[str, Any]
    texts: dict[str, dict[str, str]]
    image: str
    link: str
    web: str


def load(folder: Path) -> list[Offer]:
    """Every campaign that is not a fallback."""
    paths = sorted(path for path in folder.rglob("*.yaml") if path.name not in PLACEMENT_FILES)
    raw = [yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader) for path in paths if "places" not in path.parts]
    return [offer(campaign) for campaign in raw if not campaign["offer"].get("fallback")]


def offer(raw: dict[str, Any]) -> Offer:
    """A campaign file's content."""
    part, schedule, price = raw["offer"], raw.get("schedule", {}), raw["price"]
    zone = ZoneInfo(schedule.get("zone", "UTC"))
    about = part.get("about", "")
    return Offer(
        id=part["id"],
        campaign=raw["campaign"],
        collection=part.get("collection", ""),
        starts=_instant(schedule.get("from", "1970-01-01"), zone),
        ends=_instant(schedule.get("until", "2999-01-01"), zone),
        days=frozenset(DAYS.index(day) + 1 for day in schedule.get("days", ())),
        seasons=frozenset(schedule.get("season", ())),
        about="sailing" if isinstance(about, dict) else about,
        tests=tuple(_tests(raw)),
        purposes=frozenset(raw["consent"]["purposes"]),
        channels=frozenset(raw["consent"]["channels"]),
        placements=frozenset(raw["placements"]),
        caps=tuple(Cap(cap["at_most"], _hours(cap["window"]) * HOUR_S) for cap in raw["limits"]),
        dismissed_s=_hours(raw["suppress"]["for"]) * HOUR_S,
        price=_price(price),
        value=_number(part["value"]["amount"]),
        margin=_number(part["value"]["margin"]) / 100,
        mean=_number(part["starting_propensity"]) / 100,
        evidence=50.0,
        attributes={f"offer.{name}": value for name, value in part["attributes"].items()},
        texts=raw["text"],
        image=raw["representation"]["image"],
        link=raw["representation"]["link"],
        web=raw["representation"]["web"],
    )


def _price(raw: dict[str, Any]) -> Price:
    step = round(_number(raw.get("round_to", "0.01 EUR")) * 100)
    off = int(_number(raw.get("discount", "0 %")))
    if "from" in raw:
        return Price(source=raw["from"], percent_off=off, step=step)
    return Price(amount=round(_number(raw["amount"]) * 100), percent_off=off, step=step)


def _number(text: object) -> float:
    return float(str(text).split()[0])


def _hours(text: str) -> float:
    number, unit = text.removeprefix("rolling ").split()
    return float(number) * {"h": 1, "d": 24, "min": 1 / 60}[unit]


def _instant(text: object, zone: ZoneInfo) -> float:
    """Seconds; `2026-11-21 24:00` is the end of that day."""
    day, _, clock = str(text).partition(" ")
    at = datetime.fromisoformat(day).replace(tzinfo=zone)
    return (at + timedelta(days=1) if clock == "24:00" else at).timestamp()


def _tests(raw: dict[str, Any]) -> Iterator[tuple[str, Test]]:
    for condition in raw.get("eligibility", ()):
        yield "ELIGIBILITY", _test(condition)
    for condition in raw.get("suitability", {}).get("none", ()):
        yield "SUITABILITY", _not(condition)


def _test(condition: dict[str, Any]) -> Test:
    ((name, wanted),) = condition.items()
    if name == "any":
        some = [_test(each) for each in wanted]
        return lambda context, subject: any(test(context, subject) for test in some)
    if name == "location":
        return _near(wanted)
    compared = _comparison(name, wanted)

    def test(context: Context, subject: dict[str, Any]) -> bool:
        value = subject.get(name)
        if value is None:
            value = context.facts.get(name)
        return value is not None and compared(value)

    return test


def _not(condition: dict[str, Any]) -> Test:
    ((name, wanted),) = condition.items()
    missing = wanted.get("on_missing") == "pass"
    compared = _comparison(name, wanted["is"])

    def test(context: Context, subject: dict[str, Any]) -> bool:
        value = context.facts.get(name, subject.get(name))
        return missing if value is None else not compared(value)

    return test


def _near(wanted: dict[str, Any]) -> Test:
    if "inside" in wanted:
        fences = frozenset(fence.removeprefix("fence:") for fence in wanted["inside"])
        return lambda context, subject: not fences.isdisjoint(context.fences)
    km, port = re.fullmatch(r"(\d+) km of port:(\w+)", wanted["within"]).groups()  # type: ignore[union-attr]
    most = float(km)
    return lambda context, subject: context.port_km.get(port, 1e9) <= most


def _comparison(name: str, wanted: Any) -> Callable[[Any], bool]:
    """Raises ValueError for what the bench's campaigns do not use."""
    if not isinstance(wanted, dict):
        return lambda value: bool(value == wanted)
    ((op, operand),) = wanted.items()
    levels = TIERS.get(name.rpartition(".")[2])
    if op == "at_least" and levels:
        good = frozenset(levels[levels.index(operand) :])
        return good.__contains__
    if op in ("in", "not_in"):
        named = frozenset(operand)
        return named.__contains__ if op == "in" else lambda value: value not in named
    if op in ("has", "has_any"):
        members = frozenset([operand] if op == "has" else operand)
        return lambda value: not members.isdisjoint(value)
    return _ordered(op, operand)


def _ordered(op: str, operand: Any) -> Callable[[Any], bool]:
    if op == "after":
        instant = datetime.fromisoformat(str(operand)).replace(tzinfo=ZoneInfo("Europe/Rome")) + timedelta(days=1)
        limit = instant.timestamp() * 1000
        return lambda value: bool(value >= limit)
    bound = round(_number(operand) * 100) if str(operand).endswith("EUR") else operand
    if op == "at_least":
        return lambda value: bool(value >= bound)
    if op == "at_most":
        return lambda value: bool(value <= bound)
    if op == "above":
        return lambda value: bool(value > bound)
    raise ValueError(f"{op} is not among the conditions of the bench's campaigns")

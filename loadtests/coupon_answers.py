"""The survey's answers: a respondent in a situation was shown a coupon and took it or not."""

import csv
import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

COUPONS: Mapping[str, str] = {
    "Bar": "bar",
    "Coffee House": "coffee_house",
    "Carry out & Take away": "take_away",
    "Restaurant(<20)": "restaurant_under_20",
    "Restaurant(20-50)": "restaurant_20_to_50",
}
VISITS: Mapping[str, str] = {
    "Bar": "bar_visits",
    "CoffeeHouse": "coffee_house_visits",
    "CarryAway": "take_away_visits",
    "RestaurantLessThan20": "restaurant_under_20_visits",
    "Restaurant20To50": "restaurant_20_to_50_visits",
}
ABOUT: Mapping[str, str] = {
    "gender": "gender",
    "age": "age",
    "maritalStatus": "marital_status",
    "education": "education",
    "occupation": "occupation",
    "income": "income",
    "car": "car",
    **VISITS,
}
"""Column -> customer attribute."""
SITUATION: Mapping[str, str] = {
    "destination": "destination",
    "passanger": "passenger",
    "weather": "weather",
    "temperature": "temperature",
    "time": "time_of_day",
}
"""Column -> context attribute. The distance and the direction are several columns each."""
HOURS: Mapping[str, int] = {"7AM": 7, "10AM": 10, "2PM": 14, "6PM": 18, "10PM": 22}


@dataclass(frozen=True, slots=True)
class Answer:
    """One row."""

    respondent: str
    profile: Mapping[str, str | bool]
    """Customer attributes; what was not said is not there."""
    situation: Mapping[str, str | bool]
    """Context attributes."""
    hour: int
    """Of the day, as the row says."""
    coupon: str
    """The offer: kind and validity."""
    placement: str
    taken: bool


def read(file: Path) -> list[Answer]:
    """The rows of the compressed CSV, in order."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as rows:
        return [_answer(row) for row in csv.DictReader(rows)]


def days_of(answers: Sequence[Answer], seed: int, days: int) -> Iterator[tuple[int, Answer]]:
    """(day, answer): a respondent's answers on consecutive days, in an order that tells nothing, from any first day.

    So no two answers of one person are nearer than nine hours. Raises ValueError if somebody has more than `days`.
    """
    by_respondent: dict[str, list[Answer]] = {}
    for answer in answers:
        by_respondent.setdefault(answer.respondent, []).append(answer)
    for respondent, own in by_respondent.items():
        if len(own) > days:
            raise ValueError(f"respondent {respondent} has {len(own)} answers, more than {days} days")
        rng = Random(f"{seed}:{respondent}")
        rng.shuffle(own)
        first = rng.randrange(days - len(own) + 1)
        yield from enumerate(own, first)


def level(text: str) -> str:
    """An answer as a level: small letters, digits and _.

    >>> level("$12500 - $24999"), level("Kid(s)"), level("1~3")
    ('12500_24999', 'kids', '1_3')
    """
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"[()]", "", text.lower())).strip("_")


def _answer(row: Mapping[str, str]) -> Answer:
    kind, validity = COUPONS[row["coupon"]], row["expiration"]
    profile: dict[str, str | bool] = {name: level(row[column]) for column, name in ABOUT.items() if row[column]}
    situation: dict[str, str | bool] = {name: level(row[column]) for column, name in SITUATION.items()}
    return Answer(
        respondent=f"r-{row['respondent']}",
        profile={**profile, "has_children": row["has_children"] == "1"},
        situation={**situation, "minutes_away": _away(row), "same_direction": row["direction_same"] == "1"},
        hour=HOURS[row["time"]],
        coupon=f"{kind.replace('_', '-')}-{validity}",
        placement=f"coupon.{kind}.{validity}",
        taken=row["Y"] == "1",
    )


def _away(row: Mapping[str, str]) -> str:
    """Three columns that say one thing: at least 5, 15, 25 minutes."""
    if row["toCoupon_GEQ25min"] == "1":
        return "from_25"
    return "from_15" if row["toCoupon_GEQ15min"] == "1" else "from_5"

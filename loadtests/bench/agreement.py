"""Whether two services answer the same customers with the same offers, in the same order, at the same prices."""

from typing import Any

import httpx

from loadtests.bench.customers import Crowd, question
from loadtests.bench.runs import PATH, Target


def shown(target: Target, asked: dict[str, Any]) -> list[tuple[str, int]]:
    """(offer, price in cents) of each item of the first placement."""
    url = f"http://127.0.0.1:{target.process.port}{PATH}"
    answer = httpx.post(url, json=asked, headers={"authorization": f"Bearer {target.secret}"}, timeout=20.0)
    answer.raise_for_status()
    return [(item["offer_id"], item["price"]["minor"]) for item in answer.json()["placements"][0]["items"]]


def differing(one: Target, other: Target, crowd: Crowd, people: int) -> list[str]:
    """Customers whom the two services show something else, with what; empty: they agree."""
    found = []
    for number in range(people):
        asked = question(crowd, number, 9_999)
        first, second = shown(one, asked), shown(other, asked)
        if first != second:
            found.append(f"{asked['customer_id']}: {one.process.name} {first}, {other.process.name} {second}")
    one.forget()
    return found

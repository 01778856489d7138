"""What must be true of every answer, however fast it came. One violation fails the run.

Each check says what it found wrong; `Checked` also counts what each has looked at, so that a check that met nothing is
seen to have met nothing.
"""

import base64
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from loadtests.load.campaign_facts import Facts, written_for
from loadtests.load.crowd import PREFIX
from loadtests.load.measured import Checked, Violation, more
from loadtests.load.sold_out import SoldOut

MAX_TOKEN = 512
TOKEN = "ot1."
MAC_BYTES = 16
SOMEBODY = re.compile(rf"{re.escape(PREFIX)}c-\d+".encode())
"""The id of any customer of the load, wherever it stands: in a booking's id too."""
CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "as_asked": "the placements asked for, in their order, with no more items than wanted",
        "language": "the language the customer asked for, or what the campaign has for everyone else",
        "nobody_else": "tokens of this customer and this decision, and no other customer's id in the body",
        "not_expired": "expires after the answer was made, and ttl_s says when",
        "not_sold_out": "nothing of a sailing whose last room this run had sold",
        "ranks": "ranks 1, 2, 3, ... in each placement",
        "unique": "no offer and no token twice",
        "tokens": f"a readable token of at most {MAX_TOKEN} bytes that says this item",
    }
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A decision as it was asked for and came back."""

    customer: str
    locale: str
    placements: Sequence[Mapping[str, Any]]
    asked_at: float
    """On this process's clock, in seconds, as `answered_at`."""
    answered_at: float


@dataclass(slots=True)
class Checks:
    """All of them, over every answer of a run."""

    facts: Facts
    sold_out: SoldOut
    checked: Checked = field(default_factory=Checked)

    def look(self, asked: Asked, body: bytes, answer: Mapping[str, Any]) -> None:
        """Check one answer; `body` is what `answer` was read from."""
        for violation in self._violations(asked, body, answer):
            self.checked.add(violation)

    def _violations(self, asked: Asked, body: bytes, answer: Mapping[str, Any]) -> Iterator[Violation]:
        yield from _as_asked(asked, answer)
        yield from _nobody_else(asked, body)
        yield from _unique(answer)
        made = datetime.fromisoformat(answer["server_time"])
        for placement in answer["placements"]:
            yield from _ranks(placement)
            for item in placement["items"]:
                self._count(item)
                yield from _token(asked, answer, placement["placement"], item)
                yield from _not_expired(item, made)
                yield from self._language(asked, item)
                yield from self._not_sold_out(asked, item)

    def _count(self, item: Mapping[str, Any]) -> None:
        looked = self.checked.looked_at
        for name in ("as_asked", "nobody_else", "not_expired", "ranks", "unique", "tokens"):
            more(looked, name)
        more(looked, "language", item["offer_id"] in self.facts)

    def _language(self, asked: Asked, item: Mapping[str, Any]) -> Iterator[Violation]:
        facts = self.facts.get(item["offer_id"])
        if facts is None:
            return
        expected, found = written_for(asked.locale, facts), item["representation"]["locale"]
        if found not in expected:
            wanted = " or ".join(expected) or "nothing"
            yield Violation("language", f"{item['offer_id']} for {asked.locale} is in {found}; expected {wanted}")

    def _not_sold_out(self, asked: Asked, item: Mapping[str, Any]) -> Iterator[Violation]:
        facts, sailing = self.facts.get(item["offer_id"]), item["about"].get("sailing_id")
        if facts is None or sailing is None:
            return
        for kind in facts.rooms:
            if self.sold_out.knows(sailing, kind):
                more(self.checked.looked_at, "not_sold_out")
                if self.sold_out.was_gone(sailing, kind, asked.asked_at, asked.answered_at):
                    found = f"{item['offer_id']} about {sailing}, which has no {kind} left"
                    yield Violation("not_sold_out", found)


def _as_asked(asked: Asked, answer: Mapping[str, Any]) -> Iterator[Violation]:
    wanted = [(one["placement"], one["limit"]) for one in asked.placements]
    found = [(one["placement"], len(one["items"])) for one in answer["placements"]]
    fits = len(wanted) == len(found) and all(
        name == shown and number <= limit for (name, limit), (shown, number) in zip(wanted, found, strict=True)
    )
    if not fits:
        yield Violation("as_asked", f"asked for {wanted}, answered {found}")


def _nobody_else(asked: Asked, body: bytes) -> Iterator[Violation]:
    others = {found.decode() for found in SOMEBODY.findall(body)} - {asked.customer}
    if others:
        yield Violation("nobody_else", f"the answer for {asked.customer} names {', '.join(sorted(others))}")


def _unique(answer: Mapping[str, Any]) -> Iterator[Violation]:
    items = [item for placement in answer["placements"] for item in placement["items"]]
    for name in ("offer_id", "token"):
        twice = [found for found, number in Counter(item[name] for item in items).items() if number > 1]
        if twice:
            yield Violation("unique", f"{name} stands twice in one answer: {twice[0][:60]}")


def _ranks(placement: Mapping[str, Any]) -> Iterator[Violation]:
    ranks = [item["rank"] for item in placement["items"]]
    if ranks != list(range(1, len(ranks) + 1)):
        yield Violation("ranks", f"{placement['placement']} has the ranks {ranks}")


def _not_expired(item: Mapping[str, Any], made: datetime) -> Iterator[Violation]:
    left_s = (datetime.fromisoformat(item["expires_at"]) - made).total_seconds()
    if left_s <= 0 or int(left_s) != item["ttl_s"]:
        found = f"{item['offer_id']} has {left_s:.3f} s left when the answer is made, and ttl_s {item['ttl_s']}"
        yield Violation("not_expired", found)


def _token(asked: Asked, answer: Mapping[str, Any], placement: str, item: Mapping[str, Any]) -> Iterator[Violation]:
    token = item["token"]
    if len(token.encode()) > MAX_TOKEN:
        yield Violation("tokens", f"the token of {item['offer_id']} has {len(token.encode())} bytes")
        return
    says = _says(token)
    if says is None:
        yield Violation("tokens", f"the token of {item['offer_id']} cannot be read: {token[:20]!r}")
        return
    if (says.placement, says.rank, says.offer) != (placement, item["rank"], item["offer_id"]):
        yield Violation("tokens", f"the token of {item['offer_id']} is of {says.offer} at {says.placement} {says.rank}")
    if says.customer != asked.customer or says.decision != answer["decision_id"]:
        found = f"a token of {says.customer}, decision {says.decision}"
        yield Violation("nobody_else", f"{asked.customer}, decision {answer['decision_id']}, was sent {found}")


@dataclass(frozen=True, slots=True)
class _Says:
    """What a token says, read without its key: anybody can, and nobody can change it."""

    decision: str
    placement: str
    rank: int
    offer: str
    customer: str


def _says(token: str) -> _Says | None:
    if not token.startswith(TOKEN):
        return None
    text = token.removeprefix(TOKEN)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)[MAC_BYTES:]
        packed, placement, rank, offer, _, _, _, customer, _, _ = msgspec.msgpack.decode(raw)
    except (ValueError, msgspec.DecodeError):
        return None
    name = packed[1:].hex()
    decision = "-".join((name[:8], name[8:12], name[12:16], name[16:20], name[20:]))
    return _Says(decision if packed[:1] == b"u" else packed[1:].decode(), placement, rank, offer, customer)

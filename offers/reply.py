"""What an app gets back: the decision with its tokens, clock and times filled in, as JSON bytes."""

from collections.abc import Sequence
from typing import Any

import msgspec

from offers.events_door import EventResult
from offers.explain import Verdict
from offers.proposition import Decision, Item, PlacementSlate
from streams.ids import Millis
from streams.instant import format_instant

_ENCODE = msgspec.json.Encoder().encode
TOKEN = "{token}"


class Around(msgspec.Struct, frozen=True):
    """What is new in every answer, a cached one too."""

    now: Millis
    request_id: str
    took_ms: float
    withdrawn: tuple[str, ...] = ()
    events: tuple[EventResult, ...] = ()
    ruled_out: dict[str, Any] | None = None
    """Only with `explain`, which needs a scope: app answers hold neither scores nor counts."""
    degraded: tuple[str, ...] = ()
    """What this request, not its decision, had to do without: `events_not_kept`."""


def encode(decision: Decision, tokens: Sequence[Sequence[str]], around: Around) -> bytes:
    """The answer's JSON."""
    answer: dict[str, Any] = {
        "decision_id": decision.decision_id,
        "request_id": around.request_id,
        "server_time": format_instant(around.now),
        "revision": decision.revision,
        "model": decision.model,
        "degraded": sorted({*decision.degraded, *around.degraded}),
        "withdrawn": around.withdrawn,
        "events": around.events,
        "took_ms": round(around.took_ms, 3),
        "placements": [
            _placement(slate, minted, around.now) for slate, minted in zip(decision.placements, tokens, strict=True)
        ],
    }
    if around.ruled_out is not None:
        answer["ruled_out"] = around.ruled_out
    return _ENCODE(answer)


def _placement(slate: PlacementSlate, tokens: Sequence[str], now: Millis) -> dict[str, Any]:
    placement: dict[str, Any] = {
        "placement": slate.placement,
        "fallback": slate.fallback,
        "refresh_after_s": slate.refresh_after_s,
        "items": [_item(item, token, now) for item, token in zip(slate.items, tokens, strict=True)],
    }
    if slate.problem is not None:
        placement["problem"] = slate.problem
    return placement


def _item(item: Item, token: str, now: Millis) -> dict[str, Any]:
    shown = msgspec.to_builtins(item.representation)
    shown["action"] = {kind: link.replace(TOKEN, token) for kind, link in item.representation.action.items()}
    found: dict[str, Any] = {
        "offer_id": item.offer_id,
        "campaign_id": item.campaign_id,
        "rank": item.rank,
        "about": item.about,
        "token": token,
        "expires_at": format_instant(item.expires),
        "ttl_s": max(0, (item.expires - now) // 1000),
        "offline": item.offline,
        "representation": shown,
    }
    if item.price is not None:
        found["price"] = item.price
    return found


def ruled_out(decision: Decision, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Counts by code, and the reasons of the offers asked for, each with its place in the campaign file."""
    return {
        "counts": dict(decision.ruled_out),
        "offers": [
            {
                "offer_id": verdict.offer_id,
                "where": verdict.where,
                "about": verdict.about,
                "reasons": [
                    {"code": reason.code, "where": reason.where, "detail": reason.detail} for reason in verdict.reasons
                ],
            }
            for verdict in verdicts
        ],
    }

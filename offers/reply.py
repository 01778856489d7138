"""What an app gets back: the decision with its tokens, clock and times filled in, as JSON bytes.

Most of an answer is the same however often a decision is served, so it is written once, as JSON in pieces, and kept so:
between two pieces stands how long an item may still be shown.
"""

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any

import msgspec

from offers.events_door import EventResult
from offers.explain import Verdict
from offers.proposition import Decision, Item, Offline, PlacementSlate, PriceTag, Shown
from scoring.contributions import ItemContributions
from streams.ids import DecisionId, Millis, ModelId, RevisionId
from streams.instant import format_instant

_ENCODE = msgspec.json.Encoder().encode
TOKEN = "{token}"
_LIVES = b',"ttl_s":'


class Told(msgspec.Struct, frozen=True, array_like=True):
    """A decision as it is told: what every answer with it shares."""

    decision_id: DecisionId
    revision: RevisionId
    model: ModelId
    degraded: tuple[str, ...]
    fallback: bool
    """Whether a placement shows its fallback."""
    pieces: tuple[bytes, ...]
    """The JSON of the placements, cut where each item's ttl_s stands: one piece more than there are items."""
    expires: tuple[Millis, ...]
    """Of each item, in the order of the cuts."""


class Around(msgspec.Struct, frozen=True):
    """What is new in every answer, a cached one too."""

    now: Millis
    request_id: str
    took_ms: float
    withdrawn: tuple[str, ...] = ()
    events: tuple[EventResult, ...] = ()
    ruled_out: dict[str, Any] | None = None
    """Only with `explain`, which needs a scope: app answers hold neither scores nor counts."""
    contributions: Sequence[ItemContributions] | None = None
    """Only with `explain: full`."""
    degraded: tuple[str, ...] = ()
    """What this request, not its decision, had to do without: `events_not_kept`."""


class _Item(msgspec.Struct, omit_defaults=True):
    """An item as an app reads it, but for its ttl_s."""

    offer_id: str
    campaign_id: str
    rank: int
    about: dict[str, str]
    token: str
    expires_at: str
    offline: Offline
    representation: Shown
    price: PriceTag | None = None


def told(decision: Decision, tokens: Sequence[Sequence[str]]) -> Told:
    """Write down what stays."""
    pieces = [b"["]
    for number, (slate, minted) in enumerate(zip(decision.placements, tokens, strict=True)):
        pieces[-1] += _head(slate) if number == 0 else b"," + _head(slate)
        for place, (item, token) in enumerate(zip(slate.items, minted, strict=True)):
            pieces[-1] += (b"," if place else b"") + _item(item, token)[:-1] + _LIVES
            pieces.append(b"}")
        pieces[-1] += _tail(slate)
    pieces[-1] += b"]"
    return Told(
        decision_id=decision.decision_id,
        revision=decision.revision,
        model=decision.model,
        degraded=decision.degraded,
        fallback=any([slate.fallback for slate in decision.placements]),
        pieces=tuple(pieces),
        expires=tuple([item.expires for slate in decision.placements for item in slate.items]),
    )


def shows(said: Told, campaigns: Collection[str]) -> bool:
    """Whether an item of it is of one of these campaigns."""
    marks = [b'"campaign_id":%b,' % _ENCODE(campaign) for campaign in campaigns]
    return any(mark in piece for piece in said.pieces for mark in marks)


def _head(slate: PlacementSlate) -> bytes:
    fallback = b"true" if slate.fallback else b"false"
    return b'{"placement":%b,"fallback":%b,"refresh_after_s":%d,"items":[' % (
        _ENCODE(slate.placement), fallback, slate.refresh_after_s,
    )  # fmt: skip


def _tail(slate: PlacementSlate) -> bytes:
    return b"]}" if slate.problem is None else b'],"problem":' + _ENCODE(slate.problem) + b"}"


def _item(item: Item, token: str) -> bytes:
    links = {kind: link.replace(TOKEN, token) for kind, link in item.representation.action.items()}
    shown = msgspec.structs.replace(item.representation, action=links)
    if shown.sms is not None:
        shown = msgspec.structs.replace(shown, sms=shown.sms.replace(item.representation.action["web"], links["web"]))
    return _ENCODE(
        _Item(
            item.offer_id,
            item.campaign_id,
            item.rank,
            item.about,
            token,
            format_instant(item.expires),
            item.offline,
            shown,
            item.price,
        )
    )


def encode(told: Told, around: Around) -> bytes:
    """The answer's JSON."""
    degraded = sorted({*told.degraded, *around.degraded}) if around.degraded else told.degraded
    head = b'{"decision_id":%b,"request_id":%b,"server_time":"%b","revision":%b,"model":%b' % (
        _ENCODE(told.decision_id),
        _ENCODE(around.request_id),
        format_instant(around.now).encode(),
        _ENCODE(told.revision),
        _ENCODE(told.model),
    )
    aside = b',"degraded":%b,"withdrawn":%b,"events":%b,"took_ms":%b,"placements":' % (
        _ENCODE(degraded),
        _ENCODE(around.withdrawn),
        _ENCODE(around.events),
        _ENCODE(round(around.took_ms, 3)),
    )
    lives = [b"%d" % max(0, (expires - around.now) // 1000) for expires in told.expires]
    placements = chain.from_iterable(zip(told.pieces, [*lives, b""], strict=True))
    ruled_out = b"" if around.ruled_out is None else b',"ruled_out":' + _ENCODE(around.ruled_out)
    why = b"" if around.contributions is None else b',"contributions":' + _ENCODE(around.contributions)
    return b"".join([head, aside, *placements, ruled_out, why, b"}"])


def experiments(decision: Decision) -> list[dict[str, str]]:
    """The arm of this customer for each candidate of an experiment that they could have, held out or not."""
    return [
        {"experiment": each.experiment, "arm": each.arm, "offer_id": each.offer_id, "about": each.about}
        for each in decision.assigned
    ]


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

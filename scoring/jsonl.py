"""Decision logs from elsewhere: one JSON object a line, one line per scored item. Attributes need not be declared."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from scoring.examples import Example, Examples
from streams.attributes import MAX_SET, MAX_TEXT, SCOPES, Attribute, AttributeSet, Kind, Value, attribute_set
from streams.errors import InvalidInput
from streams.ids import CampaignId, CustomerId, DecisionId, Millis, OfferId, RevisionId
from streams.instant import moment, parse_instant
from streams.profile import MaskedProfile
from streams.record import DecisionInputs, FactDict, OfferFacts, Request, Subject

MOST_WHOLE = 2**63
"""From there on a whole number is no number of anything; a row would not hold it."""
MOST_NAMES = 1_000
"""Attributes taken up from a log that does not declare them."""
_OFFER_FIELDS = frozenset({"offer_id", "campaign_id", "collection", "starting_mean", "starting_evidence"})


class LogLine(msgspec.Struct, frozen=True):
    """The decision log's line (docs: Decision log line). Other keys are ignored."""

    customer_id: str
    offer: dict[str, Any]
    outcome: int | None
    at: int | str = 0
    decision_id: str = ""
    customer: dict[str, Any] = {}
    context: dict[str, Any] = {}
    about: str | dict[str, Any] | None = None
    score: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    propensity: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    revision: str = ""
    model: str = ""
    origin: str = "live"


@dataclass(frozen=True, slots=True)
class JsonLog:
    """A JSONL file as examples. Attributes of `declared` are read as declared, others as what they look like."""

    path: Path
    declared: AttributeSet

    def examples(self) -> Examples:
        """Each line with an outcome, in order. Raises InvalidInput LOG_LINE with the line, LOG_UNREADABLE."""
        return lambda: (self._example(line, number) for number, line in self._lines())

    def attributes(self) -> AttributeSet:
        """The declared attributes and one for every other name that the log uses. Reads the log once."""
        found: dict[tuple[str, str], Kind] = {}
        for _, line in self._lines():
            for name, raw in _named(line):
                scope, _, short = name.partition(".")
                if raw is not None and self.declared.of_fact(name) is None and len(found) < MOST_NAMES:
                    found[scope, short] = _wider(found.get((scope, short)), _kind(raw))
        used = max(self.declared.by_number, default=0)
        more = (
            Attribute(scope, short, used + number, kind)
            for number, ((scope, short), kind) in enumerate(sorted(found.items()), 1)
        )
        given = (attribute for name, attribute in self.declared.by_name.items() if name not in _BUILT_IN)
        return attribute_set((*given, *more), self.declared.features)

    def _lines(self) -> Iterator[tuple[int, LogLine]]:
        try:
            with self.path.open("rb") as file:
                for number, raw in enumerate(file, 1):
                    if raw.strip():
                        yield number, self._parsed(raw, number)
        except OSError as error:
            raise InvalidInput("LOG_UNREADABLE", f"{self.path} cannot be read: {error.strerror}") from error

    def _parsed(self, raw: bytes, number: int) -> LogLine:
        try:
            line = _DECODE(raw)
            if line.outcome not in (0, 1, None) or not isinstance(line.offer.get("offer_id"), str):
                raise msgspec.ValidationError("expected `outcome` 0, 1 or null and `offer` with an `offer_id`")
            _check_start(line.offer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput("LOG_LINE", f"{self.path}:{number}: {error}") from error
        return line

    def _example(self, line: LogLine, number: int) -> Example:
        at = self._instant(line.at, number)
        facts: dict[str, FactDict] = {"customer": {}, "context": {}, "offer": {}, "subject": {}}
        for name, raw in _named(line):
            value = self._value(name, raw)
            scope = name.partition(".")[0]
            if value is not None:
                facts[scope if scope in facts else "subject"][name] = (value, at)
        inputs = DecisionInputs(
            decision_id=DecisionId(line.decision_id or f"{self.path.name}:{number:012d}"),
            now=at,
            revision=RevisionId(line.revision),
            request=Request(CustomerId(line.customer_id), (), "", facts["context"]),
            profile=MaskedProfile(facts["customer"]),
            origin=line.origin,
        )
        if line.outcome is None or line.origin != "live":
            return Example(inputs, line.model, left_out=("not_live" if line.origin != "live" else "no_outcome",))
        return Example(
            inputs,
            line.model,
            items=((_offer(line, facts["offer"]), Subject(_key(line.about), facts["subject"])),),
            outcomes=(line.outcome,),
            scores=(line.score,),
            propensities=(line.propensity,),
        )

    def _instant(self, at: int | str, number: int) -> Millis:
        try:
            if isinstance(at, int):
                moment(at)
                return at
            return parse_instant(at)
        except InvalidInput as error:
            raise InvalidInput("LOG_LINE", f"{self.path}:{number}: `at`: {error.message}") from error

    def _value(self, name: str, raw: object) -> Value | None:
        """None: missing, or not what is declared."""
        attribute = self.declared.of_fact(name)
        if attribute is None:
            return _plain(raw)
        try:
            return None if raw is None else attribute.parse(raw)
        except InvalidInput:
            return None


_DECODE = msgspec.json.Decoder(LogLine).decode
NOTHING_DECLARED = attribute_set(())
_BUILT_IN = frozenset(NOTHING_DECLARED.by_name)


def _named(line: LogLine) -> Iterator[tuple[str, Any]]:
    """Qualified name and raw value of everything the line says. A name may be written with or without its scope."""
    for scope, held in (("customer", line.customer), ("context", line.context), ("offer", line.offer)):
        for name, raw in held.items():
            if scope != "offer" or name not in _OFFER_FIELDS:
                yield (name if name.partition(".")[0] in SCOPES and "." in name else f"{scope}.{name}"), raw


def _check_start(offer: dict[str, Any]) -> None:
    """Raises ValidationError for a starting propensity that campaigns could not declare."""
    mean, evidence = offer.get("starting_mean"), offer.get("starting_evidence")
    if isinstance(mean, int | float) and not 0 < mean < 1:
        raise msgspec.ValidationError(f"`starting_mean` is {mean!r:.40}; expected above 0 and below 1")
    if isinstance(evidence, int | float) and not 0 < evidence < MOST_WHOLE:
        raise msgspec.ValidationError(f"`starting_evidence` is {evidence!r:.40}; expected a number of rows above 0")


def _offer(line: LogLine, facts: FactDict) -> OfferFacts:
    known = line.offer
    mean, evidence = known.get("starting_mean"), known.get("starting_evidence")
    return OfferFacts(
        offer_id=OfferId(known["offer_id"]),
        campaign_id=CampaignId(str(known.get("campaign_id") or "")),
        collection=str(known.get("collection") or ""),
        attributes={name: value for name, (value, _) in facts.items()},
        starting_mean=float(mean) if isinstance(mean, int | float) else 0.05,
        starting_evidence=float(evidence) if isinstance(evidence, int | float) else 50.0,
    )


def _key(about: str | dict[str, Any] | None) -> str:
    return about if isinstance(about, str) else ""


def _kind(raw: object) -> Kind:
    if isinstance(raw, bool):
        return Kind.BOOLEAN
    if isinstance(raw, int | float):
        return Kind.NUMBER
    return Kind.SET if isinstance(raw, list) else Kind.STRING


def _wider(before: Kind | None, now: Kind) -> Kind:
    return now if before is None or before is now else Kind.STRING


def _plain(raw: object) -> Value | None:
    """An undeclared value as it looks; None for what no attribute can hold."""
    if isinstance(raw, bool | int | float):
        return raw if abs(raw) < MOST_WHOLE or isinstance(raw, float) else None
    if isinstance(raw, str):
        return raw if 0 < len(raw) <= MAX_TEXT else None
    if isinstance(raw, list) and len(raw) <= MAX_SET:
        return tuple(sorted({member for member in raw if isinstance(member, str)}))
    return None

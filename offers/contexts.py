"""Contexts: what decisions were made from, stored so that they can be made again: a file of JSON lines, or the lake.

A line of a file is `{"inputs": {...}, "counters": [[key, {"bucket": number}], ...], "lifetime": [[key, number], ...]}`:
the inputs of a decision record, with the customer's counters beside them, since a key of theirs is seven words.
"""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from streams.bucket import mark
from streams.errors import InvalidInput
from streams.ids import CustomerId
from streams.lake import Lake
from streams.profile import CounterKey
from streams.record import DecisionInputs, decode

CHUNK = 500
MAX_LINE = 1 << 20
"""Bytes of a context; a recorded one has about 5,000."""


class ContextLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a file of contexts."""

    inputs: DecisionInputs
    counters: list[tuple[CounterKey, dict[int, int]]] = []
    lifetime: list[tuple[CounterKey, int]] = []


_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(ContextLine).decode


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some contexts as they are stored; read where they are decided about."""

    lines: tuple[bytes, ...]
    source: str = ""
    """The file they are from; empty: records of the lake."""
    first: int = 1
    """The number of the first line in it."""

    def contexts(self) -> Iterator[DecisionInputs]:
        """Each of them. Raises InvalidInput CONTEXT_INVALID with the line; a record that cannot be read is left out."""
        for number, line in enumerate(self.lines, self.first):
            if self.source:
                yield _read(line, f"{self.source}:{number}")
            else:
                try:
                    yield decode(line).inputs
                except (msgspec.ValidationError, msgspec.DecodeError):
                    continue


def of_file(path: Path, most: int) -> Iterator[Chunk]:
    """The first `most` lines of a file, some at a time. Raises InvalidInput CONTEXT_INVALID, OSError."""
    with path.open("rb") as file:
        lines = islice(_lines(path, iter(lambda: file.readline(MAX_LINE + 1), b"")), most)
        first = 1
        while some := tuple(islice(lines, CHUNK)):
            yield Chunk(some, str(path), first)
            first += len(some)


def of_lake(lake: Lake, most: int) -> Iterator[Chunk]:
    """The records of the newest days, `most` of them; of the oldest day among them those of some customers."""
    days = sorted(lake.parts(), key=lambda part: (part.day, -part.bucket), reverse=True)
    lines = islice((line for part in days for line in lake.lines(part)), most)
    while some := tuple(islice(lines, CHUNK)):
        yield Chunk(some)


def exported(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """Lines of a file of contexts, each customer under a name made up for this file. Still data about people."""
    key = secrets.token_hex(16)
    for chunk in chunks:
        for inputs in chunk.contexts():
            name = CustomerId(f"x-{mark((key, inputs.request.customer_id), 8).hex()}")
            request = msgspec.structs.replace(inputs.request, customer_id=name)
            yield line(msgspec.structs.replace(inputs, request=request)) + b"\n"


def line(inputs: DecisionInputs) -> bytes:
    """One line of a file of contexts, without its end."""
    profile = inputs.profile
    bare = msgspec.structs.replace(profile, counters={}, lifetime={})
    found = msgspec.structs.replace(inputs, profile=bare)
    return _ENCODE(ContextLine(found, list(profile.counters.items()), list(profile.lifetime.items())))


def _lines(path: Path, lines: Iterator[bytes]) -> Iterator[bytes]:
    for number, raw in enumerate(lines, 1):
        if len(raw) > MAX_LINE:
            raise InvalidInput("CONTEXT_INVALID", f"{path}:{number}: a line has over {MAX_LINE:,} bytes")
        yield raw


def _read(raw: bytes, where: str) -> DecisionInputs:
    try:
        found = _DECODE(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "`offing campaigns contexts` writes such a file; personas go into a file that ends in .yaml"
        raise InvalidInput("CONTEXT_INVALID", f"{where}: {error}; {hint}") from error
    profile = msgspec.structs.replace(
        found.inputs.profile, counters=dict(found.counters), lifetime=dict(found.lifetime)
    )
    return msgspec.structs.replace(found.inputs, profile=profile)

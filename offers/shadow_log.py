"""The shadow's log: what a shadow model said of decisions that were made without it, in files that nothing else reads.

    shadow/m-3f2a91c04d17/<first id>_<last id>.jsonl

A file is written whole or not at all, after the lake had its decisions; the newest name says how far a model has come.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streams.errors import InvalidInput
from streams.ids import DecisionId, Millis, ModelId
from streams.lake_rows import time_of
from streams.record import ScoredCandidate

FORMAT = 1
KEPT = 2_000
"""Files of a model, the newest: at one a minute a day and a half, of little traffic much more."""
SUFFIX = ".jsonl"


class ShadowDecision(msgspec.Struct, frozen=True):
    """One line: the candidates of a logged decision as the shadow model ranks them."""

    v: int
    decision_id: DecisionId
    served: ModelId
    """What decided."""
    candidates: tuple[ScoredCandidate, ...]
    """Best first, by the shadow."""
    seconds: float
    """To score them."""
    active_seconds: float | None
    """The active model's, in the same process a moment later; None: the prior is active."""


@dataclass(frozen=True, slots=True)
class ShadowLog:
    """The folder of one model; it need not exist yet. One process writes, any number read."""

    folder: Path

    @staticmethod
    def of(artifacts: Path, model: str) -> "ShadowLog":
        """The log of a model by its id."""
        return ShadowLog(artifacts / "shadow" / Path(model).name)

    def until(self) -> Millis | None:
        """The instant of the newest decision that was looked at; None: none was."""
        newest = self._files()[-1:]
        return time_of(newest[0].stem.partition("_")[2]) if newest else None

    def append(self, first: DecisionId, last: DecisionId, decisions: Sequence[ShadowDecision]) -> None:
        """Of the decisions from `first` to `last`, those that were sampled. Raises OSError, and nothing was written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{first}_{last}{SUFFIX}"
        making = path.with_name(f".{path.name}")
        with making.open("wb") as file:
            file.write(msgspec.json.Encoder().encode_lines(decisions))
            file.flush()
            os.fsync(file.fileno())
        making.replace(path)
        for old in self._files()[:-KEPT]:
            old.unlink(missing_ok=True)

    def newest(self, most: int) -> Iterator[ShadowDecision]:
        """At most so many decisions, the newest files first. Raises InvalidInput SHADOW_LOG."""
        left = most
        for path in reversed(self._files()):
            found = _read(path)[:left]
            yield from found
            left -= len(found)
            if not left:
                return

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"[!.]*{SUFFIX}"), key=lambda path: path.stem.partition("_")[2])


def _read(path: Path) -> list[ShadowDecision]:
    try:
        found = msgspec.json.Decoder(ShadowDecision).decode_lines(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput("SHADOW_LOG", f"{path} is not readable: {error}. Move it away and ask again") from error
    if any(each.v != FORMAT for each in found):
        raise InvalidInput("SHADOW_LOG", f"{path} is of another version than {FORMAT}. Move it away and ask again")
    return found

"""Which rooms of which sailings this run has sold out, so that no offer of them may be shown any more."""

from dataclasses import dataclass

GRACE_S = 2.0
"""So long after the service took the news a decision may still not know it: eight times the budget of freshness."""


@dataclass(slots=True)
class _Spell:
    """Nothing is free from one instant to the other, on this process's clock."""

    since: float
    until: float | None = None


class SoldOut:
    """A diary of what is gone. Not thread-safe."""

    def __init__(self) -> None:
        self._spells: dict[tuple[str, str], list[_Spell]] = {}

    def gone(self, sailing: str, kind: str, at: float) -> None:
        """The service has taken it that none is left."""
        self._spells.setdefault((sailing, kind), []).append(_Spell(at))

    def back(self, sailing: str, kind: str, at: float) -> None:
        """The service is about to be told that some are free again."""
        for spell in self._spells.get((sailing, kind), []):
            if spell.until is None:
                spell.until = at

    def was_gone(self, sailing: str, kind: str, asked: float, answered: float) -> bool:
        """Whether a decision between these instants must have known that there is none."""
        return any(
            spell.since + GRACE_S <= asked and (spell.until is None or answered < spell.until)
            for spell in self._spells.get((sailing, kind), [])
        )

    def knows(self, sailing: str, kind: str) -> bool:
        """Whether it ever was."""
        return (sailing, kind) in self._spells

"""Results remembered by what they were made from; starts again when full."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class Memo(Generic[Key, Result]):
    """A bounded memory for the methods of one object. Thread-safe.

    It holds no function, so an object with memos is no cycle and is gone as soon as it is let go of: a catalog of
    100,000 offers must not wait for the garbage collector, which hardly ever runs beside the hot path.
    """

    __slots__ = ("_held", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[Key, Result] = {}

    def get(self, key: Key, make: Callable[[], Result]) -> Result:
        """What was made for this key before, else what `make` makes now.

        >>> memo: Memo[str, int] = Memo(2)
        >>> memo.get("a", lambda: 1), memo.get("a", lambda: 2)
        (1, 1)
        """
        found = self._held.get(key)
        if found is None:
            found = make()
            if len(self._held) >= self._most:
                self._held = {}
            self._held[key] = found
        return found

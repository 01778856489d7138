"""The client that docs/apps.md prints, as the load's phones: what app developers are told to write is what is tried.

It is asynchronous and this generator is not: what it waits for blocks here.
"""

import re
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

PAGE = Path(__file__).parent.parent.parent / "docs" / "apps.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLASS = "Offers"
Result = TypeVar("Result")


@cache
def printed() -> Any:
    """The class of the page. Raises LookupError if the page no longer has it."""
    block = BLOCK.search(PAGE.read_text(encoding="utf-8"))
    if block is None or f"class {CLASS}" not in block[1]:
        raise LookupError(f"{PAGE} has no Python block with the class {CLASS}")
    names: dict[str, Any] = {"__name__": "docs.apps"}
    exec(compile(block[1], str(PAGE), "exec"), names)
    return names[CLASS]


def done(work: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine returns that never has to wait for an event loop. Raises what it raises.

    >>> async def three():
    ...     return 3
    >>> done(three())
    3
    """
    try:
        work.send(None)
    except StopIteration as end:
        found: Result = end.value
        return found
    work.close()
    raise RuntimeError("the client waits for an event loop; there is none here")


def at_once(function: Callable[..., Result]) -> Callable[..., Awaitable[Result]]:
    """A function that blocks, for a client that awaits it."""

    async def blocking(*arguments: Any, **named: Any) -> Result:
        return function(*arguments, **named)

    return blocking

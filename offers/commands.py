"""What every command of `offing` shares: an error is one line, a machine gets JSON."""

import logging
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, NoReturn, ParamSpec

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from streams.errors import OffingError, Stop

logger = logging.getLogger("offing.cli")
Json = Annotated[bool, typer.Option("--json", help="For a machine to read.")]
Params = ParamSpec("Params")

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def command(function: Callable[Params, None]) -> Callable[Params, None]:
    """An error of ours, or of a file or folder, is one line with its code, never a traceback."""

    @wraps(function)
    def wrapped(*args: Params.args, **kwargs: Params.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except OffingError as error:
            fail(error)
        except OSError as error:
            logger.debug("a file or folder could not be used", exc_info=True)
            fail(Stop("FILE_UNUSABLE", f"{error}; mend its path or permissions, or set OFFING_ARTIFACTS"))

    return wrapped


def fail(error: OffingError) -> NoReturn:
    """Say it and exit 1."""
    errors.print(f"[red]{error.code}[/red] {escape(error.message)}", soft_wrap=True)
    raise typer.Exit(1)


def say(found: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")

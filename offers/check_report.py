"""What `campaigns check` says: plain lines, frames and colours at a terminal, or a form that a program reads."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from rich.markup import escape
from rich.text import Text

from offers.campaign_dates import Understood, dated, over, understood
from offers.code_frame import framed
from offers.commands import console
from offers.finding_formats import FORMATS, Format, as_json, located
from offers.folder import LoadedFolder
from offers.market_answers import answers
from streams.findings import Severity
from streams.ids import Millis

MAX_TOLD = 10
"""Campaigns whose dates are repeated unasked."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What the check takes for now, and whether every campaign's dates are wanted."""

    now: Millis
    every: bool = False


def dated_findings(loaded: LoadedFolder, folder: Path, clock: Clock) -> LoadedFolder:
    """With the warnings that depend on what day it is."""
    if loaded.campaigns is None:
        return loaded
    found = over(folder, loaded.campaigns.campaigns, loaded.campaigns.seasons, clock.now)
    return replace(loaded, findings=tuple(sorted((*loaded.findings, *found))))


def report(loaded: LoadedFolder, folder: Path, form: Format, clock: Clock) -> None:
    """Everything that was found, on standard output. Paths are those of the folder in plain lines, else from here."""
    if form is Format.JSON:
        dates = [each.as_json() for each in _understood(loaded, clock, every=True)]
        _write(as_json(located(loaded.findings, folder, Path.cwd()), dates))
    elif form is not Format.TEXT:
        _write(FORMATS[form](located(loaded.findings, folder, Path.cwd())))
    elif sys.stdout.isatty():
        _draw(loaded, folder, clock)
    else:
        for line in (*loaded.findings, *_dates(loaded, clock), *_answers(loaded)):
            _write(f"{line}\n")
        if loaded.campaigns is not None:
            _write(f"{_good(loaded.campaigns.campaigns)}\n")


def _draw(loaded: LoadedFolder, folder: Path, clock: Clock) -> None:
    """For a person at a terminal."""
    paths = [finding.path for finding in located(loaded.findings, folder, Path.cwd())]
    for frame in framed(loaded.findings, folder, paths, console.width):
        console.print(frame, soft_wrap=True)
    for line in (*_dates(loaded, clock), *_answers(loaded)):
        console.print(escape(line), soft_wrap=True, style="dim")
    console.print(_summary(loaded))


def _understood(loaded: LoadedFolder, clock: Clock, every: bool) -> Iterator[Understood]:
    if loaded.campaigns is None:
        return iter(())
    campaigns = (each for each in loaded.campaigns.campaigns if every or dated(each))
    return understood(campaigns, loaded.campaigns.seasons, clock.now)


def _dates(loaded: LoadedFolder, clock: Clock) -> Iterator[str]:
    """The dates of campaigns as they were understood; unasked, those of the first that name times of their own."""
    told = _understood(loaded, clock, clock.every)
    yield from (str(each) for each in islice(told, None if clock.every else MAX_TOLD))
    more = 0 if loaded.campaigns is None or clock.every else sum(map(dated, loaded.campaigns.campaigns)) - MAX_TOLD
    if more > 0:
        yield f"... and the dates of {more} more campaigns: --dates"


def _answers(loaded: LoadedFolder) -> Iterator[str]:
    """What the market says to the days that campaigns name, where it was asked."""
    if loaded.market is None or loaded.campaigns is None or loaded.attributes is None or loaded.places is None:
        return iter(())
    return answers(loaded.campaigns.campaigns, loaded.market, loaded.attributes, loaded.places)


def _summary(loaded: LoadedFolder) -> Text:
    """`2 errors, 1 warning`, or how many campaigns are good."""
    count = Counter(finding.severity for finding in loaded.findings)
    said = [_counted(count[severity], severity.value) for severity in Severity if count[severity]]
    if loaded.campaigns is None:
        return Text(", ".join(said), "bold red")
    return Text(", ".join([_good(loaded.campaigns.campaigns), *said]), "green")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _good(campaigns: tuple[object, ...]) -> str:
    return f"{len(campaigns)} campaigns are good"


def _write(text: str) -> None:
    """To standard output, whatever its encoding: characters it has not are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))

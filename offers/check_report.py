"""What `campaigns check` says: plain lines, frames and colours at a terminal, or a form that a program reads."""

import sys
from collections import Counter
from pathlib import Path

from rich.text import Text

from offers.code_frame import framed
from offers.commands import console
from offers.finding_formats import FORMATS, Format, located
from offers.folder import LoadedFolder
from streams.findings import Severity


def report(loaded: LoadedFolder, folder: Path, form: Format) -> None:
    """Everything that was found, on standard output. Paths are those of the folder in plain lines, else from here."""
    if form is not Format.TEXT:
        _write(FORMATS[form](located(loaded.findings, folder, Path.cwd())))
    elif sys.stdout.isatty():
        paths = [finding.path for finding in located(loaded.findings, folder, Path.cwd())]
        for frame in framed(loaded.findings, folder, paths, console.width):
            console.print(frame, soft_wrap=True)
        console.print(_summary(loaded))
    else:
        for finding in loaded.findings:
            _write(f"{finding}\n")
        if loaded.campaigns is not None:
            _write(f"{_good(loaded.campaigns.campaigns)}\n")


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

"""A finding for a person at a terminal: the line it is about, a caret under the column, the mend below."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from rich.cells import cell_len
from rich.text import Text

from streams.findings import Finding, Severity

MIN_ROOM = 20
"""Columns for a line of a file, however narrow the terminal."""
TAB = " " * 4
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
_LINES = (".yaml", ".yml")
_JOINERS = frozenset("\u200b\u200c\u200d\ufe0e\ufe0f")
"""They change how wide their neighbours are, in each terminal otherwise."""


def framed(findings: Sequence[Finding], folder: Path, paths: Sequence[str], width: int) -> Iterator[Text]:
    """Each finding of a folder, under the path that is told of it. Reads the files; raises nothing if one is gone."""
    for name, of_file in groupby(zip(findings, paths, strict=True), key=lambda pair: pair[0].path):
        lines = _lines(folder / name) if name.endswith(_LINES) else ()
        for finding, path in of_file:
            line = lines[finding.line - 1] if finding.line <= len(lines) else None
            yield frame(finding, path, line, width)


def frame(finding: Finding, path: str, line: str | None, width: int) -> Text:
    """One finding. `line` is the text it is about, None if there is none; `width` is the terminal's."""
    colour = _COLOURS[finding.severity]
    text = Text()
    text.append(_visible(f"{path}:{finding.line}:{finding.column}"), "bold")
    text.append(": ")
    text.append(finding.code, f"bold {colour}")
    text.append(" warning" if finding.severity is Severity.WARNING else "", colour)
    text.append(f" {_visible(finding.message)}\n")
    margin = " " * len(str(finding.line))
    if line is not None:
        above, caret = excerpt(line, finding.column, max(width - len(margin) - 4, MIN_ROOM))
        text.append(f" {finding.line} | ", "blue").append(f"{above}\n")
        text.append(f" {margin} | ", "blue").append(f"{caret}\n", f"bold {colour}")
    if finding.hint:
        text.append(f" {margin} = ", "blue").append(f"{_visible(finding.hint)}\n", "green")
    return text


def excerpt(line: str, column: int, room: int) -> tuple[str, str]:
    """As much of a line as fits into `room` columns of a terminal, and a caret under a character of it, from 1.

    >>> excerpt("tier: gold", 7, 20)
    ('tier: gold', '      ^')
    """
    pieces = [_piece(character) for character in line]
    at = min(column - 1, len(pieces))
    if cell_len("".join(pieces)) <= room:
        return "".join(pieces), " " * cell_len("".join(pieces[:at])) + "^"
    start, end = _window([cell_len(piece) for piece in pieces], at, room - 2)
    before, after = "…" * (start > 0), "…" * (end < len(pieces))
    caret = " " * cell_len(before + "".join(pieces[start:at])) + "^"
    return before + "".join(pieces[start:end]) + after, caret


def _window(widths: Sequence[int], at: int, room: int) -> tuple[int, int]:
    """Which pieces are shown: up to two thirds of the room before the caret, the rest after it."""
    start, used = at, sum(widths[at : at + 1])
    while start > 0 and used + widths[start - 1] <= room * 2 // 3:
        start -= 1
        used += widths[start]
    end = min(at + 1, len(widths))
    while end < len(widths) and used + widths[end] <= room:
        used += widths[end]
        end += 1
    return start, end


def _piece(character: str) -> str:
    """A character as it is shown: nothing of it moves the cursor, hides text or changes colours."""
    if character == "\t":
        return TAB
    if character in _JOINERS:
        return ""
    if character.isspace():
        return " "
    return character if character.isprintable() else "\ufffd"


def _visible(text: str) -> str:
    return "".join(map(_piece, text))


def _lines(file: Path) -> list[str]:
    """The lines of a file, by the breaks YAML knows."""
    try:
        text = file.read_bytes().decode(errors="replace")
    except OSError:
        return []
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

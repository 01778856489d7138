"""What people write and YAML takes for something else, found again so that a finding can name it and the mend."""

import re
from collections.abc import Sequence

LINE_BREAK = re.compile("\r\n|\r|\n")
NOTHING = frozenset({"~", "null", "Null", "NULL"})
"""Plain words that stand for nothing in YAML."""
_COMMENT = re.compile(r" (#[^\n]*)")
_NO_BREAK = re.compile("^ *\xa0|^[ -]*[\\w.-]+:\xa0|^ *-\xa0")
_KEY_WITHIN = 200
"""So far into a line a key may end. The pattern may look at each dash twice: 200,000 of them took minutes."""

HINTS = (
    ("mapping values are not allowed", "Put a value that contains ': ' in double quotes, and check the indentation."),
    ("mapping keys are not allowed", "Put a text that begins with '? ' in double quotes."),
    ("block sequence entries", "Put a text that begins with '- ' in double quotes; a list begins on the next line."),
    ("comment or line break", "Put a text that begins with > or | in double quotes."),
    ("alphabetic or numeric character", "Put a text that begins with * or & in double quotes."),
    ("cannot start any token", "Put the value in double quotes."),
    ("expected ',' or '}'", "Close the { }, and put a value that contains , { } or [ ] in double quotes."),
    ("expected ',' or ']'", "Close the [ ], and put a value that contains , { } or [ ] in double quotes."),
    ("unexpected end of stream", "Close the quotes; a text that begins with one stands wholly in double quotes."),
    ("expected ':'", "Write 'key: value', with a space after the colon."),
    ("expected key", 'Check the indentation here and above, and put a value that begins with { or " wholly in quotes.'),
    ("expected '-'", "Indent the keys under their '-', or begin the line with '-'."),
    ("unknown escape", "Write \\\\ for a backslash, or use single quotes."),
    ("expected node content", "Give a value, or close the bracket."),
    ("expected <document start>", "A bracket is closed that was not opened; remove it."),
)  # fmt: skip
"""(part of what libyaml says, the mend)"""


def comment_after(line: str, column: int) -> int:
    """The column, from 1, of a comment behind a value that ends before `column`, from 0; 0: there is none.

    >>> comment_after("body: Cabin #4 is yours", 11)
    13
    """
    rest = line[column:]
    bare = rest.lstrip(" ")
    return column + len(rest) - len(bare) + 1 if bare.startswith("#") else 0


def swallowed(lines: Sequence[str], opened: int, problem: int) -> tuple[int, int] | None:
    """Line and column of the ` #` that took a bracket or a comma with it: of a bracket opened in one line, and found

    not to be closed in another."""
    for number, lost in ((opened, "}]"), (problem - 1, ",")):
        line = lines[number - 1] if opened <= number <= len(lines) else ""
        for found in _COMMENT.finditer(line):
            if set(lost) & set(found[1]) and line[: found.start(1)].count('"') % 2 == 0:
                return number, found.start(1) + 1
    return None


def hidden_space(lines: Sequence[str], line: int) -> int | None:
    """The line with a no-break space where YAML needs one that breaks, at `line` or just above it."""
    for number in (line, line - 1):
        if 1 <= number <= len(lines) and _NO_BREAK.search(lines[number - 1][:_KEY_WITHIN]):
            return number
    return None


def torn(word: str, known: Sequence[str]) -> str:
    """The mend for a key without a value that is probably the rest of the text before it.

    >>> torn("50 EUR", ["amount"])
    "If '50 EUR' goes on with the number before it, write a point for the comma."
    """
    key, colon, _ = word.partition(":")
    if colon and key in known:
        return f"Write '{key}: ...', with a space after the colon."
    if word[:1].isdigit():
        return f"If '{word[:60]}' goes on with the number before it, write a point for the comma."
    quotes = " Only \" and ' hold a text together." if re.search("[“”„«»]", word) else ""
    return f"If '{word[:60]}' goes on with the text before it, put that text in double quotes.{quotes}"

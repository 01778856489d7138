"""How long a text is to its reader, its placeholders at the widths that the manual states."""

import unicodedata
from collections.abc import Mapping

from offers.plurals import NUMBER
from offers.template import Hole, Template

WIDTHS: Mapping[str, int] = {
    "price": 10, "money": 10, "time": 5, "date": 12, "number": 3, "discount": 2, "distance": 6, "port": 12,
}  # fmt: skip
"""Characters a placeholder counts for, by its filter or its name."""
USUAL_WIDTH = 20
"""Of any other placeholder: a name, a level."""
_UNSEEN = ("Mn", "Me", "Cf")


def length_of(template: Template) -> int:
    """Characters as a reader counts them, placeholders at their stated widths.

    >>> length_of(compiled("Partenza {sailing.departure|time}"))
    14
    """
    return sum(width(part) if isinstance(part, Hole) else seen(part) for part in template.parts)


def seen(text: str) -> int:
    """Characters as a reader counts them: an accent or a variation sign of its own is part of the letter before it."""
    return sum(unicodedata.category(sign) not in _UNSEEN for sign in text)


def width(hole: Hole) -> int:
    """Characters that a placeholder counts for; a plural as its longest form."""
    if hole.forms:
        return max(seen(words.replace(NUMBER, "9" * WIDTHS["number"])) for _, words in hole.forms)
    return WIDTHS.get(hole.filter or hole.name, USUAL_WIDTH)

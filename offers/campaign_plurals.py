"""Whether a text counts as its language does: every form there, none that it has not, no number of its own."""

from offers import plurals
from offers.campaign_draft import Draft
from offers.locale import conventions
from offers.template import Hole
from streams.attributes import Kind
from streams.findings import listed
from streams.positioned_yaml import Node


def check_plural(draft: Draft, node: Node, text: str, hole: Hole, locale: str) -> None:
    """PLURAL_MISSING, PLURAL_UNKNOWN, or as a warning PLURAL_NUMBER."""
    sheet, name = draft.sheet, f"{text}: {{{hole.name}|plural}}"
    ways = conventions(locale, locale).formats
    whole = draft.words.placeholders.get(hole.name) is not Kind.NUMBER
    language, counts = plurals.language(ways), listed(plurals.needed(ways, whole))
    lacks = plurals.missing(hole.forms, ways, whole)
    if lacks:
        first = lacks[0].partition(" ")[0]
        message = f"{name} lacks {', '.join(lacks)}: {language} counts with {counts}."
        sheet.error(node, "PLURAL_MISSING", message, f"Add '{first} {{# ...}}', where # is the number.")
    for strange in plurals.strange(hole.forms, ways):
        message = f"{name} has '{strange}', which {language} has not: it counts with {counts}."
        sheet.error(node, "PLURAL_UNKNOWN", message, "Remove it.")
    for stuck, other in plurals.stuck(hole.forms, ways):
        message = f"{name} has a number in '{stuck}', which {language} says of {other} too."
        sheet.warn(node, "PLURAL_NUMBER", message, "Write # for the number, or '=1 {...}' for that number alone.")

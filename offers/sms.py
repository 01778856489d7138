"""How many segments an SMS takes: the GSM 7-bit alphabet of 3GPP TS 23.038 (GSM 03.38), or UCS-2 if it does not do.

A message of one segment has 160 septets or 70 UTF-16 units; of several, 153 or 67 each: each then carries a header.
"""

from collections.abc import Iterable
from dataclasses import dataclass

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
"""The default alphabet: the character at its code. 0x1B, the escape to EXTENSION, is no character of a text."""
EXTENSION = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip
"""The extension table: each takes two septets, the escape and its code."""
GSM_7, UCS_2 = "GSM-7", "UCS-2"
ONE = {GSM_7: 160, UCS_2: 70}
"""Units of a message that is one segment."""
EACH = {GSM_7: 153, UCS_2: 67}
"""Units of each segment of a longer one."""
_SEPTETS = {**dict.fromkeys(BASIC.replace("\x1b", ""), 1), **dict.fromkeys(EXTENSION, 2)}
_PLAIN = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-", "\u2011": "-", "’": "'"})


@dataclass(frozen=True, slots=True)
class Message:
    """A text as it is sent."""

    encoding: str
    """GSM-7 | UCS-2"""
    units: int
    """Septets or UTF-16 code units, of the text alone."""
    segments: int
    forced_by: str = ""
    """The first character that GSM-7 does not have."""

    def __str__(self) -> str:
        """`GSM-7 143/160`"""
        return f"{self.encoding} {self.units}/{self.room}"

    @property
    def room(self) -> int:
        """Units that this many segments hold."""
        return ONE[self.encoding] if self.segments <= 1 else EACH[self.encoding] * self.segments


def measure(text: str) -> Message:
    """An empty text is one segment.

    >>> measure("Cabina stanotte a 49,00 €")
    Message(encoding='GSM-7', units=26, segments=1, forced_by='')
    >>> measure("Forêt")
    Message(encoding='UCS-2', units=5, segments=1, forced_by='ê')
    """
    forced = foreign(text)
    encoding = UCS_2 if forced else GSM_7
    sizes = [_units(sign) for sign in text] if forced else [_SEPTETS[sign] for sign in text]
    units = sum(sizes)
    return Message(encoding, units, 1 if units <= ONE[encoding] else _packed(sizes, EACH[encoding]), forced)


def foreign(text: str) -> str:
    """The first character that GSM-7 does not have, or nothing.

    >>> foreign("Ça va"), foreign("ça va")
    ('', 'ç')
    """
    return next((sign for sign in text if sign not in _SEPTETS), "")


def plain(text: str) -> str:
    """A value as an SMS writes it: the no-break spaces and dashes of CLDR, which GSM-7 lacks, as ordinary ones.

    >>> plain("49,00\\xa0€")
    '49,00 €'
    """
    return text.translate(_PLAIN)


def _units(sign: str) -> int:
    return 2 if ord(sign) > 0xFFFF else 1


def _packed(sizes: Iterable[int], room: int) -> int:
    """Segments of `room` units: an escape stays with its character, a surrogate with its pair."""
    segments, filled = 1, 0
    for size in sizes:
        if filled + size > room:
            segments, filled = segments + 1, 0
        filled += size
    return segments

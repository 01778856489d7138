"""Words that say there is little left, by language: the smallest set that cannot mean anything else.

Each is a pattern over a text in small letters, in which every placeholder is a number. Words about time ('last days')
are none of them, nor is a bare count ('9 cabins free').
"""

import re
from collections.abc import Mapping

_EN = "(?:cabins|seats|places|rooms|tickets|spots|spaces)"
_IT = "(?:cabine|posti|camere|biglietti|pezzi)"
_DE = "(?:kabinen|plätze|zimmer|tickets|karten|stück)"
_FR = "(?:cabines|places|chambres|billets|sièges)"
_ES = "(?:camarotes|cabinas|plazas|asientos|habitaciones|billetes)"
_WORDS: Mapping[str, tuple[str, ...]] = {
    "en": (
        rf"only (?:\d+|a few|a handful of)(?: {_EN})? (?:are )?(?:left|remaining|free|available)",
        rf"(?:the|our|these) last (?:few |\d+ )?{_EN}",
        rf"last (?:few |remaining ){_EN}",
        rf"few (?:{_EN} )?(?:left|remaining)",
        "(?:almost|nearly) (?:gone|sold out)",
        "selling (?:out )?fast",
        "while stocks? lasts?",
        f"limited (?:availability|stock|{_EN})",
    ),
    "it": (
        rf"ultim[ei] (?:\d+ )?{_IT}",
        rf"(?:solo|soltanto) (?:\d+|poch[ei]) {_IT}",
        rf"poch[ei] {_IT}",
        "quasi esaurit[oaei]",
        "(?:fino a|salvo) esaurimento",
        "posti limitati",
        "disponibilità limitata",
    ),
    "de": (
        rf"nur noch (?:\d+|wenige|ein paar) (?:freie )?{_DE}",
        rf"letzten? (?:\d+ )?(?:freien? )?{_DE}",
        "(?:fast|beinahe) (?:ausverkauft|ausgebucht)",
        rf"(?:wenige|begrenzte) {_DE}",
        "restplätze",
        "solange (?:der )?vorrat reicht",
    ),
    "fr": (
        rf"derni[eè]re?s (?:\d+ )?{_FR}",
        rf"plus que (?:\d+|quelques) {_FR}",
        rf"quelques {_FR} restante?s",
        "presque (?:complet|épuisé)",
        f"{_FR} limitée?s",
        "dans la limite des (?:places|stocks)",
        "jusqu['’]à épuisement",
    ),
    "es": (
        rf"últim[ao]s (?:\d+ )?{_ES}",
        rf"s[oó]lo quedan (?:\d+|poc[ao]s)(?: {_ES})?",
        rf"quedan poc[ao]s(?: {_ES})?",
        "casi agotad[ao]s?",
        f"{_ES} limitad[ao]s",
        "hasta agotar existencias",
    ),
}
_CHINESE = "仅剩|僅剩|只剩|所剩无几|所剩無幾|售完即止|数量有限|數量有限|即将售罄|即將售罄"
SCARCE: Mapping[str, re.Pattern[str]] = {
    **{language: re.compile(rf"\b(?:{'|'.join(words)})\b") for language, words in _WORDS.items()},
    "zh": re.compile(_CHINESE),
}
"""Language -> what says that little is left."""

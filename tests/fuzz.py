"""Files that nobody would write: random, torn and hostile YAML, each from a number, through the check of a folder.

`python -m tests.fuzz SEED FIRST FOLDER` checks file after file, and says the number of each when it is through, with
seconds and the most memory so far; whoever started it watches the clock (tests/test_fuzz.py).
"""

import random
import shutil
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from offers.folder import load_folder
from tests.scale import peak_mb

HERE = Path(__file__).parent
DEPLOYMENT = HERE / "deployment"
CAMPAIGN = "campaigns/fuzzed.yaml"
BESIDE = ("attributes.yaml", "placements.yaml", "seasons.yaml", "images.yaml", "policies.yaml", "conditions.yaml")
MOST = 256 * 1024
LARGE = 200_000
BYTES = (b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\r", b"\r\r\n", b"\t", b"\x07")
SIGNS = (
    "{", "}", "[", "]", ",", ":", ": ", "- ", "? ", "#", " #", "&a ", "*a", "!!python/object:os.x ", "!x ", "|", ">",
    "'", '"', "%YAML 1.1\n", "---\n", "...\n", "<<: ", "@", "`", "~", "null", "\\", "\n", "\n  ", "\n      ", "\u2028",
    "\u0085", "\u202e", "\ufeff", "\u00a0", "\U0001f6a2", "\u0301", "٣", "１２", "0x1F", "1e309", "-0", "1_000", "NaN",
)  # fmt: skip
WORDS = (
    "campaign", "owner", "schedule", "from", "until", "zone", "hours", "days", "season", "languages", "write", "others",
    "eligibility", "applicability", "suitability", "all", "any", "none", "use", "offer", "id", "about", "booking",
    "sailing", "venue", "price", "discount", "at_least", "limits", "count", "window", "suppress", "after", "placements",
    "representation", "image", "link", "text", "it", "title", "body", "experiment", "arms", "share", "ramp", "holdout",
    "customer.loyalty_tier", "location", "within", "30 km of port:ITLIV", "fresh_within", "15 min", "gold", "30 %",
    "2026-11-21 15:00", "90 min before sailing.departure", "{price}", "{sailing.departure|time}", "{n|plural one {#}}",
    "rolling 24 h", "calendar day in Europe/Rome", "Europe/Rome", "true", "no", "21:30", "010", "app.home.hero",
)  # fmt: skip


@cache
def good() -> tuple[bytes, ...]:
    """Campaigns that check clean."""
    return tuple(file.read_bytes() for file in sorted((DEPLOYMENT / "campaigns").glob("*.yaml")))


def soup(chance: random.Random) -> bytes:
    """Words of the language and signs of YAML in any order."""
    parts = chance.choices((*WORDS, *SIGNS, *SIGNS), k=chance.randint(1, 200))
    return "".join(part + chance.choice(("", " ", ": ", "\n", ", ")) for part in parts).encode()


def torn(chance: random.Random) -> bytes:
    """A good campaign after some accidents."""
    return _torn(chance.choice(good()), chance)


def _torn(content: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 6)):
        content = chance.choice(ACCIDENTS)(content, chance)
    return content


def _cut(content: bytes, chance: random.Random) -> bytes:
    first, last = sorted(chance.randint(0, len(content)) for _ in range(2))
    return content[:first] + content[last:] if last - first < 400 else content[:last]


def _insert(content: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(content))
    new = chance.choice((chance.choice(SIGNS).encode(), chance.choice(WORDS).encode(), chance.choice(BYTES)))
    return content[:at] + new * chance.choice((1, 1, 1, 2, 50)) + content[at:]


def _repeat(content: bytes, chance: random.Random) -> bytes:
    first, last = sorted(chance.randint(0, len(content)) for _ in range(2))
    return content[:last] + content[first:last] * chance.choice((1, 2, 20)) + content[last:]


def _swap(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    one, other = (chance.randrange(len(lines)) for _ in range(2))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _indent(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    lines[at] = chance.choice((b" ", b"  ", b"\t", b"", b"    - ")) + lines[at].lstrip()
    return b"\n".join(lines)


def _value(content: bytes, chance: random.Random) -> bytes:
    """Another value where one stood: of the wrong kind, far too large, or nothing."""
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    key, colon, _ = lines[at].partition(b":")
    values = (
        b"[]",
        b"{}",
        b"[[]]",
        b"-1",
        b"9" * 400,
        b"9" * 400 + b" km",
        b"1e999999999 EUR",
        b"'" + b"x" * 999 + b"'",
    )
    lines[at] = key + colon + b" " + chance.choice((*values, chance.choice(WORDS).encode()))
    return b"\n".join(lines)


ACCIDENTS: tuple[Callable[[bytes, random.Random], bytes], ...] = (_cut, _insert, _repeat, _swap, _indent, _value)


def hostile(chance: random.Random) -> bytes:
    """One of the ways to bring down a reader of YAML, alone or behind a good campaign."""
    attack = chance.choice(ATTACKS)(chance)
    before = chance.choice((b"", b"", chance.choice(good())))
    return (before + attack.encode(errors="surrogatepass"))[: MOST + chance.choice((0, 1))]


def _laughs(chance: random.Random) -> str:
    """A billion laughs: each line ten of the line before."""
    lines = ["a0: &a0 [lol]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
    return "\n".join(lines)


def _deep(chance: random.Random) -> str:
    opened = chance.choice(("[", "{a: ", "- ", "? ", "[{a: ", "{? "))
    return "a: " * chance.randint(0, 1) + opened * chance.choice((19, 20, 21, 22, 1_000, LARGE // len(opened)))


def _stairs(chance: random.Random) -> str:
    return "".join(
        f"{' ' * n}{chance.choice(('a', 'any', 'all', 'none', '- '))}:\n" for n in range(chance.choice((21, 600)))
    )


def _layers(chance: random.Random) -> str:
    """Groups as deep as they may be, and as wide."""
    inner = "[" + ", ".join(["{customer.loyalty_tier: gold}"] * chance.choice((1, 900, 2_000))) + "]"
    for _ in range(chance.randint(1, 8)):
        inner = f"[{{{chance.choice(('any', 'all', 'none'))}: {inner}}}]"
    return f"eligibility: {inner}\n"


def _long(chance: random.Random) -> str:
    sign = chance.choice(
        ("x", "9", " ", "\u0301", "{", "}", "|", "\\", ".", "-", "é", "\U0001f6a2", "%", "'", '"', "a b: ")
    )
    key = chance.choice(
        ("", "owner: ", "campaign: ", "? ", "text: {it: {title: ", "hours: ", "price: {amount: ", "# ", '"')
    )
    return key + sign * (LARGE // len(sign.encode()))


def _many(chance: random.Random) -> str:
    line = chance.choice(
        ("k{n}: 1\n", "- {n}\n", "k: 1\n", "? k{n}\n", "k{n}: {{a: [1, {{b: 2}}]}}\n", "--- {n}\n", "#\n", "\n")
    )
    return "".join(line.format(n=number) for number in range(chance.choice((900, 20_000))))


def _template(chance: random.Random) -> str:
    hole = chance.choice(
        ("{", "{{", "{price}", "{a|b}", "{n|plural one {#} other {#}}", "{n|plural one {", "{sailing.departure|time}")
    )
    text = (hole * chance.choice((10, 40, 2_000))).replace('"', "")
    return f'text: {{it: {{title: "{text}", body: "{text}"}}}}\n'


def _quantity(chance: random.Random) -> str:
    number = chance.choice(
        ("9" * 4_000, "0." + "0" * 4_000 + "1", "1e9999", "-" * 900, "٣", "∞", "1" + "," * 300, "0x" + "f" * 900)
    )
    unit = chance.choice(("km of port:ITLIV", "h", "EUR", "%", "y", "min before sailing.departure", "JPY"))
    key = chance.choice(
        ("schedule: {until: ", "price: {amount: ", "offer: {ttl: ", "eligibility: {location: {within: ")
    )
    return f'{key}"{number} {unit}"' + "}" * key.count("{") + "\n"


def _marks(chance: random.Random) -> str:
    return chance.choice(
        ("&a [*a]", "a: &x\nb: *x\n<<: *x\n", "<<: [{a: 1}, {b: 2}]\n", "!!binary aGk=\n",
         "%TAG ! tag:x,2026:\n---\n!a b\n",
         "---\n" * 5_000, "!!set {? a, ? b}\n", "? [a, b]\n: c\n", "? {a: b}\n", "&" * 1_000, "*" * 1_000, "!" * 1_000,
         "%" * 1_000, "a: |+9\n x\n", "a: >-\n" + "\n" * 9_000, '"\\U0001F6A2\\uD800\\x00"')
    )  # fmt: skip


ATTACKS: tuple[Callable[[random.Random], str], ...] = (
    _laughs, _deep, _stairs, _layers, _long, _many, _template, _quantity, _marks,
)  # fmt: skip


def made(seed: int, number: int) -> tuple[str, bytes]:
    """(name of the file, its content) of a number; most are campaigns, some are the files beside them."""
    chance = random.Random(f"{seed}:{number}")
    beside = [name for name in BESIDE if (DEPLOYMENT / name).exists()]
    if chance.random() < 0.1:
        name = chance.choice(beside)
        return name, chance.choice((hostile(chance), _torn((DEPLOYMENT / name).read_bytes(), chance)))
    return CAMPAIGN, chance.choice((soup, torn, torn, hostile))(chance)[: MOST + 2]


def check(folder: Path, name: str, content: bytes) -> None:
    """The whole check of the folder with this file in it; raises if anything but findings comes of it."""
    (folder / name).write_bytes(content)
    found = load_folder(folder)
    lines = content.count(b"\n") + content.count(b"\r") + 2
    for finding in found.findings:
        if finding.line < 1 or finding.column < 1 or (finding.path == name and finding.line > lines):
            raise AssertionError(f"a place that is none: {finding}")
    original = DEPLOYMENT / name
    (folder / name).write_bytes(original.read_bytes()) if original.exists() else (folder / name).unlink()


def main(seed: int, first: int, folder: Path) -> None:
    """File after file, for ever; a line on standard output for each."""
    others = shutil.ignore_patterns("cabin-upgrade.yaml", "winery-visit.yaml")  # two campaigns beside it are enough
    shutil.copytree(DEPLOYMENT, folder, dirs_exist_ok=True, ignore=others)
    number = first
    while True:
        name, content = made(seed, number)
        began = time.perf_counter()
        check(folder, name, content)
        took = time.perf_counter() - began
        sys.stdout.write(f"{number} {took:.3f} {peak_mb()}\n")
        sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))

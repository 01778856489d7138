"""The one hash behind every split, draw and tie-break."""

from hashlib import blake2b

SEPARATOR = b"\x1f"
_JOINT = SEPARATOR.decode()


def bucket(salt: str, subject: str) -> float:
    """The place of `subject` in [0, 1) under `salt`: the first 53 bits of BLAKE2b over salt, 0x1F, subject.

    >>> bucket("holdout-2026", "c-1") == bucket("holdout-2026", "c-1")
    True
    >>> 0 <= bucket("a", "b") < 1
    True
    """
    digest = blake2b(salt.encode() + SEPARATOR + subject.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def tag(parts: tuple[str, ...], size: int) -> int:
    """A short stable number for (source, id) and the like: `size` bytes of BLAKE2b over the separated parts."""
    return int.from_bytes(mark(parts, size), "big")


def mark(parts: tuple[str, ...], size: int) -> bytes:
    """`tag` as it is stored: `size` bytes.

    >>> tag(("app", "e-1"), 4) == int.from_bytes(mark(("app", "e-1"), 4), "big")
    True
    """
    return blake2b(_JOINT.join(parts).encode(), digest_size=size).digest()

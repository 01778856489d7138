"""Signed tokens: `ot1.` for a shown offer, `ct1.` for a customer. Signed, not secret: a holder can decode them.

Layout after the prefix: base64url, unpadded, of HMAC-SHA256[:16] + MessagePack. The signing key is derived from the
secret, the prefix and the namespace: a token of another namespace or of the other kind does not verify.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from streams.errors import InvalidInput, NotAllowed, NotAuthenticated, OffingError
from streams.ids import CampaignId, CustomerId, DecisionId, Millis, OfferId, PlacementId
from streams.instant import format_instant

OFFER = "ot1."
CUSTOMER = "ct1."
MAX_TOKEN = 512
"""Characters, prefix included."""
MAC_BYTES = 16
MAX_ID_BYTES = 312
"""UTF-8 bytes that placement, offer, campaign, collection, about, customer and device class may have together. The rest

(MAC 16, decision 19, expiry 9, rank up to 5, headers 16) and base64 then make 508 characters after the prefix.
"""
BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
MIN_SECRET_BYTES = 16
MAX_KEYS = 8


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The secrets of a namespace by name, in order: the first signs, all verify. repr() shows none of them."""

    namespace: str
    secrets: Mapping[str, bytes] = field(repr=False)

    def derived(self, prefix: str) -> tuple[bytes, ...]:
        """One signing key per secret for one kind of token."""
        context = f"offing\x1f{prefix}\x1f{self.namespace}".encode()
        return tuple(hmac.digest(secret, context, "sha256") for secret in self.secrets.values())


@dataclass(frozen=True, slots=True)
class OfferToken:
    """What an offer token says: which item of which decision was shown to whom, and until when it is honoured."""

    decision_id: DecisionId
    placement: PlacementId
    rank: int
    offer_id: OfferId
    campaign_id: CampaignId
    collection: str
    about: str
    """Subject key; empty for an offer about nothing."""
    customer_id: CustomerId
    device_class: str
    expires: Millis

    def expired(self, at: Millis) -> bool:
        """Whether it is no longer honoured at this instant."""
        return at >= self.expires


@dataclass(frozen=True, slots=True)
class CustomerToken:
    """What a customer token says: its holder acts for this customer, until then."""

    customer_id: CustomerId
    expires: Millis


def new_secret() -> str:
    """A fresh OFFING_TOKEN_KEYS of one key of 256 bits.

    >>> len(parse_keys(new_secret(), "offing").secrets["k1"])
    32
    """
    return f"k1:{secrets.token_hex(32)}"


def parse_keys(text: str, namespace: str) -> TokenKeys:
    """`k1:<hex>,k2:<hex>` -> keys; the first signs. Raises InvalidInput TOKEN_KEYS, which shows no secret."""
    pairs: list[tuple[str, str]] = []
    for place, part in enumerate(text.split(","), start=1):
        name, colon, digits = part.strip().partition(":")
        if not colon or not name:
            raise _keys_error(f"entry {place} has no name; write 'k{place}:<hex>', entries separated by commas")
        pairs.append((name, digits))
    return keys_of(pairs, namespace)


def keys_of(pairs: Sequence[tuple[str, str]], namespace: str) -> TokenKeys:
    """(name, hex) pairs -> keys; the first signs. Raises InvalidInput TOKEN_KEYS, which shows no secret."""
    found = {name: _secret(name, digits) for name, digits in pairs}
    if len(found) != len(pairs):
        raise _keys_error("a name is there twice; give each key its own name")
    if not 1 <= len(found) <= MAX_KEYS:
        raise _keys_error(f"{len(found)} keys; 1 to {MAX_KEYS} are expected: drop those whose tokens have all expired")
    return TokenKeys(namespace, found)


def _secret(name: str, digits: str) -> bytes:
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        raise _keys_error(f"key {name!r} is not hexadecimal; `openssl rand -hex 32` makes one") from None
    if len(secret) < MIN_SECRET_BYTES:
        message = f"key {name!r} has {len(secret)} bytes; at least {MIN_SECRET_BYTES}: `openssl rand -hex 32` makes one"
        raise _keys_error(message)
    return secret


def _keys_error(message: str) -> InvalidInput:
    return InvalidInput("TOKEN_KEYS", f"OFFING_TOKEN_KEYS: {message}")


_ENCODE = msgspec.msgpack.Encoder().encode
_READ_OFFER = msgspec.msgpack.Decoder(tuple[bytes, str, int, str, str, str, str, str, str, int]).decode
_READ_CUSTOMER = msgspec.msgpack.Decoder(tuple[str, int]).decode


class Signer:
    """HMAC-SHA256 (RFC 2104) under one key, whose two blocks are hashed once: for every token that is most of the work.

    Equal to hmac.digest(key, payload, "sha256").
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > BLOCK_BYTES else key).ljust(BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def mac(self, payload: bytes) -> bytes:
        """The first MAC_BYTES of the digest."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(payload)
        outer.update(inner.digest())
        return outer.digest()[:MAC_BYTES]


class OfferTokens:
    """Mints and reads offer tokens."""

    def __init__(self, keys: TokenKeys) -> None:
        self._keys = tuple(Signer(key) for key in keys.derived(OFFER))

    def mint(self, token: OfferToken) -> str:
        """At most MAX_TOKEN characters. Raises InvalidInput TOKEN_TOO_LONG if the ids exceed MAX_ID_BYTES together."""
        payload = _ENCODE(
            (
                _pack_decision(token.decision_id),
                token.placement,
                token.rank,
                token.offer_id,
                token.campaign_id,
                token.collection,
                token.about,
                token.customer_id,
                token.device_class,
                token.expires,
            )
        )
        return _seal(OFFER, self._keys[0], payload)

    def read(self, token: str) -> OfferToken:
        """The token's content; its expiry is the caller's to judge, since outcomes arrive late.

        Raises InvalidInput TOKEN_MALFORMED, or NotAllowed TOKEN_FORGED for one that no key of this namespace signed.
        """
        payload = _open(OFFER, self._keys, token)
        try:
            decision, placement, rank, offer, campaign, collection, about, customer, device, expires = _READ_OFFER(
                payload
            )
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _malformed(OFFER) from error
        return OfferToken(
            _unpack_decision(decision),
            PlacementId(placement),
            rank,
            OfferId(offer),
            CampaignId(campaign),
            collection,
            about,
            CustomerId(customer),
            device,
            expires,
        )


class CustomerTokens:
    """Mints and reads customer tokens."""

    def __init__(self, keys: TokenKeys) -> None:
        self._keys = tuple(Signer(key) for key in keys.derived(CUSTOMER))

    def mint(self, token: CustomerToken) -> str:
        """What `Authorization: Bearer` carries. Raises InvalidInput TOKEN_TOO_LONG."""
        return _seal(CUSTOMER, self._keys[0], _ENCODE((token.customer_id, token.expires)))

    def read(self, token: str, at: Millis) -> CustomerToken:
        """Raises NotAuthenticated TOKEN_MALFORMED, TOKEN_FORGED or TOKEN_EXPIRED."""
        try:
            customer, expires = _READ_CUSTOMER(_open(CUSTOMER, self._keys, token))
        except OffingError as error:
            raise NotAuthenticated(error.code, error.message) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise NotAuthenticated("TOKEN_MALFORMED", _malformed(CUSTOMER).message) from error
        if at >= expires:
            message = f"this customer token ended at {format_instant(expires)}; ask your backend for a new one"
            raise NotAuthenticated("TOKEN_EXPIRED", message)
        return CustomerToken(CustomerId(customer), expires)


def _seal(prefix: str, key: Signer, payload: bytes) -> str:
    token = prefix + base64.urlsafe_b64encode(key.mac(payload) + payload).rstrip(b"=").decode()
    if len(token) > MAX_TOKEN:
        message = f"the token would have {len(token)} characters, at most {MAX_TOKEN}: its ids are too long together"
        raise InvalidInput("TOKEN_TOO_LONG", f"{message}; shorten the offer, campaign, collection or placement id")
    return token


def _open(prefix: str, keys: tuple[Signer, ...], token: str) -> bytes:
    if len(token) > MAX_TOKEN or not token.startswith(prefix) or not token.isascii():
        raise _malformed(prefix)
    body = token[len(prefix) :].encode()
    try:
        sealed = base64.b64decode(body + b"=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise _malformed(prefix) from error
    # Base64 leaves up to four bits of the last character unread: another spelling of the same bytes is not our token.
    if len(sealed) <= MAC_BYTES or base64.urlsafe_b64encode(sealed).rstrip(b"=") != body:
        raise _malformed(prefix)
    mac, payload = sealed[:MAC_BYTES], sealed[MAC_BYTES:]
    genuine = False
    for key in keys:
        genuine |= hmac.compare_digest(key.mac(payload), mac)
    if not genuine:
        message = (
            f"this {prefix} token was not signed for this namespace by any key in use; use the token as it was given"
        )
        raise NotAllowed("TOKEN_FORGED", message)
    return payload


def _malformed(prefix: str) -> InvalidInput:
    return InvalidInput(
        "TOKEN_MALFORMED", f"not a token; expected '{prefix}' and base64url, at most {MAX_TOKEN} characters"
    )


def _pack_decision(decision_id: DecisionId) -> bytes:
    """`u` and 16 bytes for a UUID in its canonical spelling, which saves 25 characters; `t` and the text for others."""
    if len(decision_id) == 36:
        try:
            packed = b"u" + bytes.fromhex(decision_id.replace("-", ""))
        except ValueError:
            return b"t" + decision_id.encode()
        if len(packed) == 17 and _unpack_decision(packed) == decision_id:
            return packed
    return b"t" + decision_id.encode()


def _unpack_decision(packed: bytes) -> DecisionId:
    if packed[:1] == b"t":
        return DecisionId(packed[1:].decode())
    text = packed[1:].hex()
    return DecisionId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")

"""Who is calling: `Authorization: Bearer ok_...` (an API key) or `Bearer ct1....` (a customer's own token)."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool

from offers.caller import Caller, customer_caller, key_caller
from offers.ledger import KEY_PREFIX, Ledger, key_hash
from offers.tokens import CUSTOMER, MAX_TOKEN, CustomerTokens
from streams.errors import NotAuthenticated, Retry
from streams.ids import Millis

EXPECTED = f"send 'Authorization: Bearer {KEY_PREFIX}...' (an API key) or 'Bearer {CUSTOMER}...' (a customer's token)"
FRESH_MS = 4_000
"""Keys read longer ago are read again, so that a revoked one works less than 5 s more in other processes."""
PAUSE_MS = 1_000
"""Least time between two questions to the ledger: guessed keys and a ledger that is away cost no more than that."""
LEDGER_AWAY_MS = 15 * 60_000
"""How long the keys last read stay good while the ledger does not answer."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys that were valid when the ledger was last read, by hash."""

    callers: Mapping[str, Caller]
    read_at: Millis


class Authenticator:
    """Thread-safe. Holds all keys, since they are few: a known key costs a hash and no query.

    `clock` is this process's own, in ms; it only ages what was read from the ledger.
    """

    def __init__(self, ledger: Ledger, tokens: CustomerTokens, clock: Callable[[], Millis]) -> None:
        self._ledger = ledger
        self._tokens = tokens
        self._clock = clock
        self._keys: _Keys | None = None
        self._asked_at: Millis | None = None
        self._failure = Retry("LEDGER_UNAVAILABLE", "the ledger was not read yet", after_s=1)
        self._reading = threading.Lock()

    async def caller(self, authorization: str | None, at: Millis) -> Caller:
        """The caller behind an Authorization header; a customer's token is judged at the instant `at`.

        Raises NotAuthenticated CREDENTIALS_MISSING, KEY_UNKNOWN, TOKEN_MALFORMED, TOKEN_FORGED or TOKEN_EXPIRED, and
        Retry LEDGER_UNAVAILABLE if the ledger has not answered for LEDGER_AWAY_MS. Never blocks the event loop.
        """
        secret = _bearer(authorization)
        if secret.startswith(CUSTOMER):
            return customer_caller(self._tokens.read(secret, at).customer_id)
        if not secret.startswith(KEY_PREFIX):
            raise NotAuthenticated("CREDENTIALS_MISSING", f"these credentials are not ours; {EXPECTED}")
        wanted = key_hash(secret)
        keys = self._keys
        if keys is None or self._due(keys, wanted):
            keys = await run_in_threadpool(self._current, wanted)
        found = keys.callers.get(wanted)
        if found is None:
            raise NotAuthenticated(
                "KEY_UNKNOWN", "this API key is unknown or revoked; `offing keys list` shows the keys"
            )
        return found

    def _current(self, wanted: str) -> _Keys:
        """The keys, read again if that is due. While another thread reads, the last ones: nobody queues up."""
        known = self._keys
        if known is not None and self._reading.locked():
            return known
        with self._reading:
            keys = self._keys
            if self._due(keys, wanted):
                self._read(keys)
            if self._keys is None:
                raise self._failure
            return self._keys

    def _due(self, keys: _Keys | None, wanted: str) -> bool:
        now = self._clock()
        if self._asked_at is not None and 0 <= now - self._asked_at < PAUSE_MS:
            return False
        return keys is None or wanted not in keys.callers or not 0 <= now - keys.read_at < FRESH_MS

    def _read(self, keys: _Keys | None) -> None:
        """Ask the ledger; if it is away the last keys stay for a while. Called with the lock held."""
        asked = self._clock()
        try:
            listed = self._ledger.list_keys()
        except Retry as error:
            self._failure = error
            if keys is not None and asked - keys.read_at >= LEDGER_AWAY_MS:
                self._keys = None
        else:
            valid = {key.key_hash: key_caller(key.name, key.scopes) for key in listed if key.revoked_at is None}
            self._keys = _Keys(valid, asked)
        finally:
            self._asked_at = self._clock()


def _bearer(authorization: str | None) -> str:
    scheme, _, secret = (authorization or "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret or len(secret) > MAX_TOKEN:
        message = (
            f"send 'Authorization: Bearer {KEY_PREFIX}...' (an API key) or 'Bearer {CUSTOMER}...' (a customer's token)"
        )
        raise NotAuthenticated("CREDENTIALS_MISSING", message)
    return secret

"""The market snapshot in Redis: one hash with the epoch and offset it stands at, so that it never goes back."""

from typing import cast

import redis
import zstandard

from streams import telemetry
from streams.errors import LogRestarted, Stop
from streams.log import MARKET
from streams.market import Market, decode, encode
from streams.valkey import KEEP_FURTHEST, Keys, store_errors

VERSION = b"1"


class MarketStore:
    """Thread-safe. Every method raises Retry STORE_UNAVAILABLE."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys.market

    def load(self, epoch: str) -> Market | None:
        """The snapshot of this log, or None: a market of another epoch says nothing here. Raises Stop MARKET_FORMAT."""
        with store_errors():
            found = self._client.hmget(self._key, ["v", "epoch", "state"])
        version, stored_epoch, state = cast(list[bytes | None], found)
        if version is None or state is None or stored_epoch != epoch.encode():
            return None
        if version != VERSION:
            message = f"the stored market has format {version!r}; expected {VERSION!r}: start the version that wrote it"
            raise Stop("MARKET_FORMAT", message)
        return decode(zstandard.ZstdDecompressor().decompress(state))

    def latest(self) -> Market | None:
        """The snapshot of whatever log it is of, for who only looks; None: there is none. Raises Stop MARKET_FORMAT."""
        with store_errors():
            epoch = cast(bytes | None, self._client.hget(self._key, "epoch"))
        return None if epoch is None else self.load(epoch.decode())

    def save(self, market: Market) -> bool:
        """Keep it unless the stored one of the same epoch is further; False then."""
        state = zstandard.ZstdCompressor(level=3).compress(encode(market))
        with store_errors():
            kept = bool(self._client.eval(KEEP_FURTHEST, 1, self._key, market.epoch, market.version, state))
        if kept:
            telemetry.SNAPSHOT_BYTES.set(len(state))
        return kept

    def version(self, epoch: str) -> int:
        """The offset of the stored snapshot; -1: none of this epoch."""
        with store_errors():
            stored_epoch, version = self._client.hmget(self._key, ["epoch", "version"])
        return -1 if version is None or stored_epoch != epoch.encode() else int(version)


def check_end(market: Market, end: int) -> None:
    """Raises LogRestarted if the market holds more than its log, which ends at offset `end`."""
    if market.version >= end:
        message = (
            f"the market snapshot stands at offset {market.version}, but {MARKET.name} of the same epoch ends at {end}"
            ": it is an older copy. Bring the newer log back, or start in a new OFFING_NAMESPACE"
        )
        raise LogRestarted("LOG_RESTARTED", message)

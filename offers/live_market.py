"""`--market live`: the market of the service that OFFING_* names, as its last snapshot has it. Nothing is written."""

from contextlib import closing

from offers.market_view import MarketView
from offers.runtime import event_log, wall_clock
from streams.embedded_valkey import running
from streams.errors import InvalidInput
from streams.market_store import MarketStore
from streams.settings import Settings
from streams.valkey import Keys, connect

LIVE = "live"
_MEND = "start the service, name it by OFFING_*, or check with --market FILE"


def live_market(settings: Settings) -> MarketView:
    """At most about a second old. Raises InvalidInput MARKET_MISSING, Retry STORE_UNAVAILABLE."""
    embedded = running(settings.valkey_folder) if settings.valkey_folder.is_dir() else None
    url = settings.redis_url or embedded
    if url is None or (settings.kafka is None and not settings.log_file.exists()):
        raise InvalidInput("MARKET_MISSING", f"no service runs on {settings.artifacts}; {_MEND}")
    with closing(event_log(settings)) as log:
        epoch = log.epoch()
    client = connect(settings.store(url), "offing-check")
    with closing(client):
        found = MarketStore(client, Keys(settings.namespace)).load(epoch)
    if found is None:
        raise InvalidInput("MARKET_MISSING", f"the service has heard nothing of the market yet; {_MEND}")
    return MarketView(found, wall_clock())

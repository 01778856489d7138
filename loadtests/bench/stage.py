"""A world for one service: its folder with deployment, model and ledger, its log with the market, its profiles."""

import shutil
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from time import time_ns

from loadtests.bench import campaigns, model
from loadtests.bench.customers import Crowd, market
from offers import runtime
from offers.learning import activate
from offers.revisions import catalog_of, keep
from streams import market as markets
from streams.attributes import AttributeSet
from streams.events import to_bytes
from streams.ids import CustomerId, Millis
from streams.instant import DAY_MS
from streams.log import MARKET, Entry
from streams.place_files import load_places
from streams.places import Places
from streams.profile_form import encode
from streams.settings import Settings
from streams.valkey import Keys, connect

ROOT = Path(".offing/bench")
TOKEN_KEYS = "bench:" + "5a" * 32
SCOPES = ("decide", "events")
AT_ONCE = 500
APPEND_S = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What a service needs to start, and a key to ask it with."""

    settings: Settings
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        """The service's own settings, as a process is given them."""
        settings = self.settings
        return {
            "OFFING_NAMESPACE": settings.namespace,
            "OFFING_ARTIFACTS": str(settings.artifacts),
            "OFFING_CAMPAIGNS": str(settings.campaigns),
            "OFFING_REDIS_URL": settings.redis_url,
            "OFFING_TOKEN_KEYS": TOKEN_KEYS,
            "OFFING_LOG_LEVEL": "warning",
        }


def now() -> Millis:
    """The bench lives now: what it sends has no clock of its own."""
    return time_ns() // 1_000_000


def prepared(live: int, store_url: str) -> Stage:
    """A fresh stage with `live` offers, the bench's model active, the market in its log; without profiles."""
    folder = ROOT / f"live-{live}"
    _emptied(folder / "artifacts")
    key_id, _, secret = TOKEN_KEYS.partition(":")
    settings = Settings(
        namespace=f"bench-{live}",
        artifacts=folder / "artifacts",
        campaigns=folder / "campaigns",
        redis_url=store_url,
        token_keys=((key_id, secret),),
    )
    written(settings.campaigns, live)
    found = made_model()
    shutil.copytree(found, settings.artifacts / "models" / found.name)
    activate(settings, settings.artifacts / "models" / found.name, "bench")
    with closing(runtime.ledger(settings)) as book:
        stage = Stage(settings, book.create_key("bench", SCOPES, now()))
    _tell_market(settings)
    return stage


def _emptied(artifacts: Path) -> None:
    """Of an earlier run only the kept revisions stay: to copy 100,000 campaigns takes half a minute."""
    for path in artifacts.iterdir() if artifacts.is_dir() else ():
        if path.is_dir() and path.name != "revisions":
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


def written(folder: Path, live: int) -> None:
    """The campaign folder, unless it is there: made by the same code, on the same day."""
    mark = folder.with_name("made-by")
    code = Path(campaigns.__file__).read_bytes()
    made_by = f"{blake2b(code, digest_size=8).hexdigest()} {now() // DAY_MS}"
    if not mark.exists() or mark.read_text() != made_by:
        shutil.rmtree(folder.parent, ignore_errors=True)
        campaigns.write(folder, live, now())
        mark.write_text(made_by)


def made_model() -> Path:
    """The folder of the bench's model; trained once for the same code."""
    artifacts = ROOT / f"model-{model.key()}"
    for found in sorted((artifacts / "models").glob("m-*")):
        return found
    folder = ROOT / "live-1000"
    written(folder / "campaigns", 1_000)
    catalog = catalog_of(keep(folder / "campaigns", artifacts))
    return model.trained(artifacts / "models", catalog, folded_market(catalog.places), now())


def folded_market(places: Places) -> markets.Market:
    """The bench's market by the real fold."""
    at = now()
    events = [(offset, at, event) for offset, event in enumerate(market(places, at))]
    return markets.fold(markets.EMPTY, events, "bench")


def _tell_market(settings: Settings) -> None:
    """The market into the log, from where every worker reads it."""
    places = load_places(settings.campaigns / "places")
    entries = [Entry(event.subject, to_bytes(event), None) for event in market(places, now())]
    with closing(runtime.event_log(settings)) as log:
        for start in range(0, len(entries), AT_ONCE):
            log.append(MARKET, entries[start : start + AT_ONCE]).result(APPEND_S)


def store_profiles(stages: Iterable[Stage], attributes: AttributeSet, wanted: Iterable[tuple[Crowd, int]]) -> int:
    """Fold `number` customers of each crowd by the real fold and store their profiles for every stage; how many.

    The profiles of all stages are the same bytes under the keys of their namespaces.
    """
    at = now()
    every = [(crowd, number) for crowd, most in wanted for number in range(most)]
    with connect(next(iter(stages)).settings.redis_url, "bench") as client:
        for start in range(0, len(every), AT_ONCE):
            pipeline = client.pipeline(transaction=False)
            for crowd, number in every[start : start + AT_ONCE]:
                profile = encode(model.profile_of(crowd, number, at, attributes))
                for stage in stages:
                    keys = Keys(stage.settings.namespace)
                    pipeline.set(keys.profile(CustomerId(crowd.customer(number))), profile)
            pipeline.execute()
    return len(every)


def keys_of(stage: Stage, kind: str) -> list[bytes]:
    """The keys of a stage's customers that hold one kind of thing: profile, decision, request, pending, presence."""
    with connect(stage.settings.redis_url, "bench") as client:
        return list(client.scan_iter(match=f"{{{stage.settings.namespace}:c:*:{kind}*", count=1_000))


def forget_decisions(stage: Stage) -> int:
    """Remove what decisions left in the stage's namespace: cached ones and those under a request; how many."""
    found = [key for kind in ("decision", "request", "presence") for key in keys_of(stage, kind)]
    with connect(stage.settings.redis_url, "bench") as client:
        for start in range(0, len(found), AT_ONCE):
            client.unlink(*found[start : start + AT_ONCE])
    return len(found)

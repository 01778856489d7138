"""What is active: followed in a thread, loaded beside the traffic, swapped whole (ideas 13 and 19)."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from offers import compiled_folder, last_wanted, revisions
from offers.catalog import Catalog
from offers.engine import Engine
from offers.folder_watch import POLL_S, FolderWatch, Stamp, stamp_of
from offers.ledger import Ledger, Wanted
from offers.loading_turns import turns
from offers.published import Published
from scoring.features import Propensity
from scoring.propensity import load, prior
from streams import telemetry
from streams.attributes import AttributeSet
from streams.errors import InvalidInput, OffingError
from streams.ids import Millis

PRIOR = "prior"
MODEL_UNAVAILABLE = "model_unavailable"
KEPT_CATALOGS = 8
MISTAKES = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
REFUSED = (OffingError, OSError)
UNUSABLE = "FILE_UNUSABLE"
logger = logging.getLogger("offing.activation")


def host_clock() -> Millis:
    """By which publications that wait for their time become active."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Sources:
    """Where revisions and models come from."""

    campaigns: Path
    artifacts: Path
    ledger: Ledger
    published: bool = False
    """Revisions are those published in the ledger; else the folder of campaigns is the revision."""
    clock: Callable[[], Millis] = host_clock


class Activation:
    """The engine of this process. `engine()` never blocks; whatever is bad leaves the old one in place."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._watch = FolderWatch(sources.campaigns, sources.artifacts)
        self._published = Published(sources.artifacts)
        self._turns = turns(sources.artifacts / compiled_folder.FOLDER)
        self._last_wanted = last_wanted.path_of(sources.artifacts, sources.ledger.namespace)
        self._wanted: Wanted | None = None
        self._whole: Catalog | None = None
        """The active revision before stops."""
        self._model = PRIOR
        self._model_stamp: Stamp = ()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._kept: dict[str, Catalog] = {}
        self._keeping = threading.Lock()
        self._engine: Engine | None = None
        self._troubles: dict[str, tuple[str, str]] = {}
        """What is not followed -> (code, message)."""
        self._now: Millis = 0
        self.on_swap: Callable[[Engine], None] = lambda _: None

    def engine(self) -> Engine:
        """What is active now. Raises InvalidInput NOT_READY before load()."""
        if self._engine is None:
            raise InvalidInput("NOT_READY", "no revision is loaded yet")
        return self._engine

    def troubles(self) -> tuple[str, ...]:
        """Codes of what is wanted and could not be had, so that something else runs; for readiness."""
        return tuple(sorted({code for code, _ in self._troubles.values()}))

    def load(self) -> Engine:
        """Load what is active; blocks. Raises InvalidInput CAMPAIGNS_INVALID or NOTHING_PUBLISHED, NotFound

        REVISION_UNKNOWN, Retry LEDGER_UNAVAILABLE: at start there is no old one to keep.
        """
        wanted = self._now_wanted()
        kept = self._published.first(wanted) if self._sources.published else self._watch.keep()
        self._whole = revisions.catalog_of(kept)
        catalog = self._without_stopped(self._whole, wanted)
        self._swap(self._with_model(catalog, wanted.model or PRIOR))
        return self.engine()

    def start(self) -> None:
        """Follow changes from now on."""
        self._thread = threading.Thread(target=self._follow, name="activation", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End following; returns when the thread has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def revision(self, revision: str) -> Engine:
        """The engine of a kept revision, with the active model; may block. Raises NotFound, InvalidInput."""
        running = self.engine()
        if revision == running.catalog.revision:
            return running
        found = self._kept.get(revision)
        if found is None:
            found = revisions.catalog_of(revisions.find(revision, self._sources.artifacts))
            with self._keeping:
                while len(self._kept) >= KEPT_CATALOGS:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[revision] = found
        return replace(running, catalog=found)

    def _follow(self) -> None:
        while not self._stop.wait(POLL_S):
            try:
                wanted = self._now_wanted()
                self._look_for_campaigns(wanted)
                self._look_for_model(wanted.model or PRIOR)
            except MISTAKES:
                # the thread must live on: without it no mended file and no new model would ever be seen
                telemetry.RELOADS.labels("engine", "refused").inc()
                logger.exception("following what is active failed; what runs stays")

    def _now_wanted(self) -> Wanted:
        """What the ledger wants; while it is away what it wanted last, by this process's memory or by the file."""
        self._now = max(self._now, self._sources.clock())  # a clock set back takes back nothing that is active
        try:
            wanted = self._sources.ledger.wanted(self._now)
        except OffingError as error:
            self._trouble("ledger", error, "the ledger does not answer; what it wanted last stays")
            return self._wanted or last_wanted.recall(self._last_wanted) or self._unknown(error)
        self._troubles.pop("ledger", None)
        if wanted != self._wanted:
            self._wanted = wanted
            self._remember(wanted)
        return wanted

    def _unknown(self, error: OffingError) -> Wanted:
        """At a start without the ledger and without a memory of it: a folder can serve all the same."""
        if self._sources.published:
            raise error
        return Wanted(None, None)

    def _remember(self, wanted: Wanted) -> None:
        try:
            last_wanted.remember(self._last_wanted, wanted)
        except OSError as error:
            logger.error("a start without the ledger would not know what is wanted now: %s", error)

    def _look_for_campaigns(self, wanted: Wanted) -> None:
        try:
            kept = self._published.newer(wanted) if self._sources.published else self._watch.changed()
            if kept is not None and (self._whole is None or kept.name != self._whole.revision):
                with self._turns.turn():
                    self._whole = revisions.catalog_of(kept)
            if kept is not None or self._runs(wanted):
                self._troubles.pop("revision", None)
        except REFUSED as error:
            self._refused(error)
        if self._whole is not None:
            catalog = self._without_stopped(self._whole, wanted)
            if catalog.revision != self.engine().catalog.revision:
                self._swap(self._with_model(catalog, self._model))

    def _runs(self, wanted: Wanted) -> bool:
        """Whether the published revision that is wanted is the one that runs."""
        return self._sources.published and self._whole is not None and self._whole.revision == wanted.revision

    def _refused(self, error: Exception) -> None:
        telemetry.RELOADS.labels("revision", "refused").inc()
        if not self._sources.published:
            self._troubles.pop("revision", None)  # its files changed: who saved them is told, even if it is the same
        what = "the published revision" if self._sources.published else "the campaign folder"
        self._trouble("revision", error, f"{what} was refused; the running revision stays")

    def _without_stopped(self, whole: Catalog, wanted: Wanted) -> Catalog:
        """The catalog without the campaigns of it that are stopped. A full disk must not keep one from stopping."""
        stopped = wanted.stopped & whole.campaigns if wanted.stopped else wanted.stopped
        revision = revisions.stopped(whole.revision, stopped)
        running = self._engine
        if running is not None and running.catalog.revision == revision:
            return running.catalog
        try:
            revisions.keep_stopped(whole.revision, stopped, self._sources.artifacts)
        except OSError as error:
            logger.error("decisions of %s cannot be replayed: its stops were not kept: %s", revision, error)
        return whole.without(stopped, revision) if stopped else whole

    def _look_for_model(self, model: str) -> None:
        mended = self._engine is not None and self._engine.degraded and self._stamp_of_model(model) != self._model_stamp
        if model != self._model or mended:
            self._swap(self._with_model(self.engine().catalog, model))

    def _with_model(self, catalog: Catalog, model: str) -> Engine:
        """The catalog with a model; if the model cannot be loaded, with the prior, and says so."""
        running = self._engine
        known = running is not None and running.catalog.attributes == catalog.attributes
        if running is not None and known and model == running.propensity.model and model != PRIOR:
            return Engine(catalog, running.propensity)
        self._model = model
        if model == PRIOR:
            return Engine(catalog, prior(catalog.attributes))
        self._model_stamp = self._stamp_of_model(model)
        try:
            propensity = load_model(model, self._sources.artifacts, catalog.attributes)
        except REFUSED as error:
            telemetry.RELOADS.labels("model", "refused").inc()
            logger.error("model %s cannot serve, the prior does: %s", model, error)
            return Engine(catalog, prior(catalog.attributes), (MODEL_UNAVAILABLE,))
        if propensity.hindered:
            telemetry.RELOADS.labels("model", "slower").inc()
            logger.warning("model %s serves by its booster, several times slower: %s", model, propensity.hindered)
        return Engine(catalog, propensity)

    def _stamp_of_model(self, model: str) -> Stamp:
        return stamp_of(_folder_of(model, self._sources.artifacts), every=True)

    def _swap(self, engine: Engine) -> None:
        engine.propensity.meet(engine.catalog.columns.book)
        self._engine = engine
        telemetry.RELOADS.labels("engine", "done").inc()
        telemetry.ACTIVE.clear()
        telemetry.ACTIVE.labels(engine.catalog.revision, engine.propensity.model).set(1)
        self.on_swap(engine)

    def _trouble(self, what: str, error: Exception, consequence: str) -> None:
        """Say it, unless it was the last thing said of this."""
        found = error.code if isinstance(error, OffingError) else UNUSABLE, str(error)
        if self._troubles.get(what) != found:
            logger.error("%s:\n%s", consequence, error, extra={"code": found[0]})
        self._troubles[what] = found


def load_model(model: str, artifacts: Path, attributes: AttributeSet) -> Propensity:
    """A model by its id from the artifacts. Raises InvalidInput MODEL_INVALID."""
    return load(_folder_of(model, artifacts), attributes)


def _folder_of(model: str, artifacts: Path) -> Path:
    return artifacts / "models" / Path(model).name

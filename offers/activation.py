"""What is active: followed in a thread, loaded beside the traffic, swapped whole (ideas 13 and 19)."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import thread_time

from offers import revisions
from offers.catalog import Catalog
from offers.engine import Engine
from offers.ledger import Ledger
from scoring.features import Propensity
from scoring.propensity import load, prior
from streams import telemetry
from streams.attributes import AttributeSet
from streams.errors import InvalidInput, OffingError
from streams.ids import RevisionId

POLL_S = 0.25
LOOKING = 0.02
"""Most of a core's time that looking for changes may take: of 100,000 files one look takes .5 s."""
PRIOR = "prior"
MODEL_UNAVAILABLE = "model_unavailable"
KEPT_CATALOGS = 8
MISTAKES = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
logger = logging.getLogger("offing.activation")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where revisions and models come from."""

    campaigns: Path
    artifacts: Path
    ledger: Ledger


Stamp = tuple[tuple[str, int, int], ...]
"""(path, size, mtime in ns) of every file: cheap to look at four times a second."""


class Activation:
    """The engine of this process. `engine()` never blocks; a bad folder or model leaves the old one in place."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._stamp: Stamp = ()
        self._look_s = 0.0
        self._model = PRIOR
        self._model_stamp: Stamp = ()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._kept: dict[str, Catalog] = {}
        self._keeping = threading.Lock()
        self._engine: Engine | None = None
        self.on_swap: Callable[[Engine], None] = lambda _: None

    def engine(self) -> Engine:
        """What is active now. Raises InvalidInput NOT_READY before load()."""
        if self._engine is None:
            raise InvalidInput("NOT_READY", "no revision is loaded yet")
        return self._engine

    def load(self) -> Engine:
        """Load what is active; blocks. Raises InvalidInput CAMPAIGNS_INVALID: at start there is no old one to keep."""
        self._stamp = stamp_of(self._sources.campaigns)
        catalog = revisions.catalog_of(revisions.keep(self._sources.campaigns, self._sources.artifacts))
        self._swap(self._with_model(catalog, self._active_model()))
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
        while not self._stop.wait(pause_s(self._look_s)):
            try:
                self._look_for_campaigns()
                self._look_for_model()
            except MISTAKES:
                # the thread must live on: without it no mended file and no new model would ever be seen
                telemetry.RELOADS.labels("engine", "refused").inc()
                logger.exception("following what is active failed; what runs stays")

    def _look_for_campaigns(self) -> None:
        try:
            begun = thread_time()
            stamp = stamp_of(self._sources.campaigns)
            self._look_s = thread_time() - begun
            if stamp == self._stamp:
                return
            self._stamp = stamp
            kept = revisions.keep(self._sources.campaigns, self._sources.artifacts)
            if RevisionId(kept.name) == self.engine().catalog.revision:
                return
            self._swap(self._with_model(revisions.catalog_of(kept), self._active_model()))
        except (OffingError, OSError) as error:
            telemetry.RELOADS.labels("revision", "refused").inc()
            logger.error("the campaign folder was refused; the running revision stays:\n%s", error)
            if isinstance(error, OSError) or getattr(error, "code", "") == "FOLDER_CHANGED":
                self._stamp = ()

    def _look_for_model(self) -> None:
        model = self._active_model()
        mended = self._engine is not None and self._engine.degraded and self._stamp_of_model(model) != self._model_stamp
        if model != self._model or mended:
            self._swap(self._with_model(self.engine().catalog, model))

    def _active_model(self) -> str:
        try:
            active = self._sources.ledger.active("model")
        except OffingError:
            return self._model
        return active.id if active is not None else PRIOR

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
            return Engine(catalog, load_model(model, self._sources.artifacts, catalog.attributes))
        except (OffingError, OSError) as error:
            telemetry.RELOADS.labels("model", "refused").inc()
            logger.error("model %s cannot serve, the prior does: %s", model, error)
            return Engine(catalog, prior(catalog.attributes), (MODEL_UNAVAILABLE,))

    def _stamp_of_model(self, model: str) -> Stamp:
        return stamp_of(_folder_of(model, self._sources.artifacts), every=True)

    def _swap(self, engine: Engine) -> None:
        engine.propensity.meet(engine.catalog.columns.book)
        self._engine = engine
        telemetry.RELOADS.labels("engine", "done").inc()
        telemetry.ACTIVE.clear()
        telemetry.ACTIVE.labels(engine.catalog.revision, engine.propensity.model).set(1)
        self.on_swap(engine)


def pause_s(look_s: float) -> float:
    """How long to wait after a look that took so much CPU: what is followed must not cost what it serves.

    >>> pause_s(0.003), pause_s(0.5)
    (0.25, 25.0)
    """
    return max(POLL_S, look_s / LOOKING)


def load_model(model: str, artifacts: Path, attributes: AttributeSet) -> Propensity:
    """A model by its id from the artifacts. Raises InvalidInput MODEL_INVALID."""
    return load(_folder_of(model, artifacts), attributes)


def _folder_of(model: str, artifacts: Path) -> Path:
    return artifacts / "models" / Path(model).name


def stamp_of(folder: Path, *, every: bool = False) -> Stamp:
    """What changes when a file of the folder does, one of a revision or `every`; empty if the folder is not there.

    Raises InvalidInput FOLDER_TOO_LARGE, and OSError for a folder that goes away meanwhile.
    """
    found = []
    for entry in revisions.below(folder) if every else revisions.entries(folder):
        try:
            status = entry.stat()
        except OSError:
            continue
        found.append((entry.path, status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))

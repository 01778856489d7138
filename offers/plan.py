"""What a change of campaigns would do: what is written otherwise, and a population decided about by both sides."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from offers import cases
from offers.contexts import Chunk
from offers.persona import Persona
from offers.population import Sides, Tally, count
from offers.revision_changes import Revision, RevisionChanges, compare, load
from offers.simulation import decision_id
from offers.situation import Situation, situate
from scoring.features import Propensity
from scoring.propensity import load as load_model
from scoring.propensity import starting
from streams.attributes import Attribute, Kind
from streams.errors import InvalidInput, OffingError
from streams.findings import did_you_mean, has_errors, listed, shown
from streams.ids import OfferId, RevisionId
from streams.record import DecisionInputs

PROCESSES = 2
ALONE = 2
"""Up to so many chunks are decided by this process: others would take longer to start."""
AHEAD = 3
"""Chunks under way for each process: what is read but not decided is bounded by them."""
WATCH_S = 1.0
Seen = Callable[[int], None]
"""Told how many more contexts are done."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to plan: everything by name, so that another process can read it again."""

    base: str
    """A folder, or a kept revision."""
    head: str
    artifacts: Path
    model: Path | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Both sides, and what differs."""

    base: Revision
    head: Revision
    changes: RevisionChanges
    sides: Sides

    @property
    def revisions(self) -> tuple[RevisionId, RevisionId]:
        """Of base and head."""
        return self.base.catalog.revision, self.head.catalog.revision


def prepare(asked: Asked) -> Plan:
    """Both sides loaded. Raises NotFound REVISION_UNKNOWN, InvalidInput CAMPAIGNS_INVALID, UNKNOWN_ATTRIBUTE, ..."""
    base, head = load(asked.base, asked.artifacts), load(asked.head, asked.artifacts)
    changes = compare(base, head)
    _check_by(asked.by, head)
    scores = _scores(base, asked.model), _scores(head, asked.model)
    differing = _differing(base, head, changes)
    return Plan(base, head, changes, Sides(base.catalog, head.catalog, scores, differing, asked.by))


def of_personas(plan: Plan, file: Path) -> Tally:
    """Every persona of a file decided about by both sides. Raises InvalidInput PERSONA_INVALID, NO_CONTEXTS."""
    found, findings = cases.read_personas(file, plan.head.catalog)
    if has_errors(findings):
        raise InvalidInput("PERSONA_INVALID", "\n".join(str(finding) for finding in findings))
    tally = Tally()
    for name, persona in found.items():
        if persona.now is None:
            raise InvalidInput("TIME_MISSING", f"{file}: persona {shown(name)} says no 'now'")
        situation = persona.situation(plan.head.catalog, persona.now, decision_id(name))
        count(tally, plan.sides, *_inputs(plan, situation, persona))
    return tally


def of_chunks(plan: Plan, asked: Asked, chunks: Iterable[Chunk], done: Seen = lambda _: None) -> Tally:
    """Every context decided about by both sides: many by two processes. An interrupt ends them and is raised.

    Raises InvalidInput CONTEXT_INVALID."""
    coming = iter(chunks)
    first = list(islice(coming, ALONE + 1))
    tally = Tally()
    if len(first) <= ALONE:
        for chunk in first:
            part = _count(plan.sides, chunk)
            tally.merge(part)
            done(part.decisions)
        return tally
    for result in _elsewhere(asked, plan.revisions, chain(first, coming)):
        if isinstance(result, _Refused):
            raise InvalidInput(result.code, result.message)
        tally.merge(result)
        done(result.decisions)
    return tally


def _inputs(plan: Plan, found: Situation, persona: Persona) -> tuple[DecisionInputs, DecisionInputs]:
    """What each side sees of a persona, who is written for the head: the place and the subjects as its own files have

    them."""
    base, head = plan.base.catalog, plan.head.catalog
    before = replace(found, whereabouts=persona.whereabouts(base, found.now), arms=persona.arms_in(base))
    return situate(before, base, every_subject=True), situate(found, head, every_subject=True)


def _differing(base: Revision, head: Revision, changes: RevisionChanges) -> frozenset[OfferId] | None:
    """The offers that differ, where nothing else does and none of them is what a placement falls back on."""
    fallbacks = {offer.id for side in (base, head) for offer in side.catalog.fallbacks.values()}
    return None if changes.files or changes.deciding & fallbacks else changes.deciding


def _scores(side: Revision, model: Path | None) -> Propensity:
    return starting() if model is None else load_model(model, side.catalog.attributes)


def _check_by(by: str, head: Revision) -> None:
    if not by:
        return
    declared = head.catalog.attributes.by_name
    known = sorted(name for name, attribute in declared.items() if _tells_apart(attribute))
    if by not in known:
        mend = did_you_mean(by, known) or f"There are: {listed(known)}."
        message = f"--by {shown(by)} is no attribute of the customer or the context with declared levels. {mend}"
        raise InvalidInput("UNKNOWN_ATTRIBUTE", message)


def _tells_apart(attribute: Attribute) -> bool:
    """Groups are told, never people: so what is free to take any value tells nobody apart."""
    return attribute.scope in ("customer", "context") and attribute.kind in (Kind.ENUM, Kind.BOOLEAN)


@dataclass(frozen=True, slots=True)
class _Refused:
    """An error as it travels between processes."""

    code: str
    message: str


_ready: list["Sides | _Refused"] = []
"""What this process decides with."""


def _elsewhere(
    asked: Asked, expected: tuple[RevisionId, RevisionId], chunks: Iterator[Chunk]
) -> Iterator["Tally | _Refused"]:
    beginning = asked, expected, os.getpid()
    pool = ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn"), _begin, beginning)
    try:
        waiting: deque[Future[Tally | _Refused]] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(_work, chunk))
            if len(waiting) >= PROCESSES * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(asked: Asked, expected: tuple[RevisionId, RevisionId], parent: int) -> None:
    """A process gets ready. Ctrl-C is the parent's to handle; without the parent it ends by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        plan = prepare(asked)
        message = f"{asked.base} or {asked.head} changed while it was planned; plan again"
        _ready.append(plan.sides if plan.revisions == expected else _Refused("FOLDER_CHANGED", message))
    except OffingError as error:
        _ready.append(_Refused(error.code, error.message))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        threading.Event().wait(WATCH_S)
    os._exit(1)


def _work(chunk: Chunk) -> "Tally | _Refused":
    sides = _ready[0]
    if isinstance(sides, _Refused):
        return sides
    try:
        return _count(sides, chunk)
    except OffingError as error:
        return _Refused(error.code, error.message)


def _count(sides: Sides, chunk: Chunk) -> Tally:
    tally = Tally()
    for inputs in chunk.contexts():
        count(tally, sides, inputs)
    return tally

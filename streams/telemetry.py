"""Every metric and every log field of the project: one typed, commented list. Nothing else is measured or logged.

A metric's name carries its unit; counters end in _total in the exposition. Labels are closed sets of our own codes,
never a customer, an offer or anything a client wrote. `host_metrics` adds up the processes of a host.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TextIO

from prometheus_client import Counter, Gauge, Histogram

from streams.instant import format_instant
from streams.metric_sum import EACH, PROCESS
from streams.tally import TallyCounter, TallyHistogram

STAGE = (
    0.00005, 0.0001, 0.00015, 0.0002, 0.0003, 0.0004, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075,
    0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0,
)  # fmt: skip
"""Seconds: fine where one decision's stages lie."""
FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Seconds: from a pure step to a decision's deadline."""
SLOW = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0)
"""Seconds: from an event's append to its effect."""
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 384, 512, 1024, 2048)


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the operators' page."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


_LISTED: list[Metric] = []
_ACROSS = {"process_resident_memory_bytes": "sum", "process_open_fds": "sum"}


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    _LISTED.append(Metric(f"{name}_total", "counter", labels, meaning))
    return Counter(name, meaning, labels)


def _tally(name: str, meaning: str, *labels: str) -> TallyCounter:
    """A counter of the hot path: only the event loop moves it."""
    _LISTED.append(Metric(f"{name}_total", "counter", labels, meaning))
    return TallyCounter(name, meaning, labels)


def _tally_histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> TallyHistogram:
    """A histogram of the hot path: one thread moves each child, the event loop or a consumer's."""
    _LISTED.append(Metric(name, "histogram", labels, meaning))
    return TallyHistogram(name, meaning, buckets, labels)


def _gauge(name: str, meaning: str, *labels: str, across: str = "max") -> Gauge:
    """`across`: what several processes of a host add up to: max, min, sum, or each with the label `process`."""
    _LISTED.append(Metric(name, "gauge", (*labels, PROCESS) if across == EACH else labels, meaning))
    _ACROSS[name] = across
    return Gauge(name, meaning, labels)


def _histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    _LISTED.append(Metric(name, "histogram", labels, meaning))
    return Histogram(name, meaning, labels, buckets=buckets)


# Deciding
DECISIONS = _tally("offing_decisions", "Decisions answered, cached ones included.", "origin", "degraded", "fallback")
DEGRADED = _tally("offing_degraded", "Decisions that had to do without something, by what.", "what")
STAGES = ("read", "situate", "decide", "mint", "encode", "keep", "record", "request")
"""read: the one read. situate, decide, mint, encode: computing. keep: the cache's entries, so far as the answer waits

for them. request: all, from the first byte to the answer's bytes. record: the log's line, once the answer is out."""
STAGE_SECONDS = _tally_histogram("offing_stage_seconds", "A stage of answering a decision, or all.", STAGE, "stage")
"""Take the children of STAGES once, at import: `READ = telemetry.STAGE_SECONDS.labels("read")`; `READ.observe(s)`."""
DECISION_SECONDS = _tally_histogram(
    "offing_decision_seconds", "From a parsed request to its answer's bytes.", FAST, "cache"
)
CANDIDATES = _tally_histogram("offing_candidates", "Candidates scored in one decision.", COUNTS)
RULED_OUT = _tally("offing_ruled_out", "Candidates ruled out, by reason.", "code")
BEYOND_LIMIT = _tally("offing_beyond_candidate_limit", "Offers not looked at (BEYOND_CANDIDATE_LIMIT).")
UNKNOWN_PLACEMENTS = _tally("offing_unknown_placements", "Placements asked for that no revision knows.")
CACHE = _tally(
    "offing_decision_cache", "Cached decisions: hit, miss, stale, bypass, or shared with a repeat.", "result"
)
STORE_READ_SECONDS = _tally_histogram("offing_store_read_seconds", "The one read of a decision.", FAST)
REPRESENTATIONS = _tally("offing_representations", "Items shown, by the language they were written in.", "locale")

# Records and outcomes
RECORDS = _counter(
    "offing_decision_records", "Decision records: appended, or dropped because the log refused.", "result"
)
RECORD_QUEUE = _gauge("offing_record_queue", "Decision records not appended yet.", across="sum")
OUTCOMES = _counter("offing_outcomes", "Outcomes by kind and what became of them.", "outcome", "status")
LAKE_ROWS = _counter("offing_lake_rows", "Rows written to the lake, by table.", "table")
LAKE_SECONDS = _histogram("offing_lake_write_seconds", "One writing of the lake's files.", SLOW)

# Doors
EVENTS = _counter(
    "offing_events", "Events at the doors, by type and accepted, duplicate, rejected or retry.", "type", "status"
)
LOG_APPEND_SECONDS = _histogram("offing_log_append_seconds", "From append to durable.", FAST, "topic")

# Consumers
FOLDED = _counter("offing_folded", "Events folded into profiles, by type and what the fold did.", "type", "status")
FOLD_SECONDS = _histogram("offing_fold_seconds", "One batch: load, fold, save.", SLOW, "group")
FOLD_CONFLICTS = _counter(
    "offing_fold_conflicts", "Saves refused because another consumer had saved first; done again."
)
TOTALS_MISSED = _counter(
    "offing_totals_missed", "Events that totals above one customer may lack: the store's answer was lost."
)
SKIPPED_VALUES = _counter("offing_skipped_values", "Attribute values the active declarations do not accept.")
REREAD = _counter("offing_reread_records", "Records read again because the store was behind the log.", "group")
EVENT_TO_EFFECT_SECONDS = _tally_histogram("offing_event_to_effect_seconds", "From recorded to saved.", SLOW, "group")
FRIENDS_TOLD = _counter("offing_friends_told", "customer.friend_booked events appended.")
DEAD_LETTERS = _counter(
    "offing_dead_letters", "Records that could not be used, by topic and reason.", "topic", "reason"
)
CONSUMER_RETRIES = _counter("offing_consumer_retries", "Waits for a store or log that did not answer.", "group", "code")
REBALANCES = _counter("offing_rebalances", "Times a consumer was given other partitions (Kafka).", "group")
CONSUMER_UP = _gauge("offing_consumer_up", "Consumers that run; 0 once they have stopped.", "group", across="sum")
PRESENCE = _counter("offing_presence", "Locations: kept, forgotten (denied or off), or too old.", "result")

# Market
MARKET_VERSION = _gauge("offing_market_version", "Offset of the last market record folded.", "role", across=EACH)
MARKET_AGE_SECONDS = _gauge(
    "offing_market_age_seconds", "Since the tail last reached the log's end.", "role", across=EACH
)
SNAPSHOT_BYTES = _gauge("offing_market_snapshot_bytes", "Size of the last market snapshot, compressed.")

# What is active
ACTIVE = _gauge("offing_active", "1 for the active revision and model.", "revision", "model", across=EACH)
RELOADS = _counter(
    "offing_reloads", "Swaps of revision or model: done, refused, or slower (not compiled).", "what", "result"
)

# How the active model is doing (offers.drift_watch)
SHADOW_DECISIONS = _counter(
    "offing_shadow_decisions", "Decisions in the shadow: scored, left_out, or a pass that failed.", "result"
)
SHADOW_DIFFERENCE = _gauge(
    "offing_shadow_score_difference", "Mean distance of the shadow's scores from those that were logged.", "model"
)
SHADOW_TOP_CHANGED = _gauge(
    "offing_shadow_top_changed", "Share of decisions in which the shadow ranks another candidate first.", "model"
)
DRIFT_CHECKS = _counter("offing_drift_checks", "Looks for drift: done, or failed with the code in the log.", "result")
MODEL_AGE_SECONDS = _gauge(
    "offing_model_age_seconds", "Since the newest decision the active model was trained on.", "model"
)
SCORE_PSI = _gauge("offing_score_psi", "Drift of the scores since training; .1 moved, .25 large.", "model")
FEATURE_PSI = _gauge("offing_feature_psi", "Drift of the ten features that moved and matter most.", "feature")
CALIBRATION_RATIO = _gauge(
    "offing_calibration_ratio", "Accepted by predicted, and the ends of its 99 % interval.", "model", "bound"
)
PRIOR_SHARE = _gauge("offing_prior_share", "Of decisions made by the prior; of declared propensities in scores.", "of")

# Training (offers.nightly)
TRAININGS = _counter("offing_trainings", "Trainings of `train --every`: active, candidate or failed.", "result")
TRAINED_TIMESTAMP = _gauge(
    "offing_trained_timestamp_seconds", "When the last training succeeded, whatever became of its model; Unix time."
)
GATE_VERDICT = _gauge("offing_gate_verdict", "1 for the gate's last verdict: passed, failed, waiting.", "outcome")

METRICS: tuple[Metric, ...] = tuple(_LISTED)
"""Every metric, in the order of the operators' page. A test compares it with the docs and with the registry."""


ACROSS: Mapping[str, str] = MappingProxyType(_ACROSS)
"""Gauge -> how the processes of a host add up: max, min, sum or each."""

LOG_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "after_s": "seconds until the next try",
        "code": "stable code of the error",
        "count": "how many, of what the message says",
        "decision_id": "a decision; the lake says whose",
        "degraded": "what a decision did without",
        "epoch": "incarnation of the log",
        "group": "consumer group",
        "model": "model id",
        "namespace": "OFFING_NAMESPACE",
        "offset": "offset in a partition",
        "partition": "partition of a topic",
        "path": "a file or folder of this host",
        "placement": "placement id",
        "port": "port of a door",
        "reason": "stable code of what was ruled out or dropped",
        "revision": "revision id",
        "route": "route template, without its parameters' values",
        "stage": "step of a decision or of the start",
        "status": "HTTP status or result",
        "took_ms": "milliseconds",
        "topic": "topic of the log",
        "version": "version of Offing or of the market",
        "worker": "number of a worker",
    }
)
"""What a log line may carry besides at, level, logger, event, error and trace. Everything else is dropped: names,

coordinates, customer ids and tokens have no field, so no line can hold them.
"""


class JsonLines(logging.Formatter):
    """One JSON object a line. Of an exception only its type, code and frames: its message may repeat what was sent."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": format_instant(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: record.__dict__[name] for name in LOG_FIELDS if name in record.__dict__}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            line.setdefault("code", getattr(error, "code", None))
            frames = traceback.extract_tb(error.__traceback__)
            line["trace"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
        return json.dumps(line, default=str, ensure_ascii=False)


class StandardError(logging.StreamHandler[TextIO]):
    """To what standard error is when a line is written: the one of earlier may have been closed since."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def configure_logging(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log line of the process to `stream` (default: standard error) as JSON. Replaces earlier handlers."""
    handler = StandardError() if stream is None else logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # kafka-python tells of every try to reach a broker, several a second; who waits for it says so once, with the code
    logging.getLogger("kafka").setLevel(logging.CRITICAL)

"""What became of one offer, counted over the lake by DuckDB: in how many decisions it was shown, and every outcome."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from streams.ids import Millis, OfferId
from streams.instant import DAY_MS, moment
from streams.lake import DECISION_TABLE, OUTCOME_TABLE, Lake, Table
from streams.lake_file import SUFFIX, LakeFileUnreadable

LATE_MS = 7 * DAY_MS
"""An outcome lies on the day of its decision, which may be so much earlier."""
TRIES = 3
"""Files are compacted away while they are read; then there are others."""
_SHOWN = """
    select count(distinct decision_id), count(distinct decision_id) filter (item.offer_id = $offer)
    from (select decision_id, unnest(case when len(shown) = 0 then [null] else shown end) as item
          from read_parquet($files) where "at" >= make_timestamptz($since) and "at" < make_timestamptz($until))
"""
_OUTCOMES = """
    select event, count(*)
    from (select distinct source, event_id, event from read_parquet($files)
          where offer_id = $offer and "at" >= make_timestamptz($since) and "at" < make_timestamptz($until))
    group by event
"""
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class LakeCounts:
    """Of one window, [since, until)."""

    decisions: int
    """All there were, whatever they asked for."""
    shown: int
    """Those that showed the offer."""
    outcomes: Mapping[str, int]
    """exposed | clicked | dismissed | redeemed -> events of the offer."""


@cache
def _duckdb() -> Any:
    """Loaded by who asks: the service has this module too, never asks, and would end with DuckDB's list of leaks."""
    return import_module("duckdb")


def count(lake: Lake, offer: OfferId, since: Millis, until: Millis) -> LakeCounts:
    """Files that cannot be read are left out, with a warning."""
    window: dict[str, Any] = {"offer": offer, "since": since * 1_000, "until": until * 1_000}
    ((decisions, shown),) = _asked(lake, DECISION_TABLE, (since, until), _SHOWN, window) or [(0, 0)]
    outcomes = _asked(lake, OUTCOME_TABLE, (since - LATE_MS, until), _OUTCOMES, window)
    return LakeCounts(decisions, shown, dict(sorted(outcomes)))


def _asked(
    lake: Lake, table: Table, days: tuple[Millis, Millis], query: str, window: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    def asked(files: list[str]) -> list[tuple[Any, ...]]:
        with _duckdb().connect() as database:
            database.execute("set TimeZone = 'UTC'")
            found: list[tuple[Any, ...]] = database.execute(query, {**window, "files": files}).fetchall()
            return found

    return _patiently(lambda: _files(lake, table, days), asked)


def _patiently(files: Callable[[], list[Path]], asked: Callable[[list[str]], list[Found]]) -> list[Found]:
    for _ in range(TRIES):
        found = files()
        if not found:
            return []
        try:
            return asked([str(path) for path in found])
        except _duckdb().Error:
            continue
    whole = [str(path) for path in files() if _readable(path)]
    return asked(whole) if whole else []


def _files(lake: Lake, table: Table, days: tuple[Millis, Millis]) -> list[Path]:
    first, last = (moment(at).date().isoformat() for at in days)
    folders = (lake.folder / table.name).glob("day=*/bucket=*")
    within = (folder for folder in folders if first <= folder.parent.name[4:] <= last)
    return sorted(path for folder in within for path in folder.glob(f"[!.]*{SUFFIX}"))


def _readable(path: Path) -> bool:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for _ in file.iter_batches():
                pass
        return True
    except (pa.ArrowException, OSError) as error:
        warnings.warn(f"{path} is left out: {error}", LakeFileUnreadable, stacklevel=2)
        return False

"""The file's own promises: durable, private, one form, unharmed by a failed transaction."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from streams.errors import Retry, Stop
from streams.log import Topic
from streams.sqlite_file import FileLimits, LogFile
from tests.log_makers import PATIENCE_S

EVENTS = Topic("test.events", 4)


def test_appends_are_synced_and_deletes_are_zeroed(tmp_path: Path) -> None:
    full, normal = opened(tmp_path), LogFile(tmp_path / "log", "NORMAL", FileLimits())
    pragmas = ("synchronous", "journal_mode", "secure_delete")
    assert [pragma(full, name) for name in pragmas] == [2, "wal", 1]
    assert [pragma(normal, name) for name in pragmas] == [1, "wal", 1]
    full.close()
    normal.close()


def test_a_failed_transaction_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    file = opened(tmp_path)
    with pytest.raises(Retry) as failure, file.transaction() as db:
        db.execute("INSERT INTO topics VALUES ('t', 1, NULL)")
        db.execute("INSERT INTO nowhere VALUES (1)")
    assert failure.value.code == "LOG_UNAVAILABLE"
    assert "nowhere" in failure.value.message
    with pytest.raises(KeyError), file.transaction() as db:
        db.execute("INSERT INTO topics VALUES ('t', 1, NULL)")
        raise KeyError
    with file.transaction() as db:
        assert db.execute("SELECT count(*) FROM topics").fetchone() == (0,)
    file.close()


def test_another_connection_s_commit_changes_the_data_version(tmp_path: Path) -> None:
    file, other = opened(tmp_path), opened(tmp_path)
    before = file.data_version()
    assert file.data_version() == before
    other.register(EVENTS)
    assert file.data_version() != before
    file.close()
    other.close()


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    file = opened(tmp_path / "new" / "folder")
    file.register(EVENTS)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new" / "folder").iterdir()} == {0o600}
    file.close()


def test_a_topic_keeps_its_number_of_partitions_but_may_change_its_retention(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.register(EVENTS)
    file.register(Topic("test.events", 4, 60_000))
    assert sorted(file.extents("test.events")) == [0, 1, 2, 3]
    with pytest.raises(Stop) as failure:
        file.register(Topic("test.events", 8))
    assert failure.value.code == "LOG_PARTITIONS_DIFFER"
    assert "has 4 partitions" in failure.value.message
    file.close()


def test_an_unknown_format_is_not_opened(tmp_path: Path) -> None:
    opened(tmp_path).close()
    later = sqlite3.connect(tmp_path / "log")
    later.execute("PRAGMA user_version = 2")
    later.close()
    with pytest.raises(Stop) as failure:
        opened(tmp_path)
    assert failure.value.code == "LOG_FORMAT_UNKNOWN"


def test_a_file_that_is_no_log_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"something else entirely " * 200)
    with pytest.raises(Stop) as failure:
        opened(tmp_path)
    assert failure.value.code == "LOG_DAMAGED"
    with pytest.raises(Stop) as failure:
        opened(tmp_path / "log")
    assert failure.value.code == "LOG_UNREADABLE"


def test_processes_that_make_the_file_at_the_same_time_make_one(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom streams.sqlite_file import FileLimits, LogFile\n"
        "file = LogFile(Path(sys.argv[1]), 'FULL', FileLimits())\nprint(file.epoch)\nfile.close()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "log")]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    assert len({child.communicate(timeout=PATIENCE_S)[0] for child in children}) == 1
    assert [child.returncode for child in children] == [0, 0, 0, 0]


def opened(folder: Path) -> LogFile:
    return LogFile(folder / "log", "FULL", FileLimits())


def pragma(file: LogFile, name: str) -> object:
    with file.snapshot() as db:
        return db.execute(f"PRAGMA {name}").fetchone()[0]

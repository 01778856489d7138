"""Telemetry: one list of metrics, and log lines that cannot carry what is not on the list."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from streams import telemetry
from streams.errors import InvalidInput
from streams.host_metrics import HostMetrics
from streams.metric_sum import ADDED_UP, EACH, PROCESS


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure_logging("info", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_goes_to_what_standard_error_is_when_it_is_written(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, now = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", closed)
    telemetry.configure_logging()
    monkeypatch.setattr("sys.stderr", now)
    closed.close()
    logging.getLogger("offing.test").warning("still heard")
    assert json.loads(now.getvalue())["event"] == "still heard"
    assert lines.getvalue() == ""


def test_every_metric_is_listed_and_every_listed_metric_is_registered() -> None:
    kinds = {"counter": "_total", "gauge": "", "histogram": ""}
    registered = {
        family.name + kinds[family.type] for family in REGISTRY.collect() if family.name.startswith("offing_")
    }
    assert {metric.name for metric in telemetry.METRICS} == registered
    assert len(telemetry.METRICS) == len(registered)
    for metric in telemetry.METRICS:
        assert metric.meaning.endswith("."), metric.name


def test_a_scrape_of_the_host_shows_a_counter_that_moved_and_names_the_process_of_a_gauge(tmp_path: Path) -> None:
    telemetry.DEAD_LETTERS.labels("offing.customers", "EVENT_MALFORMED").inc(3)
    telemetry.ACTIVE.labels("r-1", "prior").set(1)
    metrics = HostMetrics(tmp_path, "serve", telemetry.ACROSS)
    metrics.start()
    text = metrics.exposition().decode()
    metrics.stop()
    labels = {"topic": "offing.customers", "reason": "EVENT_MALFORMED"}
    found = REGISTRY.get_sample_value("offing_dead_letters_total", labels)
    assert found is not None
    assert f'offing_dead_letters_total{{reason="EVENT_MALFORMED",topic="offing.customers"}} {found}' in text
    assert f'offing_active{{model="prior",process="{metrics.process}",revision="r-1"}} 1.0' in text


def test_every_gauge_says_how_the_processes_of_a_host_add_up() -> None:
    gauges = {metric.name for metric in telemetry.METRICS if metric.kind == "gauge"}
    assert gauges == {name for name in telemetry.ACROSS if name.startswith("offing_")}
    assert set(telemetry.ACROSS.values()) <= {*ADDED_UP, EACH}
    each = {metric.name for metric in telemetry.METRICS if PROCESS in metric.labels}
    assert each == {name for name, across in telemetry.ACROSS.items() if across == EACH}


def test_log_lines_are_json_with_the_allowed_fields_only(lines: io.StringIO) -> None:
    extra = {"group": "profile", "offset": 7, "customer_id": "c-1", "lat": 43.5, "token": "ot1.secret"}
    logging.getLogger("streams.consumer").warning("store does not answer", extra=extra)
    line = json.loads(lines.getvalue())
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "streams.consumer",
        "event": "store does not answer",
        "group": "profile",
        "offset": 7,
    }


def test_an_exception_is_logged_without_its_message(lines: io.StringIO) -> None:
    try:
        raise InvalidInput("LOCATION_INVALID", "lat is 43.5558")
    except InvalidInput:
        logging.getLogger("offers").exception("refused")
    assert "43.5558" not in lines.getvalue()
    line = json.loads(lines.getvalue())
    assert (line["error"], line["code"]) == ("InvalidInput", "LOCATION_INVALID")
    assert "test_an_exception_is_logged_without_its_message" in line["trace"][-1]


def test_lines_below_the_level_are_not_written(lines: io.StringIO) -> None:
    logging.getLogger("offers").debug("too quiet")
    assert lines.getvalue() == ""

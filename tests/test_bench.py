"""The bench's own reckoning: percentiles, medians, slopes, goals, and a client that reads answers as they come."""

import math
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from loadtests.bench import plot, report
from loadtests.bench.client import BadAnswer, Plan, drive, http_request, instants, length_of
from loadtests.bench.results import GOALS, VERSION, Goal, Results, Row, targets
from loadtests.bench.runs import Sample, medians, percentile, slope

PATIENCE_S = 10.0


def test_a_percentile_is_a_value_that_was_measured() -> None:
    hundred = [float(number) for number in range(100, 0, -1)]
    assert [percentile(hundred, rank) for rank in (1, 50, 99, 100)] == [1.0, 50.0, 99.0, 100.0]
    assert percentile([7.0], 99) == 7.0
    assert math.isnan(percentile([], 50))


def test_the_median_of_runs_is_taken_number_by_number_but_what_lacked_is_the_worst() -> None:
    def sample(p50: float, per_s: float, lacking: float) -> Sample:
        return Sample(100, p50, 2 * p50, per_s, 0.5, 0.1, 4_000.0, lacking)

    found = medians([sample(1.0, 900.0, 0.0), sample(9.0, 100.0, 0.02), sample(2.0, 800.0, 0.0)])
    assert (found.requests, found.p50_ms, found.p99_ms, found.per_s, found.lacking) == (300, 2.0, 4.0, 800.0, 0.02)


def test_the_slope_is_what_each_further_candidate_costs() -> None:
    assert slope([(25, 1.1), (100, 1.4), (200, 1.8), (300, 2.2)]) == pytest.approx(0.004)


@pytest.mark.parametrize(
    ("goal", "value", "met", "aimed"),
    [
        (Goal(most=5.0, aim=4.0), 4.5, True, False),
        (Goal(most=5.0, aim=4.0), 5.01, False, False),
        (Goal(least=0.5, aim=0.6), 0.6, True, True),
        (Goal(least=3.0), 2.9, False, None),
        (Goal(most=1.25), math.nan, False, None),
    ],
)
def test_a_goal_is_met_or_missed(goal: Goal, value: float, met: bool, aimed: bool | None) -> None:
    assert (goal.met(value), goal.aimed(value)) == (met, aimed)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    told = targets({"decision_p50_over_floor": 4.2})
    assert told["decision_p50_over_floor"] == {"target": "at most 5, aim 4", "value": 4.2, "met": True, "aimed": False}
    assert told["fold_events_per_s"] == {
        "target": "at least 10000, aim 15000",
        "value": None,
        "met": None,
        "aimed": None,
    }
    assert set(told) == set(GOALS)


def test_an_answers_length_is_known_once_its_head_is_there() -> None:
    head = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 11\r\n\r\n"
    assert length_of(head[:-1]) is None
    assert length_of(head + b"hello") == len(head) + 11
    with pytest.raises(BadAnswer, match="without Content-Length"):
        length_of(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")


def test_requests_of_an_open_loop_are_due_at_random_at_the_rate_asked_for() -> None:
    due = instants(4_000, 500.0)
    assert due == instants(4_000, 500.0)
    assert due == sorted(due)
    assert due[-1] == pytest.approx(8.0, rel=0.1)


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """A server on loopback that answers its requests in turn, in pieces; the port."""
    left = list(answers)
    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=_answer, args=(door, left), daemon=True)
        thread.start()
        yield door.getsockname()[1]
        thread.join(PATIENCE_S)


def _answer(door: socket.socket, left: list[bytes]) -> None:
    wire, _ = door.accept()
    with wire:
        while left and wire.recv(65_536):
            whole = left.pop(0)
            for start in range(0, len(whole), 17):
                wire.sendall(whole[start : start + 17])


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def test_the_client_counts_what_failed_and_what_lacked_something() -> None:
    good, degraded = b'{"degraded":[]}', b'{"degraded":["profile_unavailable"]}'
    request = http_request("/v1/decisions", b"{}", "Bearer k")
    with answering(answer(good), answer(degraded), answer(b"{}", "503 No"), answer(good)) as port:
        found = drive(Plan(port, [request] * 4, b'"degraded":[]'))
    assert (len(found.latencies_ms), found.failed, found.lacking) == (3, 1, 1)
    assert found.first_bad.startswith("HTTP/1.1 503 No")
    assert min(found.latencies_ms) > 0


def test_the_client_asks_at_the_instants_it_was_given() -> None:
    request = http_request("/v1/decisions", b"{}", "Bearer k")
    with answering(*[answer(b"{}")] * 20) as port:
        found = drive(Plan(port, [request] * 20, b"{", rate=100.0))
    assert len(found.latencies_ms) == 20
    assert found.seconds >= instants(20, 100.0)[-1]


def test_a_connection_that_ends_before_its_answer_is_no_answer() -> None:
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe") as port, pytest.raises(BadAnswer, match="closed"):
        drive(Plan(port, [http_request("/", b"{}", "k")], b""))


def found(**values: float | None) -> Results:
    rows = [
        Row(scene, p50, 2 * p50, 1_000 / p50, p50, 0.1, 3, 900)
        for scene, p50 in (
            ("floor", 0.2), ("floor, 16 connections", 2.6), ("1,000 offers, 100 scored", 1.0),
            ("1,000 offers, 300 scored", 1.8), ("10,000 offers, 100 scored", 1.1),
            ("1,000 offers, 16 connections", 9.0),
            ("by hand, 1,000 offers, 100 scored", 5.0), ("100,000 offers, 25,000 survive", 1.3),
        )
    ]  # fmt: skip
    return Results(
        VERSION, "2026-11-21 18:00 UTC", "abc", "2 cores", "Alone.", True, 60.0, values, targets(values), rows
    )


def test_the_table_stands_between_its_marks_and_nothing_else_is_touched(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nthe last run\n{report.END}\nafter\n")
    report.publish(found(decision_p50_over_floor=4.0, fold_events_per_s=None), page)
    text = page.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\nCommit abc") and text.endswith(f"{report.END}\nafter\n")
    assert "| `decision_p50_over_floor` | 4 | at most 5, aim 4 | yes, and the aim |" in text
    assert "| `fold_events_per_s` | not measured |" in text
    assert "the last run" not in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match="has no"):
        report.publish(found(), page)


def test_the_picture_is_drawn_from_the_rows(tmp_path: Path) -> None:
    results = found()
    assert plot.points(plot.SCORED, results.rows) == [(1_000, 100, 1.0), (1_000, 300, 1.8), (10_000, 100, 1.1)]
    assert plot.points(plot.BY_HAND, results.rows) == [(1_000, 0, 5.0)]
    assert plot.points(plot.SURVIVE, results.rows) == [(100_000, 25_000, 1.3)]
    plot.draw(results, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_results_are_read_back_as_they_were_written() -> None:
    results = found(decision_p50_ms=1.0)
    assert msgspec.json.decode(msgspec.json.encode(results), type=Results) == results

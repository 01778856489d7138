"""What generators measured adds up to what one would have measured."""

from loadtests.load.measured import Checked, Measured, StageMeasured, Violation, begun, merge, more
from loadtests.load.shapes import shape

STAGES = shape("steady", 10, 10)


def share(seconds: float, answered: int, *, processes: dict[str, float] | None = None) -> StageMeasured:
    (_, found) = begun(STAGES)
    found.complete, found.due, found.sent, found.decisions = True, answered + 1, answered, answered
    found.hits, found.hits_as_live, found.fallbacks, found.degraded_decisions = 4, 2, 1, 3
    more(found.degraded, "profile_behind", 3)
    kind = found.kind("decision")
    kind.answered, kind.retries = answered, 5
    more(kind.failed, "NO_ANSWER")
    for histogram in (kind.from_due, kind.from_sent, found.late, found.unpunctual, found.fresh):
        histogram.add(seconds)
    found.unseen, found.cpu, found.used_cpu, found.host_cpu = 1, [seconds], seconds, 9.0
    found.processes = processes or {}
    return found


def test_shares_of_a_stage_add_up() -> None:
    first = Measured([share(0.1, 10, processes={"service": 3.0})])
    second = Measured([share(0.2, 20)])
    merge(first, second)
    found = first.stages[0]
    assert first.generators == 2
    assert (found.due, found.sent, found.decisions, found.hits, found.hits_as_live) == (32, 30, 30, 8, 4)
    assert (found.fallbacks, found.degraded_decisions, found.degraded) == (2, 6, {"profile_behind": 6})
    kind = found.kinds["decision"]
    assert (kind.answered, kind.retries, kind.failed) == (30, 10, {"NO_ANSWER": 2})
    for histogram in (kind.from_due, kind.from_sent, found.late, found.unpunctual, found.fresh):
        assert histogram.count == 2 and histogram.most_s == 0.2
    assert (found.unseen, found.cpu, found.host_cpu) == (2, [0.1, 0.2], 9.0)
    assert found.processes == {"service": 3.0} and found.complete


def test_a_stage_one_of_them_did_not_finish_is_not_complete() -> None:
    unfinished = share(0.1, 1)
    unfinished.complete = False
    whole = Measured([share(0.1, 1)])
    merge(whole, Measured([unfinished]))
    assert not whole.stages[0].complete


def test_what_the_checks_saw_adds_up_and_the_first_violations_are_kept() -> None:
    first, second = Checked({"ranks": 5}), Checked({"ranks": 7, "unique": 1})
    for number in range(15):
        first.add(Violation("ranks", f"a{number}"))
        second.add(Violation("unique", f"b{number}"))
    whole = Measured([], first)
    merge(whole, Measured([], second, problems=["late"]))
    assert whole.checked.looked_at == {"ranks": 12, "unique": 1}
    assert whole.checked.violated == {"ranks": 15, "unique": 15}
    assert len(whole.checked.told) == 20 and whole.problems == ["late"]

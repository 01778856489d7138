"""Models in the ledger: candidate, active, retired, refused, by whom and why; back again; two who activate at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from offers.ledger import Ledger
from offers.ledger_database import LedgerDatabase
from offers.models import Active, Change, ModelState
from streams.errors import InvalidInput, NotFound

ADA = Change("ada", 100, "it is better")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def ledger(url: str, namespace: str) -> Iterator[Ledger]:
    opened = Ledger(url, namespace)
    opened.migrate()
    yield opened
    opened.close()


def known(ledger: Ledger, *models: str) -> None:
    for number, model in enumerate(models):
        ledger.models.publish(model, Change("trainer", number, "made"))


def states(ledger: Ledger) -> dict[str, str]:
    return {each.model: each.state for each in ledger.models.states()}


def test_a_model_is_a_candidate_then_active_then_retired_and_its_history_says_why(ledger: Ledger) -> None:
    known(ledger, "m-a", "m-b")
    ledger.models.activate("m-a", ADA)
    ledger.models.activate("m-b", Change("bob", 200, "better still"))
    assert states(ledger) == {"m-a": "retired", "m-b": "active"}
    assert ledger.models.active() == Active("m-b", 200, "bob")
    lines = [(each.state, each.base, each.reason, each.changed_at, each.changed_by)
             for each in ledger.models.history("m-a")]  # fmt: skip
    assert lines == [
        ("retired", None, "m-b took over", 200, "bob"),
        ("active", None, "it is better", 100, "ada"),
        ("candidate", None, "made", 0, "trainer"),
    ]
    assert ledger.models.history("m-b")[0].base == "m-a"


def test_a_verdict_is_kept_and_publishing_again_changes_nothing_else(ledger: Ledger) -> None:
    ledger.models.publish("m-a", ADA, verdict='{"outcome": "waiting"}')
    ledger.models.publish("m-a", Change("bob", 7, "again"))
    (only,) = ledger.models.history("m-a")
    assert (only.verdict, only.reason, only.changed_by) == ('{"outcome": "waiting"}', "it is better", "ada")
    ledger.models.activate("m-a", ADA)
    ledger.models.publish("m-a", Change("bob", 9, "judged again"), verdict="{}")
    assert ledger.models.history("m-a")[0].state == "active"


def test_back_and_back_again_ends_at_the_prior_and_never_turns_in_a_circle(ledger: Ledger) -> None:
    known(ledger, "m-a", "m-b", "m-c")
    for model in ("m-a", "m-b", "m-c"):
        ledger.models.activate(model, ADA)
    gone: list[str] = [ledger.models.rollback(Change("bob", 300, "sales fell")) for _ in range(3)]
    assert gone == ["m-b", "m-a", "prior"]
    assert ledger.models.active() is None
    assert ledger.wanted(1).model is None
    with pytest.raises(InvalidInput, match="the prior serves already") as caught:
        ledger.models.rollback(ADA)
    assert caught.value.code == "NOTHING_TO_ROLL_BACK"


def test_after_a_rollback_the_next_activation_rests_on_what_serves(ledger: Ledger) -> None:
    known(ledger, "m-a", "m-b", "m-c")
    ledger.models.activate("m-a", ADA)
    ledger.models.activate("m-b", ADA)
    ledger.models.rollback(ADA)
    ledger.models.activate("m-c", ADA)
    assert ledger.models.rollback(ADA) == "m-a"
    assert ledger.models.history("m-b")[0].reason == "m-a took over"


def test_the_prior_is_one_command_away(ledger: Ledger) -> None:
    known(ledger, "m-a")
    ledger.models.activate("m-a", ADA)
    ledger.models.deactivate(Change("bob", 2, "stop"))
    ledger.models.deactivate(Change("bob", 3, "stop"))
    assert ledger.models.active() is None
    assert ledger.models.history("m-a")[0].reason == "prior took over"


def test_activating_what_is_active_changes_nothing(ledger: Ledger) -> None:
    known(ledger, "m-a")
    ledger.models.activate("m-a", ADA)
    ledger.models.activate("m-a", Change("bob", 500))
    assert ledger.models.active() == Active("m-a", 100, "ada")
    assert len(ledger.models.history("m-a")) == 2


def test_a_model_judged_against_another_than_the_active_one_is_not_activated(ledger: Ledger) -> None:
    known(ledger, "m-a", "m-b", "m-c")
    ledger.models.activate("m-a", ADA, over=None)
    for over in (None, "m-c"):
        with pytest.raises(InvalidInput, match="m-a is active now; train again") as caught:
            ledger.models.activate("m-b", ADA, over=over)
        assert caught.value.code == "ACTIVE_MOVED"
    ledger.models.activate("m-b", ADA, over="m-a")
    assert states(ledger) == {"m-a": "retired", "m-b": "active", "m-c": "candidate"}


@pytest.mark.parametrize("first", [None, "m-0"], ids=["over the prior", "over a model"])
def test_of_many_who_activate_over_the_same_one_succeeds(ledger: Ledger, first: str | None) -> None:
    known(ledger, *(f"m-{number}" for number in range(9)))
    if first is not None:
        ledger.models.activate(first, ADA)

    def activate(number: int) -> bool:
        try:
            ledger.models.activate(f"m-{number}", ADA, over=first)
        except InvalidInput as error:
            assert error.code == "ACTIVE_MOVED"
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(activate, range(1, 9))) == 1
    assert list(states(ledger).values()).count("active") == 1


def test_a_refused_model_says_why_and_an_active_one_cannot_be(ledger: Ledger) -> None:
    known(ledger, "m-a", "m-b")
    ledger.models.activate("m-b", ADA)
    ledger.models.refuse("m-a", Change("bob", 9, "MODEL_INVALID truncated"))
    ledger.models.refuse("m-b", Change("bob", 9, "MODEL_INVALID truncated"))
    assert states(ledger) == {"m-a": "refused", "m-b": "active"}
    assert ledger.models.history("m-a")[0].reason == "MODEL_INVALID truncated"


def test_unknown_models_are_neither_activated_nor_shown(ledger: Ledger) -> None:
    for ask in (ledger.models.activate, ledger.models.refuse):
        with pytest.raises(NotFound, match="offing models list"):
            ask("m-z", ADA)
    with pytest.raises(NotFound) as caught:
        ledger.models.history("m-z")
    assert caught.value.code == "MODEL_UNKNOWN"
    assert ledger.models.states() == ()


def test_models_of_an_older_program_are_known_with_their_state(url: str, namespace: str, ledger: Ledger) -> None:
    known(ledger, "m-a", "m-b")
    ledger.models.activate("m-b", ADA)
    database = LedgerDatabase(url, namespace)
    database.downgrade("0002")
    database.migrate()
    with database.reading() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM model_states")) == 3
    database.engine.dispose()
    assert states(ledger) == {"m-a": "candidate", "m-b": "active"}
    assert ledger.models.rollback(ADA) == "prior"


def test_namespaces_do_not_see_each_other_s_models(url: str, namespace: str, ledger: Ledger) -> None:
    there = Ledger(url, f"{namespace}-b")
    there.migrate()
    known(ledger, "m-a")
    ledger.models.activate("m-a", ADA)
    assert there.models.states() == ()
    there.close()


def test_the_newest_change_comes_first(ledger: Ledger) -> None:
    known(ledger, "m-a", "m-b")
    ledger.models.activate("m-a", ADA)
    found: tuple[ModelState, ...] = ledger.models.states()
    assert [each.model for each in found] == ["m-a", "m-b"]


def test_a_model_in_the_shadow_serves_nobody_until_it_is_activated_which_ends_the_shadow(ledger: Ledger) -> None:
    known(ledger, "m-a", "m-b")
    ledger.models.activate("m-a", ADA)
    ledger.models.put_in_shadow("m-b", Change("bob", 200, "curious"))
    assert ledger.models.shadow() == Active("m-b", 200, "bob")
    assert ledger.models.active() == Active("m-a", 100, "ada")
    assert states(ledger) == {"m-a": "active", "m-b": "candidate"}
    assert ledger.models.history("m-b")[0].reason == "in the shadow: curious"
    ledger.models.put_in_shadow("m-a", Change("bob", 300))
    assert ledger.models.shadow() == Active("m-a", 300, "bob"), "one at a time"
    assert ledger.models.active() == Active("m-a", 100, "ada")
    ledger.models.put_in_shadow("m-b", Change("bob", 400))
    ledger.models.activate("m-b", Change("bob", 500))
    assert ledger.models.shadow() is None
    assert ledger.models.rollback(Change("bob", 600)) == "m-a", "what was in the shadow meanwhile changes no way back"
    with pytest.raises(NotFound, match="never published here"):
        ledger.models.put_in_shadow("m-c", ADA)
    ledger.models.put_in_shadow(None, ADA)
    ledger.models.put_in_shadow(None, ADA)
    assert ledger.models.shadow() is None


def test_of_many_who_choose_a_shadow_at_once_one_choice_stands(ledger: Ledger) -> None:
    names = [f"m-{number}" for number in range(6)]
    known(ledger, *names)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda name: ledger.models.put_in_shadow(name, ADA), names))
    chosen = ledger.models.shadow()
    assert chosen is not None
    assert chosen.id in names

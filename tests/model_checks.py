"""Checks that every kind of propensity passes, in the manner of river's `check_estimator`.

`tests/test_model_checks.py` runs every check on every kind, and every check on a propensity that breaks it. A new kind
is an entry in its KINDS, a new check one in CHECKS.
"""

import math
import tracemalloc
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from scoring.features import Propensity, Scorable, Scores
from scoring.lineup import Lineup, lined_up
from streams.attributes import AttributeSet, attribute_set
from streams.declared_features import EVERY, DeclaredRates
from streams.record import NOTHING, DecisionInputs, decode, encode
from streams.whereabouts import NOWHERE
from tests.decision_log import inputs, record, scorables
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES as WORLD
from tests.scoring_world import BAR, QUIZ, SPA, VISITS, decided, facts, passenger, subject

ALIKE = 1e-12
"""Most that a row's probability may depend on the rows beside it: sums may be added up in another order."""
WAVE = 2_000
GROWTH = 4_000_000
"""Bytes that a wave of new offers may leave behind."""
LEARNT = DeclaredRates(offer=True, by=("customer.bar_visits", "customer.newsletter"))
ATTRIBUTES: AttributeSet = replace(WORLD, features=replace(EVERY, rates=LEARNT))
"""Every kind of column, those among them that are not there unless they are declared."""
CROWD = [facts(f"o{number}", "spa_visits", float(number % 40)) for number in range(97)]
TURNED: AttributeSet = attribute_set(
    tuple(each for each in reversed(list(ATTRIBUTES.by_name.values())) if each.number < 9_000), ATTRIBUTES.features
)
"""The same declarations in another order."""


@dataclass(frozen=True, slots=True)
class Made:
    """One kind of propensity, made in several ways from the same small world."""

    propensity: Propensity
    again: Propensity
    """Made anew, with the same seed."""
    elsewhere: Propensity
    """Saved, moved and loaded."""
    turned: Propensity
    """From TURNED."""


def slate() -> tuple[DecisionInputs, list[Scorable]]:
    """A decision with 100 candidates about three subjects, offers with and without a history among them."""
    made = decided(passenger(4), NOW, 4, {})
    booked = made.subjects["booking:each"][0]
    return made, [(BAR, NOTHING), (SPA, booked), (QUIZ, booked), *((offer, subject(6_000)) for offer in CROWD)]


def equal(one: Scores, other: Scores) -> bool:
    """Bit for bit."""
    return one.probability.tobytes() == other.probability.tobytes() and one.rows.tobytes() == other.rows.tobytes()


def probabilities(made: Made) -> None:
    """One per candidate, between 0 and 1, in the order asked, with the rows they came from."""
    asked, items = slate()
    scores = made.propensity.score(asked, items)
    assert scores.probability.shape == (100,)
    assert ((scores.probability > 0) & (scores.probability < 1)).all()
    assert scores.rows.shape == (100, len(made.propensity.features))
    backwards = made.propensity.score(asked, items[::-1])
    assert equal(Scores(backwards.probability[::-1], backwards.rows[::-1]), scores)


def one_row_equals_the_batch(made: Made) -> None:
    """Whoever else is a candidate changes nothing."""
    asked, items = slate()
    batch = made.propensity.score(asked, items)
    for spot in (0, 1, 57, 99):
        alone = made.propensity.score(asked, items[spot : spot + 1])
        assert alone.rows.tobytes() == batch.rows[spot : spot + 1].tobytes()
        assert abs(alone.probability[0] - batch.probability[spot]) <= ALIKE


def no_candidates(made: Made) -> None:
    """No scores."""
    asked, _ = slate()
    scores = made.propensity.score(asked, [])
    assert (scores.probability.shape, scores.rows.shape) == ((0,), (0, len(made.propensity.features)))


def unseen_and_missing(made: Made) -> None:
    """Nothing known, and nothing ever seen before, still give a probability."""
    unknown = inputs(customer="nobody")
    strange = inputs(town="Atlantis", bar_visits="always", mood="good", newsletter=3.5)
    oddity = facts("brand-new", "no_such_attribute", math.nan)
    for asked in (unknown, strange, msgspec.structs.replace(unknown, whereabouts=NOWHERE)):
        for items in ([(oddity, NOTHING), (SPA, subject(0))], [(BAR, NOTHING)]):
            found = made.propensity.score(asked, items).probability
            assert ((found > 0) & (found < 1)).all()


def input_untouched(made: Made) -> None:
    """What was asked is as it was."""
    asked, items = slate()
    before = encode(record(asked, items))
    made.propensity.score(asked, items)
    assert encode(record(asked, items)) == before


def column_order(made: Made) -> None:
    """Columns stand where their names say, in whatever order the attributes were declared."""
    asked, items = slate()
    scores = made.propensity.score(asked, items)
    row = dict(zip(made.propensity.features, scores.rows[1].tolist(), strict=True))
    visits = asked.profile.facts["customer.spa_visits"][0]
    assert row["customer.spa_visits"] == row["own_kind"] == VISITS.index(str(visits))
    assert (row["offer.discount"], row["context.local_hour"]) == (30.0, 18.0)
    assert made.turned.features == made.propensity.features
    assert equal(made.turned.score(asked, items), scores)


def same_seed_same_bytes(made: Made) -> None:
    """Made again from the same log and seed it is the same model."""
    asked, items = slate()
    assert made.again.model == made.propensity.model
    assert equal(made.again.score(asked, items), made.propensity.score(asked, items))


def save_and_load(made: Made) -> None:
    """What was saved, moved and loaded says the same, and what it is."""
    asked, items = slate()
    told = (made.propensity.model, made.propensity.features, made.propensity.reads, made.propensity.form)
    moved = (made.elsewhere.model, made.elsewhere.features, made.elsewhere.reads, made.elsewhere.form)
    assert moved == told
    assert equal(made.elsewhere.score(asked, items), made.propensity.score(asked, items))


def monotone_where_declared(made: Made) -> None:
    """A deeper discount of an offer with a history never lowers the propensity, whoever is asked."""
    for number in range(40):
        asked = decided(passenger(number), NOW, number, {})
        for name, affinity in (("bar", "bar_visits"), ("spa", "spa_visits"), ("quiz", "nothing")):
            deeper: list[Scorable] = [(facts(name, affinity, discount), NOTHING) for discount in np.linspace(0, 60, 25)]
            assert (np.diff(made.propensity.score(asked, deeper).probability) >= -ALIKE).all()


def bounded_memory(made: Made) -> None:
    """However many offers come and go."""
    asked, _ = slate()

    def wave(start: int) -> None:
        for number in range(start, start + WAVE, 100):
            offers = [facts(f"passing-{spot % 500}", "spa_visits", float(spot)) for spot in range(number, number + 100)]
            made.propensity.score(asked, [(offer, NOTHING) for offer in offers])

    wave(0)
    tracemalloc.start()
    wave(WAVE)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < GROWTH


def any_thread(made: Made) -> None:
    """The same question has the same answer."""
    asked, items = slate()
    first = made.propensity.score(asked, items)
    with ThreadPoolExecutor(4) as pool:
        assert all(equal(first, again) for again in pool.map(lambda _: made.propensity.score(asked, items), range(24)))


def logged_rows(made: Made) -> None:
    """Rows and scores come again from the decoded record, bit for bit."""
    asked, items = slate()
    asked = msgspec.structs.replace(asked, subjects={"booking:each": (items[1][1],), "venue": (subject(6_000),)})
    logged = decode(encode(record(asked, items, made.propensity)))
    again = made.propensity.score(logged.inputs, scorables(logged))
    assert np.array([item.row for item in logged.shown]).tobytes() == again.rows.tobytes()
    assert [item.score for item in logged.shown] == again.probability.tolist()


def says_what_it_reads(made: Made) -> None:
    """And never anything protected."""
    assert {"customer.bar_visits", "context.local_hour", "counters"} <= made.propensity.reads
    assert "customer.gender" not in made.propensity.reads
    assert not any("gender" in name for name in made.propensity.features)


def met_beforehand(made: Made) -> None:
    """A book that was met scores as one that was not."""
    asked, items = slate()
    met = lined_up(items)
    made.propensity.meet(met.book)
    assert equal(made.propensity.score(asked, met), made.propensity.score(asked, items))
    again = Lineup(met.book, met.positions[::-1], met.subjects, met.about[::-1])
    backwards = made.propensity.score(asked, again)
    assert equal(Scores(backwards.probability[::-1], backwards.rows[::-1]), made.propensity.score(asked, items))


CHECKS: Mapping[str, Callable[[Made], None]] = {
    check.__name__: check
    for check in (
        probabilities,
        one_row_equals_the_batch,
        no_candidates,
        unseen_and_missing,
        input_untouched,
        column_order,
        same_seed_same_bytes,
        save_and_load,
        monotone_where_declared,
        bounded_memory,
        any_thread,
        logged_rows,
        says_what_it_reads,
        met_beforehand,
    )
}

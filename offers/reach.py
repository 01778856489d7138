"""How far customers come through an offer's conditions, one after the other: the funnel of `offing campaigns reach`.

Pure. Facts are those that a decision would see: behind the consent mask, as fresh as conditions ask.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from offers import capping
from offers.arms import against
from offers.catalog import NO_FACTS, Catalog, consents, facts_of, quoted, subjects_of
from offers.changes import about_words
from offers.condition import Condition, Leaf, View, holds, leaves
from offers.condition_words import Words
from offers.eligibility import obstacles
from offers.index import layers
from offers.offer import Offer
from offers.proposition import Candidate
from offers.situation import DERIVED, Situation, situate
from streams.attributes import SUBJECT_SCOPES
from streams.record import NOTHING, DecisionInputs, Subject

LEAST = 5
"""Groups of fewer people are not told."""
FEW = f"<{LEAST}"
Holds = Callable[["Moment"], bool]


@dataclass(slots=True)
class Moment:
    """One customer on the way through: what is known, and what the offer could still be about."""

    inputs: DecisionInputs
    subjects: tuple[Subject, ...]
    bind: Callable[[], DecisionInputs]
    """Look for what the offer could be about: only of those who come so far."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing asked of a customer."""

    words: str
    where: str
    """`file:line:column`, where there is one."""
    holds: Holds | None
    """None: only an app that asks can say; nobody is left out by it here."""


class Told(msgspec.Struct, frozen=True):
    """One line of the funnel."""

    words: str
    where: str
    count: int | None
    """Customers who came through this and everything above; None: under 5, or asked only of a request."""
    text: str
    """The same for people: `4,210`, `<5`, `about 212`."""


def steps(offer: Offer, catalog: Catalog, words: Words) -> tuple[Step, ...]:
    """Everything asked, in the order written: conditions, consent, what the words and the price need, limits."""
    return tuple(_Funnel(offer, catalog, words).steps())


def depth(funnel: Sequence[Step], found: Situation, offer: Offer, catalog: Catalog) -> int:
    """How many steps a customer comes through."""
    inputs = situate(found, catalog, only=())
    selector = () if offer.about is None else (offer.about.key,)
    moment = Moment(inputs, (NOTHING,), lambda: situate(found, catalog, only=selector))
    for number, step in enumerate(funnel):
        if step.holds is not None and not step.holds(moment):
            return number
    return len(funnel)


def told(funnel: Sequence[Step], reached: Sequence[int]) -> tuple[Told, ...]:
    """The funnel told. `reached`: how many customers came to each step, the first of them all there are.

    No two numbers of it differ by 1 to 4: where a step leaves out so few, the number above is repeated as `about`.
    """
    lines = []
    base = reached[0]
    every = zip(
        ("customers known", *(step.words for step in funnel)), ("", *(step.where for step in funnel)), strict=True
    )
    asked = (False, *(step.holds is None for step in funnel))
    for (words, where), number, later in zip(every, reached, asked, strict=True):
        if later:
            lines.append(Told(words, where, None, "when the app asks"))
            continue
        if number < LEAST:
            lines.append(Told(words, where, None, FEW))
            continue
        hidden = 0 < base - number < LEAST
        base = base if hidden else number
        lines.append(Told(words, where, base, f"about {base:,}" if hidden else f"{base:,}"))
    return tuple(lines)


class _Funnel:
    """Makes the steps of one offer."""

    def __init__(self, offer: Offer, catalog: Catalog, words: Words) -> None:
        self.offer = offer
        self.catalog = catalog
        self.words = words

    def steps(self) -> Iterator[Step]:
        bound = self.offer.about is None
        for _, condition in layers(self.offer):
            if not bound and _asks_subject(condition):
                bound = True
                yield self._bind()
            yield Step(self.words.sentence(condition), _where(condition), self._condition(condition))
        if not bound:
            yield self._bind()
        consent = self.offer.consent
        if consent.purposes or consent.channels:
            names = (*consent.purposes, *(f"channel {name}" for name in consent.channels))
            yield Step(f"consent to {' and '.join(names)}", self.offer.where, self._consents)
        yield Step("a price and every word known, and not over for them", self.offer.where, self._presentable)
        if self.offer.experiment is not None or self.catalog.arms.holdout is not None:
            yield Step("in no holdout of an experiment", self.offer.where, self._in_no_holdout)
        if self.offer.limits or self.offer.shared or self.offer.suppress:
            yield Step("not held back by a limit", self.offer.where, self._uncapped)

    def _bind(self) -> Step:
        words = "something to be about" if self.offer.about is None else about_words(self.offer.about)
        return Step(words, self.offer.where, self._bound)

    def _bound(self, moment: Moment) -> bool:
        moment.inputs = moment.bind()
        moment.subjects = subjects_of(self.offer, moment.inputs)
        return bool(moment.subjects)

    def _condition(self, condition: Condition) -> Holds | None:
        if any(leaf.attribute.startswith("context.") and leaf.attribute not in DERIVED for leaf in leaves(condition)):
            return None
        return lambda moment: self._keep(moment, lambda subject: holds(condition, self._view(moment, subject)))

    def _consents(self, moment: Moment) -> bool:
        profile = moment.inputs.profile
        return consents(self.offer.consent, profile.purposes, profile.channels)

    def _presentable(self, moment: Moment) -> bool:
        return self._keep(moment, lambda s: not any(True for _ in obstacles(self._candidate(moment, s), moment.inputs)))

    def _in_no_holdout(self, moment: Moment) -> bool:
        return against(self.offer, moment.inputs, self.catalog.arms.holdout) is None

    def _uncapped(self, moment: Moment) -> bool:
        return self._keep(
            moment, lambda s: not any(True for _ in capping.reached(self._candidate(moment, s), moment.inputs))
        )

    def _candidate(self, moment: Moment, subject: Subject) -> Candidate:
        view = self._view(moment, subject)
        return Candidate(self.offer, subject, view, quoted(self.offer, subject, moment.inputs.now))

    def _keep(self, moment: Moment, passes: Callable[[Subject], bool]) -> bool:
        moment.subjects = tuple(subject for subject in moment.subjects if passes(subject))
        return bool(moment.subjects)

    def _view(self, moment: Moment, subject: Subject) -> View:
        inputs = moment.inputs
        facts = subject.facts or NO_FACTS
        return View(facts_of(inputs), facts, inputs.whereabouts, self.catalog.places, inputs.now)


def _asks_subject(condition: Condition) -> bool:
    return any(leaf.attribute.split(".")[0] in SUBJECT_SCOPES for leaf in leaves(condition))


def _where(condition: Condition) -> str:
    return condition.where if isinstance(condition, Leaf) else next((leaf.where for leaf in leaves(condition)), "")

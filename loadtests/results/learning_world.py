"""A world whose truth is known, for learning in process: visits, decisions by the service, what became of them.

Nothing that people do depends on what they were shown before, so the true value of any policy can be computed: it is
the mean over visits of the sum over offers of (probability of showing) x (probability of acceptance) x (value). The
counters of a profile still tell a model who this customer is: `liking` shows in their history only.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from loadtests.results.learning_campaigns import (
    AGES,
    DEVICES,
    EXPLORE,
    KINDS,
    OFFERS,
    PLACEMENT,
    PORTS,
    VISITS,
    WEATHER,
    WITHIN_MS,
    catalog,
)
from loadtests.results.learning_truth import VALUES, Tastes, Visit, customers, drifted, tastes, visits
from offers.decide import choose, decide, record
from offers.situation import Situation, situate
from scoring.examples import Example, Examples, Item, label
from scoring.features import Propensity
from scoring.propensity import starting
from streams.bucket import bucket
from streams.ids import CustomerId, DecisionId, Millis, OfferId
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant
from streams.lake_rows import LoggedOutcome
from streams.market import EMPTY
from streams.places import NOWHERE
from streams.profile import CounterKey, MaskedProfile, bucket_of
from streams.record import DecisionInputs, DecisionRecord, FactDict, OfferFacts, PlacementRequest, Request

Numbers = NDArray[np.float64]
START: Millis = parse_instant("2026-06-01T00:00:00Z")
"""Midnight of day 0."""
SEEN = 0.95
SPOT = {offer.id: spot for spot, offer in enumerate(OFFERS)}
"""Offer -> its place in every array (offers,)."""
Policy = Callable[[DecisionInputs, Sequence[OfferFacts]], Numbers]
"""(k,) the probability of showing each of k candidates, which stand in the catalog's order; they add up to 1."""
Responses = dict[Item, list[tuple[str, Millis]]]


def midnight(day: int) -> Millis:
    """When a day begins."""
    return START + day * DAY_MS


class World:
    """People, what they like, and the log of what they were shown. Deterministic given its arguments and the calls.

    >>> world = World(7, people=50)
    >>> records = world.live(0, starting(), 400)
    >>> round(sum(world.best(made.inputs) for made in records) / 400, 2)  # euro a visit, were everything known
    1.67
    """

    def __init__(
        self,
        seed: int,
        *,
        people: int = 600,
        drift_day: int | None = None,
        explore: float = EXPLORE,
        a_kind: int = 4,
        history: bool = True,
    ) -> None:
        self.seed = seed
        self.explore = explore
        self.history = history
        """Whether profiles count what people were shown. Without it visits are independent of all that went before."""
        self.people = customers(seed, people)
        self.drift_day = drift_day
        self.catalog = catalog(explore, a_kind)
        self.log: list[tuple[DecisionRecord, Responses]] = []
        self._before = tastes(seed)
        self._after = drifted(self._before, seed)
        self._counters: dict[int, dict[CounterKey, dict[int, int]]] = {}
        self._met: dict[DecisionId, tuple[int, Visit]] = {}
        self._labelled: dict[DecisionId, Example] = {}

    def tastes(self, day: int) -> Tastes:
        """What people like on this day."""
        return self._before if self.drift_day is None or day < self.drift_day else self._after

    def decide(self, day: int, propensity: Propensity, decisions: int) -> list[DecisionRecord]:
        """A day's decisions, logged as the service would; 0 decisions are an empty day."""
        return [
            record(inputs, decide(inputs, self.catalog, propensity), propensity.features)
            for inputs in self.inputs(day, decisions)
        ]

    def inputs(self, day: int, decisions: int) -> Iterator[DecisionInputs]:
        """What the day's decisions are made from."""
        for number, visit in enumerate(visits(self.seed, day, decisions, len(self.people))):
            at = midnight(day) + visit.hour * HOUR_MS + number * HOUR_MS // max(decisions, 1)
            name = _decision_id(at, f"{self.seed}:{day}:{number}/{decisions}")
            self._met[name] = (day, visit)
            found = Situation(
                decision_id=name,
                now=at,
                request=_request(visit, at),
                whereabouts=NOWHERE,
                profile=self._profile(visit.customer),
                market=EMPTY,
                candidate_limit=len(OFFERS),
            )
            yield situate(found, self.catalog)

    def probabilities(self, decision_id: DecisionId) -> Numbers:
        """(offers,) the truth behind a decision: that each offer would have been accepted, had it been shown."""
        day, visit = self._met[decision_id]
        return SEEN * self.tastes(day).probabilities(self.people, visit)

    def outcomes(self, records: Sequence[DecisionRecord], *, flipped: bool = False) -> list[LoggedOutcome]:
        """What became of what was shown. `flipped`: clicks come for what nobody clicked, and for nothing else."""
        found = []
        for made in records:
            chances = self.probabilities(made.inputs.decision_id)
            for item in made.shown:
                if item.propensity is None or bucket(made.inputs.decision_id, "sees") >= SEEN:
                    continue
                accepts = bucket(made.inputs.decision_id, "accepts") < chances[SPOT[item.offer.offer_id]] / SEEN
                events = ("exposed", "clicked")[: 1 + (accepts != flipped)]
                found += [_outcome(made, item.offer.offer_id, event) for event in events]
        return found

    def reward(self, made: DecisionRecord, became: Responses) -> float:
        """What a logged decision earned: the value of what was accepted, in euro."""
        accepted = {offer for (_, offer, _), events in became.items() if any(event == "clicked" for event, _ in events)}
        return float(sum(VALUES[SPOT[item.offer.offer_id]] for item in made.shown if item.offer.offer_id in accepted))

    def remember(self, records: Sequence[DecisionRecord], outcomes: Sequence[LoggedOutcome]) -> None:
        """The log and the profiles of what was decided and became of it."""
        became: dict[str, Responses] = {}
        for each in outcomes:
            item = (each.about, each.offer_id, each.placement)
            became.setdefault(each.decision_id, {}).setdefault(item, []).append((each.event, each.at))
        for made in records:
            responses = became.get(made.inputs.decision_id, {})
            self.log.append((made, responses))
            if self.history:
                self._count(made, responses)

    def live(self, day: int, propensity: Propensity, decisions: int, *, flipped: bool = False) -> list[DecisionRecord]:
        """A day from morning to midnight: decided, responded to, remembered."""
        records = self.decide(day, propensity, decisions)
        self.remember(records, self.outcomes(records, flipped=flipped))
        return records

    def examples(self, now: Millis) -> Examples:
        """The log as it was known at `now`: decisions up to then, outcomes whose windows had closed (a `LogAt`)."""

        def found() -> Iterator[Example]:
            return (self._example(made, became, now) for made, became in self.log if made.inputs.now <= now)

        return found

    def _example(self, made: DecisionRecord, became: Responses, now: Millis) -> Example:
        """Labelled once: when every window has closed nothing changes any more."""
        if now < made.inputs.now + WITHIN_MS + HOUR_MS:
            return label(made, became, now)
        known = self._labelled.get(made.inputs.decision_id)
        if known is None:
            known = self._labelled[made.inputs.decision_id] = label(made, became, now)
        return known

    def after(self, at: Millis) -> Iterator[tuple[DecisionRecord, Responses]]:
        """The decisions after an instant, with what became of them."""
        return (each for each in self.log if each[0].inputs.now > at)

    def true_value(self, policy: Policy, day: int, decisions: int) -> Numbers:
        """(decisions,) the expected value of each visit of a day under a policy, exactly; nothing is logged.

        The visits are those that `decide` would meet on this day, with the history that people have now.
        """
        return np.array([self.value(inputs, policy) for inputs in self.inputs(day, decisions)])

    def value(self, inputs: DecisionInputs, policy: Policy) -> float:
        """The expected value of one decision under a policy."""
        offers = self.candidates(inputs)
        return float(policy(inputs, offers) @ self.earning(inputs.decision_id, offers))

    def best(self, inputs: DecisionInputs) -> float:
        """What the one offer that is best for this visit earns: the oracle's value."""
        return float(self.earning(inputs.decision_id, self.candidates(inputs)).max())

    def earning(self, decision_id: DecisionId, offers: Sequence[OfferFacts]) -> Numbers:
        """(k,) the expected value of showing each of these, in truth."""
        return np.asarray((self.probabilities(decision_id) * VALUES)[[SPOT[each.offer_id] for each in offers]])

    def customer(self, made: DecisionRecord) -> int:
        """Whose decision it was."""
        return self._met[made.inputs.decision_id][1].customer

    def candidates(self, inputs: DecisionInputs) -> tuple[OfferFacts, ...]:
        """The offers that may be shown here, in the catalog's order."""
        allowed, _, _ = choose(inputs, self.catalog, starting())
        return tuple(each.offer.facts for each in allowed.kept)

    def _profile(self, customer: int) -> MaskedProfile:
        kept = self._counters.get(customer, {})
        return MaskedProfile(
            facts=self._facts(customer),
            counters={key: dict(buckets) for key, buckets in kept.items()},
            purposes=("personalised_offers",),
            channels=("app",),
        )

    def _facts(self, customer: int) -> FactDict:
        people, at = self.people, START - 90 * DAY_MS
        known: FactDict = {
            "customer.age": (AGES[people.age[customer]], at),
            "customer.home_port": (PORTS[people.port[customer]], at),
            "customer.children": (bool(people.children[customer]), at),
            "customer.trips": (int(people.trips[customer]), at),
        }
        levels = zip(KINDS, people.visits[customer].tolist(), strict=True)
        return {**known, **{f"customer.{kind}_visits": (VISITS[level], at) for kind, level in levels}}

    def _count(self, made: DecisionRecord, responses: Responses) -> None:
        """What a profile's counters would hold of this."""
        facts = {item.offer.offer_id: item.offer for item in made.shown}
        _, visit = self._met[made.inputs.decision_id]
        kept = self._counters.setdefault(visit.customer, {})
        for (about, offer_id, placement), events in responses.items():
            offer = facts[OfferId(offer_id)]
            for event, at in events:
                key = (
                    event, offer_id, offer.campaign_id, offer.collection, placement, about, DEVICES[visit.device]
                )  # fmt: skip
                buckets = kept.setdefault(key, {})
                buckets[bucket_of(at)] = buckets.get(bucket_of(at), 0) + 1


def night(day: int) -> Millis:
    """When the day's last attribution window has closed."""
    return midnight(day + 1) + WITHIN_MS + HOUR_MS


@lru_cache(maxsize=65_536)
def _customer_id(number: int) -> CustomerId:
    return CustomerId(f"c-{number:05d}")


def _request(visit: Visit, at: Millis) -> Request:
    context: FactDict = {
        "context.weather": (WEATHER[visit.weather], at),
        "context.device_class": (DEVICES[visit.device], at),
        "context.friends": (bool(visit.friends), at),
    }
    return Request(_customer_id(visit.customer), (PlacementRequest(PLACEMENT, 1),), "en", context)


def _decision_id(at: Millis, name: str) -> DecisionId:
    """A UUIDv7 that follows from its instant and a name."""
    low = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") >> 2
    return DecisionId(str(uuid.UUID(int=at << 80 | 7 << 76 | 2 << 62 | low)))


def _outcome(made: DecisionRecord, offer: OfferId, event: str) -> LoggedOutcome:
    at = made.inputs.now + (2 if event == "clicked" else 1) * MINUTE_MS
    return LoggedOutcome(
        decision_id=made.inputs.decision_id,
        about="",
        offer_id=offer,
        placement=PLACEMENT,
        event=event,
        at=at,
        recorded=at,
        source="world",
        event_id=f"{made.inputs.decision_id}-{event}",
        customer_id=made.inputs.request.customer_id,
        origin=made.inputs.origin,
    )

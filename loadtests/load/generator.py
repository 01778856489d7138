"""One generator's work: each request when it is due, measured; the market, the probe and the clock beside it.

It imports nothing of Locust or gevent: sockets, sleeps and locks are the standard library's, which Locust patches.
Every lane (a Locust user) takes the next request that is due, so a slow answer holds up one lane and no other request:
the load is open. Only when all lanes wait does a request go out late, and its latency counts from when it was due.
"""

import time
from collections.abc import Iterator
from itertools import accumulate

from loadtests.load.backend import Backend
from loadtests.load.checks import Checks
from loadtests.load.crowd import crowd
from loadtests.load.exchange import Attempted, Connections, Exchange, Refused
from loadtests.load.measured import Measured, StageMeasured, begun, more
from loadtests.load.phone import Phone
from loadtests.load.plan import Plan
from loadtests.load.probe import EVERY_S, Probe, departure
from loadtests.load.shapes import STEP, seconds_of, stage_at
from loadtests.load.sold_out import SoldOut
from loadtests.load.traffic import BOOKING, DECISION, LOCATION, MARKET, OUTCOMES, Arrival, Part, arrivals
from loadtests.load.verdict import breaches, generator_problems
from loadtests.load.wire import target

LEAD_S = 2.0
"""Until the first request is due: the lanes are started meanwhile."""
DRAIN_S = 12.0
"""So long after the last one was due the run waits for answers."""
MARKET_S = 4.0
"""Between two changes of the market."""
SETTLED_S = 1.0
"""So long into a ramp's step the one before it is judged: what has no answer by then is late whatever comes."""


class Generator:
    """Made before the run; `start` sets its clock."""

    def __init__(self, plan: Plan, key: str, part: Part, attempted: Attempted) -> None:
        people = crowd(plan.seed, plan.customers, plan.now)
        self.plan = plan
        self.part = part
        self.measured = Measured(begun(plan.stages))
        self.checks = Checks(plan.facts, SoldOut(), self.measured.checked)
        self._key = key
        self._crowd = people
        self._connections = Connections(target(plan.url, {"offing-origin": "load"}), attempted)
        self._backend = Backend(plan.run, key, people, part)
        self._probe = Probe(plan.run, key, departure(people.geography, plan.now))
        self._phones: dict[int, Phone] = {}
        self._due: Iterator[Arrival] = iter(arrivals(plan.seed, plan.stages, people.weights, part))
        self._ends = tuple(accumulate(stage.seconds for stage in plan.stages))
        self._underway = 0
        self._taken_all = False
        self._began = 0.0
        self._ended: float | None = None
        """The instant, from the start, at which a ramp was over before its time."""

    def start(self) -> None:
        """The first request is due LEAD_S from now."""
        self._began = time.perf_counter() + LEAD_S

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning; negative before it, and before start()."""
        return time.perf_counter() - self._began if self._began else -LEAD_S

    @property
    def stage(self) -> StageMeasured | None:
        """The current one."""
        index = stage_at(self.plan.stages, self.elapsed) if self.elapsed >= 0 else None
        return None if index is None else self.measured.stages[index]

    @property
    def over(self) -> bool:
        """Everything was answered, or will not be."""
        if self._ended is not None:
            return True
        rest = self.elapsed - seconds_of(self.plan.stages)
        return rest >= 0 and (rest >= DRAIN_S or (self._taken_all and not self._underway))

    def lane(self) -> None:
        """The next request, from waiting until it is due to its answer; a pause when there is none left."""
        arrival = next(self._due, None)
        if arrival is None:
            self._taken_all = True
            time.sleep(0.5)
            return
        self._underway += 1
        try:
            wait = self._began + arrival.at - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            if self._ended is None:
                self._perform(arrival, punctual=wait > 0)
        finally:
            self._underway -= 1

    def speak_market(self) -> None:
        """The market, until the run is over."""
        while not self.over:
            time.sleep(MARKET_S * self.plan.generators)
            index = stage_at(self.plan.stages, max(0.0, self.elapsed))
            if index is None:
                return
            self.measured.stages[index].due += 1
            exchange = Exchange(self._connections)
            try:
                self._backend.change_market(exchange, self.checks.sold_out)
            except Refused as error:
                exchange.code = str(error)
            self._record(Arrival(exchange.first_sent_at - self._began, MARKET, 0), exchange, index)

    def probe(self) -> None:
        """Freshness, until the run is over."""
        while not self.over:
            time.sleep(EVERY_S)
            stage = self.stage
            if stage is None:
                continue
            seconds = self._probe.change(Exchange(self._connections))
            if seconds is None:
                stage.unseen += 1
            else:
                stage.fresh.add(seconds)

    def finish(self) -> Measured:
        """What was measured. What was due and never sent counts as due."""
        end = self._ended if self._ended is not None else seconds_of(self.plan.stages)
        for arrival in self._due:
            index = stage_at(self.plan.stages, arrival.at)
            if arrival.at < end and index is not None:
                self.measured.stages[index].due += 1
                more(self.measured.stages[index].kind(arrival.kind).failed, "NOT_SENT")
        passed = 0.0
        for found in self.measured.stages:
            passed += found.stage.seconds
            found.complete = passed <= end + 1e-6
        self._connections.close()
        return self.measured

    def end_early(self) -> None:
        """A ramp is over once a step has not held: what comes after says nothing."""
        index = stage_at(self.plan.stages, self.elapsed) if self.elapsed >= 0 else None
        if index is None or index == 0 or self.plan.generators > 1:
            return
        now, before = self.measured.stages[index], self.measured.stages[index - 1]
        into = self.elapsed - seconds_of(self.plan.stages[:index])
        if now.stage.role != STEP or before.stage.role != STEP or into < SETTLED_S:
            return
        if any(breaches(before, self.plan.budget)) or any(generator_problems(before)):
            self._ended = seconds_of(self.plan.stages[:index])

    def _perform(self, arrival: Arrival, *, punctual: bool) -> None:
        """`punctual`: a lane was free before it was due, so that only this process can make it late."""
        index = stage_at(self.plan.stages, arrival.at)
        if index is None:
            return
        found = self.measured.stages[index]
        exchange = Exchange(self._connections)
        phone = self._phone(arrival.customer)
        found.due += 1
        if punctual:
            found.unpunctual.add(time.perf_counter() - self._began - arrival.at)
        with phone.busy:
            try:
                self._act(arrival.kind, phone, exchange, found)
            except Refused as error:
                exchange.code = str(error)
        self._record(arrival, exchange, index)

    def _act(self, what: str, phone: Phone, exchange: Exchange, found: StageMeasured) -> None:
        if what == DECISION:
            phone.look(exchange, self.checks, found)
        elif what == OUTCOMES:
            paid = phone.report(exchange)
            if paid is None:  # nothing was seen that could be reported: somebody looks instead
                phone.look(exchange, self.checks, found)
            else:
                self._backend.paid(phone.customer, paid)
        elif what == LOCATION:
            phone.move(exchange)
        elif what == BOOKING:
            self._backend.book(exchange, phone.customer)

    def _record(self, arrival: Arrival, exchange: Exchange, index: int) -> None:
        found, due = self.measured.stages[index], self._began + arrival.at
        kind = found.kind(arrival.kind)
        found.sent += exchange.first_sent_at <= self._began + self._ends[index]
        found.late.add(max(0.0, exchange.first_sent_at - due))
        kind.retries += exchange.attempts - 1
        if exchange.code:
            more(kind.failed, exchange.code)
            return
        kind.answered += 1
        kind.from_due.add(exchange.answered_at - due)
        kind.from_sent.add(exchange.answered_at - exchange.sent_at)

    def _phone(self, customer: int) -> Phone:
        phone = self._phones.get(customer)
        if phone is None:
            phone = Phone(self._crowd.customers[customer], self._key, self.plan.seed)
            self._phones[customer] = phone
        return phone

"""CustomerConsumer: what the consumers of customers' topics share: a store, what is active, a clock, dead letters."""

from typing import ClassVar, TypedDict, Unpack

from streams.consumer import Consumer, Intake, Reckoning, by_the_clock
from streams.dead_letters import IN_A_ROW, DeadLetters
from streams.deployment import Active
from streams.log import EventLog
from streams.profile_store import ProfileStore


class Manner(TypedDict, total=False):
    """How a consumer goes about it, if not as usual."""

    intake: Intake
    reckoning: Reckoning
    in_a_row: int
    """Dead letters, after which it stops."""


class CustomerConsumer(Consumer):
    """Reads events of customers and writes into the profile store. Raises Stop DeadLetterLimit."""

    INTAKE: ClassVar[Intake]

    def __init__(self, log: EventLog, store: ProfileStore, active: Active, **manner: Unpack[Manner]) -> None:
        super().__init__(log, manner.get("intake", self.INTAKE))
        self._store = store
        self._active = active
        self._reckoning = manner.get("reckoning", by_the_clock)
        self._dead = DeadLetters(log, manner.get("in_a_row", IN_A_ROW))

"""The dictionary of a version of the stored profile: `python -m loadtests.bench.dictionary FILE`.

A version's dictionary is never changed, or what was stored with it could not be read; a better one is a new version.
Version 2 has the one that this made of the example operator's world with seed 2: no bench measures that seed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import zstandard

from loadtests.bench.stand_in import CAMPAIGNS, told_by_the_world
from streams.attribute_file import load_attributes
from streams.events import parse
from streams.fold import Draft
from streams.ids import Millis
from streams.log import CUSTOMERS, Position, partition_of
from streams.profile import Opened
from streams.profile_form import LEVEL, body
from streams.profile_store import NOBODY

SEED = 2
CUSTOMERS_LIVED = 2_000
END: Millis = 1_795_284_251_000
BYTES = 12_288
STORED = 0.15
"""Share of the events after which the profile is a sample: customers are met at every age."""


def samples(seed: int = SEED, customers: int = CUSTOMERS_LIVED) -> Iterator[bytes]:
    """What is compressed, of customers of the world at every age."""
    random = Random(seed)
    attributes = load_attributes(CAMPAIGNS / "attributes.yaml")
    profiles: dict[str, Opened] = {}
    for offset, entry in enumerate(told_by_the_world(seed, customers, END).customers):
        draft = Draft(profiles.get(entry.key, NOBODY), attributes)
        log = f"log of {entry.key}"  # each its own: no log's mark is common to profiles
        at = Position(log, CUSTOMERS.name, partition_of(entry.key, CUSTOMERS), offset)
        draft.apply(parse(entry.value), at, entry.recorded or END)
        profiles[entry.key] = draft.opened()
        if random.random() < STORED:
            yield body(profiles[entry.key])


def main() -> None:
    """Make it and write it."""
    made = zstandard.train_dictionary(BYTES, list(samples()), level=LEVEL)
    Path(sys.argv[1]).write_bytes(made.as_bytes())


if __name__ == "__main__":
    main()

import uuid

from offers import decision_id
from streams.ids import Millis
from streams.instant import parse_instant

NOW: Millis = parse_instant("2026-11-21T18:04:11.123Z")


def test_an_id_is_a_uuid_of_version_7_that_holds_its_time() -> None:
    for at in (0, 1, NOW, (1 << 48) - 1):
        made = decision_id.new(at)
        parsed = uuid.UUID(made)
        assert (str(parsed), parsed.version, parsed.variant) == (made, 7, uuid.RFC_4122)
        assert decision_id.time_of(made) == at
        assert made[:13].replace("-", "") == f"{at:012x}"


def test_ids_of_one_millisecond_differ_and_those_of_later_ones_sort_behind() -> None:
    same = {decision_id.new(NOW) for _ in range(2_000)}
    assert len(same) == 2_000
    assert max(same) < decision_id.new(NOW + 1)


def test_the_random_part_uses_all_its_bits() -> None:
    seen, never = 0, (1 << 128) - 1
    for _ in range(300):
        number = uuid.UUID(decision_id.new(NOW)).int
        seen, never = seen | number, never & number
    random_bits = seen & ~never
    assert random_bits == ((1 << 12) - 1) << 64 | (1 << 62) - 1


def test_what_is_no_id_of_ours_has_no_time() -> None:
    others = ["", "not-an-id", "d-1", str(uuid.UUID(int=7)), str(uuid.uuid4()), decision_id.new(NOW) + "0", "é" * 36]
    assert [decision_id.time_of(other) for other in others] == [None] * len(others)

"""The diary of rooms that are gone: when a decision must have known."""

from loadtests.load.sold_out import GRACE_S, SoldOut


def test_a_room_that_was_never_sold_out() -> None:
    diary = SoldOut()
    assert not diary.knows("s-1", "inside") and not diary.was_gone("s-1", "inside", 10, 11)


def test_gone_from_the_grace_until_it_is_back_and_again() -> None:
    diary = SoldOut()
    diary.gone("s-1", "inside", 10.0)
    assert [diary.was_gone("s-1", "inside", at, at + 0.1) for at in (10.0, 10.0 + GRACE_S, 1_000.0)] == [
        False, True, True,
    ]  # fmt: skip
    diary.back("s-1", "inside", 20.0)
    assert diary.was_gone("s-1", "inside", 19.0, 19.9)
    assert not diary.was_gone("s-1", "inside", 19.9, 20.0), "it may have been answered from the new room"
    assert not diary.was_gone("s-1", "inside", 30.0, 30.1)
    diary.gone("s-1", "inside", 40.0)
    assert diary.was_gone("s-1", "inside", 50.0, 50.1)
    assert diary.knows("s-1", "inside") and not diary.knows("s-1", "suite")

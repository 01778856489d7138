"""A lineup is a sequence of (offer, subject) pairs, whatever form it has."""

import numpy as np
import pytest

from scoring.features import Book
from scoring.lineup import Lineup, lined_up
from streams.ids import CampaignId, OfferId
from streams.record import NOTHING, OfferFacts, Subject

B1 = Subject("booking:b1")
SPA, BAR = (OfferFacts(OfferId(name), CampaignId("c"), "fares") for name in ("spa", "bar"))


def test_pairs_come_back_as_they_were() -> None:
    pairs = [(SPA, NOTHING), (BAR, B1), (SPA, B1)]
    found = lined_up(pairs)
    assert list(found) == pairs
    assert found.subjects == (NOTHING, B1)
    assert lined_up(found) is found
    assert len(lined_up([])) == 0


def test_a_part_of_it_is_one_too() -> None:
    whole = Lineup(Book((SPA, BAR)), np.array([1, 0, 1]), (NOTHING, B1), np.array([0, 1, 1]))
    assert list(whole) == [(BAR, NOTHING), (SPA, B1), (BAR, B1)]
    assert list(whole[1:]) == [(SPA, B1), (BAR, B1)]
    assert whole[-1] == (BAR, B1)
    with pytest.raises(IndexError):
        whole[3]


def test_equal_subjects_that_are_two_stay_two() -> None:
    twin = Subject("booking:b1")
    assert len(lined_up([(SPA, B1), (SPA, twin)]).subjects) == 2

"""Cold start: declared at first, the model's when there is evidence, and trust that was earned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.cold_start import Evidence, Starts, blend, declared_only, start_of, trust_of
from streams.ids import CampaignId, OfferId
from streams.record import OfferFacts


def starts(means: list[float], evidence: float = 50.0) -> Starts:
    return Starts(np.array(means), np.full(len(means), evidence))


def test_a_new_offer_says_what_it_declared_and_one_with_much_evidence_what_the_model_says() -> None:
    said = blend(np.array([0.4, 0.4, 0.4]), starts([0.1] * 3), np.array([0.0, 50.0, 1e9]), 1.0)
    assert said == pytest.approx([0.1, 0.25, 0.4])


def test_without_trust_one_exposure_is_enough_and_none_is_still_none() -> None:
    assert blend(np.array([0.4, 0.4]), starts([0.1] * 2), np.array([0.0, 1.0]), 0.0) == pytest.approx([0.1, 0.4])
    assert blend(np.array([0.4]), starts([0.1], 0.0), np.array([0.0]), 1.0) == pytest.approx([0.1])


def test_declarations_that_proved_right_are_trusted_as_declared_and_wrong_ones_hardly() -> None:
    means, shown = [0.1, 0.2, 0.3], np.full(3, 2_000.0)
    assert trust_of(starts(means), shown, shown * np.array([0.1, 0.2, 0.3])) == 1.0
    wrong = trust_of(starts(means), shown, shown * np.array([0.6, 0.6, 0.6]))
    assert 0 < wrong < 0.02
    assert trust_of(starts(means, 5.0), shown, shown * np.array([0.6, 0.6, 0.6])) > 5 * wrong


def test_without_any_history_declarations_are_trusted() -> None:
    assert trust_of(starts([0.1]), np.zeros(1), np.zeros(1)) == 1.0


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999), st.floats(0, 1e6), st.floats(0, 1))
def test_what_is_said_lies_between_both(modelled: float, declared: float, shown: float, trust: float) -> None:
    [said] = blend(np.array([modelled]), starts([declared]), np.array([shown]), trust)
    assert min(modelled, declared) - 1e-12 <= said <= max(modelled, declared) + 1e-12


def test_evidence_knows_the_offers_of_the_log_only() -> None:
    evidence = Evidence(1, 1.0, {OfferId("spa"): 7})
    assert (evidence.of(OfferId("spa")), evidence.of(OfferId("bar"))) == (7, 0)


SPA = OfferFacts(OfferId("spa"), CampaignId("c-spa"), "", starting_mean=0.05, starting_evidence=50.0)


@given(st.floats(0.001, 0.999), st.integers(0, 10**6), st.floats(0, 1))
def test_the_parts_that_are_told_make_the_score_that_was_given(modelled: float, exposures: int, trust: float) -> None:
    start = start_of(SPA, exposures, trust, modelled)
    [score] = blend(np.array([modelled]), starts([0.05]), np.array([float(exposures)]), trust)
    assert start.score == score
    assert start.weight * modelled + (1 - start.weight) * start.declared == pytest.approx(score, rel=1e-12)


@pytest.mark.parametrize(
    ("exposures", "trust", "words"),
    [
        (0, 1.0, "100 % declared (0.05, worth 50): the model (0.041) has not seen this offer"),
        (310, 1.0, "86 % model (0.041 after 310 exposures), 14 % declared (0.05, worth 50)"),
        (310, 0.1, "98 % model (0.041 after 310 exposures), 2 % declared (0.05, worth 50, as others proved 5)"),
        (100_000, 1.0, "100 % model (0.041 after 100,000 exposures), 0 % declared (0.05, worth 50)"),
    ],
)
def test_a_person_reads_how_far_the_model_is_trusted(exposures: int, trust: float, words: str) -> None:
    assert start_of(SPA, exposures, trust, 0.041).words == words


def test_without_a_model_only_what_was_declared_is_told() -> None:
    assert declared_only(SPA).words == "declared (0.05, worth 50); no model decided"
    assert declared_only(SPA).score == 0.05

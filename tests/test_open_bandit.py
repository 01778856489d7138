"""Off-policy value against published values: the Open Bandit sample."""

from collections.abc import Callable

import pytest

from loadtests.results.open_bandit import (
    DRAWS,
    PUBLISHED,
    PUBLISHED_EFFECTIVE,
    PUBLISHED_SNIPS,
    Answered,
    answered,
    page,
    read,
)


def check_published(found: Answered, within: float) -> None:
    """Within Monte Carlo error: `within` standard errors of simulating the Thompson policy's choices."""
    room = within * found.monte_carlo_error
    assert found.thompson.ips.value == pytest.approx(PUBLISHED["ips"], abs=room)
    assert found.thompson.snips.value == pytest.approx(PUBLISHED_SNIPS, abs=room * 1.05)
    assert found.thompson.effective_sample_size == pytest.approx(PUBLISHED_EFFECTIVE, rel=0.02)
    assert found.thompson.reliable


def test_thompson_sampling_is_worth_what_was_published_and_the_reverse_is_refused() -> None:
    found = answered(5_000)
    check_published(found, within=3)
    assert found.uniform.effective_sample_size == pytest.approx(340, abs=1)
    assert [doubt.code for doubt in found.uniform.why] == ["few_effective"]
    text = page(found, 5_000)
    assert "tell as much about this policy as 340 of its own would (3.4%)" in text
    assert "| IPS | 0.004553 |" in text


def test_the_sample_is_whole() -> None:
    logs = read("random"), read("bts")
    assert [(len(log.item), int(log.click.sum())) for log in logs] == [(10_000, 38), (10_000, 42)]
    assert set(logs[0].propensity.tolist()) == {1 / 80}


@pytest.mark.prove
def test_with_as_many_simulated_choices_as_were_published_with(
    record_property: Callable[[str, object], None],
) -> None:
    found = answered(DRAWS)
    check_published(found, within=2)
    value, error = found.thompson, found.monte_carlo_error
    record_property(
        "with",
        f"IPS {value.ips.value:.6f} +- {error:.6f}, SNIPS {value.snips.value:.6f}, effective sample size "
        f"{value.effective_sample_size:.0f}; the reverse {found.uniform.effective_sample_size:.0f}, refused",
    )

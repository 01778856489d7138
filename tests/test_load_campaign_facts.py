"""What the load's checks know of the campaigns: languages by their own rule, and what an offer is sold from."""

from pathlib import Path

import pytest

from loadtests.load import campaign_folder
from loadtests.load.campaign_facts import OfferFacts, written_for
from loadtests.world_people import FOREIGN
from offers.folder import load_folder
from offers.locale import choose
from streams.errors import InvalidInput

EXAMPLE = Path(__file__).parent.parent / "deploy" / "campaigns"


def test_the_example_operators_offers() -> None:
    found = campaign_folder.read(EXAMPLE)
    assert found["cabin-upgrade-inside"] == OfferFacts(("it", "en", "de", "fr", "zh-Hant"), "en", ("inside",))
    assert found["sea-view-cabin"].rooms == ("outside",)
    assert found["add-your-car"].rooms == ("car",)
    assert found["panorama-suite"].rooms == ("suite",)
    assert found["bottega-on-board"].rooms == ()
    assert found["plan-your-crossing"].rooms == (), "a fallback needs nothing"


def test_its_rule_agrees_with_the_engine_for_everyone_who_lives_in_the_world() -> None:
    loaded = load_folder(EXAMPLE).campaigns
    assert loaded is not None
    facts = campaign_folder.read(EXAMPLE)
    for locale in ("it-IT", "fr-FR", *FOREIGN):
        for campaign in loaded.campaigns:
            chosen = choose(locale, campaign.offer.representation)
            expected = written_for(locale, facts[campaign.offer.id])
            assert expected == ((chosen,) if chosen is not None else ()), (locale, campaign.id)


@pytest.mark.parametrize(
    ("locale", "locales", "expected"),
    [
        ("zh-TW", ("zh-Hans", "en"), ("en",)),
        ("zh-CN", ("zh-Hans", "zh-Hant"), ("zh-Hans",)),
        ("en-GB", ("en-US", "it"), ("en-US",)),
        ("pt-BR", ("it",), ("en",)),
    ],
)
def test_a_language_is_one_with_its_characters(
    locale: str, locales: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert written_for(locale, OfferFacts(locales, "en")) == expected


def test_without_words_for_everyone_else_there_are_none() -> None:
    assert written_for("pt-BR", OfferFacts(("it", "de"))) == ()


def test_a_folder_with_errors_is_not_what_the_target_serves(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        campaign_folder.read(tmp_path)
    assert refused.value.code == "CAMPAIGNS_INVALID" and "--campaigns" in refused.value.message

"""The example operator: a folder that checks clean, speaks its languages, and gives every placement its fallback."""

from pathlib import Path

from offers.folder import LoadedFolder, load_folder
from offers.offer import CampaignFolder

FOLDER = Path(__file__).parent.parent / "deploy" / "campaigns"
LANGUAGES = {"it", "en", "de", "fr"}
EXPLAINED = {"FENCE_FINER_THAN_GAZETTEER"}
"""Warnings that deploy/campaigns/README.md explains."""


def test_the_example_has_no_errors_and_no_warning_but_the_explained_one() -> None:
    loaded = load_folder(FOLDER)
    assert [str(finding) for finding in loaded.findings if finding.code not in EXPLAINED] == []
    assert loaded.campaigns is not None
    assert len(loaded.campaigns.campaigns) >= 15


def test_every_campaign_speaks_four_languages_and_three_speak_traditional_chinese() -> None:
    texts = {campaign.id: campaign.offer.representation.texts for campaign in _campaigns().campaigns}
    assert {
        name: sorted(LANGUAGES - set(written)) for name, written in texts.items() if not set(written) >= LANGUAGES
    } == {}
    assert len([name for name, written in texts.items() if "zh-Hant" in written]) >= 3


def test_texts_are_written_in_each_language_and_not_copied() -> None:
    for campaign in _campaigns().campaigns:
        written = campaign.offer.representation.texts
        for part in ("title", "body", "button", "alt", "why"):
            words = [getattr(text, part) for text in written.values()]
            assert len(set(words)) == len(words), f"{campaign.id}: {part} stands there twice"


def test_every_placement_falls_back_on_an_offer_without_a_price() -> None:
    folder = _campaigns()
    offers = {campaign.offer.id: campaign.offer for campaign in folder.campaigns}
    for placement in folder.placements.values():
        assert placement.fallback is not None, placement.id
        fallback = offers[placement.fallback]
        assert (fallback.fallback, fallback.price, placement.id in fallback.placements) == (True, None, True)


def test_every_kind_of_subject_is_there() -> None:
    subjects = {campaign.offer.about.key for campaign in _campaigns().campaigns if campaign.offer.about is not None}
    assert {"booking:each", "venue:here", "venue:on_board"} <= subjects
    assert any(key.startswith("sailing:from_here") for key in subjects)
    assert any(key.startswith("sailing:line:ITPIO-ITPFE") for key in subjects)


def test_every_picture_has_three_sizes_and_is_used() -> None:
    pictures = {
        campaign.offer.representation.image.id: campaign.offer.representation.image
        for campaign in _campaigns().campaigns
    }
    assert {name: len(image.variants) for name, image in pictures.items() if len(image.variants) != 3} == {}
    declared = {
        line.split(":")[0].strip()
        for line in (FOLDER / "images.yaml").read_text().splitlines()
        if line[:2] == "  " and line[2] != " "
    }
    assert declared == set(pictures)


def test_a_protected_attribute_is_declared_and_the_rest_needs_consent() -> None:
    attributes = _loaded().attributes
    assert attributes is not None
    assert attributes.by_name["customer.age_band"].protected
    assert attributes.by_name["customer.spa_visits"].purpose == "personalised_offers"


def _campaigns() -> CampaignFolder:
    campaigns = _loaded().campaigns
    assert campaigns is not None
    return campaigns


def _loaded() -> LoadedFolder:
    return load_folder(FOLDER)

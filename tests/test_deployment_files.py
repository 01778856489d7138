"""placements.yaml, seasons.yaml, images.yaml, policies.yaml: what they become, and what is wrong with bad ones."""

from pathlib import Path

import pytest

from offers.deployment_files import read_images, read_placements, read_seasons
from offers.folder import check_folder, load_folder
from offers.offer import Image, ImageVariant, Limit, Placement, Window
from offers.season import Season, Yearly
from streams.ids import OfferId, PlacementId
from streams.instant import DAY_MS
from streams.sheet import Sheet

HERO, HOME = PlacementId("app.home.hero"), PlacementId("web.home")

DEPLOYMENT = Path(__file__).parent / "deployment"
SHA = "9c41aa0b52f7d0be2f1c8c9b6f6f1a3f7f5a2b1d4e8c6a90b3d2e1f0a9b8c7d6"


def test_placements_are_read_with_their_usual_values() -> None:
    placements, fallbacks = read_placements(DEPLOYMENT, Sheet("placements.yaml"))
    assert placements[HERO] == Placement(
        HERO, "app", 1, 120, OfferId("islands-newsletter"), 0.0, "app://privacy/offers"
    )
    assert placements[HOME].refresh_after_s == 300
    assert placements[HOME].explore == 0.1
    assert [(fallback.placement, fallback.offer_id) for fallback in fallbacks] == [
        ("app.home.hero", "islands-newsletter")
    ]


def test_exploring_may_be_capped_by_what_it_costs(tmp_path: Path) -> None:
    text = "placements: {a: {explore: {strength: 0.2, costs_at_most: 2.5 %}}, b: {explore: {strength: 0.2}}, c: {}}"
    (tmp_path / "placements.yaml").write_text(text)
    sheet = Sheet("placements.yaml")
    placements, _ = read_placements(tmp_path, sheet)
    found = {name: (each.explore, each.explore_costs_at_most) for name, each in placements.items()}
    assert found == {"a": (0.2, 0.025), "b": (0.2, 1.0), "c": (0.0, 1.0)}
    assert not sheet.findings


def test_seasons_are_read_over_new_year() -> None:
    assert read_seasons(DEPLOYMENT, Sheet("seasons.yaml")) == (
        Season("summer", "Europe/Rome", Yearly((6, 1), (9, 15))),
        Season("winter", "Europe/Rome", Yearly((11, 1), (3, 31))),
    )


def test_images_are_read_with_their_variants() -> None:
    images = read_images(DEPLOYMENT, Sheet("images.yaml"))
    assert images["winery"] == Image("winery", "#5a1f2b")
    assert images["cabin-inside"].variants[0] == ImageVariant(
        "https://cdn.example/cabin-390.webp", 390, 200, 9_120, SHA
    )


def test_policies_hold_for_every_campaign_and_count_all_offers_together() -> None:
    loaded = load_folder(DEPLOYMENT)
    assert loaded.campaigns is not None
    assert loaded.campaigns.global_limits == (
        Limit("exposed", "customer", "all", 40, Window("rolling", DAY_MS), "policies.yaml:3:5"),
    )


@pytest.mark.parametrize(
    ("file", "content", "finding"),
    [
        ("placements.yaml", "placements: {app.home: {chanel: app}}", "1:25: UNKNOWN_KEY app.home has no key 'chanel'. "
         "Did you mean 'channel'?"),
        ("placements.yaml", "placements: {App Home: {}}", "1:14: NAME_INVALID the name 'App Home' has the wrong form. "
         "Write 'app_home'."),
        ("placements.yaml", "placements: {app.home: {max_items: 31}}", "1:36: OUT_OF_RANGE max_items is 31. "
         "Write 1 to 30."),
        ("placements.yaml", "placements: {app.home: {explore: 10 %}}", "1:34: NOT_NUMBER explore is '10 %', not a "
         "number. Write a number from 0 to 1."),
        ("placements.yaml", "placements: {app.home: {explore: {strength: 0.1, costs_at_most: 0.02}}}", "1:65: "
         "UNIT_MISSING '0.02' is not a percentage. Write '2 %'."),
        ("placements.yaml", "placements: {app.home: {explore: {strength: 0.1, costs_at_most: 0 %}}}", "1:65: "
         "OUT_OF_RANGE costs_at_most is 0 %. Write at least 0.1 %, or 'explore: 0' for none."),
        ("placements.yaml", "placements: {app.home: {explore: {costs_at_most: 2 %}}}", "1:34: KEY_MISSING "
         "app.home.explore has no 'strength'. Add 'strength:'."),
        ("placements.yaml", "placements: {app.home: {refresh_after: 2 s}}", "1:40: OUT_OF_RANGE refresh_after is out "
         "of "
         "range. Write '10 s' to '1 d'."),
        ("placements.yaml", "placement: {}", "1:1: UNKNOWN_KEY placements.yaml has no key 'placement'. "
         "Did you mean 'placements'?"),
        ("seasons.yaml", "seasons: {summer: {from: 06-01, until: 02-30, zone: Europe/Rome}}", "1:40: TIME_INVALID "
         "'02-30' is not a day of the year. Write month and day, '06-01', or 'easter - 14 d'."),
        ("seasons.yaml", "seasons: {summer: {from: 06-01, until: 09-15}}", "1:19: KEY_MISSING summer has no 'zone'. "
         "Add 'zone:'."),
        ("seasons.yaml", "seasons: {lent: {from: easter - 46, until: easter, zone: Europe/Rome}}", "1:24: UNIT_MISSING "
         "'46' is not a duration. Write '46 min' (s, min, h, d, w, y)."),
        ("seasons.yaml", "seasons: {lent: {from: easter - 90 d, until: easter, zone: Europe/Rome}}", "1:24: "
         "OUT_OF_RANGE 'easter - 90 d' is in another year. Write 80 d before to 200 d after Easter."),
        ("seasons.yaml", "seasons: {spring: {from: 04-01, until: easter, zone: Europe/Rome}}", "1:40: "
         "ENDS_BEFORE_START spring.until is before 'from' in 2027 (28 Mar, 1 Apr). "
         "Count both from easter, or swap them."),
        ("seasons.yaml", "seasons: {feast: {holidays: IT-Milano, zone: Europe/Rome}}", "1:29: UNKNOWN_REGION "
         "'IT-Milano' is not a code of ISO 3166. Write 'IT-MI'."),
        ("seasons.yaml", "seasons: {feast: {holidays: IT-Millano, zone: Europe/Rome}}", "1:29: UNKNOWN_REGION "
         "IT has no region 'Millano'. Did you mean 'IT-MI' (milano)?"),
        ("seasons.yaml", "seasons: {feast: {holidays: Itlay, zone: Europe/Rome}}", "1:29: UNKNOWN_REGION "
         "no public holidays are known of 'Itlay'. Did you mean 'IT' (italy)?"),
        ("seasons.yaml", "seasons: {feast: {holidays: UK, zone: Europe/London}}", "1:29: UNKNOWN_REGION "
         "'UK' is not a code of ISO 3166. Write 'GB'."),
        ("seasons.yaml", "seasons: {feast: {holidays: IT, around: 36 h, zone: Europe/Rome}}", "1:41: TIME_INVALID "
         "'36 h' are not whole days. Write '1 d'."),
        ("seasons.yaml", "seasons: {feast: {holidays: IT, around: 3 w, zone: Europe/Rome}}", "1:41: OUT_OF_RANGE "
         "feast.around is 21 d. Write at most 14 d."),
        ("seasons.yaml", "seasons: {feast: {holidays: IT, until: 09-15, zone: Europe/Rome}}", "1:40: KEYS_TOGETHER "
         "feast has 'holidays' and 'until', which do not go together. "
         "Make two seasons of them; a campaign may name both."),
        ("seasons.yaml", "seasons: {regatta: {dates: [2026-12-08 to 2026-12-05], zone: Europe/Rome}}", "1:29: "
         "ENDS_BEFORE_START '2026-12-08 to 2026-12-05' ends before it begins. Swap the days."),
        ("seasons.yaml", "seasons: {regatta: {dates: [2026-12-08, 2026-12-08], zone: Europe/Rome}}", "1:41: "
         "LISTED_TWICE regatta.dates lists '2026-12-08' twice. Remove one."),
        ("images.yaml", "images: {sea: {placeholder: blue}}", "1:29: NAME_INVALID placeholder 'blue' has the wrong "
         "form. "
         "Write a colour in small letters, '#2b4a6f'."),
        ("images.yaml", f"images: {{sea: {{placeholder: '#2b4a6f', variants: [{{url: 'http://x.example/a', w: 1, h: 1, "
         f"bytes: 1, sha256: {SHA}}}]}}}}", "1:57: NAME_INVALID url 'http://x.example/a' has the wrong form. "
         "Write an https address."),
        ("images.yaml", "images: {sea: {placeholder: '#2b4a6f', variants: [{w: 1, h: 1, bytes: 1, sha256: ff, "
         "url: 'https://x.example/a'}]}}", "1:82: NAME_INVALID sha256 'ff' has the wrong form. "
         "Write the 64 hex digits of the file's SHA-256."),
        ("policies.yaml", "limits: [{count: redemption, at_most: 3}]", "1:18: LIMIT_NOT_ENFORCED a limit of "
         "redemptions "
         "is not enforced strictly in this version. Add 'strict: false' if a limit that may be passed by a few will "
         "do."),
        ("policies.yaml", "limits: [{count: click, per: booking, at_most: 3}]", "1:30: NO_ABOUT a limit per booking "
         "needs an offer about one. Write 'per: customer'."),
    ],
)  # fmt: skip
def test_a_bad_file_says_what_where_and_the_mend(tmp_path: Path, file: str, content: str, finding: str) -> None:
    loaded = load_folder(DEPLOYMENT)
    assert loaded.attributes is not None and loaded.places is not None
    (tmp_path / "placements.yaml").write_text("placements: {}")
    (tmp_path / file).write_text(content)
    checked, findings = check_folder(tmp_path, loaded.attributes, loaded.places)
    assert checked is None
    assert [str(found) for found in findings] == [f"{file}:{finding}"]

"""A whole folder: which files are campaigns, what is checked between them, and that nothing in a file raises."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offers.folder import campaign_files, check_folder, load_folder
from streams.findings import Finding
from streams.instant import DAY_MS

HERE = Path(__file__).parent
DEPLOYMENT = HERE / "deployment"
GOOD = {file.relative_to(DEPLOYMENT).as_posix(): file.read_text() for file in sorted(DEPLOYMENT.rglob("*.yaml"))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the test deployment."""
    return Path(shutil.copytree(DEPLOYMENT, tmp_path / "deployment"))


def told(findings: tuple[Finding, ...]) -> list[str]:
    return [str(finding) for finding in findings]


def test_every_other_yaml_file_is_a_campaign(tmp_path: Path) -> None:
    files = (
        "a.yaml", "b/c.yaml", "b/attributes.yaml", "b/d.yml", "attributes.yaml", "placements.yaml", "places/x.yaml",
        "tests/t.yaml", "schema/s.yaml", ".git/g.yaml", "b/.hidden.yaml", "notes.md",
    )  # fmt: skip
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = [file.relative_to(tmp_path).as_posix() for file in campaign_files(tmp_path)]
    assert found == ["a.yaml", "b/attributes.yaml", "b/c.yaml", "b/d.yml"]


def test_a_folder_is_loaded_with_everything_it_declares() -> None:
    loaded = load_folder(DEPLOYMENT)
    assert loaded.findings == ()
    assert loaded.attributes is not None and loaded.places is not None and loaded.campaigns is not None
    assert "customer.loyalty_tier" in loaded.attributes.by_name
    assert sorted(loaded.places.fences) == ["elba", "livorno-terminal", "olbia-town"]
    assert sorted(loaded.campaigns.placements) == ["app.home.hero", "app.trip.card", "web.home"]
    assert [season.name for season in loaded.campaigns.seasons] == ["summer", "winter"]
    assert [limit.at_most for limit in loaded.campaigns.global_limits] == [40]
    assert [campaign.path for campaign in loaded.campaigns.campaigns] == [
        "campaigns/cabin-upgrade.yaml",
        "campaigns/islands-newsletter.yaml",
        "campaigns/late-deck-fare.yaml",
        "campaigns/winery-visit.yaml",
    ]


def test_nothing_there_is_a_finding_for_each_missing_part(tmp_path: Path) -> None:
    loaded = load_folder(tmp_path)
    assert (loaded.attributes, loaded.places, loaded.campaigns) == (None, None, None)
    assert [(finding.path, finding.code) for finding in loaded.findings] == [
        ("attributes.yaml", "UNREADABLE"),
        ("places", "PLACES_MISSING"),
    ]


@pytest.mark.parametrize("name", ["nowhere", "file.yaml"])
def test_a_folder_that_is_none_is_said_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.yaml").write_text("campaign: a")
    (finding,) = load_folder(tmp_path / name).findings
    assert finding.code == "FOLDER_MISSING"
    assert f"{name} is not a folder. Name the folder that attributes.yaml is in." in str(finding)


def test_missing_placements_are_said_once(folder: Path) -> None:
    (folder / "placements.yaml").unlink()
    assert told(load_folder(folder).findings) == [
        "placements.yaml:1:1: FILE_MISSING there is no placements.yaml. Add it, with 'placements:' in it."
    ]


def test_a_broken_placements_file_is_not_blamed_on_the_campaigns(folder: Path) -> None:
    (folder / "placements.yaml").write_text("placements: [")
    assert [finding.code for finding in load_folder(folder).findings] == ["YAML_SYNTAX"]


def test_a_broken_place_file_is_named(folder: Path) -> None:
    (folder / "places" / "fences.geojson").write_text("{}")
    loaded = load_folder(folder)
    assert (loaded.places, loaded.campaigns) == (None, None)
    (finding,) = loaded.findings
    assert (finding.path, finding.code) == ("places/fences.geojson", "PLACE_FILE_INVALID")


@pytest.mark.parametrize("content", [b'{"type": "\xff"}', b'{"type": "FeatureCollection", "x": ' + b"[" * 100_000])
def test_bytes_that_no_decoder_expects_are_findings_too(folder: Path, content: bytes) -> None:
    (folder / "places" / "venues.geojson").write_bytes(content)
    (finding,) = load_folder(folder).findings
    assert (finding.path, finding.code) == ("places/venues.geojson", "PLACE_FILE_INVALID")


def test_a_fence_finer_than_the_gazetteer_is_a_warning(folder: Path) -> None:
    fences = folder / "places" / "fences.geojson"
    fences.write_text(fences.read_text().replace('"radius_m": 2500', '"radius_m": 500, "seed": "ITLIV"'))
    loaded = load_folder(folder)
    assert loaded.campaigns is not None
    (finding,) = loaded.findings
    assert str(finding).startswith("places/fences.geojson:1:1: FENCE_FINER_THAN_GAZETTEER warning: the edge of")


def test_a_file_that_ends_in_yml_is_not_passed_over_in_silence(folder: Path) -> None:
    (folder / "campaigns" / "winery-visit.yaml").rename(folder / "campaigns" / "winery-visit.yml")
    assert told(load_folder(folder).findings) == [
        "campaigns/winery-visit.yml:1:1: WRONG_SUFFIX files that end in .yml are not read. Rename it to .yaml."
    ]


def test_a_campaign_copied_without_new_ids_is_named_with_both_places(folder: Path) -> None:
    shutil.copy(folder / "campaigns" / "winery-visit.yaml", folder / "campaigns" / "zz.yaml")
    assert told(load_folder(folder).findings) == [
        "campaigns/zz.yaml:2:11: DUPLICATE_ID campaign 'winery-visit-gallura' is at campaigns/winery-visit.yaml:2:11 "
        "already. Take another id.",
        "campaigns/zz.yaml:16:7: DUPLICATE_ID offer 'winery-visit' is at campaigns/winery-visit.yaml:16:7 already. "
        "Take another id.",
    ]


@pytest.mark.parametrize(
    ("campaign", "change", "finding"),
    [
        ("islands-newsletter.yaml", ("{id: islands-newsletter", "{id: newsletter"), "placements.yaml:2:79: "
         "UNKNOWN_OFFER "
         "there is no offer 'islands-newsletter'. Did you mean 'newsletter'?"),
        ("islands-newsletter.yaml", ("fallback: true", "fallback: false"), "placements.yaml:2:79: FALLBACK_UNFIT offer "
         "'islands-newsletter' (campaigns/islands-newsletter.yaml:2) is not marked as a fallback. "
         "Add 'fallback: true' to it."),
        ("islands-newsletter.yaml", ("[app.home.hero, ", "["), "placements.yaml:2:79: FALLBACK_UNFIT offer "
         "'islands-newsletter' (campaigns/islands-newsletter.yaml:2) is not for app.home.hero. "
         "Add app.home.hero to its placements."),
        ("islands-newsletter.yaml", ("others: en", "others: nothing"), "campaigns/islands-newsletter.yaml:5:43: "
         "FALLBACK_UNFIT a fallback is for everyone, and it shows nothing to readers of other languages. "
         "Take that out, or mark another offer."),
        ("islands-newsletter.yaml", ("Iscriviti", '"{distance}"'), "campaigns/islands-newsletter.yaml:5:43: "
         "FALLBACK_UNFIT a fallback is for everyone, and its words need to know where the customer is. "
         "Take that out, or mark another offer."),
        ("islands-newsletter.yaml", ("fallback: true", "fallback: true, about: booking"),
         "campaigns/islands-newsletter.yaml:5:43: FALLBACK_UNFIT a fallback is for everyone, and it is about something "
         "that not everyone has. Take that out, or mark another offer."),
    ],
)  # fmt: skip
def test_a_fallback_that_cannot_stand_in_is_an_error(
    folder: Path, campaign: str, change: tuple[str, str], finding: str
) -> None:
    file = folder / "campaigns" / campaign
    assert change[0] in file.read_text()
    file.write_text(file.read_text().replace(*change))
    loaded = load_folder(folder)
    assert loaded.campaigns is None
    assert told(loaded.findings) == [finding]


def test_a_missing_fallback_is_not_said_while_a_campaign_cannot_be_read(folder: Path) -> None:
    (folder / "campaigns" / "islands-newsletter.yaml").write_text("campaign: [")
    assert [finding.code for finding in load_folder(folder).findings] == ["YAML_SYNTAX"]


def test_checking_stops_when_nobody_would_read_on(folder: Path) -> None:
    bad = "".join(f"key{number}: 1\n" for number in range(90))
    for number in range(30):
        (folder / "campaigns" / f"bad-{number:02}.yaml").write_text(bad)
    findings = load_folder(folder).findings
    assert told(findings)[0] == ".:1:1: TOO_MANY_FINDINGS checking stopped here. Mend these, then check again."
    assert len(findings) < 1_200


def test_warnings_never_stop_the_reading_but_only_the_first_thousand_are_shown(folder: Path) -> None:
    source = (folder / "campaigns" / "winery-visit.yaml").read_text()
    for number in range(1_050):
        text = source.replace("winery-visit", f"winery-visit-{number}")
        text = text.replace("purposes: [", "purposes: [of_old, ")
        (folder / "campaigns" / f"winery-{number:04}.yaml").write_text(text)
    loaded = load_folder(folder)
    assert loaded.campaigns is not None
    shown = [finding for finding in loaded.findings if finding.code == "UNKNOWN_PURPOSE"]
    assert len(shown) == 1_000
    assert told(loaded.findings)[0] == (
        ".:1:1: TOO_MANY_FINDINGS warning: 50 more warnings are not shown. Mend these, then check again."
    )


def test_a_condition_may_be_as_old_as_the_attribute_is_kept(folder: Path) -> None:
    file = folder / "campaigns" / "winery-visit.yaml"
    file.write_text(file.read_text().replace("{has: wine}", "{has: wine, fresh_within: 2 y}"))
    loaded = load_folder(folder)
    assert loaded.findings == ()
    assert loaded.campaigns is not None
    eligibility = loaded.campaigns.campaigns[-1].offer.eligibility
    assert repr(730 * DAY_MS) in repr(eligibility)


WORDS = ("no", "21:30", "[]", "{}", "-1", "010", '"', "'", "|", "é", "{price}", "&a", "*a", "null", "30 km", "9" * 40)


def mutated(lines: list[str], draw: st.DataObject) -> list[str]:
    """One slip of the hand: a line dropped, doubled, moved or indented, or a word of it replaced."""
    at = draw.draw(st.integers(0, len(lines) - 1))
    slip = draw.draw(st.sampled_from(("drop", "double", "indent", "tab", "rename", "value", "cut", "swap")))
    line = lines[at]
    match slip:
        case "drop":
            return lines[:at] + lines[at + 1 :]
        case "double":
            return [*lines[: at + 1], *lines[at:]]
        case "indent":
            return [*lines[:at], f"  {line}", *lines[at + 1 :]]
        case "tab":
            return [*lines[:at], line.replace(" ", "\t", 1), *lines[at + 1 :]]
        case "cut":
            return [*lines[:at], line[: draw.draw(st.integers(0, len(line)))], *lines[at + 1 :]]
        case "swap":
            other = draw.draw(st.integers(0, len(lines) - 1))
            swapped = list(lines)
            swapped[at], swapped[other] = lines[other], lines[at]
            return swapped
    parts = line.replace("{", " { ").replace("[", " [ ").split(" ")
    place = draw.draw(st.integers(0, len(parts) - 1))
    parts[place] = f"x{parts[place]}" if slip == "rename" else draw.draw(st.sampled_from(WORDS))
    return [*lines[:at], " ".join(parts), *lines[at + 1 :]]


def check_slips(folder: Path, draw: st.DataObject) -> None:
    name = draw.draw(st.sampled_from(sorted(GOOD)))
    lines = GOOD[name].splitlines()
    for _ in range(draw.draw(st.integers(1, 4))):
        lines = mutated(lines, draw) or [""]
    content = "\n".join(lines)
    (folder / name).write_text(content)
    loaded = load_folder(folder)
    assert (loaded.campaigns is None) == any(finding.severity == "error" for finding in loaded.findings)
    for finding in loaded.findings:
        written = (folder / finding.path).read_text().split("\n")
        assert 1 <= finding.line <= len(written)
        assert 1 <= finding.column <= len(written[finding.line - 1]) + 1
        assert finding.message
    (folder / name).write_text(GOOD[name])


@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_slips_of_the_hand_are_findings_with_a_place_in_the_file_or_load(folder: Path, data: st.DataObject) -> None:
    check_slips(folder, data)


@pytest.mark.prove
@given(st.data())
@settings(
    max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_five_thousand_slips_raise_nothing(folder: Path, data: st.DataObject) -> None:
    check_slips(folder, data)


def test_the_same_folder_gives_the_same_answer_whatever_the_order_of_its_files(folder: Path) -> None:
    loaded = load_folder(folder)
    assert loaded.attributes is not None and loaded.places is not None
    again = check_folder(folder, loaded.attributes, loaded.places)
    assert again == (loaded.campaigns, ())


def test_more_campaigns_than_anybody_runs_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offers.folder.MAX_CAMPAIGNS", 3)
    assert told(load_folder(folder).findings) == [
        ".:1:1: FOLDER_TOO_BIG more than 3 campaigns. Remove those that have ended, or run a second namespace."
    ]


def test_a_campaign_whose_file_is_gone_is_said_to_be_unreadable(folder: Path) -> None:
    (folder / "gone.yaml").symlink_to(folder / "nowhere.yaml")
    assert told(load_folder(folder).findings) == [
        "gone.yaml:1:1: UNREADABLE the file cannot be read: No such file or directory."
    ]

"""`campaigns plan`: what a change would do, in words and on a population, on the example operator."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from offers import contexts, revisions
from offers.contexts import Chunk
from offers.decide import choose, decide, record
from offers.folder import load_folder
from offers.population import Sides, Tally, count
from offers.revision_changes import load
from scoring.propensity import prior, starting
from streams.lake import Lake
from streams.record import DecisionInputs, encode
from tests.golden_case import DEPLOYMENT
from tests.planning import CABIN, PERSONAS, POPULATION, edit, example, offing, people, planned, swapped


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people(tmp_path_factory.mktemp("contexts") / "contexts.jsonl", POPULATION)


@pytest.fixture
def head(tmp_path: Path) -> Path:
    return example(tmp_path / "head")


def inputs_of(file: Path) -> Iterator[DecisionInputs]:
    for chunk in contexts.of_file(file, POPULATION):
        yield from chunk.contexts()


# what is written otherwise


def test_a_changed_campaign_is_told_field_by_field_with_both_places(head: Path) -> None:
    edit(
        head, CABIN,
        swapped("discount: 30 %", "discount: 40 %"), swapped("at_least: gold", "at_least: silver"),
        swapped("button: Scegli la cabina", "button: Prendi la cabina"),
        swapped("    - customer.open_complaint: {is: true, on_missing: pass}\n", ""),
    )  # fmt: skip
    (changed,) = planned(head, "--contexts", PERSONAS)["campaigns"]
    assert (changed["campaign"], changed["kind"], changed["decides"]) == (
        "cabin-upgrade-livorno-olbia",
        "changed",
        True,
    )
    told = {each["key"]: (each["kind"], each["before"], each["after"]) for each in changed["changes"]}
    assert told == {
        "eligibility.all.customer.loyalty_tier.at_least": ("changed", "gold", "silver"),
        "suitability.none": ("removed", "{customer.open_complaint: {is: true, on_missing: pass}}", ""),
        "price.discount": ("changed", "30 %", "40 %"),
        "text.it.button": ("changed", "Scegli la cabina", "Prendi la cabina"),
    }
    price = next(each for each in changed["changes"] if each["key"] == "price.discount")
    assert (price["before_at"], price["after_at"]) == (f"{CABIN}:26:51", f"{CABIN}:25:51")


def test_campaigns_come_go_and_move(head: Path) -> None:
    pet = (head / "pets" / "pet-cabin.yaml").read_text()
    (head / "pets" / "pet-cabin.yaml").unlink()
    (head / "pets" / "dog.yaml").write_text(
        pet.replace("campaign: pet-cabin", "campaign: dog-cabin").replace("id: pet-cabin", "id: dog-cabin")
    )
    (head / CABIN).rename(head / "cabins" / "upgrade.yaml")
    found = planned(head, "--contexts", PERSONAS)
    told = [(each["campaign"], each["kind"], each["decides"]) for each in found["campaigns"]]
    assert told == [
        ("cabin-upgrade-livorno-olbia", "changed", False),
        ("dog-cabin", "added", True),
        ("pet-cabin", "removed", True),
    ]
    assert found["campaigns"][0]["after_at"] == "cabins/upgrade.yaml:3"
    text = offing("plan", "--base", DEPLOYMENT, "--head", head, "--contexts", PERSONAS).stdout
    assert f"decides as before  [cabins/upgrade.yaml:3, moved from {CABIN}:3]" in text
    assert "added dog-cabin  [pets/dog.yaml:" in text


def test_another_way_to_write_the_same_decides_as_before_and_a_comment_is_nothing(head: Path) -> None:
    edit(head, CABIN, swapped("{is: true, on_missing: pass}", "{on_missing: pass, is: true}"))
    edit(head, "policies.yaml", lambda text: f"# more\n{text}")
    found = planned(head, "--contexts", PERSONAS)
    assert (found["campaigns"], found["files"], found["population"]["changed"]) == ([], [], 0)
    edit(head, CABIN, swapped("location: {within: 30 km of", "location: {within: 30000 m of"))
    (changed,) = planned(head, "--contexts", PERSONAS)["campaigns"]
    assert (changed["decides"], len(changed["changes"])) == (False, 1)
    assert changed["changes"][0]["after"] == "30000 m of port:ITLIV"


def test_files_beside_the_campaigns_are_told_too(head: Path) -> None:
    edit(head, "policies.yaml", swapped("at_most: 80", "at_most: 2"))
    edit(head, "places/fences.geojson", lambda text: text + " ")
    found = planned(head, "--contexts", PERSONAS)
    policies = {"key": "limits.at_most", "kind": "changed", "before": "80", "after": "2"}
    assert [(each["path"], each["kind"]) for each in found["files"]] == [
        ("places/fences.geojson", "changed"),
        ("policies.yaml", "changed"),
    ]
    assert policies.items() <= found["files"][1]["changes"][0].items()


def test_a_kept_revision_is_a_side_too(head: Path, tmp_path: Path) -> None:
    kept = revisions.keep(DEPLOYMENT, tmp_path / "artifacts")
    edit(head, CABIN, swapped("discount: 30 %", "discount: 40 %"))
    arguments = ("plan", "--base", kept.name, "--head", head, "--contexts", PERSONAS)
    done = offing(*arguments, OFFING_ARTIFACTS=str(tmp_path / "artifacts"))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{kept.name} -> r-")
    gone = offing(*arguments, OFFING_ARTIFACTS=str(tmp_path))
    assert (gone.exit_code, gone.stderr.split()[0]) == (1, "REVISION_UNKNOWN")


def test_a_side_with_mistakes_is_refused_with_their_places(head: Path) -> None:
    edit(head, CABIN, swapped("at_least: gold", "at_least: oro"))
    done = offing("plan", "--base", DEPLOYMENT, "--head", head)
    assert done.exit_code == 1
    assert f"CAMPAIGNS_INVALID {head} has mistakes:" in done.stderr
    assert f"{CABIN}:10:41: UNKNOWN_LEVEL" in done.stderr


# on a population


def test_a_level_up_takes_the_cabin_from_gold_and_says_who_comes_instead(head: Path) -> None:
    edit(head, CABIN, swapped("at_least: gold", "at_least: platinum"))
    found = planned(head, "--contexts", PERSONAS, "--by", "customer.loyalty_tier")["population"]
    assert (found["decisions"], found["changed"]) == (3, 1)
    assert found["swaps"] == [
        {"placement": "app.home.hero", "base": "cabin-upgrade-inside", "head": "gold-lounge", "decisions": 1}
    ]
    lost = {"offer": "cabin-upgrade-inside", "placement": "app.home.hero", "segment": "gold", "base": 1, "head": 0}
    assert {**lost, "gained": 0, "lost": 1} in found["shifts"]
    assert found["value_head"]["mean"] < found["value_base"]["mean"]


def test_personas_are_written_for_the_campaigns_as_they_would_be(head: Path) -> None:
    edit(head, "pets/pet-cabin.yaml", swapped("pet-cabin", "dog-cabin"))
    attributes = "    loyalty_tier: {field: 1,"
    wine = "    wine_club: {field: 999, type: boolean, event: customer.profile, from: server, retention: 3 y}\n"
    edit(head, "attributes.yaml", swapped(attributes, f"{wine}{attributes}"))
    met = "\n      met: [{offer: dog-cabin, ago: 1 d}]"
    facts = "facts: {loyalty_tier: gold}"
    edit(head, "tests/personas.yaml", swapped(facts, f"facts: {{loyalty_tier: gold, wine_club: true}}{met}"))
    found = planned(head, "--contexts", head / "tests" / "personas.yaml")
    assert found["population"]["decisions"] == 3
    assert [each["campaign"] for each in found["campaigns"]] == ["dog-cabin", "pet-cabin"]


def test_a_cap_for_everybody_is_felt_as_pressure(head: Path, population: Path) -> None:
    edit(head, "policies.yaml", swapped("at_most: 80", "at_most: 1"))
    found = planned(head, "--contexts", population)["population"]
    before, after = (sum(each[side] for each in found["held_back"]) for side in ("base", "head"))
    assert found["decided_twice"] == POPULATION
    assert before < 20 < 60 < after
    difference = found["value_difference"]
    assert difference["high"] < 0
    assert difference["mean"] == pytest.approx(found["value_head"]["mean"] - found["value_base"]["mean"])
    assert 1 < found["effective_n"] <= POPULATION
    assert sum(each["head"] - each["base"] for each in found["fallbacks"]) > 0


def test_nothing_changed_is_nothing_changed(population: Path) -> None:
    found = planned(DEPLOYMENT, "--contexts", population)
    assert (found["campaigns"], found["files"]) == ([], [])
    told = found["population"]
    assert (told["decisions"], told["decided_twice"], told["changed"]) == (POPULATION, 0, 0)
    assert (told["shifts"], told["value_difference"]["high"]) == ([], 0.0)
    text = offing("plan", "--base", DEPLOYMENT, "--head", DEPLOYMENT, "--contexts", population).stdout
    assert "nothing changes." in text and "the same in every decision" in text


def test_what_is_not_decided_twice_would_have_been_the_same(population: Path) -> None:
    """Each of some campaigns is pushed and loses its caps: with and without the short cut, all counts are equal."""
    base = load(str(DEPLOYMENT), Path())
    every = list(inputs_of(population))[:40]
    skipped = 0
    for name in [campaign.offer.id for campaign in base.campaigns.values() if not campaign.offer.fallback][::6]:
        campaigns = tuple(
            replace(each, offer=replace(each.offer, lever=each.offer.lever * 2, limits=(), suppress=()))
            if each.offer.id == name
            else each
            for each in base.campaigns.values()
        )
        loaded = load_folder(DEPLOYMENT)
        assert loaded.campaigns is not None
        changed = replace(loaded, campaigns=replace(loaded.campaigns, campaigns=campaigns))
        head = revisions.compiled(base.catalog.revision, changed)
        scores = starting(), starting()
        tallies = []
        for differing in (frozenset({name}), None):
            tally = Tally()
            for inputs in every:
                count(tally, Sides(base.catalog, head, scores, differing), inputs)
            tallies.append(tally)
        skipped += len(every) - tallies[0].decided_twice
        tallies[0].decided_twice = tallies[1].decided_twice
        assert tallies[0] == tallies[1]
    assert skipped > 80


def test_what_is_compared_is_what_is_decided(population: Path) -> None:
    catalog = load(str(DEPLOYMENT), Path()).catalog
    scores, shown = prior(catalog.attributes), 0
    for inputs in list(inputs_of(population))[:60]:
        decided = decide(inputs, catalog, scores)
        chosen = choose(inputs, catalog, starting())[2]
        offers = [[slot.candidate.offer.id for slot in slate.slots] for slate in chosen]
        assert offers == [[item.offer_id for item in slate.items] for slate in decided.placements]
        shown += sum(map(len, offers))
    assert shown > 120


def test_seasons_written_otherwise_hold_for_what_was_logged_before(head: Path, population: Path) -> None:
    (head / "seasons.yaml").write_text(
        "seasons:\n  summer: {from: 06-01, until: 09-15, zone: Europe/Rome}\n"
        "  winter: {from: 12-24, until: 12-26, zone: Europe/Rome}\n"
    )
    found = planned(head, "--contexts", population)["population"]
    gone = [each for each in found["shifts"] if each["offer"] == "winter-escape"]
    assert gone and all(each["head"] == 0 and each["lost"] == each["base"] > 0 for each in gone)


def test_what_was_not_looked_for_is_said_to_be_missing(head: Path, population: Path, tmp_path: Path) -> None:
    bare = [msgspec.structs.replace(inputs, subjects={}) for inputs in inputs_of(population)]
    file = tmp_path / "bare.jsonl"
    file.write_bytes(b"".join(contexts.line(inputs) + b"\n" for inputs in bare))
    found = planned(head, "--contexts", file)["population"]
    assert found["unbound"]["booking:each"] > 0
    text = offing("plan", "--base", DEPLOYMENT, "--head", head, "--contexts", file).stdout
    assert re.search(r"\d+ of them were logged without looking for booking:each, so offers about it are missing", text)


# where contexts come from


def test_a_context_reads_as_it_was_written(population: Path) -> None:
    catalog = load(str(DEPLOYMENT), Path()).catalog
    found = list(inputs_of(population))
    assert len(found) == POPULATION
    assert any(inputs.profile.counters for inputs in found)
    for inputs in found[:50]:
        (again,) = Chunk((contexts.line(inputs),), "f.jsonl").contexts()
        assert again == inputs
        assert decide(again, catalog, starting()) == decide(inputs, catalog, starting())


def test_the_lake_is_a_population_and_what_is_exported_of_it_another(
    head: Path, population: Path, tmp_path: Path
) -> None:
    catalog = load(str(DEPLOYMENT), Path()).catalog
    scores = prior(catalog.attributes)
    made = [record(inputs, decide(inputs, catalog, scores), scores.features) for inputs in inputs_of(population)]
    Lake(tmp_path / "artifacts" / "lake").append_decisions([(each, encode(each)) for each in made[:60]])
    edit(head, "policies.yaml", swapped("at_most: 80", "at_most: 1"))
    own = {"OFFING_ARTIFACTS": str(tmp_path / "artifacts")}
    of_lake = planned(head, **own)["population"]
    done = offing("contexts", tmp_path / "out.jsonl", **own)
    assert (done.exit_code, done.output) == (0, f"60 contexts are in {tmp_path / 'out.jsonl'}\n")
    of_file = planned(head, "--contexts", tmp_path / "out.jsonl")["population"]
    assert of_file["changed"] == of_lake["changed"] > 0
    assert of_file["shifts"] == of_lake["shifts"]
    assert of_file["customers"] == of_lake["customers"]
    assert '"c-0' not in (tmp_path / "out.jsonl").read_text()
    assert offing("contexts", tmp_path / "out.jsonl", **own).exit_code == 1
    assert planned(head, "--limit", "20", **own)["population"]["decisions"] == 20


def test_without_any_decision_only_the_words_are_told(head: Path, tmp_path: Path) -> None:
    edit(head, CABIN, swapped("discount: 30 %", "discount: 40 %"))
    done = offing("plan", "--base", DEPLOYMENT, "--head", head, OFFING_ARTIFACTS=str(tmp_path))
    assert done.exit_code == 0
    assert f"no decision is in {tmp_path / 'lake'}" in done.stderr
    assert "price.discount 30 % -> 40 %" in done.stdout and "decisions" not in done.stdout
    none = offing("contexts", tmp_path / "out.jsonl", OFFING_ARTIFACTS=str(tmp_path))
    assert (none.exit_code, none.stderr.split()[0]) == (1, "NO_CONTEXTS")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"inputs": {}}\n', "bad.jsonl:1: Object missing required field `decision_id`"),
        (b"\n", "bad.jsonl:1: "),
        (b'{"inputs": [1\xff]}\n', "bad.jsonl:1: "),
        (b"x" * ((1 << 20) + 2), "bad.jsonl:1: a line has over 1,048,576 bytes"),
    ],
)
def test_a_line_that_is_no_context_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.jsonl").write_bytes(content)
    done = offing("plan", "--base", DEPLOYMENT, "--head", DEPLOYMENT, "--contexts", tmp_path / "bad.jsonl")
    assert (done.exit_code, done.stderr.split()[0]) == (1, "CONTEXT_INVALID")
    assert said in done.stderr and "Traceback" not in done.output


def test_no_file_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "empty.yaml").write_text("cases: {}\n")
    for name in ("empty.jsonl", "none.jsonl"):
        done = offing("plan", "--base", DEPLOYMENT, "--head", DEPLOYMENT, "--contexts", tmp_path / name)
        assert (done.exit_code, done.stderr.split()[0]) == (1, "NO_CONTEXTS"), done.output


def test_a_persona_with_a_slip_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("personas:\n  me:\n    now: 2026-11-21 18:00\n    custommer: {}\n")
    done = offing("plan", "--base", DEPLOYMENT, "--head", DEPLOYMENT, "--contexts", tmp_path / "p.yaml")
    assert done.exit_code == 1
    assert "PERSONA_INVALID" in done.stderr and "p.yaml:4:5: UNKNOWN_KEY" in done.stderr


# how it is told


def test_markdown_for_a_merge_request_says_what_matters_and_folds_the_rest(head: Path, population: Path) -> None:
    edit(head, CABIN, swapped("button: Scegli la cabina", 'button: "Scegli | `tua` cabina"'))
    edit(head, "policies.yaml", swapped("at_most: 80", "at_most: 1"))
    done = offing("plan", "--base", DEPLOYMENT, "--head", head, "--contexts", population, "--markdown")
    assert done.exit_code == 0, done.output
    lines_of = done.stdout.splitlines()
    assert re.fullmatch(r"### Campaign plan `r-[0-9a-f]{12}` → `r-[0-9a-f]{12}`", lines_of[0])
    assert lines_of[2] == "1 campaign changed, 1 file beside them changed."
    assert "| offer | placement | shown before | after | gained | lost |" in lines_of
    assert done.stdout.count("<details>") == done.stdout.count("</details>") >= 3
    assert "  - `text.it.button Scegli la cabina -> \"Scegli \\| 'tua' cabina\"`" in done.stdout
    rows = [line for line in lines_of if line.startswith("| `")]
    assert rows and all(row.count(" | ") in (2, 3, 5) for row in rows)


def test_a_share_of_changes_can_fail_a_pipeline(head: Path) -> None:
    edit(head, CABIN, swapped("at_least: gold", "at_least: platinum"))
    arguments = ("plan", "--base", DEPLOYMENT, "--head", head, "--contexts", PERSONAS, "--fail-over")
    failed = offing(*arguments, "5")
    assert (failed.exit_code, failed.stderr.split()[0]) == (1, "PLAN_CHANGES_TOO_MUCH")
    assert offing(*arguments, "100").exit_code == 0


def test_called_wrongly_it_says_so() -> None:
    same = ("plan", "--base", DEPLOYMENT, "--head", DEPLOYMENT, "--contexts", PERSONAS)
    assert offing(*same, "--json", "--markdown").exit_code == 2
    done = offing(*same, "--by", "customer.loyality_tier")
    assert (done.exit_code, done.stderr.split()[0]) == (1, "UNKNOWN_ATTRIBUTE")
    assert "Did you mean 'customer.loyalty_tier'?" in done.stderr
    assert (
        "no attribute of the customer or the context with declared levels"
        in offing(*same, "--by", "customer.children").stderr
    )

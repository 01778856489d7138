"""What the analysis of campaigns says: a labelled set, half of it clean; what never or always holds, by brute force."""

import re
from itertools import combinations, product
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from offers.campaign_analysis import MAX_JUDGED
from offers.campaign_conflicts import Judge
from offers.condition import All, AnyOf, Condition, Leaf, Op, View, holds
from offers.folder import LoadedFolder, check_folder, load_folder
from offers.template import compiled
from offers.text_widths import USUAL_WIDTH, WIDTHS, length_of
from streams.attributes import Attribute, AttributeSet, Fact, Kind, Value, attribute_set
from streams.places import Places
from streams.whereabouts import NOWHERE

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "analysis_cases.yaml").read_text())
PLACEMENTS = """
placements:
  app.home.hero: {}
  app.short: {limits: {title: 12, body: 22}}
"""
BASE = """campaign: spa-day
owner: onboard.spa
schedule: {zone: Europe/Rome}
offer: {id: spa-day, about: booking}
consent: {purposes: [personalised_offers]}
placements: [app.home.hero]
representation: {image: sea, link: "https://app.example/spa", web: "https://www.example/spa"}
text:
  en: {title: Spa day, body: A day in the spa., button: Book, alt: A pool on deck, why: You have a booking.}
"""
LEVELS = ("blue", "silver", "gold")
ONE = (
    Attribute("customer", "tier", 1, Kind.ENUM, LEVELS, ordered=True),
    Attribute("customer", "likes", 2, Kind.SET, ("spa", "wine", "food")),
    Attribute("customer", "count", 3, Kind.INTEGER),
    Attribute("customer", "sure", 4, Kind.BOOLEAN),
)
ATTRIBUTES: AttributeSet = attribute_set(ONE)
DOMAINS: dict[str, list[Value]] = {
    "customer.tier": [*LEVELS],
    "customer.likes": [members for size in range(4) for members in combinations(("food", "spa", "wine"), size)],
    "customer.count": list(range(-2, 8)),
    "customer.sure": [False, True],
}
AGES = (0, 10, 20)
"""No value, a value younger than both limits of freshness, between them, older than both."""


@pytest.fixture(scope="module")
def deployment() -> LoadedFolder:
    return load_folder(HERE / "deployment")


def said(folder: Path, deployment: LoadedFolder, head: str, base: str = BASE) -> list[str]:
    """What the checker says of a campaign that begins with `head`, without the path."""
    for file in ("seasons.yaml", "images.yaml"):
        (folder / file).write_bytes((HERE / "deployment" / file).read_bytes())
    (folder / "placements.yaml").write_text(PLACEMENTS)
    keys = set(re.findall(r"^(\w+):", head, re.MULTILINE))
    sections = re.split(r"^(?=\w)", base, flags=re.MULTILINE)
    rest = "".join(part for part in sections if part.partition(":")[0] not in keys)
    (folder / "spa.yaml").write_text(head + rest)
    assert deployment.attributes is not None and deployment.places is not None
    campaigns, findings = check_folder(folder, deployment.attributes, deployment.places)
    assert campaigns is not None, findings
    return [str(finding).removeprefix("spa.yaml:") for finding in findings]


def test_the_set_is_large_and_half_of_it_is_clean() -> None:
    clean = sum(not case["says"] for case in CASES)
    assert len(CASES) >= 60
    assert abs(2 * clean - len(CASES)) <= len(CASES) // 10
    assert len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_campaign_hears_what_is_labelled_and_nothing_else(
    tmp_path: Path, deployment: LoadedFolder, case: dict[str, object]
) -> None:
    found = [line.split(": ")[:2] for line in said(tmp_path, deployment, str(case["campaign"]))]
    assert [f"{code.split()[0]} {place}" for place, code in found] == case["says"]


@pytest.mark.parametrize("path", [HERE / "deployment", HERE.parent / "deploy" / "campaigns"], ids=["tests", "example"])
def test_folders_that_are_good_hear_nothing(path: Path) -> None:
    quiet = {"FENCE_FINER_THAN_GAZETTEER"}
    assert [str(finding) for finding in load_folder(path).findings if finding.code not in quiet] == []


def test_a_conflict_names_both_places_and_who_gets_the_offer(tmp_path: Path, deployment: LoadedFolder) -> None:
    head = "eligibility:\n  - customer.loyalty_tier: {at_least: gold}\n  - customer.loyalty_tier: blue\n"
    assert said(tmp_path, deployment, head) == [
        "3:5: NEVER_HOLDS warning: 'customer.loyalty_tier: blue' can never hold together with "
        "'customer.loyalty_tier: {at_least: gold}' (spa.yaml:2:5). Nobody gets the offer; correct one of them."
    ]


def test_an_offer_that_contradicts_itself_is_told_both_reasons(tmp_path: Path, deployment: LoadedFolder) -> None:
    head = (
        "schedule: {until: 90 min before sailing.departure, zone: Europe/Rome}\n"
        "offer: {id: spa-day, about: {sailing: any, within: 1 h}}\n"
    )
    assert said(tmp_path, deployment, head) == [
        "2:13: REACHES_NOBODY warning: the offer is about sailings within 1 h, but the schedule ends 90 min before "
        "sailing.departure. Nobody gets the offer; correct one of them."
    ]


def test_alternatives_in_a_conflict_are_named_by_the_first_of_them(tmp_path: Path, deployment: LoadedFolder) -> None:
    head = "eligibility:\n  - any: [customer.age: {above: 60}, customer.age: {below: 10}]\n  - customer.age: 30\n"
    assert said(tmp_path, deployment, head) == [
        "3:5: NEVER_HOLDS warning: 'customer.age: 30' can never hold together with "
        "'any: customer.age: {above: 60}, ...' (spa.yaml:2:11). Nobody gets the offer; correct one of them."
    ]


@pytest.mark.parametrize(("number", "findings"), [(MAX_JUDGED, 8), (MAX_JUDGED + 1, 0)])
def test_a_file_of_very_many_conditions_is_not_judged(
    tmp_path: Path, deployment: LoadedFolder, number: int, findings: int
) -> None:
    head = "eligibility:\n" + "".join(f"  - customer.age: {age}\n" for age in range(number))
    assert len(said(tmp_path, deployment, head)) == findings


def test_a_fallback_is_not_judged_by_conditions_it_ignores(tmp_path: Path, deployment: LoadedFolder) -> None:
    head = "offer: {id: spa-day, fallback: true}\neligibility:\n  - context.local_hour: {above: 23}\n"
    base = BASE.replace("consent: {purposes: [personalised_offers]}\n", "").replace(
        "schedule: {zone: Europe/Rome}\n", ""
    )
    assert [line.split()[1] for line in said(tmp_path, deployment, head, base)] == ["FALLBACK_IGNORES"]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("Caffè", 5),
        ("Caffe\u0300", 5),
        ("👨‍👩‍👧", 3),
        ("{{{price}}}", 12),
        ("{venue.name}", 20),
        ("{sailing.departure|time} - {market.fare.deck|money}", 18),
    ],
)
def test_a_length_counts_what_a_reader_sees(text: str, length: int) -> None:
    assert length_of(compiled(text)) == length


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("{title: 0}", "OUT_OF_RANGE app.short.limits.title is 0. Write 1 to 80."),
        ("{body: 301}", "OUT_OF_RANGE app.short.limits.body is 301. Write 1 to 300."),
        ("{alt: 20}", "UNKNOWN_KEY app.short.limits has no key 'alt'. Its keys: body, button, title."),
    ],
)
def test_limits_of_a_placement_are_checked(tmp_path: Path, deployment: LoadedFolder, written: str, answer: str) -> None:
    (tmp_path / "placements.yaml").write_text(f"placements:\n  app.short: {{limits: {written}}}\n")
    assert deployment.attributes is not None and deployment.places is not None
    campaigns, findings = check_folder(tmp_path, deployment.attributes, deployment.places)
    assert campaigns is None
    assert [str(finding).split(" ", 1)[1] for finding in findings] == [answer]


def test_the_page_tells_what_a_placeholder_counts_as() -> None:
    page = " ".join((HERE.parent / "docs" / "campaigns.md").read_text().split())
    said_ = page[page.index("A placeholder counts as") :].partition(". ")[0]
    assert [int(number) for number in re.findall(r"\d+", said_)] == [
        WIDTHS["price"], WIDTHS["time"], WIDTHS["date"], WIDTHS["distance"], WIDTHS["number"], WIDTHS["discount"],
        USUAL_WIDTH,
    ]  # fmt: skip
    assert (WIDTHS["date"], WIDTHS["price"]) == (WIDTHS["port"], WIDTHS["money"])


# Against brute force


def leaf(name: str, op: Op, **given_: object) -> st.SearchStrategy[Leaf]:
    extra = {key: value if isinstance(value, st.SearchStrategy) else st.just(value) for key, value in given_.items()}
    return st.builds(
        Leaf,
        st.just(name),
        st.just(op),
        on_missing=st.booleans(),
        negated=st.booleans(),
        fresh_ms=st.sampled_from([None, 5, 15]),
        **extra,
    )


def operands(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(tuple)


BOUND = st.integers(0, 5).map(float)
LEAVES = {
    "customer.tier": leaf("customer.tier", Op.IN, operand=operands([*LEVELS])),
    "customer.likes": st.sampled_from([Op.HAS_ANY, Op.HAS_ALL]).flatmap(
        lambda op: leaf("customer.likes", op, operand=operands(["spa", "wine", "food"]))
    ),
    "customer.count": st.one_of(
        leaf("customer.count", Op.RANGE, low=BOUND),
        leaf("customer.count", Op.RANGE, high=BOUND),
        leaf("customer.count", Op.IN, operand=st.integers(0, 5).map(lambda value: (value,))),
    ),
    "customer.sure": leaf("customer.sure", Op.IN, operand=st.booleans().map(lambda value: (value,))),
}


def about(*names: str) -> st.SearchStrategy[Condition]:
    """Conditions on these facts only."""
    known = st.one_of(
        *(LEAVES[name] for name in names),
        *(
            st.builds(
                Leaf, st.just(name), st.just(Op.EXISTS), negated=st.booleans(), fresh_ms=st.sampled_from([None, 5])
            )
            for name in names
        ),
    )
    return st.recursive(
        known,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts), "x:1:1")),
        ),
        max_leaves=5,
    )


def states(name: str) -> list[Fact | None]:
    """Every value at every age, and none; now is 20."""
    return [None, *((value, 20 - age) for value, age in product(DOMAINS[name], AGES))]


def truths(condition: Condition, *names: str) -> set[bool]:
    """What the plain evaluator says, over all there is."""
    found = set()
    for facts in product(*(states(name) for name in names)):
        known = {name: fact for name, fact in zip(names, facts, strict=True) if fact is not None}
        found.add(holds(condition, View(known, {}, NOWHERE, Places(), 20)))
    return found


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_of_one_fact_nothing_is_missed_and_nothing_is_wrong(name: str) -> None:
    @given(about(name))
    def told(condition: Condition) -> None:
        judge, real = Judge(ATTRIBUTES, [condition]), truths(condition, name)
        conflicts, always = list(judge.conflicts([condition])), list(judge.always(condition))
        assert any(not conflict.branch for conflict in conflicts) is (real == {False})
        assert all(truths(All(conflict.parts), name) == {False} for conflict in conflicts)
        assert all(truths(AnyOf(parts), name) == {True} for parts in always)
        assert always or real != {True}

    told()


@given(about("customer.tier", "customer.sure"))
def test_of_two_facts_nothing_is_wrong(condition: Condition) -> None:
    judge, names = Judge(ATTRIBUTES, [condition]), ("customer.tier", "customer.sure")
    for conflict in judge.conflicts([condition]):
        assert truths(All(conflict.parts), *names) == {False}
        assert conflict.branch or truths(condition, *names) == {False}
    for parts in judge.always(condition):
        assert truths(AnyOf(parts), *names) == {True}

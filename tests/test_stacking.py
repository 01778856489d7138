"""Exclusivity groups and tags: what an answer never shows together, what wins, what is logged and told."""

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers.arbitration import fill
from offers.catalog import Catalog
from offers.changes import needs
from offers.condition_words import Words
from offers.decide import decide
from offers.explain import explain
from offers.folder import check_folder, load_folder
from offers.offer import Offer, Placement, Stacking, Value
from offers.proposition import Code, Scored
from offers.stacking import apart
from streams.ids import DecisionId, PlacementId
from streams.record import PlacementRequest
from tests.catalogs import ATTRIBUTES, HERO, catalog, inputs, offer
from tests.deciding import declared
from tests.test_arbitration import BOTH, CARD, asked, scored, shown

HERE = Path(__file__).parent
CABINS = Stacking("cabins")


def pooled(name: str, rank_score: float, stacking: Stacking | None = None) -> Scored:
    found = scored(name, rank_score, BOTH)
    made = offer(name, placements=BOTH, stacking=stacking)
    candidate = type(found.candidate)(made, found.candidate.subject, found.candidate.view)
    return Scored(candidate, found.score, found.value, rank_score, found.rows, found.at)


def test_of_an_exclusivity_group_the_best_stands_once_in_an_answer() -> None:
    pool = [pooled("a", 9, CABINS), pooled("b", 8, CABINS), pooled("c", 7), pooled("d", 6, Stacking("spas"))]
    assert shown(fill(asked(HERO, limit=4, most=4), pool, inputs())) == [["a", "c", "d"]]
    assert shown(fill(asked(HERO, CARD, limit=1), pool, inputs())) == [["a"], ["c"]], "nor in another placement of it"


def test_tags_that_do_not_go_together_do_not_whichever_is_shown_first() -> None:
    half, dear = Stacking(tags=("discount",)), Stacking(not_with=("discount",))
    first = [pooled("half", 9, half), pooled("dear", 8, dear), pooled("other-half", 7, half)]
    assert shown(fill(asked(HERO), first, inputs())) == [["half", "other-half"]]
    assert shown(fill(asked(HERO), [pooled("dear", 9, dear), *first[:1]], inputs())) == [["dear"]]
    both = Stacking(tags=("discount",), not_with=("discount",))
    assert shown(fill(asked(HERO), [pooled("x", 9, both), pooled("y", 8, both)], inputs())) == [["x"]]


ROUNDS = 8_000


def test_exploring_a_group_logs_the_very_probability_with_which_it_chooses() -> None:
    pool = [pooled("a", 4.0, CABINS), pooled("b", 3.0, CABINS), pooled("c", 1.0)]
    times: Counter[tuple[str, ...]] = Counter()
    chances: dict[tuple[str, ...], float] = {}
    for seed in range(ROUNDS):
        given_now = inputs(decision_id=DecisionId(f"d-{seed}"))
        (slate,) = fill(asked(HERO, limit=3, explore=0.6), pool, given_now)
        order = tuple(str(slot.candidate.offer.id) for slot in slate.slots)
        times[order] += 1
        chance = 1.0
        for slot in slate.slots:
            chance *= slot.propensity or 0.0
        assert chances.setdefault(order, chance) == chance, "the same choice always has the same probability"
    assert set(chances) == {("a", "c"), ("b", "c"), ("c", "a"), ("c", "b")}
    assert sum(chances.values()) == pytest.approx(1.0)
    for order, chance in chances.items():
        sigma = (ROUNDS * chance * (1 - chance)) ** 0.5
        assert abs(times[order] - ROUNDS * chance) < 4.5 * sigma, order


def test_exploring_two_placements_shares_one_group_and_logs_exact_probabilities() -> None:
    pool = [pooled("a", 4.0, CABINS), pooled("b", 3.0, CABINS), pooled("c", 1.0)]
    times: Counter[tuple[str, ...]] = Counter()
    chances: dict[tuple[str, ...], float] = {}
    for seed in range(ROUNDS):
        slates = fill(asked(HERO, CARD, limit=1, explore=0.6), pool, inputs(decision_id=DecisionId(f"d-{seed}")))
        slots = [slot for slate in slates for slot in slate.slots]
        order = tuple(str(slot.candidate.offer.id) for slot in slots)
        times[order] += 1
        chances[order] = (slots[0].propensity or 0.0) * (slots[1].propensity or 0.0)
    assert set(chances) == {("a", "c"), ("b", "c"), ("c", "a"), ("c", "b")}
    assert sum(chances.values()) == pytest.approx(1.0)
    for order, chance in chances.items():
        assert abs(times[order] - ROUNDS * chance) < 4.5 * (ROUNDS * chance * (1 - chance)) ** 0.5, order


STACKINGS = st.none() | st.builds(
    Stacking,
    st.sampled_from(["", "g", "h"]),
    st.lists(st.sampled_from("xyz"), max_size=2, unique=True).map(tuple),
    st.lists(st.sampled_from("xyz"), max_size=2, unique=True).map(tuple),
)


@given(st.lists(STACKINGS, min_size=1, max_size=8), st.sampled_from([0.0, 0.7]), st.integers(0, 1_000))
@settings(max_examples=100, deadline=None)
def test_no_answer_shows_two_that_stay_apart_and_none_is_left_out_without_need(
    stackings: list[Stacking | None], explore: float, seed: int
) -> None:
    pool = [pooled(f"o{n}", 9.0 - n, stacking) for n, stacking in enumerate(stackings)]
    slates = fill(
        asked(HERO, CARD, limit=8, most=8, explore=explore), pool, inputs(decision_id=DecisionId(f"d-{seed}"))
    )
    chosen = [slot.candidate.offer for slate in slates for slot in slate.slots]
    for one, other in combinations(chosen, 2):
        assert one.stacking is None or other.stacking is None or not apart(one.stacking, other.stacking)
    for each in pool:
        left = each.candidate.offer
        if left.id not in {offer.id for offer in chosen}:
            assert left.stacking is not None
            assert any(offer.stacking is not None and apart(left.stacking, offer.stacking) for offer in chosen)


def _world() -> Catalog:
    where = "b.yaml:7:14"
    return catalog(
        [
            offer("a", value=Value(9), stacking=CABINS),
            offer("b", value=Value(8), stacking=Stacking("cabins", where=where)),
            offer("c", value=Value(7), stacking=Stacking(tags=("quiet",))),
            offer("d", value=Value(6), stacking=Stacking(not_with=("quiet",), where="d.yaml:4:2")),
            offer("e", value=Value(5)),
            offer("f", value=Value(4)),
        ]
    )


def test_the_answer_counts_and_explain_names_who_keeps_an_offer_out() -> None:
    world, situation = _world(), inputs()
    decision = decide(situation, world, declared())
    assert [item.offer_id for item in decision.placements[0].items] == ["a", "c", "e"]
    assert decision.ruled_out == (("EXCLUDED_BY", 2), ("OUTRANKED", 1))
    found = {str(each.offer_id): each for each in explain(situation, world, decision)}
    assert [(reason.code, reason.where, reason.detail) for reason in found["b"].reasons] == [
        (Code.EXCLUDED_BY, "b.yaml:7:14", "a is shown; exclusive: cabins")
    ]
    assert [reason.detail for reason in found["d"].reasons] == ["c is shown; not_with: quiet"]
    assert [reason.code for reason in found["f"].reasons] == [Code.OUTRANKED]
    told = needs(found["b"], situation, world, Words(ATTRIBUTES))
    assert (told.outranked, told.changes) == (True, ()), "nothing about the customer would change it"


def test_what_is_not_asked_for_keeps_nobody_out() -> None:
    card = PlacementId("app.trip.card")
    both: dict[PlacementId, Placement] = {name: Placement(name) for name in (HERO, card)}
    offers = [offer("a", value=Value(9), stacking=CABINS, placements=(card,)), offer("b", stacking=CABINS)]
    world = catalog(offers, placements=both)
    only_hero = decide(inputs(asked=(PlacementRequest(HERO, 3),)), world, declared())
    assert [item.offer_id for item in only_hero.placements[0].items] == ["b"]


# In files


CAMPAIGN = """
campaign: {name}
owner: onboard.spa
offer: {{id: {name}{more}}}
placements: [app.home.hero]
representation: {{image: sea, link: "https://app.example/spa", web: "https://www.example/spa"}}
text:
  en: {{title: Spa day, body: A day in the spa., button: Book, alt: A pool on deck, why: You like spas.}}
"""


def check(folder: Path, **offers: str) -> tuple[dict[str, Offer], list[str]]:
    deployment = load_folder(HERE / "deployment")
    for file in ("seasons.yaml", "images.yaml"):
        (folder / file).write_bytes((HERE / "deployment" / file).read_bytes())
    (folder / "placements.yaml").write_text("placements: {app.home.hero: {}}")
    for name, more in offers.items():
        (folder / f"{name}.yaml").write_text(CAMPAIGN.format(name=name, more=f", {more}" if more else ""))
    assert deployment.attributes is not None and deployment.places is not None
    found, findings = check_folder(folder, deployment.attributes, deployment.places)
    campaigns = () if found is None else found.campaigns
    return {each.offer.id: each.offer for each in campaigns}, [str(finding) for finding in findings]


def test_an_offer_says_what_it_does_not_stand_beside(tmp_path: Path) -> None:
    found, findings = check(
        tmp_path, a="exclusive: spas, tags: [reduced, spa]", b="exclusive: spas", c="not_with: reduced", d=""
    )
    assert findings == []
    assert found["a"].stacking == Stacking("spas", ("reduced", "spa"), (), "a.yaml:4:27")
    assert found["c"].stacking == Stacking("", (), ("reduced",), "c.yaml:4:26")
    assert found["d"].stacking is None


def test_a_misspelt_group_or_tag_is_told_with_the_nearest(tmp_path: Path) -> None:
    _, findings = check(
        tmp_path, a="exclusive: cabins, tags: discount", b="exclusive: cabins", c="exclusive: cabin, not_with: discout"
    )
    assert findings == [
        "c.yaml:4:27: EXCLUSIVE_ALONE warning: no other offer is in the exclusivity group 'cabin'. "
        "Did you mean 'cabins'?",
        "c.yaml:4:27: UNKNOWN_TAG warning: no other offer has the tag 'discout'. Did you mean 'discount'?",
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("exclusive: Cabins!", "NAME_INVALID offer.exclusive 'Cabins!' has the wrong form. Write 'cabins'."),
        ("tags: []", "EMPTY_LIST offer.tags is an empty list. Name something, or remove the key."),
        ("tags: [a, a]", "LISTED_TWICE offer.tags lists 'a' twice. Remove one."),
        ("fallback: true, exclusive: x", "FALLBACK_IGNORES warning: a fallback ignores 'exclusive'. Remove it."),
    ],
)
def test_a_slip_is_told_with_its_mend(tmp_path: Path, more: str, said: str) -> None:
    _, findings = check(tmp_path, a=more)
    assert any(finding.endswith(said) for finding in findings), findings

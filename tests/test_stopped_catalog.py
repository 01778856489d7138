"""A catalog without the campaigns that are stopped: nowhere in a decision, named in the reasons, replayed by its id."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offers import revisions
from offers.decide import decide
from offers.explain import judge
from offers.offer import Offer, OnStop, Placement
from offers.proposition import Code
from offers.withdrawal import withdrawn
from scoring.propensity import prior
from streams.errors import NotFound
from streams.ids import CampaignId, RevisionId
from streams.record import DecisionInputs
from tests.catalogs import ATTRIBUTES, HERO, NOW, catalog, inputs, offer
from tests.geography import PLACES
from tests.service import CAMPAIGNS
from tests.test_index import allowed_by_index, allowed_plainly, offers, situations
from tests.test_withdrawal import BOOKED, TOKENS, found, held

STOPPED = RevisionId("r-test-12345678")
PRIOR = prior(ATTRIBUTES)


def shown(book_of: list[Offer], situation: DecisionInputs) -> object:
    return decide(situation, catalog(book_of, PLACES), PRIOR).placements


@given(offers(), situations(), st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_stopping_is_deciding_as_if_the_campaigns_were_not_there(
    every: list[Offer], situation: DecisionInputs, data: st.DataObject
) -> None:
    stopped = data.draw(st.sets(st.sampled_from([each.campaign_id for each in every])))
    book = catalog(every, PLACES).without(stopped, STOPPED)
    left = [each for each in every if each.campaign_id not in stopped]
    assert allowed_by_index(book, situation) == allowed_plainly(book, situation)
    assert allowed_by_index(book, situation) == allowed_by_index(catalog(left, PLACES), situation)
    assert decide(situation, book, PRIOR).placements == shown(left, situation)


def test_a_stopped_campaign_says_so_where_somebody_asks_why() -> None:
    spa = offer("spa")
    book = catalog([spa, offer("dinner")])
    without = book.without({spa.campaign_id}, STOPPED)
    (reason,) = judge(spa, inputs(), without).reasons
    assert (reason.code, reason.where) == (Code.CAMPAIGN_STOPPED, "spa.yaml:1")
    assert reason.detail == "campaign c-spa is stopped until it is lifted"
    assert judge(spa, inputs(), book).allowed, "the catalog it was made from is as it was"
    assert (without.revision, book.revision) == (STOPPED, "r-test")


def test_memory_of_what_was_live_before_the_stop_is_not_asked() -> None:
    book = catalog([offer("spa"), offer("dinner")])
    assert allowed_by_index(book, inputs()) == {("spa", ""), ("dinner", "")}
    assert allowed_by_index(book.without({CampaignId("c-spa")}, STOPPED), inputs()) == {("dinner", "")}


def test_a_placement_whose_fallback_is_stopped_stays_empty() -> None:
    last = offer("last", fallback=True)
    book = catalog([last], placements={HERO: Placement(HERO, fallback=last.id)})
    asked = msgspec.structs.replace(inputs(), candidate_limit=100)
    assert [item.offer_id for item in decide(asked, book, PRIOR).placements[0].items] == ["last"]
    (empty,) = decide(asked, book.without({last.campaign_id}, STOPPED), PRIOR).placements
    assert (empty.items, empty.fallback) == ((), False)


@pytest.mark.parametrize("fallback", [False, True])
def test_what_is_shown_is_taken_back_by_a_stop_unless_it_is_honoured(fallback: bool) -> None:
    taken, kept = (
        offer("taken", fallback=fallback),
        offer("kept", fallback=fallback, on_stop=OnStop(honours_shown=True)),
    )
    book = catalog([taken, kept], PLACES, placements={HERO: Placement(HERO)})
    tokens = [held(taken), held(kept)]
    assert withdrawn(tokens, found(BOOKED), book, TOKENS) == ()
    without = book.without({taken.campaign_id, kept.campaign_id}, STOPPED)
    assert withdrawn(tokens, found(BOOKED), without, TOKENS) == (tokens[0],)
    late = found(BOOKED, now=NOW + 2 * 3_600_000)
    assert withdrawn(tokens, late, without, TOKENS) == tuple(tokens), "its token ended"


def test_a_revision_with_stops_is_kept_and_found_by_its_id(tmp_path: Path) -> None:
    base = RevisionId(revisions.keep(CAMPAIGNS, tmp_path).name)
    campaign = CampaignId("cabin-upgrade-livorno-olbia")
    revision = revisions.keep_stopped(base, {campaign}, tmp_path)
    assert revision == revisions.stopped(base, [campaign]) == revisions.keep_stopped(base, {campaign}, tmp_path)
    book = revisions.catalog_of(revisions.find(revision, tmp_path))
    assert (book.revision, book.stopped) == (revision, {campaign})
    assert revisions.keep_stopped(base, (), tmp_path) == base
    with pytest.raises(NotFound, match="no revision 'r-000000000000-00000000' is kept"):
        revisions.find("r-000000000000-00000000", tmp_path)


def test_stops_whose_campaigns_are_gone_are_no_revision_to_decide_with(tmp_path: Path) -> None:
    revision = revisions.keep_stopped(RevisionId("r-000000000000"), [CampaignId("spa")], tmp_path)
    with pytest.raises(NotFound, match="no revision 'r-000000000000' is kept"):
        revisions.catalog_of(revisions.find(revision, tmp_path))

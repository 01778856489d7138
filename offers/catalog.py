"""Campaigns compiled into one immutable Catalog: the layout, its index, and its columns. Swapped whole."""

import copy
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from offers import bits, quiet, schedule
from offers.arms import Arms, arm_in, ways
from offers.bits import Words
from offers.cap_index import CapIndex
from offers.condition import View
from offers.index import ConditionIndex
from offers.layout_facts import (
    countdowns,
    freshness,
    grouped,
    local_plans,
    reads,
    relative_ends,
    spans,
    weekly,
    written,
)
from offers.locale import choose
from offers.market_names import market_names
from offers.money import Quote, price_of
from offers.offer import (
    CampaignFolder,
    Consent,
    Limit,
    Offer,
    Placement,
    QuietHours,
)
from offers.prior_price import Asked
from offers.prior_price import asked as prior_prices
from offers.shared_limits import SharedLimits, split
from offers.standing import columns, standings
from offers.wording import Gaps
from streams.attributes import AttributeSet
from streams.ids import CampaignId, Millis, OfferId, PlacementId, RevisionId
from streams.memo import Memo
from streams.places import Places
from streams.record import NOTHING, DecisionInputs, FactDict, Subject

LOCALES_MEMO = 512
LIVE_MEMO = 64
GAPS_MEMO = 64
GENERAL_MEMO = 64
_Granted = tuple[tuple[str, ...], tuple[str, ...]]
_General = tuple[tuple[Millis, Millis], tuple[str, ...], tuple[PlacementId, ...], str, _Granted]
"""What of a decision many customers share: schedule's span, seasons, placements, locale, purposes and channels."""
FOREVER: Millis = 1 << 53
"""After every instant."""
NO_SUBJECTS: tuple[Subject, ...] = ()
ABOUT_NOTHING = (NOTHING,)
NO_FACTS: FactDict = {}
NOT_QUIET: Mapping[PlacementId, QuietHours] = MappingProxyType({})


def prior_value(offer: Offer) -> float:
    """What the layout is ordered by: the offer's worth before anything is known of the customer."""
    return offer.facts.starting_mean * max(offer.value.amount, 0.01) * offer.lever


class Catalog:
    """One revision, immutable; every method is a pure function of its arguments (results are memoised)."""

    stopped: Set[CampaignId] = frozenset()
    """Campaigns of it that are stopped."""

    def __init__(self, revision: RevisionId, folder: CampaignFolder, attributes: AttributeSet, places: Places) -> None:
        offers = [way for each in folder.campaigns for way in ways(_with_limits(each.offer, folder.global_limits))]
        self.revision = revision
        self.attributes = attributes
        self.places = places
        self.market_names = market_names(attributes)
        self.placements: Mapping[PlacementId, Placement] = MappingProxyType(dict(folder.placements))
        self.seasons, self.quiet = folder.seasons, folder.quiet
        self.layout: tuple[Offer, ...] = tuple(
            sorted(offers, key=lambda offer: (-prior_value(offer), offer.id, offer.arm))
        )
        """Descending prior value, then id: the order in which offers are looked at. Part of the revision."""
        self.by_id: Mapping[OfferId, Offer] = MappingProxyType(
            {offer.id: offer for offer in self.layout if not offer.arm}
        )
        """As written: arms of an experiment may show an offer otherwise."""
        self.fallbacks: Mapping[PlacementId, Offer] = MappingProxyType(
            {p.id: self.by_id[p.fallback] for p in folder.placements.values() if p.fallback is not None}
        )
        self.size = len(self.layout)
        self.index = ConditionIndex(self.layout, places)
        self.standing = standings(self.layout, self.index.residual)
        self.columns = columns(self.standing)
        self.caps, self.shared_limits = CapIndex(self.layout), SharedLimits(self.layout)
        self.arms = Arms(self.layout, folder.holdout)
        self._group()
        self._remember()
        self._ask()

    def _ask(self) -> None:
        """What its offers ask about, and when their answers change."""
        asked = self.index.asked()
        self.reads = reads(asked, self.layout)
        """Qualified attributes that any condition reads; `location` if places are asked; friends if words tell them."""
        self.freshness = freshness(asked, self.layout)
        """(fact name, fresh_ms) pairs asked anywhere: when they run out, a cached decision does too."""
        self.counts = any(offer.limits or offer.suppress for offer in self.layout)
        """Whether any offer is capped or suppressed: then the customer's counters decide too."""
        self.countdowns = countdowns(asked)
        """Thresholds in ms that conditions on sailing.departs_in ask for: each is an instant at which they change."""
        self.relative_ends = relative_ends(self.layout)
        """Instants of a subject at which offers begin, end or may be shown again."""
        self.spans = spans(self.layout)
        """Lengths in ms over which caps and suppressions look back."""

    def without(self, stopped: Set[CampaignId], revision: RevisionId) -> "Catalog":
        """The same where these campaigns are stopped: in no decision, not even as a fallback, and named in reasons.

        Nothing is compiled again: a stop takes as long in 100,000 campaigns as in one.
        """
        made = copy.copy(self)
        made.revision = revision
        made.stopped = frozenset(stopped)
        out = [p for p, offer in enumerate(self.layout) if offer.campaign_id in stopped]
        made._ordinary = self._ordinary & ~bits.of_positions(out, self.size)
        made.fallbacks = MappingProxyType(
            {placement: offer for placement, offer in self.fallbacks.items() if offer.campaign_id not in stopped}
        )
        made._remember()
        return made

    def _remember(self) -> None:
        self._span: tuple[Millis, Millis] = (0, 0)
        self._survived: tuple[DecisionInputs, Words] | None = None
        self._gaps: Memo[str, dict[int, Gaps]] = Memo(GAPS_MEMO)
        self._seasons_at: Memo[tuple[object, int], tuple[tuple[str, ...], Millis]] = Memo(LIVE_MEMO)
        self._lives: Memo[tuple[tuple[Millis, Millis], tuple[str, ...]], tuple[Words, int]] = Memo(LIVE_MEMO)
        self._general: Memo[_General, Words] = Memo(GENERAL_MEMO)
        self._locales: Memo[str, Words] = Memo(LOCALES_MEMO)
        self._consents: Memo[tuple[tuple[str, ...], tuple[str, ...]], Words] = Memo(LOCALES_MEMO)

    def _group(self) -> None:
        """Offers by what many of them share: schedule, placement, words, consent, selector."""
        self.campaigns = frozenset(offer.campaign_id for offer in self.layout)
        plans = [offer.schedule for offer in self.layout]
        self._weekly = grouped((weekly(plan) for plan in plans), self.size)
        self.local_plans = local_plans(self.layout)
        """Days and hours on clocks that differ from customer to customer, or from port to port."""
        self._starts = np.array([0 if plan.starts is None else plan.starts for plan in plans], dtype=np.int64)
        self._ends = np.array([FOREVER if plan.ends is None else plan.ends for plan in plans], dtype=np.int64)
        steps = np.array(self.arms.instants, dtype=np.int64)
        self._instants = np.unique(np.concatenate([self._starts, self._ends, steps]))
        self._written = grouped((written(offer.representation) for offer in self.layout), self.size)
        self._samples = {written(offer.representation): offer.representation for offer in self.layout}
        self._consent = grouped((offer.consent for offer in self.layout), self.size)
        self._about = grouped((offer.about for offer in self.layout), self.size)
        self._ordinary = bits.of_positions([p for p, offer in enumerate(self.layout) if not offer.fallback], self.size)
        self._placed = {
            placement: bits.of_positions([p for p, o in enumerate(self.layout) if placement in o.placements], self.size)
            for placement in self.placements
        }
        self.prior_prices: tuple[Asked, ...] = prior_prices(self.layout)
        """What of the market's history the crossed-out prices of its offers read; empty: there are none."""
        self.selectors = {about.key: about for about in self._about if about is not None}

    def live(self, interval: tuple[Millis, Millis], seasons: tuple[str, ...]) -> tuple[Words, int]:
        """(offers live through `interval`, how many), whatever the customer."""
        return self._lives.get((interval, seasons), lambda: self._live(interval, seasons))

    def _live(self, interval: tuple[Millis, Millis], seasons: tuple[str, ...]) -> tuple[Words, int]:
        at = interval[0]
        words = bits.empty(self.size)
        for plan, members in self._weekly.items():
            if schedule.status(plan, at, seasons) is None:
                words = words | members
        running = (self._starts <= at) & (at < self._ends)
        words = words & bits.of_flags(running.astype(np.uint8), self.size) & self._ordinary
        return words, bits.count(self.arms.once(words))

    def interval(self, now: Millis) -> tuple[Millis, Millis]:
        """The span around `now` in which no schedule or ramp of this catalog changes: [now or before, next change)."""
        span = self._span  # read once: another thread may put its own there
        if not span[0] <= now < span[1]:
            changes = [at for plan in self._weekly if (at := schedule.next_change(plan, now)) is not None]
            later = int(np.searchsorted(self._instants, now, side="right"))
            changes += self._instants[later : later + 1].tolist()
            changes += quiet.changes(self.quiet, now)
            span = self._span = (now, min(changes, default=FOREVER))
        return span

    def _locale_words(self, locale: str) -> Words:
        words = bits.empty(self.size)
        for words_in, members in self._written.items():
            if choose(locale, self._samples[words_in]) is not None:
                words = words | members
        return words

    def _consent_words(self, purposes: tuple[str, ...], channels: tuple[str, ...]) -> Words:
        words = bits.empty(self.size)
        for consent, members in self._consent.items():
            if consents(consent, purposes, channels):
                words = words | members
        return words

    def active_seasons(
        self, overrides: Mapping[str, tuple[bool, Millis]], now: Millis
    ) -> tuple[tuple[str, ...], Millis]:
        """schedule.active_seasons() of this catalog; nothing of it changes within a quarter of an hour of UTC."""
        quarter = now // schedule.QUARTER_MS
        at = quarter * schedule.QUARTER_MS
        key = (tuple(overrides.items()), quarter)
        return self._seasons_at.get(key, lambda: schedule.active_seasons(self.seasons, overrides, at))

    def survivors(self, inputs: DecisionInputs) -> Words:
        """The index's answer: a superset of the offers that a plain evaluation would allow.

        Asked for twice of each decision: to find its subjects, and to decide about them.
        """
        last = self._survived  # read once: another thread may put its own there
        if last is not None and _asks_the_same(last[0], inputs):
            return last[1]
        words = self._survivors(inputs)
        self._survived = inputs, words
        return words

    def gaps(self, locale: str) -> dict[int, Gaps]:
        """Position -> what may be missing from the words that a customer with this locale gets; filled as asked for."""
        return self._gaps.get(locale, dict)

    def _survivors(self, inputs: DecisionInputs) -> Words:
        silent = self.silent(inputs.now)
        asked = tuple([each.placement for each in inputs.request.placements if each.placement not in silent])
        granted = inputs.profile.purposes, inputs.profile.channels
        key = self.interval(inputs.now), inputs.seasons, asked, inputs.request.locale, granted
        words = self._general.get(key, lambda: self._for_anybody(key)).copy()
        view = View(facts_of(inputs), NO_FACTS, inputs.whereabouts, self.places, inputs.now)
        for mask in self.index.masks(view):
            words &= mask
        return self.arms.in_force(words, inputs)

    def offer(self, offer_id: OfferId, inputs: DecisionInputs) -> Offer | None:
        """An offer as this customer sees it."""
        written = self.by_id.get(offer_id)
        if written is None or written.experiment is None or not written.looks:
            return written
        arm = arm_in(written.experiment, inputs)
        return next((way for way in ways(written) if way.arm == arm), written)

    def offers(self, inputs: DecisionInputs) -> Iterator[Offer]:
        """Every offer once, as this customer sees it, in layout order of those as written."""
        for offer in self.layout:
            if not offer.arm:
                yield self.offer(offer.id, inputs) or offer

    def _for_anybody(self, key: _General) -> Words:
        """What is live now, stands where it is asked for, is written for this locale and allowed by these consents."""
        interval, seasons, placements, locale, granted = key
        asked = bits.empty(self.size)
        for placement in placements:
            if placement in self._placed:
                asked = asked | self._placed[placement]
        words = self.live(interval, seasons)[0] & asked
        words &= self._locales.get(locale, lambda: self._locale_words(locale))
        return words & self._consents.get(granted, lambda: self._consent_words(*granted))

    def selectors_of(self, words: Words) -> list[str]:
        """Keys of the selectors that the offers of a bitmap use, sorted."""
        return sorted(about.key for about, members in self._about.items() if about and (words & members).any())

    def silent(self, now: Millis) -> Mapping[PlacementId, QuietHours]:
        """The placements in whose channel nothing may be shown at `now`."""
        return quiet.quiet_now(self.quiet, self.placements, now) if self.quiet else NOT_QUIET

    def asked(self, inputs: DecisionInputs) -> tuple[tuple[PlacementId, Placement | None, int], ...]:
        """(placement, its definition here if any, items wanted: 0 in quiet hours), in the order asked."""
        wanted, silent = inputs.request.placements, self.silent(inputs.now)
        return tuple(
            (each.placement, self.placements.get(each.placement), 0 if each.placement in silent else each.limit)
            for each in wanted
        )


def _asks_the_same(one: DecisionInputs, other: DecisionInputs) -> bool:
    """Whether the index gives the same answer, told from the very objects: subjects do not enter it."""
    return (
        one.request is other.request
        and one.profile is other.profile
        and one.whereabouts is other.whereabouts
        and one.now == other.now
        and one.seasons == other.seasons
        and one.arms == other.arms
    )


def subjects_of(offer: Offer, inputs: DecisionInputs) -> tuple[Subject, ...]:
    """The subjects an offer can be about in these inputs."""
    if offer.about is None:
        return ABOUT_NOTHING
    return inputs.subjects.get(offer.about.key, NO_SUBJECTS)


def quoted(offer: Offer, subject: Subject, now: Millis) -> Quote | None:
    """What an offer costs about a subject; None: it has no price, or PRICE_UNKNOWN."""
    return None if offer.price is None else price_of(offer.price, subject.facts, now)


def facts_of(inputs: DecisionInputs) -> FactDict:
    """customer.* and context.* facts together."""
    return {**inputs.profile.facts, **inputs.request.context}


def consents(consent: Consent, purposes: Sequence[str], channels: Sequence[str]) -> bool:
    """Whether everything the offer needs was granted."""
    return set(consent.purposes) <= set(purposes) and set(consent.channels) <= set(channels)


def _with_limits(offer: Offer, limits: tuple[Limit, ...]) -> Offer:
    """The offer under the caps of policies.yaml too; fallbacks ignore caps by definition."""
    return split(offer if offer.fallback or not limits else replace(offer, limits=(*offer.limits, *limits)))

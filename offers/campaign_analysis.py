"""What a campaign says that cannot be meant: conditions that never or always hold, an offer nobody can get.

Every finding is a warning and certain; what is not certain is not said. The campaign has no errors by then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from offers.arms import ways
from offers.campaign import ReadCampaign
from offers.campaign_arms import inner
from offers.campaign_conflicts import Conflict, Judge
from offers.campaign_draft import Vocabulary, span
from offers.campaign_values import LATER_LEVELS
from offers.campaign_words import check_words
from offers.condition import ALWAYS, Condition, Leaf, Op, leaves
from offers.offer import Offer, RelativeTime, Schedule, Selector
from offers.schedule import active_seasons, next_change, status
from offers.season import Season
from offers.subjects import ARRIVED_MS, BOARDING_MS, CHECK_IN_MS, SALES_HORIZON_MS
from streams.attributes import PHASES
from streams.positioned_yaml import MapNode, Node, TextNode
from streams.sheet import Sheet

MAX_CHANGES = 5_000
"""Boundaries of a schedule that are looked at: three a day for over four years."""
MAX_JUDGED = 200
"""A campaign with more conditions is not judged: a file made by a machine must not hold up the check."""
_DEPARTS_IN = "sailing.departs_in"
DEPARTURE, ARRIVAL = "sailing.departure", "sailing.arrival"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a campaign is judged against."""

    words: Vocabulary
    seasons: tuple[Season, ...]


def analyse(sheet: Sheet, declared: Declared, read: ReadCampaign, root: Node) -> None:
    """Adds the warnings about one campaign to its sheet."""
    offer = read.campaign.offer
    if not offer.fallback:  # it ignores its conditions, which FALLBACK_IGNORES says
        _check_conditions(sheet, declared.words, read)
        _check_schedule(sheet, declared.seasons, offer.schedule, root)
        _check_history(sheet, offer, read.offer_node)
    check_words(sheet, declared.words, offer, root)
    arms = inner(inner(root, "experiment"), "arms")
    for way in ways(offer):
        if way.arm and (arm := inner(arms, way.arm)) is not None:
            check_words(sheet, declared.words, way, arm)


def _check_conditions(sheet: Sheet, words: Vocabulary, read: ReadCampaign) -> None:
    offer = read.campaign.offer
    written, given = (offer.eligibility, offer.applicability, offer.suitability), _given(offer)
    if len(given) < 2 and all(condition == ALWAYS for condition in written):
        return
    if sum(1 for condition in written for _ in leaves(condition)) > MAX_JUDGED:
        return
    judge = Judge(words.attributes, (*given, *written))
    for conflict in judge.conflicts((*given, *written)):
        _say_never(sheet, conflict, read.offer_node)
    said: set[str] = set()
    for condition in written:
        for parts in judge.always(condition):
            _say_always(sheet, parts, said)


def _given(offer: Offer) -> list[Leaf]:
    """What holds of every subject the offer can be about; the text says why."""
    found = _of_subject(offer.about) if offer.about is not None else []
    starts, ends = offer.schedule.starts_relative, offer.schedule.ends_relative
    if starts is not None:
        found += _since_the_start(starts)
    if ends is not None:
        found += _before_the_end(ends)
    return found


def _of_subject(about: Selector) -> list[Leaf]:
    match about.kind, about.mode:
        case "booking", _:
            return [Leaf("booking.status", Op.IN, ("open",), text="an offer about a booking is about open ones")]
        case "venue", "id":
            return [Leaf("venue.id", Op.IN, (about.venue or "",), text=f"the offer is about {about.venue}")]
        case "venue", "on_board":
            return [Leaf("venue.on_board", Op.IN, (True,), text="the offer is about venues on board")]
        case "venue", _:
            return []
        case "sailing", "next":
            return [Leaf(_DEPARTS_IN, Op.RANGE, low=1.0, text="the offer is about a sailing still to depart")]
        case _:
            return _ahead(about)


def _ahead(about: Selector) -> list[Leaf]:
    """Sailings that are looked for in the timetable."""
    within = about.within_ms or SALES_HORIZON_MS
    why = f"the offer is about sailings within {span(within)}"
    found = [Leaf(_DEPARTS_IN, Op.RANGE, low=1.0, high=float(within), text=why)]
    if about.line is not None:
        found.append(Leaf("sailing.line", Op.IN, (about.line,), text=f"the offer is about sailings on {about.line}"))
    return found


def _since_the_start(starts: RelativeTime) -> list[Leaf]:
    """`from: 48 h before sailing.departure`: how long before a departure it is at most, and so in which phase."""
    why, before = f"the schedule begins {_told(starts)}", -starts.offset_ms
    if starts.attribute == DEPARTURE:
        lasts = (before > CHECK_IN_MS, before > BOARDING_MS, before > 0, True, True)
        reached = tuple(phase for phase, some in zip(PHASES, lasts, strict=True) if some)
        return [Leaf(_DEPARTS_IN, Op.RANGE, high=float(before), text=why), _in_phase(reached, why)]
    if starts.attribute == ARRIVAL and before <= 0:
        return [Leaf(_DEPARTS_IN, Op.RANGE, high=0.0, text=why), _in_phase(PHASES[-1:], why)]
    return []


def _before_the_end(ends: RelativeTime) -> list[Leaf]:
    """`until: 90 min before sailing.departure`: how long before a departure it is at least, and so in which phase."""
    why, before = f"the schedule ends {_told(ends)}", -ends.offset_ms
    if ends.attribute == DEPARTURE:
        begins = (before + 1, CHECK_IN_MS, BOARDING_MS, 0, 0)
        reached = tuple(phase for phase, at in zip(PHASES, begins, strict=True) if before < at)
        return [Leaf(_DEPARTS_IN, Op.RANGE, high=float(before), negated=True, text=why), _in_phase(reached, why)]
    if ends.attribute == ARRIVAL and before >= 0:
        return [_in_phase(PHASES[:-1], why)]
    return []


def _in_phase(phases: tuple[str, ...], why: str) -> Leaf:
    """One of these phases; that of a cancelled trip is not known."""
    later = (name for name, after in LATER_LEVELS["booking.phase"].items() if after in phases)
    return Leaf("booking.phase", Op.IN, (*phases, *later), on_missing=True, text=why)


def _told(end: RelativeTime) -> str:
    if not end.offset_ms:
        return f"at {end.attribute}"
    return f"{span(abs(end.offset_ms))} {'before' if end.offset_ms < 0 else 'after'} {end.attribute}"


def _say_never(sheet: Sheet, conflict: Conflict, offer: Node) -> None:
    """NEVER_HOLDS at the last of the conditions in each other's way; REACHES_NOBODY where it is the offer itself."""
    given = [part.text for part in conflict.parts if isinstance(part, Leaf) and not part.where]
    own = _places(conflict.branch or conflict.parts)
    if not own:
        message = f"{', but '.join(dict.fromkeys(given))}."
        sheet.warn(offer, "REACHES_NOBODY", message, "Nobody gets the offer; correct one of them.")
        return
    at = max(own, key=_position)
    others = [place for place in _places(conflict.parts) if place != at]
    beside = f" together with {_named(others)}" if others else ""
    because = f", for {' and '.join(dict.fromkeys(given))}" if given else ""
    message = f"{_quoted(at)} can never hold{beside}{because}."
    hint = "This alternative is never taken; correct it, or remove it."
    if not conflict.branch:
        hint = "Nobody gets the offer; correct it." if not others else "Nobody gets the offer; correct one of them."
    sheet.warn(_node(at), "REACHES_NOBODY" if given and not conflict.branch else "NEVER_HOLDS", message, hint)


def _say_always(sheet: Sheet, parts: Sequence[Condition], said: set[str]) -> None:
    """ALWAYS_HOLDS, once a place."""
    places = _places(parts)
    at = max(places, key=_position)
    if at.where in said:
        return
    said.add(at.where)
    others = [place for place in places if place != at]
    message = f"one of {_named(others)} and {_quoted(at)} always holds" if others else f"{_quoted(at)} always holds"
    sheet.warn(_node(at), "ALWAYS_HOLDS", f"{message}, whatever is known or missing.", "Correct it, or remove it.")


def _places(parts: Iterable[Condition]) -> list[Leaf]:
    """The written leaf that begins each, once a place, in the order of the file."""
    found: dict[str, Leaf] = {}
    for part in parts:
        first = next((leaf for leaf in leaves(part) if leaf.where), None)
        if first is not None:
            found.setdefault(first.where, first if part is first else replace(first, text=f"any: {first.text}, ..."))
    return sorted(found.values(), key=_position)


def _position(leaf: Leaf) -> tuple[int, int]:
    """Where the campaign says it, or takes it over from another file."""
    _, line, column = (leaf.via or leaf.where).rsplit(":", 2)
    return int(line), int(column)


def _node(leaf: Leaf) -> Node:
    line, column = _position(leaf)
    return TextNode("", True, line, column, (leaf.via or leaf.where).rsplit(":", 2)[0])


def _quoted(leaf: Leaf) -> str:
    return f"'{leaf.text}' ({leaf.where})" if leaf.via else f"'{leaf.text}'"


def _named(places: Sequence[Leaf]) -> str:
    return " and ".join(_quoted(leaf) if leaf.via else f"{_quoted(leaf)} ({leaf.where})" for leaf in places)


def _check_schedule(sheet: Sheet, seasons: tuple[Season, ...], schedule: Schedule, root: Node) -> None:
    """NEVER_LIVE where days, hours and seasons leave nothing between a beginning and an end."""
    if schedule.starts is None or schedule.ends is None or schedule.local or _opens(schedule, seasons):
        return
    node = root.entries["schedule"][1] if isinstance(root, MapNode) and "schedule" in root.entries else root
    parts = {"days": schedule.days, "hours": schedule.hours, "season": schedule.seasons}
    named = " and ".join(f"'{name}'" for name, part in parts.items() if part)
    message = f"no time between 'from' and 'until' is within {named}."
    unless = ", unless the market switches its season on" if schedule.seasons else ""
    sheet.warn(node, "NEVER_LIVE", message, f"Nobody gets the offer{unless}; correct one of them.")


def _check_history(sheet: Sheet, offer: Offer, node: Node) -> None:
    """REACHES_NOBODY where it begins for a booking when that is history."""
    starts = offer.schedule.starts_relative
    if starts is None or offer.about is None or offer.about.kind != "booking":
        return
    if starts.attribute == ARRIVAL and starts.offset_ms >= ARRIVED_MS:
        message = f"a booking is history {span(ARRIVED_MS)} after its arrival, but the schedule begins {_told(starts)}."
        sheet.warn(node, "REACHES_NOBODY", message, "Nobody gets the offer; correct one of them.")


def _opens(schedule: Schedule, seasons: tuple[Season, ...]) -> bool:
    """Whether it is ever live; True also where that takes too long to tell."""
    at, end = schedule.starts or 0, schedule.ends or 0
    own = [season for season in seasons if season.name in schedule.seasons]
    for _ in range(MAX_CHANGES):
        active, changes_at = active_seasons(own, {}, at)
        if status(schedule, at, active) is None:
            return True
        ahead = [change for change in (next_change(schedule, at), changes_at) if change]
        at = min(ahead, default=end)
        if at >= end:
            return False
    return True

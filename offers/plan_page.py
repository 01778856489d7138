"""A plan for people: lines for a terminal, Markdown for a merge request."""

from collections.abc import Iterable, Iterator, Sequence

from offers.plan_report import Estimate, PlanReport, Population, Shift
from offers.revision_changes import CampaignChange, FileChange
from offers.source_changes import SourceChange

FEW = 30
"""Under so many customers whose decisions differ the interval is said to be rough."""
MOST_ROWS = 20
"""Of a table; machines get every row."""
PER = 1_000
"""Value is told for so many decisions."""
NOTHING = "nothing"
Row = tuple[str, ...]


def page(found: PlanReport) -> Iterator[str]:
    """For a terminal, line by line."""
    yield f"{found.base} -> {found.head}: {_summary(found)}"
    for campaign in found.campaigns:
        yield ""
        yield _campaign(campaign)
        yield from (f"  {change}  [{_places(change)}]" for change in campaign.changes)
    for file in found.files:
        yield ""
        yield _file(file)
        yield from (f"  {change}  [{_places(change)}]" for change in file.changes)
    if found.population is not None:
        yield ""
        yield from _sentences(found.population, found.model)
        for title, head, rows in _tables(found.population, found.by):
            yield ""
            yield f"{title}:"
            yield from _columns([head, *rows[:MOST_ROWS]])
            yield from _rest(rows, "  ")


def markdown(found: PlanReport) -> Iterator[str]:
    """For a merge request: what matters in a few lines, the rest folded away."""
    yield f"### Campaign plan `{found.base}` → `{found.head}`"
    yield ""
    yield f"{_summary(found)[0].upper()}{_summary(found)[1:]}"
    if found.population is not None:
        yield ""
        yield from (f"- {sentence}" for sentence in _sentences(found.population, found.model))
    written = [
        *((_campaign(each), each.changes) for each in found.campaigns),
        *((_file(f), f.changes) for f in found.files),
    ]
    if written:
        yield from _folded("What is written otherwise", _written(written))
    for number, (title, head, rows) in enumerate(_tables(found.population, found.by) if found.population else ()):
        table = [*_cells(head, rows[:MOST_ROWS]), *_rest(rows, "")]
        if number == 0:
            yield from ("", f"**{title}**", "", *table)
        else:
            yield from _folded(title, table)


def _summary(found: PlanReport) -> str:
    told = []
    for kind, words in (("added", "added"), ("removed", "removed"), ("changed", "changed")):
        number = sum(each.kind == kind and each.decides for each in found.campaigns)
        told += [f"{number:,} {'campaign' if number == 1 else 'campaigns'} {words}"] if number else []
    number = sum(not each.decides for each in found.campaigns)
    told += [f"{number:,} only written otherwise"] if number else []
    number = len(found.files)
    told += [f"{number:,} {'file' if number == 1 else 'files'} beside them changed"] if number else []
    return f"{', '.join(told)}." if told else "nothing changes."


def _campaign(change: CampaignChange) -> str:
    where = change.after_at or change.before_at
    moved = f", moved from {change.before_at}" if _moved(change) else ""
    note = ""
    if change.kind == "changed" and not change.decides:
        note = ": decides as before"
    elif change.kind == "changed" and not change.changes:
        note = ": by what it takes from files beside it"
    return f"{change.kind} {change.campaign}{note}  [{where}{moved}]"


def _moved(change: CampaignChange) -> bool:
    before, after = (at.rpartition(":")[0] for at in (change.before_at, change.after_at))
    return bool(before and after) and before != after


def _file(change: FileChange) -> str:
    return f"{change.kind} {change.path}"


def _places(change: SourceChange) -> str:
    return " -> ".join(at for at in (change.before_at, change.after_at) if at)


def _sentences(found: Population, model: str) -> Iterator[str]:
    share = found.changed / found.decisions
    of = f"{found.decisions:,} decisions of {found.customers:,} customers made again on both sides (scores: {model})"
    yield f"{of}: {found.changed:,} ({share:.1%}) would show something else."
    base, head = found.value_base.mean * PER, found.value_head.mean * PER
    yield f"Expected value of {PER:,} decisions: {base:,.2f} -> {head:,.2f}, {_difference(found)}."
    for key, number in found.unbound.items():
        yield (
            f"{number:,} of them were logged without looking for {key}, so offers about it are missing there: "
            "no campaign asked for it then."
        )


def _difference(found: Population) -> str:
    if found.value_difference.low == found.value_difference.high:
        return "the same in every decision"
    mean, low, high = (f"{number * PER:+,.2f}" for number in _numbers(found.value_difference))
    customers = found.differing_customers
    rough = f"; rough, since only {customers} customers differ" if customers < FEW else ""
    if found.customers < 2:
        return f"a difference of {mean} (one customer: no interval)"
    return f"a difference of {mean} (95 %: {low} to {high}; effective n {found.effective_n:,.0f}{rough})"


def _numbers(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.mean, estimate.low, estimate.high


Table = tuple[str, Row, list[Row]]
"""(title, head, rows)"""


def _tables(found: Population, by: str) -> Iterator[Table]:
    """Those that have rows."""
    both = ("shown before", "after")
    offers: list[Row] = [_shift(each)[:2] + _shift(each)[3:] for each in _whole(found.shifts)]
    if offers:
        yield "Who gains and who loses, in decisions", ("offer", "placement", *both, "gained", "lost"), offers
    swaps: list[Row] = [
        (each.base or NOTHING, each.head or NOTHING, each.placement, f"{each.decisions:,}") for each in found.swaps
    ]
    if swaps:
        yield "What would stand where something else stood", ("instead of", "would be", "placement", "decisions"), swaps
    if by and found.shifts:
        rows = [_shift(each) for each in found.shifts]
        yield f"By {by}", ("offer", "placement", by, *both, "gained", "lost"), rows
    held: list[Row] = [
        (each.offer, f"{each.base:,}", f"{each.head:,}") for each in found.held_back if each.base or each.head
    ]
    if held:
        yield "Kept out by a limit or a suppression alone, in decisions", ("offer", "before", "after"), held
    fallbacks: list[Row] = [
        (each.offer, f"{each.base:,}", f"{each.head:,}") for each in found.fallbacks if each.base != each.head
    ]
    if fallbacks:
        yield "Left to the fallback, in decisions", ("placement", "before", "after"), fallbacks


def _shift(each: Shift) -> Row:
    numbers = (f"{number:,}" for number in (each.base, each.head, each.gained, each.lost))
    return each.offer, each.placement, each.segment, *numbers


def _whole(shifts: Iterable[Shift]) -> list[Shift]:
    """All segments together."""
    summed: dict[tuple[str, str], Shift] = {}
    for each in shifts:
        key = each.offer, each.placement
        known = summed.get(key, Shift(*key, "", 0, 0, 0, 0))
        summed[key] = Shift(
            *key, "", known.base + each.base, known.head + each.head, known.gained + each.gained, known.lost + each.lost
        )
    return sorted(summed.values(), key=lambda each: (-each.gained - each.lost, each.offer, each.placement))


def _columns(rows: Sequence[Row]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (
            cell.rjust(width) if _number(cell) else cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        )
        yield f"  {'  '.join(cells)}".rstrip()


def _cells(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell if _number(cell) else _code(cell) for cell in row)} |"


def _rest(rows: Sequence[Row], indent: str) -> Iterator[str]:
    if len(rows) > MOST_ROWS:
        yield ""
        yield f"{indent}and {len(rows) - MOST_ROWS:,} more; --json has all of them"


def _written(changes: Iterable[tuple[str, Sequence[SourceChange]]]) -> Iterator[str]:
    for title, found in changes:
        yield f"- {_code(title)}"
        yield from (f"  - {_code(str(change))} ({_places(change)})" for change in found)


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ("", f"<details><summary>{title}</summary>", "", *lines, "", "</details>")


def _code(text: str) -> str:
    """As it is, whatever stands in it."""
    return "`" + text.replace("`", "'").replace("|", "\\|").replace("\n", " ") + "`"


def _number(cell: str) -> bool:
    return cell.replace(",", "").isdigit()

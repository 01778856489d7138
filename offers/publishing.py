"""What `campaigns publish`, `history`, `rollback`, `stop` and `lift` do: check, keep, and tell the ledger."""

import getpass
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from tempfile import NamedTemporaryFile

from offers import approvals, revisions
from offers.approval_rules import Rules
from offers.ledger import Ledger
from offers.publications import MAX_HISTORY, Draft, Publication
from offers.stops import CampaignStop
from streams.errors import InvalidInput, NotFound
from streams.findings import Finding, has_errors
from streams.ids import CampaignId, Millis, RevisionId
from streams.settings import Settings

BASE_FILE = ".offing-base"
"""In a campaign folder: for each namespace the revision last published from it. No part of a revision; not for git."""
NAMED = re.compile(rb"^campaign:[ \t]*(['\"]?)([a-z0-9-]{1,64})\1[ \t]*(?:#.*)?\r?$", re.MULTILINE)
MAX_BASE_FILE = 65_536


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person who publishes says."""

    message: str
    author: str = ""
    base: str = ""
    activate_at: Millis | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it."""

    publication: Publication
    fresh: bool
    """False: that very revision was the newest already."""
    findings: tuple[Finding, ...] = ()


def publish(folder: Path, wish: Wish, settings: Settings, book: Ledger, now: Millis) -> Done:
    """Check the folder, keep it, publish it, and remember that it was.

    Whoever must approve it, it waits for them. Raises InvalidInput CAMPAIGNS_INVALID, BASE_UNKNOWN, BASE_MOVED,
    ACTIVE_MOVED, AT_PAST, MESSAGE, AUTHOR; nothing is published then.
    """
    kept = revisions.keep(folder, settings.artifacts)
    findings = revisions.loaded_of(kept).findings  # what it left is what workers load
    refuse(findings)
    revision, newest = RevisionId(kept.name), book.publications.newest()
    if newest is not None and newest.revision == revision and wish.activate_at is None and _stands(newest, now):
        _write_base(folder, settings.namespace, revision)
        return Done(newest, False, findings)
    base = RevisionId(wish.base) if wish.base else _base(folder, settings.namespace, book.publications.standing())
    draft = Draft(revision, base, wish.author or author(), wish.message, wish.activate_at)
    made = book.publications.publish(_compared(draft, kept, book, now), now)
    _write_base(folder, settings.namespace, revision)
    return Done(made, True, findings)


def rollback(to: str, wish: Wish, settings: Settings, book: Ledger, now: Millis) -> Publication:
    """Publish an earlier revision again: the one named, or the one before the newest. What was active needs nobody's

    approval, unless other rules of approval come back with it. Raises NotFound NOTHING_BEFORE, REVISION_UNKNOWN,
    InvalidInput REVISION_BROKEN, BASE_MOVED, ACTIVE_MOVED, MESSAGE, AUTHOR.
    """
    newest = book.publications.newest()
    earlier = RevisionId(to) if to else _before(newest, book)
    kept = revisions.whole(earlier, settings.artifacts)
    base = None if newest is None else newest.revision
    draft = Draft(earlier, base, wish.author or author(), wish.message, wish.activate_at)
    return book.publications.publish(_asked(draft, kept, book, now), now)


def activate(revision: str, wish: Wish, settings: Settings, book: Ledger, now: Millis) -> Publication:
    """Publish a revision that is kept here; its base is what `wish` names, or nothing. For approvals as rollback().

    Raises NotFound REVISION_UNKNOWN, InvalidInput REVISION_BROKEN, CAMPAIGNS_INVALID, BASE_MOVED, ACTIVE_MOVED,
    AT_PAST, MESSAGE, AUTHOR.
    """
    kept = revisions.whole(revision, settings.artifacts)
    refuse(revisions.loaded_of(kept).findings)
    base = RevisionId(wish.base) if wish.base else None
    draft = Draft(RevisionId(revision), base, wish.author or author(), wish.message, wish.activate_at)
    return book.publications.publish(_asked(draft, kept, book, now), now)


def refuse(findings: tuple[Finding, ...]) -> None:
    """Raises InvalidInput CAMPAIGNS_INVALID with every error."""
    errors = [str(each) for each in findings if has_errors((each,))]
    if errors:
        raise InvalidInput("CAMPAIGNS_INVALID", "\n".join(errors))


def stop(campaign: str, reason: str, by: str, settings: Settings, book: Ledger, now: Millis) -> CampaignStop:
    """Stop a campaign that is known here. Raises NotFound CAMPAIGN_UNKNOWN with the nearest, InvalidInput REASON."""
    known = set(campaigns_of(active_folder(settings, book, now)))
    if known:
        check_known(campaign, known)
    return book.stops.stop(CampaignId(campaign), reason, by or author(), now)


def check_known(campaign: str, known: Collection[str]) -> None:
    """Raises NotFound CAMPAIGN_UNKNOWN with the nearest: a stop of a misspelt one would stop nothing."""
    if campaign not in known:
        near = get_close_matches(campaign[:64], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "`campaign:` in its file is its id"
        raise NotFound("CAMPAIGN_UNKNOWN", f"no campaign {campaign[:64]!r} is active; {hint}")


def active_folder(settings: Settings, book: Ledger, now: Millis) -> Path:
    """Where the files of what is active lie; there need not be such a folder on this host."""
    published = book.publications.active(now) if settings.published else None
    return settings.campaigns if published is None else settings.artifacts / "revisions" / published.revision


def campaigns_of(folder: Path) -> Iterator[str]:
    """The ids that files name at their top. Nothing is checked: a stop must not wait until 100,000 files are."""
    for file in revisions.files(folder):
        found = NAMED.search(file.read_bytes()) if file.suffix == ".yaml" else None
        if found is not None:
            yield found[2].decode()


def author() -> str:
    """Who runs this: OFFING_AUTHOR is no setting, the user of this host is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _asked(draft: Draft, kept: Path, book: Ledger, now: Millis) -> Draft:
    """With the approvals it needs: what was active before needs none but those of rules that come back with it."""
    ran = next((each for each in book.publications.history(MAX_HISTORY) if _ran(each, draft.revision, now)), None)
    return _compared(draft, kept, book, now) if ran is None else _brought_back(draft, ran.rules, book, now)


def _compared(draft: Draft, kept: Path, book: Ledger, now: Millis) -> Draft:
    """With the approvals it needs. Where neither side has rules nothing is compared."""
    active, loaded = book.publications.active(now), revisions.loaded_of(kept)
    refuse(loaded.findings)
    folder = loaded.campaigns
    rules, before = folder.approvals if folder else (), active.rules if active else ()
    needs: Rules = ()
    if folder is not None and (rules or before):
        running = approvals.active_side(active.revision if active else None, before, kept.parent.parent)
        needs = approvals.needed(running, approvals.side(kept, folder))
    return replace(draft, rules=rules, needs=needs, against=active.number if active else 0)


def _brought_back(draft: Draft, rules: Rules, book: Ledger, now: Millis) -> Draft:
    active = book.publications.active(now)
    needs = approvals.rules_changed(active.rules if active else (), rules)
    return replace(draft, rules=rules, needs=needs, against=active.number if active else 0)


def _ran(publication: Publication, revision: RevisionId, now: Millis) -> bool:
    since = publication.active_from
    return publication.revision == revision and since is not None and since <= now


def _stands(newest: Publication, now: Millis) -> bool:
    """Whether publishing the very same again would change nothing."""
    return not newest.waits(now) and newest.rejected_at is None


def _before(newest: Publication | None, book: Ledger) -> RevisionId:
    for earlier in book.publications.history(MAX_HISTORY):
        if newest is not None and earlier.number < newest.number and earlier.revision != newest.revision:
            if earlier.active_from is not None:
                return earlier.revision
    raise NotFound("NOTHING_BEFORE", "nothing was published before; `offing campaigns history` shows what was")


def _base(folder: Path, namespace: str, standing: Publication | None) -> RevisionId | None:
    """What this working copy was last published as. Raises InvalidInput BASE_UNKNOWN where nobody knows."""
    if standing is None:
        return None
    found = _bases(folder).get(namespace)
    if found is None:
        message = (
            f"{folder} was never published from here, and {standing.revision} is published (by {standing.author}: "
            f"{standing.message!r}); if your folder has that change, publish with --base {standing.revision}"
        )
        raise InvalidInput("BASE_UNKNOWN", message)
    return RevisionId(found)


def _bases(folder: Path) -> dict[str, str]:
    """Namespace -> revision, of lines `namespace revision`."""
    try:
        text = (folder / BASE_FILE).read_bytes()[:MAX_BASE_FILE].decode(errors="replace")
    except FileNotFoundError:
        return {}
    lines = (line.split() for line in text.splitlines())
    return {line[0]: line[1] for line in lines if len(line) == 2 and revisions.NAME.fullmatch(line[1])}


def _write_base(folder: Path, namespace: str, revision: RevisionId) -> None:
    bases = {**_bases(folder), namespace: str(revision)}
    text = "".join(f"{name} {of}\n" for name, of in sorted(bases.items()))
    with NamedTemporaryFile("w", dir=folder, prefix=f"{BASE_FILE}-", delete=False) as file:
        file.write(text)
    os.replace(file.name, folder / BASE_FILE)

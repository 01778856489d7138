"""What a process follows in the ledger: publications, their times, stops; what is bad leaves what runs in place."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from offers import last_wanted, published, revisions
from offers.activation import Activation, Sources
from offers.ledger import Ledger, Wanted
from offers.publications import Draft, Publication
from streams.errors import InvalidInput, NotFound, Retry
from streams.ids import CampaignId, Millis, RevisionId
from tests.makers import NOW
from tests.service import CAMPAIGNS, PATIENCE_S

CABIN = CampaignId("cabin-upgrade-livorno-olbia")
FILE = Path("campaigns/cabin-upgrade.yaml")
UPGRADE = "cabin-upgrade-inside"


class Publishing:
    """A ledger, its artifacts, a folder of campaigns that somebody works on, and a process that follows."""

    def __init__(self, root: Path) -> None:
        self.folder = Path(shutil.copytree(CAMPAIGNS, root / "campaigns"))
        self.artifacts = root / "artifacts"
        self.artifacts.mkdir()
        self.file = self.artifacts / "ledger.sqlite"
        self.ledger = Ledger(f"sqlite:///{self.file}", "tests")
        self.ledger.migrate()
        self.now: Millis = NOW
        self.started: list[Activation] = []

    def keep(self, title: str = "Your cabin for tonight") -> RevisionId:
        """The folder with this title of the cabin's campaign, kept."""
        path = self.folder / FILE
        path.write_text((CAMPAIGNS / FILE).read_text().replace("Your cabin for tonight", title))
        return RevisionId(revisions.keep(self.folder, self.artifacts).name)

    def publish(self, revision: RevisionId, at: Millis | None = None) -> Publication:
        newest = self.ledger.publications.newest()
        draft = Draft(revision, None if newest is None else newest.revision, "ada", "a title", at)
        return self.ledger.publications.publish(draft, self.now)

    def process(self, *, published: bool = True) -> Activation:
        """A process that has loaded and follows."""
        sources = Sources(self.folder, self.artifacts, self.ledger, published, lambda: self.now)
        active = Activation(sources)
        active.load()
        active.start()
        self.started.append(active)
        return active


@pytest.fixture
def publishing(tmp_path: Path) -> Iterator[Publishing]:
    made = Publishing(tmp_path)
    yield made
    for active in made.started:
        active.stop()
    made.ledger.close()


def running(active: Activation) -> str:
    return active.engine().catalog.revision


def eventually(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < deadline
        sleep(0.01)


def test_every_process_takes_what_is_published_and_the_folder_is_nobody_s(publishing: Publishing) -> None:
    first = publishing.keep()
    publishing.publish(first)
    processes = [publishing.process() for _ in range(2)]
    second = publishing.keep("A cabin")
    assert {running(active) for active in processes} == {first}
    publishing.publish(second)
    eventually(lambda: {running(active) for active in processes} == {second})
    publishing.publish(first)
    eventually(lambda: {running(active) for active in processes} == {first})
    assert processes[0].troubles() == ()


def test_where_nothing_is_published_the_start_says_how_to(publishing: Publishing) -> None:
    with pytest.raises(InvalidInput, match="run `offing campaigns publish DIR --message WHY`") as caught:
        publishing.process()
    assert caught.value.code == "NOTHING_PUBLISHED"


def test_a_publication_is_active_from_its_time_on_by_the_clock_of_the_process(publishing: Publishing) -> None:
    first, second = publishing.keep(), publishing.keep("A cabin")
    publishing.publish(first)
    active = publishing.process()
    publishing.publish(second, at=NOW + 60_000)
    sleep(0.6)
    assert running(active) == first
    publishing.now = NOW + 60_000
    eventually(lambda: running(active) == second)
    publishing.now = NOW
    sleep(0.6)
    assert running(active) == second, "a clock set back takes nothing back"


def test_a_publication_that_is_canceled_before_its_time_never_runs(publishing: Publishing) -> None:
    first, second, third = publishing.keep(), publishing.keep("A cabin"), publishing.keep("The cabin")
    publishing.publish(first)
    active = publishing.process()
    publishing.publish(second, at=NOW + 60_000)
    publishing.publish(third)
    eventually(lambda: running(active) == third)
    publishing.now = NOW + 120_000
    sleep(0.6)
    assert running(active) == third


def test_a_revision_that_is_not_here_leaves_what_runs_until_it_comes(
    publishing: Publishing, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "RETRY_S", 0.05)
    first, second = publishing.keep(), publishing.keep("A cabin")
    publishing.publish(first)
    active = publishing.process()
    kept = publishing.artifacts / "revisions" / second
    kept.rename(kept.with_name("elsewhere"))
    publishing.publish(second)
    eventually(lambda: active.troubles() == ("REVISION_UNKNOWN",))
    sleep(0.6)
    assert running(active) == first
    assert caplog.text.count("the published revision was refused; the running revision stays") == 1
    assert "copy it there from where it was published, or share OFFING_ARTIFACTS" in caplog.text
    kept.with_name("elsewhere").rename(kept)
    eventually(lambda: running(active) == second)
    assert active.troubles() == ()


def test_a_revision_of_which_half_has_come_is_not_taken_for_it(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "RETRY_S", 0.05)
    first, second = publishing.keep(), publishing.keep("A cabin")
    publishing.publish(first)
    active = publishing.process()
    file = publishing.artifacts / "revisions" / second / FILE
    whole = file.read_bytes()
    file.unlink()
    publishing.publish(second)
    eventually(lambda: active.troubles() == ("REVISION_BROKEN",))
    assert running(active) == first
    file.write_bytes(whole)
    eventually(lambda: running(active) == second)
    file.write_bytes(whole[:-30])
    with pytest.raises(InvalidInput, match="is not what was published"):
        publishing.process()


def test_after_one_that_cannot_be_had_the_next_is_taken_at_once(publishing: Publishing) -> None:
    first, third = publishing.keep(), publishing.keep("The cabin")
    publishing.publish(first)
    active = publishing.process()
    publishing.publish(RevisionId("r-000000000000"))
    eventually(lambda: active.troubles() == ("REVISION_UNKNOWN",))
    publishing.publish(first)
    eventually(lambda: active.troubles() == ())
    publishing.publish(RevisionId("r-000000000001"))
    eventually(lambda: active.troubles() == ("REVISION_UNKNOWN",))
    publishing.publish(third)
    eventually(lambda: (running(active), active.troubles()) == (third, ()))
    publishing.publish(RevisionId("r-000000000002"))
    with pytest.raises(NotFound, match="no revision 'r-000000000002' is kept"):
        publishing.process()


@pytest.mark.parametrize("published", [True, False], ids=["ledger", "folder"])
def test_a_stop_takes_a_campaign_out_and_holds_through_a_publication_of_it(
    publishing: Publishing, published: bool
) -> None:
    first = publishing.keep()
    publishing.publish(first)
    active = publishing.process(published=published)
    publishing.ledger.stops.stop(CABIN, "4.90 for 49.00", "ada", NOW)
    without = revisions.stopped(first, [CABIN])
    eventually(lambda: running(active) == without)
    assert active.engine().catalog.stopped == {CABIN}
    assert active.revision(without) is active.engine()
    assert active.revision(first).catalog.stopped == frozenset()
    second = publishing.keep("A cabin")
    publishing.publish(second)
    eventually(lambda: running(active) == revisions.stopped(second, [CABIN]))
    assert active.revision(without).catalog.stopped == {CABIN}, "for replay"
    publishing.ledger.stops.lift(CABIN, "ada", NOW)
    eventually(lambda: running(active) == second)


def test_a_stop_of_a_campaign_that_is_not_here_changes_nothing_until_it_comes(publishing: Publishing) -> None:
    first = publishing.keep()
    publishing.publish(first)
    active = publishing.process()
    winter = CampaignId("winter")
    publishing.ledger.stops.stop(winter, "not yet", "ada", NOW)
    publishing.ledger.stops.stop(CABIN, "wrong price", "ada", NOW)
    eventually(lambda: running(active) == revisions.stopped(first, [CABIN]))
    text = (publishing.folder / FILE).read_text()
    other = text.replace(f"campaign: {CABIN}", "campaign: winter").replace(f"id: {UPGRADE}", "id: winter")
    (publishing.folder / "winter.yaml").write_text(other)
    second = RevisionId(revisions.keep(publishing.folder, publishing.artifacts).name)
    publishing.publish(second)
    eventually(lambda: running(active) == revisions.stopped(second, [CABIN, winter]))


def test_a_start_while_the_ledger_is_away_knows_what_was_wanted_last(
    publishing: Publishing, caplog: pytest.LogCaptureFixture
) -> None:
    first = publishing.keep()
    publishing.publish(first)
    before = publishing.process()
    publishing.ledger.stops.stop(CABIN, "wrong price", "ada", NOW)
    eventually(lambda: before.engine().catalog.stopped == {CABIN})
    publishing.file.rename(publishing.file.with_name("away"))
    publishing.ledger.close()
    for where in (True, False):
        active = publishing.process(published=where)
        assert running(active) == revisions.stopped(first, [CABIN])
        assert active.troubles() == ("LEDGER_SCHEMA",)
    assert "the ledger does not answer; what it wanted last stays" in caplog.text


def test_a_start_without_ledger_or_memory_serves_a_folder_and_nothing_published(publishing: Publishing) -> None:
    first = publishing.keep()
    publishing.file.rename(publishing.file.with_name("away"))
    publishing.ledger.close()
    assert running(publishing.process(published=False)) == first
    with pytest.raises(Retry):
        publishing.process()


def test_what_was_wanted_last_is_read_or_is_nothing(tmp_path: Path) -> None:
    path = last_wanted.path_of(tmp_path / "new", "tests")
    wanted = Wanted("m-1", RevisionId("r-1"), frozenset({CABIN}))
    assert last_wanted.recall(path) is None
    last_wanted.remember(path, wanted)
    assert last_wanted.recall(path) == wanted
    assert [file.name for file in path.parent.iterdir()] == ["wanted-tests.json"]
    for other in (b"", b"{", b'{"v":9,"wanted":{"model":null,"revision":null,"stopped":[]}}', b'{"v":1}'):
        path.write_bytes(other)
        assert last_wanted.recall(path) is None

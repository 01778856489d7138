"""What is active: followed beside the traffic and swapped whole; whatever is bad leaves what runs in place."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import anyio
import pytest

from offers.activation import KEPT_CATALOGS, MODEL_UNAVAILABLE, Activation, Sources
from offers.folder_watch import POLL_S, pause_s, stamp_of
from offers.ledger import Ledger
from scoring.model_folder import CALIBRATION, COMPILED, MANIFEST, MODEL
from streams import telemetry
from streams.errors import InvalidInput, NotFound
from tests.makers import NOW
from tests.scoring_world import trained
from tests.service import CAMPAIGNS, LIVORNO, PATIENCE_S, Service, items, offers_of, service

UPGRADE, FALLBACK = "cabin-upgrade-inside", "islands-newsletter"
HERE = {"location": LIVORNO}
CABIN = Path("campaigns/cabin-upgrade.yaml")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small trained model; copy its folder to change it."""
    return trained(tmp_path_factory.mktemp("models"))


class Followed:
    """An activation that runs, beside the folder it follows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "campaigns"
        self.artifacts = folder / "artifacts"
        shutil.copytree(CAMPAIGNS, self.folder)
        self.models = self.artifacts / "models"
        self.models.mkdir(parents=True)
        self.ledger = Ledger(f"sqlite:///{self.artifacts / 'ledger.sqlite'}", "tests")
        self.ledger.migrate()
        self.active = Activation(Sources(self.folder, self.artifacts, self.ledger))
        self.active.load()
        self.active.start()

    @property
    def revision(self) -> str:
        return self.active.engine().catalog.revision

    @property
    def model(self) -> str:
        return self.active.engine().propensity.model

    def edit(self, found: str, instead: str, file: Path = CABIN) -> None:
        path = self.folder / file
        text = path.read_text()
        assert found in text
        path.write_text(text.replace(found, instead))

    def activate(self, model: Path) -> None:
        if not (self.models / model.name).exists():
            shutil.copytree(model, self.models / model.name)
        self.ledger.publish("model", model.name, "tests", NOW)
        self.ledger.activate("model", model.name, "tests", NOW)


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    """Follows a copy of the tests' deployment."""
    made = Followed(tmp_path)
    yield made
    made.active.stop()
    made.ledger.close()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < deadline
        sleep(0.01)


def refusals(what: str = "revision") -> float:
    return float(telemetry.RELOADS.labels(what, "refused")._value.get())


# Campaign files


def test_a_change_is_a_new_revision_with_the_new_words(followed: Followed) -> None:
    first = followed.revision
    followed.edit("Your cabin for tonight", "A cabin for tonight")
    eventually(lambda: followed.revision != first)
    kept = followed.artifacts / "revisions" / followed.revision / CABIN
    assert "A cabin for tonight" in kept.read_text(), "kept for replay"


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        ("at_least: gold", "at_least: oro", "campaigns/cabin-upgrade.yaml:9:41: UNKNOWN_LEVEL"),
        ("30 km of port", "30 of port", "campaigns/cabin-upgrade.yaml:12:26: UNIT_MISSING"),
        ("owner: marketing.sardinia", "owner: [", "campaigns/cabin-upgrade.yaml:"),
        ("owner: marketing.sardinia", "owner: \x00", "campaigns/cabin-upgrade.yaml:"),
        ("eligibility:", "elegibility:", "did you mean"),
    ],
    ids=["level", "unit", "syntax", "bytes", "key"],
)
def test_a_broken_file_is_named_by_line_and_leaves_the_running_revision(
    followed: Followed, caplog: pytest.LogCaptureFixture, found: str, instead: str, said: str
) -> None:
    first, refused = followed.revision, refusals()
    followed.edit(found, instead)
    eventually(lambda: "the campaign folder was refused; the running revision stays" in caplog.text)
    assert followed.revision == first
    assert said.lower() in caplog.text.lower()
    followed.edit(instead, found)
    followed.edit("Your cabin", "Mended cabin")
    eventually(lambda: followed.revision != first)
    assert refusals() == refused + 1


def test_a_file_that_is_being_written_goes_live_once_it_is_whole(followed: Followed) -> None:
    first, refused = followed.revision, refusals()
    text = (followed.folder / CABIN).read_bytes().replace(b"Your cabin", b"This cabin")
    (followed.folder / CABIN).write_bytes(text[: len(text) // 2])
    eventually(lambda: refusals() == refused + 1)
    assert followed.revision == first
    (followed.folder / CABIN).write_bytes(text)
    eventually(lambda: followed.revision != first)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00binary", b"a: &a [*a]", b"- " * 50_000], ids=repr)
def test_any_bytes_in_a_file_are_a_refusal_and_never_the_end_of_following(followed: Followed, content: bytes) -> None:
    first, refused = followed.revision, refusals()
    whole = (followed.folder / CABIN).read_bytes()
    (followed.folder / CABIN).write_bytes(content)
    eventually(lambda: refusals() == refused + 1)
    assert followed.revision == first
    (followed.folder / CABIN).write_bytes(whole + b"\n# again\n")
    eventually(lambda: followed.revision != first)


def test_a_folder_that_is_gone_leaves_the_running_revision_until_it_is_back(
    followed: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    first, refused = followed.revision, refusals()
    away = followed.folder.with_name("away")
    followed.folder.rename(away)
    eventually(lambda: refusals() == refused + 1)
    assert followed.revision == first
    eventually(lambda: "is not a folder; OFFING_CAMPAIGNS names the campaign folder" in caplog.text)
    away.rename(followed.folder)
    followed.edit("Your cabin", "Cabin again")
    eventually(lambda: followed.revision != first)


def test_a_removed_campaign_is_no_longer_an_offer(followed: Followed) -> None:
    first = followed.revision
    (followed.folder / CABIN).unlink()
    eventually(lambda: followed.revision != first)
    assert UPGRADE not in followed.active.engine().catalog.by_id


def test_the_same_content_is_the_same_revision(followed: Followed) -> None:
    first = followed.revision
    followed.edit("Your cabin", "A cabin")
    eventually(lambda: followed.revision != first)
    followed.edit("A cabin", "Your cabin")
    eventually(lambda: followed.revision == first)
    assert telemetry.ACTIVE.labels(first, "prior")._value.get() == 1
    running = [
        sample.labels["revision"]
        for metric in telemetry.ACTIVE.collect()
        for sample in metric.samples
        if sample.value == 1 and sample.labels["revision"] == first
    ]
    assert running == [first]


def test_a_revision_that_no_longer_runs_is_not_said_to_be_active(followed: Followed) -> None:
    first = followed.revision
    followed.edit("Your cabin", "The cabin")
    eventually(lambda: followed.revision != first)
    active = {"revision": followed.revision, "model": "prior"}

    def said() -> list[tuple[dict[str, str], float]]:
        return [(sample.labels, sample.value) for metric in telemetry.ACTIVE.collect() for sample in metric.samples]

    eventually(lambda: said() == [(active, 1)])


def test_at_the_start_there_is_no_old_revision_to_keep(followed: Followed) -> None:
    followed.edit("at_least: gold", "at_least: oro")
    fresh = Activation(Sources(followed.folder, followed.artifacts, followed.ledger))
    with pytest.raises(InvalidInput, match=r"campaigns/cabin-upgrade\.yaml:9:41: UNKNOWN_LEVEL") as caught:
        fresh.load()
    assert caught.value.code == "CAMPAIGNS_INVALID"
    with pytest.raises(InvalidInput) as unready:
        fresh.engine()
    assert unready.value.code == "NOT_READY"


def test_kept_revisions_are_found_by_name_and_others_are_not(followed: Followed) -> None:
    first = followed.revision
    followed.edit("Your cabin", "The cabin")
    eventually(lambda: followed.revision != first)
    assert followed.active.revision(followed.revision) is followed.active.engine()
    assert followed.active.revision(first).catalog.revision == first
    for name in ("r-000000000000", "..", "", "models"):
        with pytest.raises(NotFound) as caught:
            followed.active.revision(name)
        assert caught.value.code == "REVISION_UNKNOWN"


def test_of_kept_revisions_the_latest_asked_for_stay_in_memory(followed: Followed) -> None:
    names = [followed.revision]
    for number in range(KEPT_CATALOGS + 1):
        followed.edit(f"Cabin {number}" if number else "Your cabin", f"Cabin {number + 1}")
        eventually(lambda: followed.revision != names[-1])
        names.append(followed.revision)
    for name in names[:-1]:
        assert followed.active.revision(name).catalog.revision == name
    first = followed.active.revision(names[1])
    assert followed.active.revision(names[1]).catalog is first.catalog, "loaded once"


def test_stamps_change_with_every_file_that_counts(tmp_path: Path) -> None:
    assert stamp_of(tmp_path / "nowhere") == ()
    (tmp_path / "a.yaml").write_text("a")
    first = stamp_of(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    assert stamp_of(tmp_path) == first
    assert stamp_of(tmp_path, every=True) != first
    (tmp_path / "a.yaml").write_text("ab")
    assert stamp_of(tmp_path) != first


# Models


def test_a_model_is_swapped_in_and_out_beside_the_traffic(followed: Followed, model: Path) -> None:
    followed.activate(model)
    eventually(lambda: followed.model == model.name)
    assert followed.active.engine().degraded == ()
    first = followed.revision
    followed.edit("Your cabin", "The cabin")
    eventually(lambda: followed.revision != first)
    assert followed.model == model.name, "a new revision keeps it"


def test_a_kept_revision_decides_with_the_model_active_now(followed: Followed, model: Path) -> None:
    first = followed.revision
    followed.edit("Your cabin", "The cabin")
    eventually(lambda: followed.revision != first)
    assert followed.active.revision(first).propensity.model == "prior"
    followed.activate(model)
    eventually(lambda: followed.model == model.name)
    assert followed.active.revision(first).propensity.model == model.name


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _cut(name: str) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:-40])

    return cut


@pytest.mark.parametrize(
    "spoil",
    [shutil.rmtree, _without(MANIFEST), _without(MODEL), _cut(MODEL), _cut(CALIBRATION), _cut(MANIFEST)],
    ids=["no folder", "no manifest", "no trees", "half the trees", "half the calibration", "half the manifest"],
)
def test_a_model_that_cannot_serve_leaves_the_prior_until_it_is_mended(
    followed: Followed, model: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    shutil.copytree(model, followed.models / model.name)
    spoil(followed.models / model.name)
    refused = refusals("model")
    followed.models.mkdir(exist_ok=True)
    (followed.models / model.name).mkdir(exist_ok=True)
    followed.activate(model)
    eventually(lambda: followed.active.engine().degraded == (MODEL_UNAVAILABLE,))
    assert (followed.model, refusals("model")) == ("prior", refused + 1)
    assert f"model {model.name} cannot serve, the prior does" in caplog.text
    shutil.copytree(model, followed.models / model.name, dirs_exist_ok=True)
    eventually(lambda: followed.model == model.name)
    assert followed.active.engine().degraded == ()


def test_a_model_whose_compiled_trees_cannot_serve_is_served_by_its_booster_which_is_said(
    followed: Followed, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(model, followed.models / model.name)
    _cut(COMPILED)(followed.models / model.name)
    slower = telemetry.RELOADS.labels("model", "slower")._value.get()
    followed.activate(model)
    eventually(lambda: followed.model == model.name)
    engine = followed.active.engine()
    assert (engine.propensity.form, engine.degraded) == ("booster", ())
    assert telemetry.RELOADS.labels("model", "slower")._value.get() == slower + 1
    assert f"model {model.name} serves by its booster, several times slower: {COMPILED} is not what" in caplog.text


def test_what_is_bad_is_said_once_and_not_four_times_a_second(followed: Followed, model: Path) -> None:
    refused = refusals(), refusals("model")
    (followed.models / model.name).mkdir()
    followed.activate(model)
    followed.edit("at_least: gold", "at_least: oro")
    eventually(lambda: (refusals(), refusals("model")) == (refused[0] + 1, refused[1] + 1))
    sleep(4 * POLL_S)
    assert (refusals(), refusals("model")) == (refused[0] + 1, refused[1] + 1)


def test_a_ledger_that_is_away_leaves_the_model_as_it_is(followed: Followed, model: Path) -> None:
    followed.activate(model)
    eventually(lambda: followed.model == model.name)
    file = followed.artifacts / "ledger.sqlite"
    file.rename(file.with_name("away"))
    first = followed.revision
    followed.edit("Your cabin", "The cabin")
    eventually(lambda: followed.revision != first)
    assert followed.model == model.name


# At the doors


def revision_of(live: Service) -> str:
    return str(live.runtime.ready()["revision"])


async def soon(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not holds():
            await anyio.sleep(0.01)


def test_decisions_go_on_through_reloads_and_nothing_of_the_old_revision_is_served_from_the_cache(
    tmp_path: Path, valkey_url: str, model: Path
) -> None:
    campaigns = Path(shutil.copytree(CAMPAIGNS, tmp_path / "campaigns"))
    file = campaigns / CABIN

    async def scenario() -> None:
        async with service(tmp_path / "artifacts", valkey_url, campaigns=campaigns) as live:
            await live.gold_passenger()
            first = revision_of(live)
            answer = await live.ask(context=HERE, locale="en")
            assert (await live.ask(context=HERE, locale="en")).json()["decision_id"] == answer.json()["decision_id"]
            whole = file.read_text()
            refused = refusals()
            file.write_text(whole.replace("at_least: gold", "at_least: oro"))
            while refusals() == refused:
                assert offers_of(await live.ask(context=HERE, locale="en")) == [UPGRADE]
            file.write_text(whole.replace("Your cabin for tonight", "A cabin for tonight"))
            await soon(lambda: revision_of(live) != first)
            changed = await live.ask(context=HERE, locale="en")
            assert items(changed)[0]["representation"]["title"] == "A cabin for tonight"
            assert changed.json()["decision_id"] != answer.json()["decision_id"]
            assert changed.json()["revision"] == revision_of(live)
            old = await live.ask(context=HERE, locale="en", options={"revision": first, "dry_run": True})
            assert items(old)[0]["representation"]["title"] == "Your cabin for tonight"
            assert old.json()["revision"] == first
            shutil.rmtree(campaigns)
            await soon(lambda: refusals() > refused + 1)
            assert offers_of(await live.ask(context=HERE)) == [UPGRADE]

    anyio.run(scenario)


def test_a_new_model_decides_at_once_and_a_broken_one_is_said_in_every_answer(
    tmp_path: Path, valkey_url: str, model: Path
) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            before = await live.ask(context=HERE)
            assert before.json()["model"] == "prior"
            shutil.copytree(model, tmp_path / "models" / model.name)
            for name in (model.name, "m-000000000000"):
                live.runtime.ledger.publish("model", name, "tests", NOW)
            live.runtime.ledger.activate("model", model.name, "tests", NOW)
            await soon(lambda: live.runtime.ready()["model"] == model.name)
            after = await live.ask(context=HERE)
            assert (after.json()["model"], after.json()["degraded"]) == (model.name, [])
            assert offers_of(after) == [UPGRADE]
            assert after.json()["decision_id"] != before.json()["decision_id"]
            assert "contributions" not in after.json()
            (why,) = (await live.ask(context=HERE, options={"explain": "full"})).json()["contributions"]
            assert why["offer_id"] == UPGRADE
            added = sum(each["log_odds"] for each in why["contributions"])
            assert why["base"] + added + why["rest"] == pytest.approx(why["margin"])
            assert why["start"]["score"] == pytest.approx(why["score"])
            assert "declared (" in why["start"]["words"]
            live.runtime.ledger.activate("model", "m-000000000000", "tests", NOW)
            await soon(lambda: live.runtime.ready()["model"] == "prior")
            broken = await live.ask(context=HERE)
            assert (broken.json()["model"], broken.json()["degraded"]) == ("prior", [MODEL_UNAVAILABLE])
            assert offers_of(broken) == [UPGRADE]
            assert (await live.http.get("/health/ready")).status_code == 200

    anyio.run(scenario)


def test_a_folder_that_takes_long_to_look_at_is_looked_at_less_often() -> None:
    assert [pause_s(look_s) for look_s in (0.0, 0.004, 0.05, 0.5)] == [POLL_S, POLL_S, 2.5, 25.0]

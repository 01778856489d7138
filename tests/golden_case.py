"""Golden decisions: YAML files named by what they show, each a case (offers.cases) of the example operator."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from offers.cases import Case, read_case
from offers.catalog import Catalog
from offers.folder import load_folder
from offers.simulation import decision_id
from offers.situation import Situation
from streams.ids import RevisionId

FOLDER = Path(__file__).parent / "golden"
DEPLOYMENT = Path(__file__).parent.parent / "deploy" / "campaigns"


@dataclass(frozen=True, slots=True)
class Golden:
    """One file."""

    case: Case
    situation: Situation


def names() -> list[str]:
    """Every golden decision."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


@cache
def example() -> Catalog:
    """The example operator's catalog."""
    loaded = load_folder(DEPLOYMENT)
    assert loaded.campaigns is not None and loaded.attributes is not None and loaded.places is not None
    return Catalog(RevisionId("r-example"), loaded.campaigns, loaded.attributes, loaded.places)


def load(name: str) -> Golden:
    """A golden decision by the name of its file."""
    case, findings = read_case(FOLDER / f"{name}.yaml", example())
    assert case is not None, [str(finding) for finding in findings]
    return Golden(case, case.persona.situation(example(), case.now, decision_id(name)))

"""Campaigns of a folder tried before they are live: what `campaigns simulate` and `campaigns test` do."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.progress import track

from offers import case_run, cases, coverage, revisions, simulation
from offers.catalog import Catalog
from offers.commands import errors, say
from offers.folder import load_folder
from offers.persona import Asked, Persona, Stand, vocabulary
from offers.persona_place import spot
from scoring.features import Propensity
from scoring.propensity import load, prior
from streams.errors import InvalidInput
from streams.findings import Finding, did_you_mean, has_errors, listed, shown
from streams.ids import Millis, PlacementId
from streams.record import PlacementRequest
from streams.units import written_time

SLOW = 50
"""From so many cases on there is a progress bar, on a terminal."""


@dataclass(frozen=True, slots=True)
class Instead:
    """What the command line says in place of the persona's file; empty: as in the file."""

    at: str = ""
    now: str = ""
    placements: tuple[str, ...] = ()
    locale: str = ""


def simulate(folder: Path, persona: str, instead: Instead, model: Path | None, as_json: bool) -> None:
    """Print it. `persona` is a file, or `file#name`. Raises InvalidInput with everything that is wrong."""
    catalog = compiled(folder)
    file, _, name = persona.partition("#")
    found, findings = cases.read_persona_file(Path(file), name, catalog)
    _refuse(findings)
    if found is None:
        raise InvalidInput("UNKNOWN_PERSONA", f"{file} has no persona {shown(name)}")
    try:
        changed, now = changed_by(found, instead, catalog)
    except InvalidInput as error:
        raise typer.BadParameter(f"{error.code} {error.message}") from error
    tell(simulation.simulate(changed, now, persona, catalog, scores(catalog, model)), as_json)


def tell(done: simulation.Simulation, as_json: bool) -> None:
    """Print a simulation."""
    if as_json:
        say(simulation.told(done))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in simulation.page(done)))


def test(folder: Path, model: Path | None, as_json: bool, cover: bool, least: float | None) -> bool:
    """Run and print every case below `folder`/tests; whether all are good and `least` percent are covered."""
    catalog = compiled(folder)
    found, findings = cases.read_cases(folder, catalog)
    for finding in findings:
        errors.print(str(finding), markup=False, soft_wrap=True)
    propensity = scores(catalog, model)
    slow = len(found) >= SLOW and errors.is_terminal
    todo = track(found, "testing", console=errors, transient=True) if slow else found
    outcomes = [case_run.run(case, catalog, propensity) for case in todo]
    covered = coverage.coverage(catalog, (each.simulation.inputs for each in outcomes))
    if as_json:
        say(case_run.told_json(outcomes, covered))
    else:
        written = [line for each in outcomes for line in case_run.lines(each)]
        failed = sum(not each.good for each in outcomes)
        written += [f"{len(outcomes) - failed} passed, {failed} failed"]
        written += list(coverage.page(covered)) if cover else []
        sys.stdout.write("".join(f"{line}\n" for line in written))
    if least is not None and covered.percent < least:
        errors.print(f"COVERAGE_LOW {covered.percent:.1f} % is under --fail-under {least:g}", markup=False)
        return False
    if not found and not has_errors(findings):
        errors.print(f"NO_TESTS there is no case below {folder / cases.FOLDER}", markup=False, soft_wrap=True)
        return False
    return not has_errors(findings) and all(each.good for each in outcomes)


def changed_by(persona: Persona, instead: Instead, catalog: Catalog) -> tuple[Persona, Millis]:
    """The persona there and then. Raises InvalidInput for what cannot be, TIME_MISSING where nothing says when."""
    if instead.at:
        persona = replace(persona, stand=Stand("precise", *spot(instead.at, catalog.places)))
    asked: Asked = persona.asked
    if instead.placements:
        asked = replace(asked, placements=tuple(placement(name, catalog) for name in instead.placements))
    if instead.locale:
        asked = replace(asked, locale=instead.locale)
    now = written_time(instead.now, persona.zone).at if instead.now else persona.now
    if now is None:
        message = "the persona says no 'now'. Write --now '2026-11-21 18:00', which is read in the persona's zone."
        raise InvalidInput("TIME_MISSING", message)
    return replace(persona, asked=asked), now


def placement(name: str, catalog: Catalog) -> PlacementRequest:
    """A placement as full as it may be. Raises InvalidInput UNKNOWN_PLACEMENT."""
    found = catalog.placements.get(PlacementId(name))
    if found is None:
        known = vocabulary(catalog).placements
        mend = did_you_mean(name, known) or f"There are: {listed(known)}."
        raise InvalidInput("UNKNOWN_PLACEMENT", f"there is no placement {shown(name)}. {mend}")
    return PlacementRequest(found.id, found.max_items)


def compiled(folder: Path) -> Catalog:
    """A folder, checked. Raises InvalidInput CAMPAIGNS_INVALID."""
    return revisions.compiled(revisions.fingerprint(folder), load_folder(folder))


def scores(catalog: Catalog, model: Path | None) -> Propensity:
    """A model folder's, or the declared starting propensities."""
    return prior(catalog.attributes) if model is None else load(model, catalog.attributes)


def _refuse(findings: tuple[Finding, ...]) -> None:
    """The errors raised together, the warnings printed."""
    if has_errors(findings):
        raise InvalidInput("PERSONA_INVALID", "\n".join(str(finding) for finding in findings))
    for finding in findings:
        errors.print(str(finding), markup=False, soft_wrap=True)

"""What `campaigns preview` does: draw one campaign, print it, write pages and, where there is Chromium, pictures."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import typer
from rich.columns import Columns
from rich.progress import track

from offers import preview_page, screenshot
from offers.commands import console, errors, say
from offers.locale import choose
from offers.offer import Offer
from offers.preview_panels import panel
from offers.preview_scene import example_scene, persona_scene, place_of
from offers.previews import Preview, previews, told
from offers.screenshot import Size
from streams.consumer import wall_clock
from streams.errors import Retry
from streams.findings import listed

SHEET = "index"
SCALE = 2
"""Of one phone's picture; the sheet of all of them is drawn once."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    campaign: str
    """A file, or the id of a campaign."""
    folder: Path | None
    persona: str
    """Empty: examples."""
    locales: tuple[str, ...]
    """None: every language that is written."""
    out: Path | None
    """Where pages and pictures go; None: nowhere."""


def preview(wanted: Wanted, usual: Path, as_json: bool) -> bool:
    """Print and write it; whether everything can be written and fits. Raises InvalidInput, NotFound.

    `usual`: the folder of campaigns where nothing names one.
    """
    place, now = place_of(wanted.campaign, wanted.folder, usual), wall_clock()
    scene, loaded = persona_scene(place, wanted.persona, now) if wanted.persona else example_scene(place, now)
    path = place.file.relative_to(place.folder).as_posix()
    for finding in loaded.findings:
        if finding.path == path:
            errors.print(str(finding), markup=False, soft_wrap=True)
    _check_locales(scene.offer, wanted.locales)
    found = previews(scene, wanted.locales)
    note = _note(scene.offer, wanted.persona)
    if as_json:
        say({"campaign": scene.offer.campaign_id, "note": note, "previews": [told(each) for each in found]})
    else:
        _print(found, f"{scene.offer.campaign_id}: {note}")
    if wanted.out is not None:
        _write(wanted.out, scene.offer.campaign_id, note, found)
    return all(each.item is not None and all(length.fits for length in each.lengths) for each in found)


def _check_locales(offer: Offer, locales: Iterable[str]) -> None:
    for locale in locales:
        if choose(locale, offer.representation) is None:
            written = listed(offer.representation.texts)
            message = f"a reader of {locale!r} is shown nothing; written are {written}, and others see nothing"
            raise typer.BadParameter(message, param_hint="--locale")


def _note(offer: Offer, persona: str) -> str:
    others = offer.representation.others
    told_others = "readers of other languages see nothing" if others is None else f"all others see {others}"
    whose = f"numbers of {persona}, examples where it says none" if persona else "all numbers are examples"
    return f"{whose}; {told_others}."


def _print(found: Iterable[Preview], head: str) -> None:
    console.print(head, markup=False)
    for _, row in groupby(found, key=lambda each: each.placement.id):
        row_ = list(row)
        console.print(Columns([panel(each) for each in row_], padding=(0, 1)))
        for each in row_:
            if each.examples:
                console.print(f"  examples in {each.locale}: {'; '.join(each.examples)}", style="dim", markup=False)


def _write(out: Path, title: str, note: str, found: tuple[Preview, ...]) -> None:
    """A page for each phone and one with all of them; a picture of each."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [list(row) for _, row in groupby(found, key=lambda each: each.placement.id)]
    pages = {f"{each.placement.id}.{each.locale}": preview_page.phone(each) for each in found}
    pages[SHEET] = preview_page.sheet(title, note, rows)
    for name, page in pages.items():
        (out / f"{name}.html").write_text(page)
    program = screenshot.browser()
    if program is None:
        drawn, why = 0, f"no pictures: none of {', '.join(screenshot.BROWSERS)} is on PATH"
    else:
        sizes = dict.fromkeys(pages, Size(preview_page.WIDTH, preview_page.HEIGHT, SCALE))
        sizes[SHEET] = Size(*preview_page.sheet_size(rows))
        drawn, why = _draw(program, out, sizes)
    said = f"{len(pages)} pages and {drawn} pictures are in {out}; {SHEET}.html shows all"
    errors.print(said if not why else f"{said}. {why}", markup=False, soft_wrap=True)


def _draw(program: str, out: Path, sizes: dict[str, Size]) -> tuple[int, str]:
    """(how many pictures were drawn, why no more). The first failure ends it: the next would take as long."""
    names = list(sizes)
    slow = track(names, "drawing", console=errors, transient=True) if errors.is_terminal else names
    for drawn, name in enumerate(slow):
        try:
            screenshot.take(program, out / f"{name}.html", out / f"{name}.png", sizes[name])
        except Retry as error:
            return drawn, error.message
    return len(names), ""

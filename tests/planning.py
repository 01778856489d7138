"""Folders that are changed and planned, by the command and in process."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from offers.cli import app
from offers.revision_changes import load
from tests.golden_case import DEPLOYMENT
from tests.travellers import lines

CABIN = "cabins/upgrade-livorno-olbia.yaml"
PERSONAS = DEPLOYMENT / "tests" / "personas.yaml"
POPULATION = 160
Edit = Callable[[str], str]


def offing(*arguments: str | Path, **environment: str) -> Result:
    """Whatever is told names no customer and no cell."""
    words = ["campaigns", *map(str, arguments)]
    done = CliRunner().invoke(app, words, color=False, env={"COLUMNS": "200", **environment})
    assert re.search(r"c-\d{5}|86[0-9a-f]{6}fff", done.output) is None
    return done


def planned(head: Path, *arguments: str | Path, **environment: str) -> dict[str, Any]:
    done = offing("plan", "--base", DEPLOYMENT, "--head", head, *arguments, "--json", **environment)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def swapped(before: str, after: str) -> Edit:
    def edit(text: str) -> str:
        assert before in text
        return text.replace(before, after)

    return edit


def edit(folder: Path, file: str, *edits: Edit) -> None:
    text = (folder / file).read_text()
    for each in edits:
        text = each(text)
    (folder / file).write_text(text)


def example(into: Path) -> Path:
    """A copy of the example operator's folder, to be changed."""
    return Path(shutil.copytree(DEPLOYMENT, into))


def people(file: Path, many: int) -> Path:
    """A file of so many contexts of the simulated world's people."""
    with file.open("wb") as written:
        written.writelines(lines(many, load(str(DEPLOYMENT), Path()).catalog))
    return file

"""Golden decisions of every construct of the campaign language: none is without one."""

from itertools import chain
from pathlib import Path

import pytest

from offers.case_run import lines, run
from streams.positioned_yaml import read_file, read_yaml
from tests import golden_language, language_constructs
from tests.deciding import declared
from tests.test_campaign_schema import as_editors_read

DEPLOY = golden_language.HERE.parent / "deploy"
TRIED = (DEPLOY / "campaigns", DEPLOY / "cookbook")
"""Their campaigns have golden decisions (tests/golden) or tests beside them (tests/test_cookbook.py)."""


@pytest.mark.parametrize("name", golden_language.names())
def test_a_golden_decision(name: str, tmp_path: Path) -> None:
    language = golden_language.load(name, tmp_path)
    outcomes = [run(case, language.catalog, declared()) for case in language.cases]
    assert not [each for each in outcomes if not each.good], "\n".join(chain(*map(lines, outcomes)))


def test_every_construct_of_the_language_has_a_golden_decision() -> None:
    used = set()
    for file in (file for folder in TRIED for file in folder.rglob("*.yaml")):
        read = as_editors_read(read_file(file, file.name)[0])
        if "campaign" in read or file.parent.name == "groups":
            used |= language_constructs.used(read)
        used |= language_constructs.used_beside(file.name, read)
    for name in golden_language.names():
        for text in golden_language.campaigns(name).values():
            used |= language_constructs.used(as_editors_read(read_yaml(text.encode(), name)[0]))
        for file_name, text in golden_language.files(name).items():
            used |= language_constructs.used_beside(file_name, as_editors_read(read_yaml(text.encode(), name)[0]))
    assert sorted(language_constructs.whole() - used) == []

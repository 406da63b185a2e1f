"""Every bad input ends as its row in docs/bad_inputs.md says."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from tests.bad_inputs.case import BadInput, Sources, run
from tests.bad_inputs.page import INTRO, PAGE, SECTIONS, row
from tests.bad_inputs.sources import make_sources
from tests.commands import only_error

CASES = list(chain(*SECTIONS.values()))
AGAIN = "say what changed, and run: python -m tests.bad_inputs"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return make_sources(tmp_path_factory.mktemp("sources"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what.replace(" ", "-"))
def test_a_bad_input(case: BadInput, sources: Sources, tmp_path: Path) -> None:
    told = run(case, tmp_path, sources)
    assert told.code == case.code
    assert not case.code or only_error(told.message)
    assert "hunter2" not in told.message
    assert "sk-0123456789" not in told.message
    assert not any(ord(letter) < 32 and letter != "\n" for letter in told.message)
    assert row(case, told) in PAGE.read_text(encoding="utf-8").splitlines(), AGAIN


def test_the_page_has_no_other_rows() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(INTRO), AGAIN
    rows = [line for line in text.splitlines() if line.startswith("| ") and "| what |" not in line]
    assert len(rows) == len(CASES), AGAIN
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(SECTIONS)

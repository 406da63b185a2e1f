"""Descriptions by several prompts, and a kind of item that only tests know, on the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

import annotator
from annotator.catalog.read import open_catalog
from annotator.judge.kinds import KINDS
from tests.before.files import again
from tests.judge import toy
from tests.site.conftest import Open

pytestmark = pytest.mark.services


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(KINDS, toy.NAME, "tests.judge.toy")
    catalog, folder = again(tmp_path / "catalog"), tmp_path / "files"
    folder.mkdir()
    [first, *_] = (one.describer for one in open_catalog(catalog).descriptions("L0H0"))
    toy.answered(catalog, folder, ["L0H0", "L0H1"], first)
    page, *_ = annotator.export(catalog, "site", progress=False)
    return page.parent


def test_each_text_has_its_own_judgments_and_toys_stand_apart(site: Path, visiting: Open) -> None:
    visit = visiting(site)
    visit.go("#/L0H0")
    visit.headed("L0H0")
    said = visit.by("descriptions").locator("h3").all_inner_texts()
    assert said[2:] == ["openai:strong (2)", "rules (baseline, no language model)"]
    assert {one.partition("#")[0] for one in said[:2]} == {"openai:strong"}
    headings = visit.by("judgments").locator("h3").all_inner_texts()
    assert headings == [
        *(f"Of what {one} said" for one in said[:2]),
        f"Of what {said[0]} said, as toy",
    ]
    accepted = visit.by("judgments").locator("dd").filter(has_text="who see a pattern")
    assert accepted.all_inner_texts() == [
        "100 % (1 of 1 who see a pattern)",
        "0 % (0 of 1 who see a pattern)",
    ]
    visit.go("#/study")
    expect(visit.by("others").first).to_contain_text(toy.NAME)
    expect(visit.page.locator("main section").first).to_contain_text("6 answers on 3 of 3 items")

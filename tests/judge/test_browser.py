"""A rater at work in real chromium: logs in, answers an item by hotkeys alone, and it is in the
ledger. Nothing but the local server is asked for anything.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.catalog.read import open_catalog
from annotator.label_studio.server import Server
from tests.judge.studies import Study

pytestmark = pytest.mark.services

ALONE = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
SUBMIT = '[data-testid="bottombar-submit-button"]'


@pytest.fixture
def page(tmp_path: Path) -> Iterator[object]:
    """A page of Debian's chromium."""
    from playwright.sync_api import sync_playwright

    browser = shutil.which("chromium")
    assert browser, "this test needs chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=list(ALONE))
        yield running.new_page(viewport={"width": 1400, "height": 900})
        running.close()


def test_a_rater_answers_by_hotkeys_and_the_answer_is_in_the_ledger(
    study: Study, studio_server: Server, page: object, tmp_path: Path
) -> None:
    from playwright.sync_api import Page

    assert isinstance(page, Page)
    ada = next(one for one in studio_server.credentials.raters if one.name == "ada")
    project = study.projects(study.push("--heads", "L0H0,L0H1"))["ada"]
    left: list[str] = []
    ours = (studio_server.url, "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(ours) else left.append(r.url))

    page.goto(f"{studio_server.url}/user/login/?next=/projects/{project}/data%3Flabeling=1")
    page.fill("input[name=email]", ada.email)
    page.fill("input[name=password]", ada.password)
    page.click("button[type=submit]")
    page.wait_for_selector(SUBMIT, timeout=60_000)
    page.get_by_text("Labeling Instructions").wait_for()
    page.keyboard.press("Escape")
    page.locator("table.maps tr").nth(29).wait_for()
    assert page.locator("table.maps tr").count() == 30
    assert page.get_by_text("Item 1 of 2").is_visible()
    assert not page.get_by_text("How well does this description").is_visible()

    page.keyboard.press("y")
    page.get_by_text("How well does this description").wait_for()
    page.keyboard.press("2")
    page.keyboard.press("u")
    page.screenshot(path=tmp_path / "rating.png")
    assert page.locator(SUBMIT).bounding_box()["y"] < 900, "all of it is on one screen"  # pyright: ignore[reportOptionalSubscript]
    page.keyboard.press("Control+Enter")
    page.get_by_text("Item 2 of 2").wait_for()

    assert "1 new answer, " in study.pull()
    [(item, judgment)] = open_catalog(study.catalog).judgments()
    assert (judgment.rater, judgment.pattern) == ("ada", True)
    assert (judgment.precision, judgment.category) == ("scope", "unnatural")
    assert judgment.seconds is not None
    assert judgment.seconds > 0
    assert re.fullmatch(r"L0H[01]", str(item.head))
    assert left == []

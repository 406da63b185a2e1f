"""How the page looks, in real chromium: light and dark, narrow and wide, and to whom cannot see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from annotator.catalog.read import Catalog
from tests.site.browsing import Visit
from tests.site.conftest import Open

pytestmark = pytest.mark.services

REAL = ("#/", "#/L23H4", "#/relations", "#/validation", "#/about", "#/L99H9")
MADE = ("#/", "#/L0H0", "#/study", "#/?q=no+such+thing")
PAGES = [("real", one) for one in REAL] + [("made", one) for one in MADE]


def luminance(color: str) -> float:
    """From 0, black, to 255, white."""
    return sum(map(int, re.findall(r"\d+", color)[:3])) / 3


def drawn(visit: Visit, address: str) -> None:
    """Open an address, and wait until all of it is drawn."""
    visit.go(address)
    expect(visit.page.locator(".waiting")).to_have_count(0)


def test_the_systems_dark_is_followed(visit: Visit) -> None:
    visit.page.emulate_media(color_scheme="light")
    visit.go()
    visit.overview()
    light = visit.color(), visit.color("color"), visit.filled("L23H4")
    assert luminance(light[0]) > 200 > 80 > luminance(light[1])
    visit.page.emulate_media(color_scheme="dark")
    expect(visit.page.locator("html")).not_to_have_css("background-color", light[0])
    dark = visit.color(), visit.color("color")
    assert luminance(dark[0]) < 60 < 180 < luminance(dark[1])
    visit.page.wait_for_function("old => getComputedStyle(document.querySelector("
                                 "'[data-head=L23H4]')).fill !== old", arg=light[2])  # fmt: skip


def test_light_or_dark_is_chosen_and_kept(visit: Visit) -> None:
    visit.page.emulate_media(color_scheme="light")
    visit.go()
    visit.overview()
    light, cell = visit.color(), visit.filled("L23H4")
    visit.by("theme-toggle").click()
    expect(visit.page.locator("html")).not_to_have_css("background-color", light)
    assert luminance(visit.color()) < 60
    assert visit.filled("L23H4") != cell
    visit.go("#/L23H4")
    visit.headed("L23H4")
    assert luminance(visit.color()) < 60, "it lasts"
    visit.by("theme-toggle").click()
    expect(visit.page.locator("html")).to_have_css("background-color", light)


def test_a_link_that_is_hovered_is_underlined_but_in_the_bar(page: Visit) -> None:
    page.go("#/about")
    for within, line in (("footer", "underline"), (".plain", "underline"), (".bar nav", "none")):
        link = page.page.locator(f"{within} a").first
        link.hover()
        expect(link).to_have_css("text-decoration-line", line)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("kind", "address"), PAGES)
def test_axe_finds_nothing_serious(
    request: pytest.FixtureRequest, visiting: Open, kind: str, address: str, scheme: Any
) -> None:
    catalog: Catalog = request.getfixturevalue(kind)
    visit = visiting(catalog.folder / "site", color_scheme=scheme, reduced_motion="reduce")
    drawn(visit, address)
    if address == "#/":
        visit.cell("L1H1").hover()  # the panel of a head that is pointed at
    visit.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    options = {"preload": False}  # axe would ask for the style sheet once more
    found = Axe().run(visit.page, options=options).response["violations"]
    told = [
        f"{one['id']} ({one['impact']}): {node['html'][:150]} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]
    assert told == []


@pytest.mark.parametrize("width", [390, 768, 1600])
@pytest.mark.parametrize(("kind", "address"), PAGES)
def test_nothing_goes_out_of_the_window(
    request: pytest.FixtureRequest,
    visiting: Open,
    tmp_path: Path,
    kind: str,
    address: str,
    width: int,
) -> None:
    """Wide tables scroll in regions of their own; the page never scrolls sideways."""
    catalog: Catalog = request.getfixturevalue(kind)
    visit = visiting(catalog.folder / "site", size=(width, 900))
    drawn(visit, address)
    visit.page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert visit.wider_than_the_window() <= 0
    if address == "#/":
        box = visit.by("map").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        if width == 390:  # a finger points first, and opens what it has pointed at
            assert box["width"] > 300


def test_without_a_script_the_page_says_so(real: Catalog, visiting: Open) -> None:
    visit = visiting(real.folder / "site", java_script_enabled=False)
    visit.page.goto(visit.index)
    expect(visit.page.locator("noscript p")).to_be_visible()


def test_the_page_asks_for_nothing_from_elsewhere(real: Catalog) -> None:
    """No address in what is loaded at all, but names of standards and of who made a library."""
    site = real.folder / "site"
    index = (site / "index.html").read_text("utf-8")
    assert "default-src 'none'" in index
    assert not re.search(r"(src|href)=\"(https?:)?//", index)
    for file in [*site.glob("app/*"), *site.glob("data/*")]:
        for address in re.findall(r"https?://[^\s\"'`<>)]+", file.read_text("utf-8")):
            assert address.startswith(("http://www.w3.org/", "https://arxiv.org/")), file

"""The page by keyboard: single letters can be switched off; and past the map to the table."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from annotator.catalog.read import Catalog
from tests.site.browsing import Visit
from tests.site.conftest import Open

pytestmark = pytest.mark.services

REFUSED = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused') } })"


def tab_to(page: Page, selector: str) -> None:
    """Go to an element with the Tab key alone."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("one => document.activeElement.matches(one)", selector):
            return
    pytest.fail(f"{selector} is not reached with Tab")


def switch(visit: Visit) -> None:
    """Switch single letters on or off, by keyboard, in what the button of the keys opens."""
    tab_to(visit.page, "[aria-label='Show the keys']")
    visit.page.keyboard.press("Enter")
    ticked = visit.page.get_by_role("dialog").get_by_role("checkbox")
    expect(ticked).to_have_accessible_name("single letters and signs are keys: / k j m ?")
    tab_to(visit.page, "dialog [data-testid=shortcuts]")
    before = ticked.is_checked()
    visit.page.keyboard.press("Space")
    expect(ticked).to_be_checked(checked=not before)
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("dialog")).not_to_be_visible()


def letters_do_nothing(visit: Visit) -> None:
    """From the page of L2H2, where arrows still turn."""
    visit.headed("L2H2")
    for key in "kjm/?":
        visit.page.keyboard.press(key)
    visit.headed("L2H2")
    expect(visit.page.get_by_role("dialog")).not_to_be_visible()
    visit.page.keyboard.press("ArrowRight")
    visit.headed("L2H3")


def test_single_letters_are_switched_off_for_good_and_on_again(visit: Visit) -> None:
    page = visit.go("#/L2H2")
    switch(visit)
    letters_do_nothing(visit)
    visit.go("#/L2H2")
    letters_do_nothing(visit)
    visit.go("#/")
    expect(visit.by("search")).not_to_have_attribute("aria-keyshortcuts", "/")
    visit.go("#/about")
    expect(page.locator("main kbd.off")).to_have_text([f"{one} (off)" for one in "/kjm?"])
    page.locator("main [data-testid=shortcuts]").check()
    expect(page.locator("main kbd.off")).to_have_count(0)
    page.keyboard.press("Tab")  # off the box: what is pressed there is the box's
    page.keyboard.press("m")
    visit.overview()
    expect(visit.by("search")).to_have_attribute("aria-keyshortcuts", "/")


def test_they_are_switched_off_where_nothing_can_be_stored(visit: Visit) -> None:
    visit.context.add_init_script(REFUSED)
    visit.go("#/L2H2")
    switch(visit)
    letters_do_nothing(visit)
    switch(visit)
    visit.page.keyboard.press("k")
    visit.headed("L2H2")


def test_from_before_the_map_to_the_table_of_the_same_heads(made: Catalog, visiting: Open) -> None:
    visit = visiting(made.folder / "site")
    page = visit.go()
    described = "The table has the same heads, in words and numbers."
    expect(visit.by("map")).to_have_accessible_description(
        f"Point at a head to see what it does; click to open it. "
        f"With the keyboard: arrows walk, Enter opens. {described}"
    )
    visit.cell("L1H1").hover()
    expect(visit.by("map")).to_have_accessible_description(f"Arrows walk, Enter opens. {described}")
    skip = page.get_by_role("link", name="Skip the map")
    expect(skip).not_to_be_in_viewport()
    tab_to(page, ".mapped a.skip")
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Table", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.listed') !== null")

"""The page in real chromium, watched: what it logs, asks for and opens is kept."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

WIDE = (1400, 900)
ALONE = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


class Visit:
    """One visitor's browser on one page.

    Attributes:
        page: the browser's page.
        said: errors and warnings of the console, exceptions, dialogs.
        left: what was asked for outside of the page's own folder.
    """

    def __init__(
        self, browser: Browser, base: str, size: tuple[int, int] = WIDE, **more: Any
    ) -> None:
        self.base = base
        self.index = f"{base}index.html" if base.startswith("file:") else base
        viewport: Any = dict(zip(("width", "height"), size, strict=True))
        self.context: BrowserContext = browser.new_context(viewport=viewport, **more)
        self.said: list[str] = []
        self.left: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda one: self._say(one.type, one.text))
        page.on("pageerror", lambda error: self.said.append(f"exception: {error}"))
        page.on("dialog", lambda one: (self.said.append(f"dialog: {one.message}"), one.dismiss()))
        page.on("request", lambda one: self._ask(one.url))
        return page

    def _say(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.said.append(f"{kind}: {text}")

    def _ask(self, url: str) -> None:
        if not url.startswith(self.base):
            self.left.append(url)

    def go(self, address: str = "#/") -> Page:
        """Open an address within the page, anew."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.index}{address}")
        self.page.wait_for_selector("main h1, [role=alert]")
        return self.page

    def by(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    def cell(self, head: str) -> Locator:
        return self.page.locator(f'[data-testid=map] [data-head="{head}"]')

    def counts(self, count: int, of: int = 270) -> None:
        """The heads that pass are so many."""
        expect(self.by("count")).to_have_text(f"{count:,} of {of:,} heads")

    def passing(self) -> set[str]:
        """The heads that the map does not dim."""
        cells = self.page.locator("[data-testid=map] [data-head]:not(.dim)")
        return set(cells.evaluate_all("cells => cells.map(cell => cell.dataset.head)"))

    def listed(self) -> list[str]:
        """The heads of the table's first page, in its order."""
        return self.by("table").locator("tbody a.head").all_inner_texts()

    def headed(self, head: str) -> None:
        """A head's page is shown."""
        expect(self.page.locator("main h1")).to_have_text(re.compile(f"^{head} of "))
        expect(self.by("mappings")).to_be_visible()

    def overview(self) -> None:
        """The map is shown."""
        expect(self.by("map").locator("[data-head]").first).to_be_visible()

    def filled(self, head: str) -> str:
        """The colour of a cell, as it is painted."""
        return self.cell(head).evaluate("cell => getComputedStyle(cell).fill")

    def color(self, style: str = "background-color") -> str:
        return self.page.evaluate("one => getComputedStyle(document.documentElement)[one]", style)

    def wider_than_the_window(self) -> int:
        """How many pixels the page goes out of the window."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from annotator.catalog.read import Catalog, open_catalog
from annotator.pipeline.view import serve
from annotator.views.export.registry import format_of
from tests.site import making
from tests.site.browsing import ALONE, Visit

Open = Callable[..., Visit]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium."""
    chromium = shutil.which("chromium")
    assert chromium, "this test needs chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(ALONE))
        yield running
        running.close()


def _made(kind: str, folder: Path) -> Catalog:
    words = [sys.executable, "-m", making.__name__, kind, str(folder)]
    subprocess.run(words, check=True, cwd=Path(making.__file__).parents[2])
    return open_catalog(folder)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """SmolLM2's catalog, with its page beside it; nobody writes in it."""
    return _made("real", tmp_path_factory.mktemp("site") / "real")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A made-up catalog full of hostile texts, with judgments; and its page."""
    return _made("made", tmp_path_factory.mktemp("site") / "made")


@pytest.fixture(scope="session")
def served(real: Catalog) -> Iterator[str]:
    """The real catalog's page, served as `annotator view` serves it."""
    folder = real.folder / "site"
    with serve(folder) as (address, server):
        server.offer(folder / name for name in format_of("site").names(folder))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield address
        server.shutdown()
        thread.join()


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Open]:
    """Opens visits; at the end none of them has said anything or left the page's folder."""
    visits: list[Visit] = []

    def visit(base: str | Path, **more: Any) -> Visit:
        address = base if isinstance(base, str) else f"{base.as_uri()}/"
        visits.append(Visit(browser, address, **more))
        return visits[-1]

    yield visit
    for one in visits:
        one.context.close()
        assert one.said == []
        assert one.left == []


@pytest.fixture(params=["from disk", "served"])
def visit(request: pytest.FixtureRequest, real: Catalog, visiting: Open) -> Visit:
    """The real catalog's page, both ways to open it."""
    if request.param == "served":
        return visiting(request.getfixturevalue("served"))
    return visiting(real.folder / "site")


@pytest.fixture
def page(served: str, visiting: Open) -> Visit:
    """The real catalog's page, served."""
    return visiting(served)

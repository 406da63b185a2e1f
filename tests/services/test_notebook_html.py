"""A head's notebook HTML in a real browser: every token is text, none becomes markup or script."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from annotator.records import HeadId, HeadMap, SalientMapping, Signatures, Target, Token

pytestmark = pytest.mark.services

HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "</code></td></tr></table><h1>out</h1>",
    "'\" onmouseover=\"document.title='owned'",
    "&lt;b&gt;",
    "]]>",
)


def rendered(page: Path) -> str:
    """The page's DOM after scripts have run, by Debian's chromium."""
    browser = shutil.which("chromium")
    assert browser, "this test needs chromium: apt-get install chromium"
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={page.parent / 'profile'}", "--dump-dom", page.as_uri(),
        ],
        capture_output=True,
        timeout=60,
        check=True,
    )  # fmt: skip
    return done.stdout.decode()


def test_hostile_tokens_stay_text(tmp_path: Path) -> None:
    targets = tuple(Target(Token(n, text), float(n)) for n, text in enumerate(HOSTILE))
    mappings = tuple(SalientMapping(Token(9, text), 1.0, targets) for text in HOSTILE)
    head = HeadMap(HeadId(3, 4), 1, mappings, Signatures(*[0.5] * 8))
    page = tmp_path / "head.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8><title>clean</title>{head._repr_html_()}",
        encoding="utf-8",
    )
    dom = rendered(page)
    assert "<title>clean</title>" in dom
    assert not re.search(r"<(script|img|h1)\b", dom)
    assert len(re.findall(r"<tr>", dom)) == len(HOSTILE) + 1
    assert len(re.findall(r"<code", dom)) == len(HOSTILE) * (len(HOSTILE) + 1)

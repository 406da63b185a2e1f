"""The page's scripts: plain ones, which the page loads one after the other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import annotator.views.site

PAGE = Path(annotator.views.site.__file__).parent / "page"
APP = {file.stem: file.read_text("utf-8") for file in (PAGE / "app").glob("*.js")}
LOADED = re.findall(r'src="app/(\w+)\.js"', (PAGE / "index.html").read_text("utf-8"))


def used_too_early(loaded: Sequence[str], texts: Mapping[str, str]) -> list[str]:
    """Which file names another's part that loads after it, be it in a function that is called late.

    A file's part has the file's name: `annotator.map` comes from map.js.
    """
    return [
        f"{name} uses {other}"
        for at, name in enumerate(loaded)
        for other in loaded[at + 1 :]
        if re.search(rf"\bannotator\??\.{other}\b", texts[name])
    ]


def test_the_page_loads_every_script_once() -> None:
    assert sorted(LOADED) == sorted(APP)


def test_every_script_brings_the_part_of_its_name() -> None:
    for name, text in APP.items():
        parts = re.findall(r"^annotator\.(\w+) = ", text, re.MULTILINE)
        assert parts == ([] if name == "main" else [name])  # main.js has nothing after it


def test_no_script_uses_what_loads_after_it() -> None:
    assert used_too_early(LOADED, APP) == []


@pytest.mark.parametrize("at_once", ["annotator.map.Map", "() => annotator.map.Map"])
def test_a_part_that_is_used_too_early_is_found(at_once: str) -> None:
    texts = {**APP, "text": f"{APP['text']}\nconst early = {at_once};"}
    assert used_too_early(LOADED, texts) == ["text uses map"]


def test_every_part_that_is_named_is_there() -> None:
    for name, text in APP.items():
        used = set(re.findall(r"\bannotator\??\.(\w+)", text))
        assert used <= {*APP, "opened"}, name


def test_no_script_takes_parts_without_naming_them() -> None:
    """`const { map } = annotator` would pass unread."""
    for name, text in APP.items():
        assert not re.search(r"\}\s*=\s*annotator\s*;", text), name

"""A head's page in real chromium says what the catalog says."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from annotator.catalog.read import Catalog
from annotator.records import HeadMap
from tests.site.browsing import Visit
from tests.site.conftest import Open

pytestmark = pytest.mark.services


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-3, abs=1e-9)


def test_all_mappings_are_shown(visit: Visit, real: Catalog) -> None:
    visit.go("#/L23H4")
    visit.headed("L23H4")
    head = real.head("L23H4")
    visit.by("mappings").locator("details.rest summary").click()
    rows = visit.by("mappings").locator("tbody tr")
    expect(rows).to_have_count(45)
    for row, mapping in zip(rows.all(), head.mappings, strict=True):
        tokens = row.locator("code.token").all_inner_texts()
        assert tokens == [mapping.source.text, *(t.token.text for t in mapping.targets)]
    expect(visit.by("relations")).to_contain_text("country_capital")
    expect(visit.by("descriptions")).to_contain_text("rules")


def copied(visit: Visit) -> Any:
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.page.evaluate("navigator.clipboard.writeText('')")
    visit.by("copy-json").click()
    expect(visit.by("copy-json")).to_have_text("Copied")
    return json.loads(visit.page.evaluate("navigator.clipboard.readText()"))


def same_mappings(given: Any, head: HeadMap) -> None:
    assert len(given) == len(head.mappings)
    for one, mapping in zip(given, head.mappings, strict=True):
        source = {"id": mapping.source.id, "text": mapping.source.text}
        assert one["source"] == source
        if one["sigma"] is not None:
            assert one["sigma"] == near(mapping.sigma)
        assert one["targets"] == [
            {"id": t.token.id, "text": t.token.text, "logit": near(t.logit)}
            for t in mapping.targets
        ]


def test_the_copy_is_the_catalogs_head(visit: Visit, real: Catalog) -> None:
    visit.go("#/L23H4")
    visit.headed("L23H4")
    given, head = copied(visit), real.head("L23H4")
    model = real.manifest.model
    assert (given["model"], given["head"]) == (model["id"], "L23H4")
    assert (given["revision"], given["weight_digest"]) == (None, model["weight_digest"])
    assert given["kv_head"] == head.kv_head
    same_mappings(given["mappings"], head)
    for name, value in given["signatures"].items():
        assert value == near(getattr(head.signatures, name))
    scores = {one.relation: one for one in real.relation_scores("L23H4")}
    scoring = {name for name, one in scores.items() if one.phi or one.suppression}
    assert {one["relation"] for one in given["relations"]} == scoring
    for one in given["relations"]:
        score = scores[one.pop("relation")]
        assert one == {name: near(getattr(score, name)) for name in one}
    [said] = real.descriptions("L23H4")
    [one] = given["descriptions"]
    assert {name: one[name] for name in ("llm", "status", "pattern", "reasoning", "key")} == {
        name: getattr(said, name) for name in ("llm", "status", "pattern", "reasoning", "key")
    }
    assert all(one["head"] != "L23H4" and 0 < one["cosine"] <= 1 for one in given["similar"])


def test_similar_heads_are_others_and_open(page: Visit) -> None:
    """L26H2, a head of pronouns, is like L25H2, which is too; and no KV group is like itself."""
    page.go("#/L26H2")
    page.headed("L26H2")
    similar = page.page.get_by_role("link", name=re.compile(r"^L25H2"))
    similar.first.click()
    page.headed("L25H2")
    page.page.go_back()
    page.headed("L26H2")


def test_previous_and_next(visit: Visit) -> None:
    visit.go("#/L0H8")
    visit.headed("L0H8")
    visit.by("next").click()
    visit.headed("L1H0")
    expect(visit.page).to_have_title(re.compile("^L1H0"))
    visit.by("prev").click()
    visit.headed("L0H8")
    visit.go("#/L0H0")
    visit.headed("L0H0")
    expect(visit.by("prev")).not_to_have_attribute("href", re.compile("."))
    visit.go("#/L29H8")
    visit.headed("L29H8")
    expect(visit.by("next")).not_to_have_attribute("href", re.compile("."))


def test_the_link_to_cite_is_the_pages_own(visit: Visit) -> None:
    visit.go("#/L23H4")
    visit.headed("L23H4")
    cited = visit.by("cite").inner_text()
    address = re.search(r"(?:file|http)\S+#/L23H4", cited)
    assert address is not None
    other = visit.new_page()
    other.goto(address[0])
    expect(other.locator("main h1")).to_have_text(re.compile("^L23H4 of "))


@pytest.mark.parametrize("path", ["L99H1", "L23H9", "L-1H0", "nonsense", "L23H4/more", "%3Cb%3E"])
def test_what_is_no_head_is_said_to_be_none(page: Visit, path: str) -> None:
    page.go(f"#/{path}")
    alert = page.page.get_by_role("alert")
    expect(alert).to_contain_text("L0H0 to L29H8")
    page.page.get_by_role("link", name="To the map").click()
    page.counts(270)


@pytest.fixture
def broken(real: Catalog, tmp_path: Path) -> Path:
    """A copy of the page, to take something from."""
    return shutil.copytree(real.folder / "site", tmp_path / "site")


def test_a_layer_that_is_missing_is_named(broken: Path, visiting: Open) -> None:
    (broken / "data" / "layer-23.js").unlink()
    visit = visiting(broken)
    visit.go("#/L23H4")
    expect(visit.page.get_by_role("alert")).to_contain_text("data/layer-23.js is missing")
    expect(visit.page.get_by_role("alert")).to_contain_text("annotator export")
    visit.page.goto(f"{visit.index}#/L22H8")
    visit.headed("L22H8")
    assert any("layer-23" in one or "ERR_FILE_NOT_FOUND" in one for one in visit.said)
    visit.said.clear()


@pytest.mark.parametrize("name", ["overview", "search", "describer-0", "relation-0", "results"])
def test_any_other_file_that_is_missing_is_named(broken: Path, visiting: Open, name: str) -> None:
    (broken / "data" / f"{name}.js").unlink()
    visit = visiting(broken)
    places = {"relation-0": "#/relations", "results": "#/validation"}
    visit.go(places.get(name, "#/?q=France"))
    expect(visit.page.get_by_role("alert").first).to_contain_text(f"data/{name}.js is missing")
    assert all("ERR_FILE_NOT_FOUND" in one for one in visit.said)
    visit.said.clear()


def test_a_file_that_is_cut_off_is_named(broken: Path, visiting: Open) -> None:
    file = broken / "data" / "layer-23.js"
    file.write_bytes(file.read_bytes()[:-100])
    visit = visiting(broken)
    visit.go("#/L23H4")
    expect(visit.page.get_by_role("alert")).to_contain_text("data/layer-23.js was read, but is")
    assert all("SyntaxError" in one or "exception" in one for one in visit.said)
    visit.said.clear()

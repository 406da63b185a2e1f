"""The page's first view in real chromium: map, table, search, filters, and the address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import expect

from annotator.catalog.read import Catalog
from annotator.records import HeadId
from tests.site.browsing import Visit

pytestmark = pytest.mark.services


def names(rows: pd.DataFrame) -> set[str]:
    """The heads of some rows."""
    return {f"L{layer}H{head}" for layer, head in zip(rows["layer"], rows["head"], strict=True)}


@pytest.fixture(scope="module")
def said(real: Catalog) -> pd.DataFrame:
    return real.frame("descriptions")


@pytest.fixture(scope="module")
def maps(real: Catalog) -> pd.DataFrame:
    return real.frame("maps")


@pytest.fixture(scope="module")
def relations(real: Catalog) -> pd.DataFrame:
    return real.frame("relations")


def phi(relations: pd.DataFrame, name: str) -> dict[str, float]:
    own = relations[relations["relation"] == name]
    at = zip(own["layer"], own["head"], strict=True)
    return {f"L{layer}H{head}": phi for (layer, head), phi in zip(at, own["phi"], strict=True)}


def test_every_head_has_a_cell_and_a_line(visit: Visit, real: Catalog) -> None:
    page = visit.go()
    visit.overview()
    visit.counts(270)
    assert len(visit.passing()) == 270
    expect(page).to_have_title(re.compile("SmolLM2-135M-Instruct"))
    listed = visit.listed()
    while page.get_by_role("button", name="Next 50").is_enabled():
        page.get_by_role("button", name="Next 50").click()
        expect(visit.by("table").locator("tbody a.head").first).not_to_have_text(listed[-50])
        listed += visit.listed()
    assert sorted(listed) == sorted(str(one.head) for one in real.heads())


def test_a_colour_is_picked(visit: Visit, relations: pd.DataFrame) -> None:
    page = visit.go()
    visit.overview()
    before = visit.filled("L23H4")
    visit.by("color-select").select_option("phi:country_capital")
    expect(page).to_have_url(re.compile(r"color=phi(:|%3A)country_capital"))
    expect(page.locator("section.mapped h2")).to_contain_text("country_capital")
    scores = phi(relations, "country_capital")
    best = sorted(scores, key=lambda head: -scores[head])
    expect(visit.by("table").locator("tbody a.head").first).to_have_text(best[0])
    assert visit.listed()[:3] == best[:3]
    nothing = [head for head in best if scores[head] == 0]
    fills = {visit.filled(head) for head in nothing[:20]}
    assert len(fills) == 1, "all that score 0 look alike"
    assert visit.filled(best[0]) not in fills
    assert visit.filled(best[0]) != visit.filled(best[2])
    visit.by("color-select").select_option("category:rules")
    expect(page.locator("section.mapped h2")).to_contain_text("ategory")
    visit.by("reset").click()
    expect(page).to_have_url(re.compile(r"#/$"))
    visit.overview()
    assert visit.filled("L23H4") == before


@pytest.mark.parametrize("testid", ["filter-category", "filter-status"])
def test_descriptions_are_filtered(page: Visit, said: pd.DataFrame, testid: str) -> None:
    page.go()
    column = testid.removeprefix("filter-")
    values = sorted(said[column].dropna().unique())
    assert len(values) > 1
    for value in values:
        page.by(testid).select_option(value)
        wanted = names(said[said[column] == value])
        page.counts(len(wanted))
        assert page.passing() == wanted
        assert set(page.listed()) <= wanted
    page.by(testid).select_option("none")
    page.counts(int(said[column].isna().sum()))


def test_layers_are_filtered(page: Visit) -> None:
    page.go()
    page.by("layer-from").fill("20")
    page.by("layer-to").fill("22")
    page.by("layer-to").press("Enter")
    page.counts(27)
    assert page.passing() == {f"L{layer}H{head}" for layer in (20, 21, 22) for head in range(9)}
    page.by("layer-to").fill("3")
    page.by("layer-to").press("Enter")
    page.counts(0)
    expect(page.page.get_by_text("No head passes all of this.")).to_be_visible()


def search_in(visit: Visit, place: str) -> None:
    """Search in nothing but one place."""
    for other in {"descriptions", "sources", "targets"} - {place}:
        visit.by(f"search-{other}").click()
        expect(visit.by(f"search-{other}")).not_to_be_checked()


def holding(maps: pd.DataFrame, column: str, text: str) -> set[str]:
    found = maps[column].str.lower().str.contains(text.lower().replace(" ", "␣"), regex=False)
    return names(maps[found])


def test_descriptions_are_searched(visit: Visit, said: pd.DataFrame) -> None:
    visit.go()
    search_in(visit, "descriptions")
    visit.by("search").fill("other forms")
    wanted = names(said[said["pattern"].fillna("").str.contains("other forms")])
    visit.counts(len(wanted))
    assert 0 < len(wanted) < 270
    assert visit.passing() == wanted


@pytest.mark.parametrize("place", ["sources", "targets"])
@pytest.mark.parametrize("text", ["␣Italian", " italian", "<", "ü"])
def test_tokens_are_searched(page: Visit, maps: pd.DataFrame, place: str, text: str) -> None:
    page.go()
    search_in(page, place)
    page.by("search").fill(text)
    wanted = holding(maps, place.removesuffix("s"), text)
    page.counts(len(wanted))
    assert page.passing() == wanted


def test_a_search_is_of_all_and_says_what_matched(
    visit: Visit, maps: pd.DataFrame, said: pd.DataFrame
) -> None:
    visit.go()
    visit.by("search").fill("␣Stockholm")
    wanted = holding(maps, "source", "␣Stockholm") | holding(maps, "target", "␣Stockholm")
    visit.counts(len(wanted))
    assert "L23H4" in wanted
    row = visit.by("table").locator("tbody tr", has_text="L23H4")
    expect(row.locator("code.token", has_text="Stockholm").first).to_be_visible()
    visit.by("search").fill("L7H3")
    expect(visit.by("table").locator("tbody a.head", has_text=re.compile("^L7H3$"))).to_be_visible()
    visit.by("search").fill("no such thing anywhere")
    visit.counts(0)


def test_the_table_is_sorted(page: Visit, real: Catalog) -> None:
    page.go()
    head = page.by("table").get_by_role("columnheader")
    for signature in ("copy", "hub"):
        button = head.get_by_role("button", name=signature)
        button.click()
        wanted = [str(one.head) for one in real.heads(sort=signature)]
        expect(page.by("table").locator("tbody a.head").first).to_have_text(wanted[0])
        values = {str(one.head): getattr(one.signatures, signature) for one in real.heads()}
        shown = [values[one] for one in page.listed()]
        assert shown == sorted(values.values(), reverse=True)[:50]
        assert button.locator("..").get_attribute("aria-sort") == "descending"
        button.click()
        expect(button.locator("..")).to_have_attribute("aria-sort", "ascending")
        shown = [values[one] for one in page.listed()]
        assert shown == sorted(values.values())[:50]


def test_a_head_is_opened_by_a_click_and_back_is_where_it_was(visit: Visit) -> None:
    page = visit.go()
    visit.overview()
    visit.by("color-select").select_option("phi:name_copying")
    expect(page.locator("section.mapped h2")).to_contain_text("name_copying")
    visit.by("layer-from").fill("20")
    visit.by("layer-from").press("Enter")
    visit.counts(90)
    before, listed = page.url, visit.listed()
    visit.cell("L23H2").click()
    visit.headed("L23H2")
    expect(page).to_have_url(re.compile("#/L23H2$"))
    page.go_back()
    visit.counts(90)
    assert page.url == before
    assert visit.listed() == listed
    assert visit.by("color-select").input_value() == "phi:name_copying"
    visit.by("table").locator("tbody a.head").nth(1).click()
    visit.headed(listed[1])
    page.go_forward()
    visit.headed(listed[1])


def test_a_head_is_opened_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit.go()
    visit.overview()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.testid") == "map":
            break
    else:
        pytest.fail("the map is not reached with Tab")
    for key, head in (("Down", "L1H0"), ("Down", "L2H0"), ("Right", "L2H1"), ("Right", "L2H2")):
        page.keyboard.press(f"Arrow{key}")
        expect(page.locator(".panel a.head")).to_have_text(head)
    page.keyboard.press("Enter")
    visit.headed("L2H2")
    page.keyboard.press("ArrowRight")
    visit.headed("L2H3")
    page.keyboard.press("k")
    visit.headed("L2H2")
    page.keyboard.press("m")
    visit.overview()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    page.keyboard.press("/")
    expect(visit.by("search")).to_be_focused()
    page.keyboard.type("L29H8")
    expect(
        visit.by("table").locator("tbody a.head", has_text=re.compile("^L29H8$"))
    ).to_be_visible()


def test_what_is_pointed_at_is_told(page: Visit, said: pd.DataFrame) -> None:
    page.go()
    page.overview()
    described = said[said["status"] == "described"].iloc[0]
    name = f"L{described['layer']}H{described['head']}"
    page.cell(name).hover()
    expect(page.page.locator(".panel")).to_contain_text(name)
    expect(page.page.locator(".panel")).to_contain_text(described["pattern"])


STATE = "#/?color=suppression%3Aname_copying&q=␣a&in=sources%2Ctargets&from=3&to=28&sort=hub&page=2"
FILTERS: list[tuple[str, Callable[[Visit], Any], str]] = [
    (one, lambda visit, one=one: visit.by(one).input_value(), value)
    for one, value in (
        ("color-select", "suppression:name_copying"),
        ("search", "␣a"),
        ("layer-from", "3"),
        ("layer-to", "28"),
    )
]


def test_an_address_restores_all_there_is_to_set(visit: Visit, maps: pd.DataFrame) -> None:
    visit.go(STATE)
    wanted = holding(maps, "source", "␣a") | holding(maps, "target", "␣a")
    wanted = {head for head in wanted if 3 <= HeadId.parse(head).layer <= 28}
    visit.counts(len(wanted))
    for _, value, expected in FILTERS:
        assert value(visit) == expected
    assert not visit.by("search-descriptions").is_checked()
    assert visit.by("search-targets").is_checked()
    assert visit.passing() == wanted
    sort = visit.by("table").get_by_role("columnheader", name="hub")
    expect(sort).to_have_attribute("aria-sort", "ascending")
    expect(visit.page.get_by_text(re.compile(r"^51 to \d+ of"))).to_be_visible()


def test_a_link_that_is_sent_shows_the_same(visit: Visit) -> None:
    visit.go()
    visit.by("filter-status").select_option("described")
    visit.by("filter-category").select_option("general")
    visit.by("search").fill("token")
    visit.by("color-select").select_option("signature:copy")
    expect(visit.page).to_have_url(re.compile("q=token.*"))
    expect(visit.page).to_have_url(re.compile("signature"))
    text, listed = visit.by("count").inner_text(), visit.listed()
    other = visit.new_page()
    other.goto(visit.page.url)
    expect(other.get_by_test_id("count")).to_have_text(text)
    assert other.get_by_test_id("table").locator("tbody a.head").all_inner_texts() == listed
    assert other.get_by_test_id("filter-category").input_value() == "general"


def test_an_address_that_means_nothing_is_said_to_and_the_rest_holds(page: Visit) -> None:
    page.go("#/?color=charm&from=20&category=odd&q=%22%3E%3Cb%3E&x=y")
    alert = page.page.get_by_role("alert")
    for text in ("color=charm", "category=odd", "x=y"):
        expect(alert).to_contain_text(text)
    assert page.by("layer-from").input_value() == "20"
    assert page.by("search").input_value() == '"><b>'
    page.counts(0)

"""What is in a catalog stays text on its page, whatever it holds."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from annotator.catalog.read import Catalog
from tests import large_catalog
from tests.site.browsing import Visit
from tests.site.conftest import Open
from tests.site.making import HOSTILE_MODEL
from tests.site.test_head import copied, same_mappings

pytestmark = pytest.mark.services

# Elements that the page itself never has; and any handler that is written as an attribute.
FOREIGN = "main img, main script, main iframe, main b, [onerror], [onload], [onclick]"
TURNS = "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))


@pytest.fixture
def visit(made: Catalog, visiting: Open) -> Visit:
    return visiting(made.folder / "site")


def harmless(visit: Visit) -> None:
    assert visit.page.locator(FOREIGN).count() == 0
    assert visit.page.evaluate("document.title") != "owned"
    text = visit.page.locator("body").inner_text()
    assert not set(text) & set(TURNS), "the direction of text is not turned"


def test_hostile_tokens_stay_text(visit: Visit, made: Catalog) -> None:
    hostile = {text for text in large_catalog.HOSTILE if text}
    met: set[str] = set()
    for head in ("L0H0", "L2H8"):
        visit.go(f"#/{head}")
        visit.headed(head)
        visit.by("mappings").locator("details.rest summary").click()
        shown = visit.by("mappings").locator("code.token").all_inner_texts()
        mapped = made.head(head)
        assert shown == [
            text
            for one in mapped.mappings
            for text in (one.source.text, *(target.token.text for target in one.targets))
        ]
        met |= hostile & set(shown)
        same_mappings(copied(visit)["mappings"], mapped)
        harmless(visit)
    assert len(met) > 5


def test_hostile_descriptions_and_comments_stay_text(visit: Visit, made: Catalog) -> None:
    said = [one for one in made.descriptions() if one.pattern in large_catalog.SAID]
    assert said
    visit.go()
    visit.overview()
    harmless(visit)
    for one in said:
        visit.go(f"#/{one.head}")
        visit.headed(str(one.head))
        assert one.pattern is not None
        expect(visit.by("descriptions")).to_contain_text(re.split("[\n\u202e]", one.pattern)[0])
        for summary in visit.by("descriptions").locator("summary").all():
            summary.click()
        harmless(visit)
    commented = [item for item, judgment in made.judgments() if judgment.comment]
    assert commented
    for item in commented[:3]:
        visit.go(f"#/{item.head}")
        expect(visit.by("judgments")).to_be_visible()
        harmless(visit)


QUERIES = (
    *("<script>", "__proto__", "constructor", "toString", "=1", '"><', "?a=b&c", "#", "&lt;"),
    *("100%", "%41", "a+b", "[x]", "\\", "true"),
)


@pytest.mark.parametrize("query", QUERIES)
def test_hostile_texts_are_found_and_harm_nothing(visit: Visit, made: Catalog, query: str) -> None:
    visit.go()
    visit.by("search").fill(query)
    maps, said = made.frame("maps"), made.frame("descriptions")
    wanted: set[str] = set()
    for rows, columns in ((maps, ("source", "target")), (said, ("inputs", "pattern"))):
        if rows is said:
            rows = rows[rows["llm"] == large_catalog.FAKE]
        for column in columns:
            texts = rows[column].fillna("").str.lower()
            own = rows[texts.str.contains(query.lower(), regex=False)]
            wanted |= {f"L{a}H{b}" for a, b in zip(own["layer"], own["head"], strict=True)}
    visit.counts(len(wanted), 64)
    assert visit.passing() == wanted
    harmless(visit)
    visit.page.reload()
    visit.counts(len(wanted), 64)
    assert visit.by("search").input_value() == query, "the address has it whole"


def test_a_hostile_name_of_a_model_stays_text(visit: Visit) -> None:
    visit.go()
    expect(visit.page.locator("main h1")).to_have_text(HOSTILE_MODEL)
    for place in ("#/about", "#/relations", "#/study", "#/L0H0"):
        visit.go(place)
        harmless(visit)
    expect(visit.by("cite")).to_contain_text(HOSTILE_MODEL)


def test_nothing_secret_is_in_the_folder(made: Catalog) -> None:
    """Raters by pseudonym; no name of theirs, and no path."""
    for file in (made.folder / "site").rglob("*"):
        if file.is_file() and file.suffix == ".js" and file.parent.name == "data":
            text = file.read_text("ascii")
            assert str(made.folder.parent) not in text
            assert not re.search(r'"(ana|ben|chi)"', text), file

"""What notebooks show: all of it text, in whatever colours the page has."""

from __future__ import annotations

import math
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.catalog.read import open_catalog
from annotator.pipeline.validate import Findings
from annotator.records import (
    HeadId,
    HeadMap,
    HeadSummary,
    Hit,
    Relation,
    RelationPairs,
    RelationScore,
    RowView,
    SalientMapping,
    Signatures,
    Target,
    Token,
)
from annotator.records.table import INTERVAL, NUMBER, REASON, TEXT, Column, Table
from tests import large_catalog
from tests.judge import made
from tests.large_catalog import HOSTILE, SAID

TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "code", "b", "br"}
EVERY = (*HOSTILE, *SAID, "</table><style>*{color:red}</style>", "a\nb", "\x00\x1b[31m")


class Page(HTMLParser):
    """The text and the tags of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.open = "", list[str]()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert set(dict(attrs)) <= {"style", "title"}
        assert dict(attrs).get("style") in (None, "text-align:left"), "no colours"
        if title := dict(attrs).get("title"):
            float(title)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def visible(text: str) -> str:
    """A text as it is shown."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape", "surrogatepass").decode()
        for c in text
    )


def records(text: str) -> list[Any]:
    """One of each kind, holding the text wherever it may come."""
    token, head = Token(1, text), HeadId(2, 3)
    mapping = SalientMapping(token, math.nan, (Target(token, 2.0),), (Target(token, -1.0),))
    said = made.description(llm=text, inputs=text, pattern=text, reasoning=text, problem=text)
    item = replace(made.item(), llm=text, status=text)
    relation = Relation(text, ((text, text),), text, text)
    columns = [Column(TEXT, [text], "a", "a"), Column(REASON, [text], "reason", text)]
    return [
        mapping,
        HeadMap(head, 1, (mapping,), Signatures(*[0.5] * 8)),
        RowView(head, token, 1.5, 7, (Target(token, 2.0),), (Target(token, -2.0),)),
        said,
        replace(said, category=text, status=text, template=text),
        item,
        made.judgment(item, rater=text, precision=text, category=text, comment=text),
        RelationPairs(relation, 10, ((1, 2),), {text: 3}),
        RelationScore(head, text, 10, 40, 0.5, 0.1, 0.2, 0.0, 1.0, 1.0),
        Findings(text, {"one": Table("one", "One", "", columns)}),
    ]


@pytest.mark.parametrize("text", EVERY)
def test_what_a_record_holds_stays_text(text: str) -> None:
    for record in records(text):
        assert visible(text) in Page(record._repr_html_()).text, record


@given(st.text(min_size=1))
def test_any_text_stays_text(text: str) -> None:
    for record in records(text):
        assert visible(text) in Page(record._repr_html_()).text


def test_half_a_character_is_spelled_out() -> None:
    assert Page(made.description(pattern="a\ud800b")._repr_html_()).text.count("a\\ud800b") == 1


def test_numbers_are_short_and_what_is_missing_is_a_dash() -> None:
    summary = HeadSummary(HeadId(0, 1), 0, Signatures(*[1 / 3] * 7, 6.0))
    text = Page(summary._repr_html_()).text
    assert "0.3333" in text
    assert "telling2.667" in text
    text = Page(Hit(HeadId(0, 1), 5, math.nan)._repr_html_()).text
    assert text == "L0H1rank5logit–"


def test_a_judgment_says_what_was_answered() -> None:
    text = Page(made.judgment("i", pattern=None)._repr_html_()).text
    assert "skippedyes" in text
    text = Page(made.judgment("i", pattern=False)._repr_html_()).text
    assert "a pattern is seenno" in text
    assert "precision" not in text


def test_a_catalog_shows_its_size_tables_and_most_telling_heads(tmp_path: Path) -> None:
    large_catalog.mapped(tmp_path / "<b>&", 4, 16)
    catalog = open_catalog(tmp_path / "<b>&")
    text = Page(catalog._repr_html_()).text
    assert "made-up/Large-70B: 64 heads, 4 layers of 16; in " in text
    assert "<b>&" in text
    assert ": mappings, signatures, descriptions, judgments" in text
    for head in catalog.telling(5):
        assert f"{head.head}{head.mappings[0].source.text}" in text
    assert "relations" not in text
    large_catalog.related(catalog.folder)
    assert "relations, relation_curves" in Page(catalog._repr_html_()).text


def test_a_frame_is_one_call_away() -> None:
    up, down = Target(Token(5, "a"), 2.0), Target(Token(6, "b"), -2.0)
    row = RowView(HeadId(0, 0), Token(1, "s"), 1.0, 0, (up,), (down,))
    assert row.frame().to_dict("records") == [
        {"side": "top", "target_rank": 0, "target_id": 5, "target": "a", "logit": 2.0},
        {"side": "bottom", "target_rank": 0, "target_id": 6, "target": "b", "logit": -2.0},
    ]
    columns = [Column(TEXT, ["r"], "relation"), Column(INTERVAL, [(0.4, 0.6)], "without")]
    tables = {
        "one": Table("one", "One", "", columns),
        "two": Table("two", "Two", "", [Column(NUMBER, [0.5], "base")]),
    }
    found = Findings("m", tables)
    [line] = found.frame().to_dict("records")
    assert line == {"relation": "r", "without_low": 0.4, "without_high": 0.6}
    assert found.frame("two").to_dict("records") == [{"base": 0.5}]

"""What raters see: every token in its place, and nothing that gives anything away."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.describe.evidence import ABSTENTION, description_text
from annotator.label_studio.task import mappings_html, screen, task_of
from annotator.tokens.display import show_bytes, show_special
from tests.judge.made import CAPITALS, description, head_map, item

ROWS = st.lists(
    st.tuples(st.text(), st.lists(st.text(), min_size=1, max_size=5)), min_size=1, max_size=4
)


class Table(HTMLParser):
    """The table as a browser reads it: its rows of cells, and every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.outside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "col":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open:
            self.rows[-1][-1] += data
        else:
            self.outside += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = unknown_decl = handle_pi = handle_comment


def check(rows: list[tuple[str, list[str]]]) -> Table:
    """Every text stands whole in its own cell, and there is no other tag or attribute than ours."""
    table = Table(mappings_html(head_map(mappings=rows)))
    wanted = [[str(n), source, *targets] for n, (source, targets) in enumerate(rows, start=1)]
    assert table.rows == wanted
    assert table.outside == ""
    assert table.open == []
    assert {tag for tag, _ in table.tags} <= {
        *("table", "colgroup", "col", "tbody", "tr", "td", "span", "i")
    }
    texts = {text for source, targets in rows for text in (source, *targets)}
    for tag, attributes in table.tags:
        assert attributes.keys() <= {"class", "title", "span"}
        assert tag == "span" or "title" not in attributes
        assert attributes.get("title") is None or attributes["title"] in texts
    return table


@given(ROWS)
def test_no_token_leaves_its_place(rows: list[tuple[str, list[str]]]) -> None:
    # A parser cannot hand on what no HTML holds; tokens are shown without any of it.
    def shown(text: str) -> str:
        return show_bytes(text.encode())

    check([(shown(source), [shown(target) for target in targets]) for source, targets in rows])


@given(st.lists(st.binary(), min_size=1, max_size=5))
def test_no_bytes_leave_their_place(pieces: list[bytes]) -> None:
    shown = [show_bytes(piece) for piece in pieces]
    check([(shown[0], shown)])


@pytest.mark.parametrize(
    "token",
    [
        *("</td><td>", "</span>", "<script>alert(1)</script>", "<!--", "-->", "<![CDATA[", "]]>"),
        *("&amp;", "&lt", "&#60;", '" onmouseover="x', "' title='", "<style>*{}</style>", "<?x"),
        *("<i>␣</i>", "␣␣␣", "", "{{ x }}", "$title", "<!DOCTYPE", "</table>", "\\n", "`", "="),
        show_special("<|im_start|>"),
    ],
)
def test_tokens_that_look_like_markup(token: str) -> None:
    for text in (token, token * 4, "␣" + token):
        check([(text, [text, "next"]), ("after", [text])])


def test_a_long_token_is_whole_in_its_tooltip() -> None:
    long = '␣"antidisestablishmentarianism"'
    table = check([(long, [long, "short"])])
    assert [a["title"] for _, a in table.tags if "title" in a] == [long, long]


def test_spaces_are_marked() -> None:
    assert '<span class="tok"><i>␣</i>France</span>' in mappings_html(head_map())


def shades(logits: tuple[float, ...]) -> list[str | None]:
    """The classes of one row's targets."""
    rows = [("s", ["t"] * len(logits))]
    table = Table(mappings_html(head_map(mappings=rows, logits=logits)))
    return [attributes["class"] for tag, attributes in table.tags if tag == "span"][1:]


def test_the_largest_logits_are_the_darkest() -> None:
    assert shades((10.0, 9.0, 8.0, 0.1, 0.0)) == ["tok s5", "tok s5", "tok s4", "tok s1", "tok"]
    assert shades((-1.0, -2.0)) == ["tok", "tok"]
    assert shades((math.inf, 2.0, math.nan, -math.inf)) == ["tok", "tok s5", "tok", "tok"]
    assert shades((0.0,)) == ["tok"]
    assert shades((5e-324, 5e-324)) == ["tok s5", "tok s5"]


@given(st.lists(st.floats(), min_size=1, max_size=5))
def test_every_shade_is_one_of_the_screen(logits: list[float]) -> None:
    for shade in shades(tuple(logits)):
        assert shade == "tok" or f".{str(shade)[-2:]} {{" in screen()


def test_only_what_is_evidence_is_shown() -> None:
    many = head_map(mappings=[(f"s{n}", [f"t{m}" for m in range(9)]) for n in range(40)])
    many_logits = head_map(mappings=[("s", ["t"] * 9)] * 40, logits=(1.0,) * 9)
    assert len(Table(mappings_html(many)).rows) == 30
    assert {len(row) for row in Table(mappings_html(many_logits)).rows} == {1 + 1 + 5}


def test_a_task_is_small() -> None:
    rows = [("␣nations", ["␣nations"] * 5)] * 30
    made = task_of(item(), head_map(mappings=rows), description(), 999, 1000, "ana")
    assert len(json.dumps(dict(made.data), ensure_ascii=False).encode()) < 12_000


def test_a_task_tells_nothing_of_the_head_or_of_who_described_it() -> None:
    head = "L17H13"
    given: dict[str, Any] = {"template": "templ", "key": "the-key", "reasoning": "because"}
    said = description(head, llm="openai:gpt-secret", **given)
    made = task_of(item(head), head_map(head), said, 12, 140, "ana")
    assert made.item == made.data["item"] == item(head).id
    assert made.data["title"] == "Item 12 of 140"
    assert made.data["rater"] == "ana"
    assert made.data["description"] == "Inputs: countries\nPattern: their capitals"
    shown = json.dumps(dict(made.data))
    for hidden in ("17", "13", "gpt", "templ", "the-key", "because", "semantic", "described"):
        assert hidden not in shown


def test_every_abstention_reads_the_same() -> None:
    for llm in ("rules", "openai:some-model"):
        said = description(status="unclear", llm=llm, inputs=f"says {llm}", reasoning=llm)
        assert description_text(said) == ABSTENTION


@pytest.mark.parametrize("status", ["refused", "truncated", "malformed"])
def test_what_is_no_description_is_not_shown(status: str) -> None:
    with pytest.raises(ValueError, match=status):
        description_text(description(status=status))


def test_a_description_stays_on_its_two_lines() -> None:
    said = description(inputs=" a\n\nb\t", pattern="c\x00\ud800 \x1b[31m é")
    assert description_text(said) == "Inputs: a b\nPattern: c\ufffd\ufffd \ufffd[31m é"


def test_the_screen_asks_for_what_a_task_holds() -> None:
    root = ET.fromstring(screen())
    values = {tag.get("value", "") for tag in root.iter() if tag.get("value", "").startswith("$")}
    data = task_of(item(), head_map(mappings=CAPITALS), description(), 1, 1, "ana").data
    assert {value[1:] for value in values} == {"title", "mappings_html", "description"}
    assert {value[1:] for value in values} <= data.keys()

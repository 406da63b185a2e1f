"""A table in Markdown is one for a parser of another hand, and its cells are the texts."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from annotator.tokens.load import load_vocabulary
from annotator.views.export import markdown
from annotator.weights.model import open_model
from tests.export.hostile import SHAPES, texts

# GitHub's tables and strikethrough; HTML is parsed, so that it would show if it came through.
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def rendered(token: Token) -> str:
    """The text that a reader of a cell sees; anything but text is named."""
    kinds = {"text", "text_special"}
    return "".join(c.content if c.type in kinds else f"<{c.type}>" for c in token.children or [])


def cells(text: str) -> list[list[str]]:
    tokens = PARSER.parse(text)
    assert tokens[0].type == "table_open"
    assert tokens[-1].type == "table_close"
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(rendered(token).strip())
    return rows


def shown(text: str) -> str:
    """On one line, as CommonMark reads it; blanks around a cell are nobody's business."""
    return " ".join(text.splitlines()).strip().replace("\x00", "\ufffd")


def written(table: pa.Table) -> str:
    buffer = io.BytesIO()
    markdown.write(table, buffer)
    return buffer.getvalue().decode()


@given(st.lists(st.tuples(texts, texts), max_size=4), texts, texts)
def test_a_table_of_anything(rows: list[tuple[str, str]], first: str, second: str) -> None:
    columns = [pa.array([row[at] for row in rows], pa.string()) for at in (0, 1)]
    table = pa.Table.from_arrays(columns, names=[first, second])
    read = cells(written(table))
    assert read == [[shown(cell) for cell in row] for row in ((first, second), *rows)]


def test_the_whole_vocabulary(real_gguf: Path) -> None:
    model = open_model(real_gguf)
    vocabulary = load_vocabulary(model.source, model.dims.vocab)
    tokens = [*(vocabulary.shown(id) for id in range(model.dims.vocab)), *SHAPES]
    read = cells(written(pa.table({"text": tokens})))
    assert [cell for (cell,) in read[1:]] == [shown(token) for token in tokens]

"""Texts that mean something to a format: what tokens, language models and raters may write."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

SHAPES = (
    *("", " ", "␣", "NA", "null", "None", "nan", "NaN", "-inf", "true", "1e5", "007", "0x1F"),
    *("=1+1", "+1", "-1", "@SUM(A1)", "＝1", "＋1", "－1", "＠x", "\t=1", "\r=1", "\n=1", " =1"),
    *(
        "'",
        "''",
        "'=1",
        "\x00",
        "\x00=1",
        "\ufeff=1",
        "=cmd|' /C calc'!A0",
        '=HYPERLINK("http://x")',
    ),
    *(",", ";", "\t", '"', '""', '"a","b"', "a\nb", "a\r\nb", "a\rb", "\\n", "\\", "\\N", "\x1a"),
    *(
        "a\u2028b",
        "a\u2029b",
        "a\x85b",
        "a\x0bb",
        "a\x0cb",
        "a\x1cb",
        "\u202egnp",
        "\ufffe",
        "\U0001f642",
    ),
    *(
        "|",
        "a|b",
        "\\|",
        "`a|b`",
        "``",
        "*a*",
        "_a_",
        "**",
        "~~a~~",
        "<b>x</b>",
        "<!--",
        "&amp;",
        "&#65;",
    ),
    *(
        "[a](b)",
        "![a](b)",
        "[^1]",
        "# a",
        "- a",
        "1. a",
        "> a",
        "---",
        ":---",
        "$a$",
        "http://a.example",
    ),
    *(
        "</script><script>",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "{# #}",
        "%s",
        "${x}",
        "---\nlicense: mit\n---",
    ),
    *(
        "- !!python/object:x",
        ": a",
        "a: b",
        "? a",
        "&a",
        "*a",
        "!a",
        "%a",
        "@a",
        "`a",
        "#a",
        "a #b",
    ),
)
characters = st.one_of(
    st.sampled_from("\"',;|<>&{}=+-@\\`*_[]#~$!:\t\r\n\x00\x85\u2028"),
    st.characters(exclude_categories=["Cs"]),
)
texts = st.one_of(st.sampled_from(SHAPES), st.text(characters, max_size=8))

_WHOLE = {pa.int16(): 15, pa.int32(): 31, pa.int64(): 63}


def values(field: pa.Field) -> st.SearchStrategy[Any]:
    """What a column may hold."""
    if pa.types.is_integer(field.type):
        bits = _WHOLE[field.type]
        found: st.SearchStrategy[Any] = st.integers(-(2**bits), 2**bits - 1)
    elif pa.types.is_floating(field.type):
        width = field.type.bit_width
        found = st.floats(width=width, allow_nan=False, allow_infinity=False)
    elif pa.types.is_boolean(field.type):
        found = st.booleans()
    elif pa.types.is_timestamp(field.type):
        # Microseconds of the years that readers of text know.
        found = st.integers(0, 4_000_000_000_000_000)
    else:
        found = texts
    return st.one_of(st.none(), found) if field.nullable else found


def tables(schema: pa.Schema) -> st.SearchStrategy[pa.Table]:
    """Tables of a schema."""
    rows = st.lists(st.tuples(*map(values, schema)), max_size=5)

    def table(rows: list[tuple[Any, ...]]) -> pa.Table:
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema)

    return rows.map(table)

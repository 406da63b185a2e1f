"""HTML for notebooks: small tables without colours, so that they fit a light and a dark page.

What comes in is text, whatever it holds: it is escaped, and what cannot be seen is spelled out.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import starmap

_LEFT = "text-align:left"
NOTHING = "–"


def text(value: object) -> str:
    """Any value as escaped text: numbers in few digits, nothing as a dash."""
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case float():
            return NOTHING if math.isnan(value) else f"{value:.4g}"
        case Mapping():
            return "; ".join(f"{text(name)} {text(one)}" for name, one in value.items()) or NOTHING  # pyright: ignore[reportUnknownVariableType]
        case _:
            return "".join(map(_seen, html.escape(str(value))))


def code(token: str, logit: float | None = None) -> str:
    """A token; its logit is what the mouse finds."""
    title = "" if logit is None else f" title='{logit:.3f}'"
    return f"<code{title}>{text(token)}</code>"


def codes(tokens: Iterable[tuple[str, float]]) -> str:
    """Tokens beside each other, each with its logit."""
    return " ".join(starmap(code, tokens))


def day(seconds: float) -> str:
    """A time, in seconds since 1970."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table.

    Args:
        caption: HTML.
        columns: their names, as text.
        rows: of HTML cells.
    """
    header = "".join(f"<th style='{_LEFT}'>{text(name)}</th>" for name in columns)
    head = f"<thead><tr>{header}</tr></thead>" if columns else ""
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><caption style='{_LEFT}'>{caption}</caption>{head}<tbody>{body}</tbody></table>"


def facts(caption: str, values: Mapping[str, object]) -> str:
    """A line for each value, with its name."""
    named = ((text(name), text(value)) for name, value in values.items())
    return table(f"<b>{text(caption)}</b>", (), named)


def _cell(content: str) -> str:
    return f"<td style='{_LEFT}'>{content}</td>"


def _seen(char: str) -> str:
    shown = char.isprintable() or char == "\n"
    return char if shown else char.encode("unicode_escape", "surrogatepass").decode()

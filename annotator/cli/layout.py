"""How printed tables are laid out: for the terminal's width, 100 columns where there is none."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any, cast

from rich import box
from rich.console import Console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from annotator.records import RelationScore, Target
from annotator.terminal_text import Styled, visible

SCORE_COLUMNS = (
    *(("phi", "number"), ("q", "number"), ("suppressed", "number"), ("q", "number")),
    ("the head", ""),
)


class _Console(Console):
    """Shows control characters of what it is given; of its own it writes styles."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        shown = [Segment(visible(one.text), one.style, one.control) for one in buffer]
        return super()._render_buffer(shown)


class _Styled:
    """Standard output, as a console writes to it: what is left of styles is our own."""

    def write(self, text: str) -> int:
        return sys.stdout.write(Styled(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)


def new_console() -> Console:
    """Standard output, as wide as the terminal."""
    # A pipe has no width of its own; COLUMNS may name one.
    width = None if Console().is_terminal or "COLUMNS" in os.environ else 100
    out = cast("IO[str]", _Styled())
    return _Console(file=out, width=width, highlight=False, markup=False, emoji=False)


def new_table(*columns: tuple[str, str]) -> Table:
    """A table without lines; a column's style is number, targets, head or ""."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name, style in columns:
        right = style == "number"
        wide = style == "targets"
        table.add_column(
            name,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=right,
            ratio=1 if wide else None,
            style="bold" if style == "head" else None,
        )
    return table


def number_shown(value: float) -> str:
    """Two decimals, or one digit that counts where those would show nothing (focus is small)."""
    if math.isnan(value):
        return "-"
    return f"{value:.1g}" if 0 < abs(value) < 0.005 else f"{value:.2f}"


def plural(number: int, what: str) -> str:
    """So many of what is called so: 1 head, 2 heads."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def tokens_shown(targets: Sequence[Target]) -> Text:
    """Tokens two spaces apart: shown tokens hold no spaces of their own."""
    return Text("  ".join(target.token.text for target in targets))


def score_cells(score: RelationScore) -> list[str]:
    """A relation score under SCORE_COLUMNS."""
    signs = (score.phi, score.q), (score.suppression, score.suppression_q)
    numbers = [(f"{value:.2f}", f"{q:.1g}") if value else ("-", "-") for value, q in signs]
    does = {"implements it": score.implements, "suppresses it": score.suppresses}
    return [*numbers[0], *numbers[1], ", ".join(word for word, yes in does.items() if yes)]


def packed(pieces: Iterable[str], width: int) -> str:
    """Pieces two spaces apart, in lines that break between pieces only."""
    lines: list[str] = []
    for piece in pieces:
        longer = f"{lines[-1]}  {piece}" if lines else ""
        if lines and len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(piece)
    return "\n".join(lines)

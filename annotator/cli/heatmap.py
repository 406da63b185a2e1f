"""A map of a model's heads in the terminal: layers down, heads across, a block for each head."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from rich.text import Text

from annotator.records import HeadId

NO_SCORE = "·"
BLOCKS = "▁▂▃▄▅▆▇█"
LABEL = 5
"""Columns of the layers' names."""
LABELLED = 5
"""A head's number stands above every fifth cell."""

Cell = tuple[float, str]
"""A share from 0 to 1, and the style it is shown in."""


def heatmap(cells: Mapping[HeadId, Cell], n_layers: int, n_heads: int, width: int) -> Text:
    """The map; heads that do not fit beside each other share a cell, which shows the largest.

    Args:
        cells: of every head.
        n_layers: of the model.
        n_heads: of a layer.
        width: columns of the terminal.
    """
    size = heads_in_a_cell(n_heads, width)
    firsts = range(0, n_heads, size)
    gap = " " if LABEL + 2 * len(firsts) <= width else ""
    lines = [_numbers([str(head) for head in firsts], 1 + len(gap))]
    for layer in range(n_layers):
        line = Text(f"L{layer}".ljust(LABEL))
        for first in firsts:
            heads = range(first, min(first + size, n_heads))
            share, style = max((cells[HeadId(layer, head)] for head in heads), key=lambda c: c[0])
            line.append(block(share) + gap, style)
        lines.append(line)
    return Text("\n").join(lines)


def heads_in_a_cell(n_heads: int, width: int) -> int:
    """How many heads share a cell: 1 where all fit."""
    return ceil(n_heads / max(1, width - LABEL))


def block(share: float) -> str:
    """A dot for 0, else a block that is the higher the larger the share, in eighths."""
    return BLOCKS[min(ceil(share * len(BLOCKS)), len(BLOCKS)) - 1] if share > 0 else NO_SCORE


def _numbers(names: list[str], wide: int) -> Text:
    """The line above: every fifth cell's number, where there is room for it."""
    line = "H".rjust(LABEL)
    for at in range(0, len(names), LABELLED):
        fits = at * wide + len(names[at]) <= len(names) * wide
        line += (names[at] if fits else "").ljust(LABELLED * wide)
    return Text(line.rstrip())

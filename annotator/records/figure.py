"""A figure, declared as data by whoever computes it; files and page draw it in their own ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LINE, THIN, DOTS, CROSSES, DIAMONDS = "line", "thin", "dots", "crosses", "diamonds"


@dataclass(frozen=True)
class Series:
    """Points that belong together.

    Attributes:
        label: what they are; the same in all panels that have it.
        mark: how they are drawn; a line, also a thin one, goes from point to point.
        x: where.
        y: how high.
    """

    label: str
    mark: str
    x: Sequence[int | float]
    y: Sequence[int | float]


@dataclass(frozen=True)
class Panel:
    """One of a figure's small multiples.

    Attributes:
        relation: which it is of.
        title: what stands above it, beside the relation's name.
        series: what is drawn, the first one at the back.
        at: where a dotted line stands; None: nowhere.
    """

    relation: str
    title: str
    series: Sequence[Series]
    at: int | float | None = None


@dataclass(frozen=True)
class Figure:
    """Small multiples.

    Attributes:
        name: its files are called so.
        x: what goes to the right.
        y: what goes up.
        panels: one for each relation.
        square: each panel has both axes from 0 to the same end, its own; otherwise all panels have
            the same axes, upwards from 0 to 1.
        on_page: whether the page draws it too; it has a table's chart where this has too many
            points.
    """

    name: str
    x: str
    y: str
    panels: Sequence[Panel]
    square: bool = False
    on_page: bool = False

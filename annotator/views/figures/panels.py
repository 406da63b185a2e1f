"""Figures that are declared as data (see `annotator.records.figure`), drawn into files."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.records.figure import CROSSES, DIAMONDS, DOTS, LINE, THIN, Figure, Panel, Series
from annotator.views.figures.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    drawn,
    small_multiples,
    spaced,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Page

_COLUMNS = 5
_VECTORS = 2000  # more points than this are drawn as an image in the SVG
_MARKERS = {DOTS: "o", CROSSES: "x", DIAMONDS: "D"}
_COLOURS = {LINE: BLUE, CROSSES: ORANGE, DIAMONDS: GREEN, THIN: GREEN}
_BESIDE = {DOTS: -0.012, DIAMONDS: 0.012}  # of a panel's width, so that no point hides another


def draw_panels(figures: Iterable[Figure], folder: Path) -> list[Path]:
    """Draw figures, each as NAME.png and NAME.svg.

    Raises:
        MissingExtra: matplotlib is not installed.
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    return [path for figure in figures for path in _draw(figure, folder)]


def _draw(figure: Figure, folder: Path) -> list[Path]:
    panel = 1.95 if figure.square else 1.7
    columns = min(_COLUMNS, len(figure.panels))
    rows = math.ceil(len(figure.panels) / columns)
    size = max(6.0, panel * columns + 0.4), 0.9 + (panel + 0.1) * rows
    return drawn(folder / figure.name, size, lambda page: _panels(page, figure, columns))


def _panels(page: Page, figure: Figure, columns: int) -> None:
    names = [panel.relation for panel in figure.panels]
    titles = [
        f"{spaced(panel.relation)}\n{panel.title}" if figure.square else spaced(panel.relation)
        for panel in figure.panels
    ]
    axes = small_multiples(page, names, columns, titles, shared=not figure.square)
    longest = float(max((x for p in figure.panels for one in p.series for x in one.x), default=1))
    points = sum(len(one.x) for panel in figure.panels for one in panel.series)
    for panel in figure.panels:
        place = axes[panel.relation]
        if figure.square:
            _square(place, panel)
        else:
            place.set(xlim=(-0.04 * longest, 1.04 * longest), ylim=(-0.04, 1.04))
            place.grid(visible=True, axis="y")
        if panel.at is not None:
            place.axvline(panel.at, color=GREY, linewidth=0.6, linestyle=":")
        for series in panel.series:
            _series(place, series, figure.square, longest, rasterized=points > _VECTORS)
    page.supxlabel(figure.x, fontsize=8)
    page.supylabel(figure.y, fontsize=8)
    _legend(page, axes)


def _square(place: Axes, panel: Panel) -> None:
    """Both axes from 0 to the same end, a tenth."""
    most = max((value for one in panel.series for value in (*one.x, *one.y)), default=0)
    end = math.ceil(10 * max(0.1, most) - 1e-9) / 10
    place.plot([0, end], [0, end], color=PALE, linewidth=0.8, zorder=0)
    room = (-0.04 * end, 1.04 * end)
    place.set(xlim=room, ylim=room, aspect="equal")
    place.set_xticks([0, end], ["0", f"{end:g}"])
    place.set_yticks([0, end], ["0", f"{end:g}"])


def _series(
    place: Axes, series: Series, crowded: bool, longest: float, *, rasterized: bool
) -> None:
    if not len(series.x):
        return
    if series.mark in (LINE, THIN):
        how: dict[str, Any] = {"linewidth": 1.4, "label": series.label}
        if series.mark == THIN:
            how = {"linewidth": 0.4, "alpha": 0.6}
        place.plot(series.x, series.y, color=_COLOURS[series.mark], **how)
        return
    colour = _COLOURS.get(series.mark, BLUE if crowded else ORANGE)
    beside = 0.0 if crowded else _BESIDE.get(series.mark, 0.0) * longest
    place.scatter(
        [x + beside for x in series.x],
        series.y,
        s=7 if crowded else 11,
        c=colour,
        marker=_MARKERS[series.mark],
        linewidths=0.7 if series.mark == CROSSES else 0,
        alpha=0.5 if crowded else 0.8,
        label=series.label,
        rasterized=rasterized,
        zorder=2 if crowded else 3,
    )


def _legend(page: Page, axes: dict[str, Axes]) -> None:
    every = {
        label: handle
        for place in axes.values()
        for handle, label in zip(*place.get_legend_handles_labels(), strict=True)
    }
    page.legend(every.values(), every.keys(), loc="outside upper center", ncols=3, markerscale=2)

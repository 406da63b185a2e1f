"""Figures of the experiments: scatter plots, ablation curves, models side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from annotator.catalog.figures.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PINK,
    drawn,
    small_multiples,
    spaced,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from annotator.validate.accuracies import Accuracies
    from annotator.validate.compare import Comparison, ModelHeads
    from annotator.validate.report import Correlation

_COLUMNS = 5
_SIDES = {
    "without": ("without context", BLUE, "o"),
    "with_context": ("with context", ORANGE, "x"),
}


def draw_correlations(
    table: pd.DataFrame, rows: Sequence[Correlation], folder: Path, stem: str = "correlate"
) -> list[Path]:
    """Static against dynamic scores, a panel for each relation that has an r.

    Args:
        table: the scores.
        rows: what `annotator.validate.report` made of them; of `multi_token`, of one form.
        folder: where the files go.
        stem: what they are called.

    Returns:
        STEM.png and STEM.svg; none where no relation has an r.

    Raises:
        MissingExtra: matplotlib is not installed.
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    rows = [row for row in rows if (row.without, row.with_context) != (None, None)]
    if not rows:
        return []
    size = _size(len(rows), 1.95)
    return drawn(folder / stem, size, lambda page: _scatters(page, rows, table))


def _scatters(page: Figure, rows: Sequence[Correlation], table: pd.DataFrame) -> None:
    names = [row.relation for row in rows]
    titles = [
        f"{spaced(row.relation)}\nr = {_r(row.without)} / {_r(row.with_context)}" for row in rows
    ]
    axes = small_multiples(page, names, min(_COLUMNS, len(rows)), titles, shared=False)
    for row in rows:
        place = axes[row.relation]
        own = table[table["relation"] == row.relation]
        own = own[own["form"] == row.form] if row.form else own
        _square(place, max(0.1, *(float(own[column].max()) for column in ("static", *_SIDES))))
        for column, (label, colour, marker) in _SIDES.items():
            place.scatter(
                own["static"],
                own[column],
                s=7,
                c=colour,
                marker=marker,
                linewidths=0.7 if marker == "x" else 0,
                alpha=0.5,
                label=label,
                rasterized=len(table) > 2000,
            )
    page.supxlabel("relation score φ, from the weights (each panel to its own scale)", fontsize=8)
    page.supylabel("dynamic score, in prompts", fontsize=8)
    _legend(page, axes[names[0]])


def _square(place: Axes, most: float) -> None:
    """Both axes from 0 to the same end, a tenth."""
    end = math.ceil(10 * most - 1e-9) / 10
    place.plot([0, end], [0, end], color=PALE, linewidth=0.8, zorder=0)
    room = (-0.04 * end, 1.04 * end)
    place.set(xlim=room, ylim=room, aspect="equal")
    place.set_xticks([0, end], ["0", f"{end:g}"])
    place.set_yticks([0, end], ["0", f"{end:g}"])


def _r(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("0.", ".", 1)


def draw_ablations(rows: Sequence[Accuracies], folder: Path) -> list[Path]:
    """Accuracy as heads are silenced, a panel for each relation that was ablated.

    Args:
        rows: of `annotator.validate.accuracies`.
        folder: where the files go.

    Returns:
        ablate.png and ablate.svg; none where no relation was ablated.

    Raises:
        MissingExtra: matplotlib is not installed.
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    rows = [row for row in rows if row.step is not None]
    if not rows:
        return []
    return drawn(folder / "ablate", _size(len(rows), 1.7), lambda page: _curves(page, rows))


def _curves(page: Figure, rows: Sequence[Accuracies]) -> None:
    names = [row.relation for row in rows]
    axes = small_multiples(page, names, min(_COLUMNS, len(rows)), [spaced(n) for n in names])
    most = max(len(row.curve) - 1 for row in rows)
    for row in rows:
        place, step = axes[row.relation], row.step or 0
        place.set(xlim=(-0.04 * most, 1.04 * most), ylim=(-0.04, 1.04))
        place.grid(visible=True, axis="y")
        place.axvline(step, color=GREY, linewidth=0.6, linestyle=":")
        place.plot(row.curve, color=BLUE, linewidth=1.4, label="its own heads")
        _points(place, step, row.random, ORANGE, "as many other heads", most)
        for one in row.controls:
            place.plot([0, step], [one.base, one.accuracy], color=GREEN, linewidth=0.4, alpha=0.6)
        after = [one.accuracy for one in row.controls]
        _points(place, step, after, GREEN, "its heads, another relation", most)
    page.supxlabel("heads silenced (dotted: where the table reads)", fontsize=8)
    page.supylabel("accuracy", fontsize=8)
    every = {
        label: handle
        for place in axes.values()
        for handle, label in zip(*place.get_legend_handles_labels(), strict=True)
    }
    page.legend(every.values(), every.keys(), loc="outside upper center", ncols=3)


def _points(place: Axes, x: int, y: Sequence[float], colour: str, label: str, most: int) -> None:
    """Points beside each other: random ones left of the step, controls right of it."""
    if not len(y):
        return
    side = -1 if colour == ORANGE else 1
    marker = "o" if colour == ORANGE else "D"
    moved = [x + side * 0.012 * most] * len(y)
    place.scatter(
        moved, y, s=11, c=colour, marker=marker, linewidths=0, alpha=0.8, label=label, zorder=3
    )


def draw_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Where models have their relation heads, how many relations each has, and which share heads.

    Args:
        comparison: of `annotator.validate.compare`.
        folder: where the files go.

    Returns:
        compare and compare_overlap, each as PNG and SVG; the second only where a head implements
        a relation.

    Raises:
        MissingExtra: matplotlib is not installed.
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    rows = len(comparison.models)
    size = (7.5, 0.7 + 1.7 * rows)
    files = drawn(folder / "compare", size, lambda page: _histograms(page, comparison.models))
    n = max(len(_with_heads(comparison)), 6)
    if not _with_heads(comparison):
        return files
    columns = min(rows, 2)
    panel = 1.4 + 0.16 * n
    size = (panel * columns + 0.8, (panel - 0.2) * math.ceil(rows / columns) + 0.4)
    overlap = folder / "compare_overlap"
    return files + drawn(overlap, size, lambda page: _overlaps(page, comparison, columns))


def _histograms(page: Figure, models: Sequence[ModelHeads]) -> None:
    grid = page.subplots(len(models), 2, squeeze=False, sharex="col", sharey="col")
    for (depth, number), model in zip(grid, models, strict=True):
        shares = [
            found / of if of else 0.0
            for found, of in zip(model.depths, model.heads_at, strict=True)
        ]
        parts = len(shares)
        depth.bar([(n + 0.5) / parts for n in range(parts)], shares, 0.9 / parts, color=BLUE)
        depth.set_title(f"{model.name}: {model.relation_heads} relation heads")
        depth.set_ylabel("share of heads")
        implementing = model.per_head[1:]
        labels = [*map(str, range(1, len(implementing))), f"{len(implementing)} or more"]
        bars = number.bar(labels, implementing, 0.8, color=PINK)
        number.bar_label(bars, fontsize=7)
        number.margins(y=0.15)
        number.set_title(f"{model.per_head[0]} heads implement none")
        number.set_ylabel("heads")
    grid[-1][0].set(xlabel="depth (0: first layer, 1: last)", xlim=(0, 1))
    grid[-1][1].set_xlabel("relations that a head implements")


def _overlaps(page: Figure, comparison: Comparison, columns: int) -> None:
    names, models = _with_heads(comparison), comparison.models
    rows = math.ceil(len(models) / columns)
    grid = page.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    mesh: Any = None
    for place, model in zip(grid.flat, models, strict=False):
        shares = _jaccard(comparison, names, model.name)
        edges = np.arange(len(names) + 1) - 0.5
        mesh = place.pcolormesh(edges, edges, shares, cmap="Blues", vmin=0, vmax=1)
        place.set_xticks(range(len(names)), [spaced(name) for name in names], rotation=90)
        place.set_yticks(range(len(names)), [spaced(name) for name in names])
        place.set_ylim(len(names) - 0.5, -0.5)
        place.set_facecolor(PALE)
        place.set_title(model.name)
        place.set_aspect("equal")
    for place in list(grid.flat)[len(models) :]:
        place.remove()
    page.colorbar(mesh, ax=grid, fraction=0.03, pad=0.02, shrink=0.6)
    title = "heads that implement both relations, of those that implement either (grey: none does)"
    page.suptitle(fill(title, int(12 * page.get_figwidth())), fontsize=8)


def _with_heads(comparison: Comparison) -> list[str]:
    """The relations that a head of some model implements."""
    return [
        name
        for name in comparison.relations
        if any(model.relations[name].heads for model in comparison.models)
    ]


def _jaccard(
    comparison: Comparison, names: Sequence[str], model: str
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The overlap of each two relations, [columns, columns]; NaN where neither has a head."""
    at = {name: n for n, name in enumerate(names)}
    shares = np.full((len(at), len(at)), np.nan)
    own: Mapping[str, Any] = next(m for m in comparison.models if m.name == model).relations
    for name, n in at.items():
        if own[name].heads:
            shares[n, n] = 1
    for pair in comparison.shared:
        if {pair.first, pair.second} <= at.keys() and (value := pair.jaccard(model)) is not None:
            shares[at[pair.first], at[pair.second]] = value
            shares[at[pair.second], at[pair.first]] = value
    return shares


def _size(count: int, panel: float) -> tuple[float, float]:
    columns = min(_COLUMNS, count)
    return max(6.0, panel * columns + 0.4), 0.9 + (panel + 0.1) * math.ceil(count / columns)


def _legend(page: Figure, place: Axes) -> None:
    handles, labels = place.get_legend_handles_labels()
    page.legend(handles, labels, loc="outside upper center", ncols=len(labels), markerscale=2)

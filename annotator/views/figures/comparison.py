"""Figures of several models side by side: where their relation heads are, and which are shared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from annotator.views.figures.canvas import BLUE, PALE, PINK, drawn, spaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from annotator.validate.compare_models import Comparison, ModelHeads


def draw_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Where models have their relation heads, how many relations each has, and which share heads.

    Args:
        comparison: of `annotator.validate.compare_models`.
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

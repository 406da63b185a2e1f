"""Which heads implement which relation: maps of layers and heads.

Notable: overviews of all relations (scores, and suppression scores) on one colour scale each, so
that their panels can be compared; and for each relation a figure of its own with both signs and
the best heads by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from annotator.paths import file_name
from annotator.records.relations import FLAG, Q_LEVEL, RelationPairs, RelationScore
from annotator.views.figures.canvas import (
    BLUE,
    DARK,
    GREY,
    ORANGE,
    drawn,
    small_multiples,
    spaced,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

BEST_DRAWN = 12
"""Heads named in a relation's own figure."""
Grid = np.ndarray[tuple[int, int], np.dtype[np.float64]]
"""The scores of a sign, [n_heads, n_layers]."""
_COLUMNS = 4
_VECTORS = 20_000  # more cells than this are drawn as an image in the SVG
_GAMMA = 0.6  # of the colour scale: small scores are most of what there is
_SHADES = {
    "phi": ("white", "#56B4E9", BLUE, "#00203A"),
    "suppression": ("white", "#E69F00", ORANGE, "#4A1500"),
}
_NAMED = {"phi": "relation score φ", "suppression": "suppression score"}
_VERBS = {"phi": ("implement", "implements"), "suppression": ("suppress", "suppresses")}


def draw(
    scores: Sequence[RelationScore],
    dims: Mapping[str, int],
    folder: Path,
    pairs: Sequence[RelationPairs],
) -> Iterator[list[Path]]:
    """Draw all relations on one page for each sign, and each relation by itself.

    Args:
        scores: of every head, for each relation that is drawn.
        dims: n_layers, n_heads and n_kv_heads.
        folder: where the files go.
        pairs: what the relations are; those without scores are not drawn.

    Yields:
        The files of each figure, PNG and SVG, as it is drawn: relations and suppression, then
        one of each in relations/, in the order of the pairs. Nothing where there is no score.

    Raises:
        MissingExtra: matplotlib is not installed.
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    by_name: dict[str, list[RelationScore]] = {}
    for score in sorted(scores, key=lambda one: one.head):
        by_name.setdefault(score.relation, []).append(score)
    shown = {one.name: one for one in pairs if one.name in by_name}
    if not shown:
        return
    own = {name: by_name[name] for name in shown}
    for sign, stem in (("phi", "relations"), ("suppression", "suppression")):
        size = _page(len(own), dims)
        yield drawn(folder / stem, size, lambda page, s=sign: _overview(page, own, dims, s))
    for name, one in shown.items():
        path = folder / "relations" / file_name(name)
        yield drawn(path, (8.6, 5.2), lambda page, o=one: _relation(page, own[o.name], dims, o))


def _page(count: int, dims: Mapping[str, int]) -> tuple[float, float]:
    """Inches; a panel is as high as its heads need beside its layers, within reason."""
    panel = min(max(2.2 * dims["n_heads"] / dims["n_layers"], 0.75), 2.0) + 0.38
    return max(7.5, 2.6 * min(_COLUMNS, count)), 1.1 + panel * math.ceil(count / _COLUMNS)


def _overview(
    page: Figure,
    scores: Mapping[str, Sequence[RelationScore]],
    dims: Mapping[str, int],
    sign: str,
) -> None:
    grids = {name: _grid(own, dims, sign) for name, own in scores.items()}
    implemented = {name: sum(_tells(one, sign) for one in own) for name, own in scores.items()}
    titles = [f"{spaced(name)}  ({implemented[name]})" for name in scores]
    axes = small_multiples(page, list(scores), min(_COLUMNS, len(scores)), titles)
    top = _top(grids.values())
    mesh: QuadMesh | None = None
    for name, place in axes.items():
        mesh = _heatmap(place, grids[name], sign, top, len(grids))
        _dots(place, scores[name], sign, dims)
    page.supxlabel("layer", fontsize=8)
    page.supylabel("head", fontsize=8)
    if mesh is not None:
        thick = 0.13 / page.get_figheight()
        bar = page.colorbar(
            mesh, ax=list(axes.values()), location="top", fraction=thick, aspect=45, pad=0.01
        )
        bar.set_label(f"{_NAMED[sign]};  dots, counted above each panel: {_rule(sign)}")


def _relation(
    page: Figure, scores: Sequence[RelationScore], dims: Mapping[str, int], pairs: RelationPairs
) -> None:
    grids = {sign: _grid(scores, dims, sign) for sign in _SHADES}
    top = _top(grids.values())
    grid = page.add_gridspec(2, 2, width_ratios=(2.1, 1))
    first = scores[0]
    about = pairs.relation.description or pairs.relation.category
    among = "the largest (smallest)" if first.k == 1 else f"among the {first.k} largest (smallest)"
    page.suptitle(
        fill(f"{spaced(pairs.name)}: {about.rstrip('.')}", 120)
        + f"\n{first.sources} sources; target {among}",
        x=0.01,
        ha="left",
        fontsize=9,
    )
    for row, sign in enumerate(_SHADES):
        place = page.add_subplot(grid[row, 0])
        mesh = _heatmap(place, grids[sign], sign, top, 2)
        _dots(place, scores, sign, dims)
        _groups(place, dims)
        place.set_title(f"{_NAMED[sign]};  dots: {_rule(sign)}")
        place.set_ylabel("head")
        bar = page.colorbar(mesh, ax=place, fraction=0.04, pad=0.02)
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        _bars(page.add_subplot(grid[row, 1]), scores, sign, top)
        if row == len(_SHADES) - 1:
            place.set_xlabel("layer")


def _heatmap(
    place: Axes,
    grid: Grid,
    sign: str,
    top: float,
    n: int,
) -> QuadMesh:
    """Layers from left to right, heads from top to bottom, as they are numbered."""
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm
    from matplotlib.ticker import MaxNLocator

    n_heads, n_layers = grid.shape
    mesh = place.pcolormesh(
        np.arange(n_layers + 1) - 0.5,
        np.arange(n_heads + 1) - 0.5,
        grid,
        cmap=LinearSegmentedColormap.from_list(sign, _SHADES[sign]),
        norm=PowerNorm(_GAMMA, 0, top),
        rasterized=n * grid.size > _VECTORS,
    )
    place.set_xlim(-0.5, n_layers - 0.5)
    place.set_ylim(n_heads - 0.5, -0.5)
    place.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    place.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    place.spines[["top", "right"]].set_visible(True)
    return mesh


def _dots(place: Axes, scores: Sequence[RelationScore], sign: str, dims: Mapping[str, int]) -> None:
    """A dot on each head that implements it; its ring shows on dark cells too."""
    at = [one.head for one in scores if _tells(one, sign)]
    place.scatter(
        [head.layer for head in at],
        [head.head for head in at],
        s=min(7, (90 / dims["n_layers"]) ** 2),
        c=DARK,
        edgecolors="white",
        linewidths=0.5,
    )


def _groups(place: Axes, dims: Mapping[str, int]) -> None:
    """Lines between heads that do not share their values."""
    shared = dims["n_heads"] // dims["n_kv_heads"]
    for head in range(shared, dims["n_heads"], shared) if shared > 1 else ():
        place.axhline(head - 0.5, color=GREY, linewidth=0.5)


def _bars(place: Axes, scores: Sequence[RelationScore], sign: str, top: float) -> None:
    """The best heads by name, filled those that have a dot."""
    colour = _SHADES[sign][2]
    best = sorted(scores, key=lambda one: (-getattr(one, sign), one.head))[:BEST_DRAWN]
    best = [one for one in best if getattr(one, sign) > 0]
    place.set_title(f"best heads (filled: {_VERBS[sign][1]})" if best else "no head")
    for at, one in enumerate(best):
        full = colour if _tells(one, sign) else "white"
        place.barh(at, getattr(one, sign), color=full, edgecolor=colour, linewidth=0.8)
    place.set_yticks(range(len(best)), [str(one.head) for one in best])
    place.set_ylim(BEST_DRAWN - 0.4, -0.6)
    place.set_xlim(0, top)
    place.axvline(FLAG, color=GREY, linewidth=0.6, linestyle="--")
    place.tick_params(axis="y", length=0)


def _grid(scores: Sequence[RelationScore], dims: Mapping[str, int], sign: str) -> Grid:
    grid = np.zeros((dims["n_heads"], dims["n_layers"]))
    for one in scores:
        grid[one.head.head, one.head.layer] = getattr(one, sign)
    return grid


def _rule(sign: str) -> str:
    return f"heads that {_VERBS[sign][0]} it, > {FLAG} with q ≤ {Q_LEVEL}"


def _tells(score: RelationScore, sign: str) -> bool:
    return score.implements if sign == "phi" else score.suppresses


def _top(grids: Iterable[Grid]) -> float:
    """The end of the colour scale: a tenth, and above the paper's flag."""
    return max(0.2, math.ceil(10 * max(float(grid.max()) for grid in grids)) / 10)

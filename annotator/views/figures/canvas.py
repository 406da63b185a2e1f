"""What all figures share: matplotlib only when one is drawn, one look, whole files.

Drawn without a display or a window, on white, in colours that people who see colours differently
tell apart (Okabe and Ito, https://jfly.uni-koeln.de/color/). The same numbers give the same bytes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.atomic_files import make_folder, whole_file
from annotator.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
DARK, GREY, PALE = "#222222", "#767676", "#D9D9D9"
DPI = 200

_LOOK: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": PALE,
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": DARK,
    "ytick.labelcolor": DARK,
    "text.color": DARK,
    "axes.labelcolor": DARK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.parse_math": False,  # a dollar sign in a relation's name is one
    "svg.hashsalt": "annotator",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
_FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": DPI, "metadata": {"Software": None}},
    "svg": {"dpi": DPI, "metadata": {"Date": None, "Creator": None}},
}


def drawn(path: Path, size: tuple[float, float], draw: Callable[[Figure], None]) -> list[Path]:
    """Draw a figure and save it, each file whole or not at all.

    Args:
        path: where, without a suffix; the folder is made.
        size: width and height in inches.
        draw: draws on the empty figure that it is given.

    Returns:
        The PNG and the SVG file.

    Raises:
        MissingExtra: matplotlib is not installed.
        CatalogUnwritable: the disk is full, or the path cannot be written.
    """
    require_canvas(path.parent)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    files = [path.with_name(f"{path.name}.{suffix}") for suffix in _FORMATS]
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()  # not the user's own look, nor a notebook's
        mpl.rcParams.update(_LOOK)
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # shown as an empty box
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # found once, for both files
        for file, (suffix, how) in zip(files, _FORMATS.items(), strict=True):
            encoded = BytesIO()
            figure.savefig(encoded, format=suffix, **how)
            with whole_file(file) as opened:
                opened.write(encoded.getvalue())
    return files


def require_canvas(folder: Path) -> None:
    """Refuse, before what is to be drawn is computed, where nothing can be drawn.

    Args:
        folder: where figures go; it is made.

    Raises:
        MissingExtra: matplotlib is not installed.
        CatalogUnwritable: the folder cannot be made.
    """
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise MissingExtra("drawing figures", "pip install matplotlib") from error
    make_folder(folder)


def small_multiples(
    figure: Figure, names: list[str], columns: int, titles: list[str], *, shared: bool = True
) -> dict[str, Axes]:
    """A grid of axes, one for each name; places left over stay empty.

    Args:
        figure: where.
        names: what the axes are called.
        columns: how many stand beside each other.
        titles: what stands above each.
        shared: whether they have the same scales, which are then written once.
    """
    rows = math.ceil(len(names) / columns)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared)
    places = list(grid.flat)
    for place in places[len(names) :]:
        place.remove()
    for at, (place, title) in enumerate(zip(places, titles, strict=False)):
        place.set_title(title)
        if shared and at + columns >= len(names):  # the last of its column
            place.tick_params(labelbottom=True)
    return dict(zip(names, places, strict=False))


def spaced(name: str) -> str:
    """A relation's name as a title has it."""
    return name.replace("_", " ")

"""Figures: files are whole, named, the same for the same numbers, and show what they should."""

from __future__ import annotations

import re
import struct
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from annotator.errors import CatalogUnwritable, MissingExtra
from annotator.records import Relation, RelationPairs, RelationScore
from annotator.records.figure import Figure
from annotator.validate.ablate import ablations
from annotator.validate.correlation_tables import (
    Correlation,
    correlation_table,
    correlations,
    scatter,
)
from annotator.views.figures import relations
from annotator.views.figures.canvas import drawn
from annotator.views.figures.comparison import draw_comparison
from annotator.views.figures.panels import draw_panels
from tests.validate.made import (
    ABLATED,
    DIMS,
    NAMES,
    all_scores,
    comparison,
    correlate_facts,
    correlate_table,
    relation_score,
)

PAIRS = tuple(
    RelationPairs(Relation(name, (), description="What it is."), 10, ((1, 2),))
    for name in ("copying", "not_scored", "cost$in$us")
)


def scores() -> list[RelationScore]:
    made = all_scores({"copying": {"L4H0": 0.9, "L2H1": 0.4}, "cost$in$us": {"L1H3": 0.1}})
    suppressed = relation_score("L3H3", "copying", 0.0, suppression=0.7)
    return [suppressed if (s.head, s.relation) == (suppressed.head, "copying") else s for s in made]


def draw(*args: Any) -> list[Path]:
    """All files of the figures of relations."""
    return [file for both in relations.draw(*args) for file in both]


def scatters(rows: list[Correlation], table: Any = None) -> list[Figure]:
    found = correlation_table(rows, "correlate", "A title", "About it.")
    return scatter("scatter", correlate_table() if table is None else table, found)


def size_of(png: Path) -> tuple[int, int]:
    content = png.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")
    return struct.unpack(">II", content[16:24])


def require_whole(files: list[Path]) -> None:
    for file in files:
        if file.suffix == ".svg":
            assert ET.parse(file).getroot().tag.endswith("svg")
        else:
            assert min(size_of(file)) > 200
    folders = {file.parent for file in files}
    assert not [path for folder in folders for path in folder.glob("*.part")]


def shown_in(svg: Path) -> str:
    """The texts of a figure: matplotlib writes each beside its outlines."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", svg.read_text(encoding="utf-8")))


def test_relations(tmp_path: Path) -> None:
    files = draw(scores(), DIMS, tmp_path, PAIRS)
    names = ["relations", "suppression", "relations/copying", "relations/cost$in$us"]
    assert files == [tmp_path / f"{name}.{kind}" for name in names for kind in ("png", "svg")]
    require_whole(files)
    overview = shown_in(tmp_path / "relations.svg")
    assert "copying  (2)" in overview
    assert "cost$in$us  (0)" in overview
    assert "copying  (1)" in shown_in(tmp_path / "suppression.svg")
    own = shown_in(tmp_path / "relations" / "copying.svg")
    assert "L4H0" in own
    assert "L2H1" in own
    assert "L3H3" in own
    assert "L0H0" not in own
    assert "copying: What it is" in own
    assert "40 sources; target among the 10 largest (smallest)" in own


def test_the_same_numbers_give_the_same_bytes(tmp_path: Path) -> None:
    pairs = PAIRS[:1]
    first = [path.read_bytes() for path in draw(scores(), DIMS, tmp_path / "a", pairs)]
    assert first == [
        path.read_bytes() for path in draw(scores()[::-1], DIMS, tmp_path / "b", pairs)
    ]
    other = all_scores({"copying": {"L4H1": 0.9, "L2H1": 0.4}})
    moved = [path.read_bytes() for path in draw(other, DIMS, tmp_path / "c", pairs)]
    assert all(one != another for one, another in zip(first, moved, strict=True))


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    assert draw([], DIMS, tmp_path, PAIRS) == []
    none = [Correlation("copying", True, 1, 40, reason="no scores")]
    assert draw_panels(scatters(none), tmp_path) == []
    assert draw_panels(ablations(ABLATED[2:]), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_relations", [1, 3])
def test_a_large_model_and_any_number_of_relations(tmp_path: Path, n_relations: int) -> None:
    dims = {"n_layers": 80, "n_heads": 64, "n_kv_heads": 8}
    made = [relation_score("L79H63", f"relation {n}", 0.5) for n in range(n_relations)]
    pairs = [RelationPairs(Relation(s.relation, ()), 10, ()) for s in made]
    files = draw(made, dims, tmp_path, pairs)
    require_whole(files)
    assert max(file.stat().st_size for file in files) < 3_000_000
    width, height = size_of(files[0])
    assert 1400 < width < 2200
    assert height < 3000


def test_correlations(tmp_path: Path) -> None:
    table = correlate_table()
    table.loc[table["relation"] == "copying", "with_context"] = 0.0
    rows = correlations(table, correlate_facts(), draws=20)
    files = draw_panels(scatters(rows, table), tmp_path)
    assert files == [tmp_path / "scatter.png", tmp_path / "scatter.svg"]
    require_whole(files)
    shown = shown_in(files[1])
    for name in NAMES:
        assert name.replace("_", " ") in shown
    for row in rows:
        assert row.without is not None
        assert f"{row.without:.2f}".removeprefix("0") in shown
    assert "without context" in shown
    assert "with context" in shown


def test_ablations(tmp_path: Path) -> None:
    files = draw_panels(ablations(ABLATED), tmp_path)
    require_whole(files)
    shown = shown_in(files[1])
    assert "country capital" in shown
    assert "antonym" not in shown
    assert "as many other heads" in shown
    assert "its heads, another relation" in shown


def test_comparisons(tmp_path: Path) -> None:
    files = draw_comparison(comparison(), tmp_path)
    assert [file.name for file in files[::2]] == ["compare.png", "compare_overlap.png"]
    require_whole(files)
    assert "a/small-model: 3 relation heads" in shown_in(files[1])
    overlap = shown_in(files[3])
    assert "capital" in overlap
    assert "none\n" not in overlap


def test_glyphs_that_the_font_lacks_are_no_error(tmp_path: Path) -> None:
    made = [relation_score("L0H0", "国", 0.5)]
    require_whole(draw(made, DIMS, tmp_path, [RelationPairs(Relation("国", ()), 10, ())]))


def test_the_users_own_look_is_left_alone(tmp_path: Path) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 31, "svg.hashsalt": "mine"}):
        other = [path.read_bytes() for path in draw_panels(ablations(ABLATED), tmp_path / "a")]
        assert mpl.rcParams["font.size"] == 31
    assert other == [path.read_bytes() for path in draw_panels(ablations(ABLATED), tmp_path / "b")]


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match="pip install matplotlib"):
        draw(scores(), DIMS, tmp_path, PAIRS)


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("a file")
    with pytest.raises(CatalogUnwritable):
        draw(scores(), DIMS, tmp_path / "figures", PAIRS)


def test_a_figure_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drawn(tmp_path / "one", (2.0, 2.0), fail)
    assert list(tmp_path.iterdir()) == []

"""The design's rules that a program can check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import annotator
from annotator.pipeline.progress import track
from annotator.shapes import AXES

PACKAGE = Path(annotator.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))


def annotations(path: Path) -> Iterator[tuple[int, str]]:
    """The axis strings of jaxtyping annotations: Float[Tensor, "vocab d_model"]."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id in {"Float", "Int", "Bool", "Num", "Shaped"}
            and isinstance(node.slice, ast.Tuple)
            and isinstance(axes := node.slice.elts[1], ast.Constant)
        ):
            yield node.lineno, str(axes.value)


def test_every_axis_has_one_definition() -> None:
    used: set[str] = set()
    for path in SOURCES:
        for line, axes in annotations(path):
            names = set(re.findall(r"[A-Za-z_]\w*", axes))
            assert names <= AXES.keys(), f"{path}:{line} uses {names - AXES.keys()}"
            used |= names
    assert AXES.keys() - used <= {"n_layers", "d_mlp"}


def code_lines(node: ast.FunctionDef) -> int:
    """Lines of a function, its docstring aside."""
    doc = ast.get_docstring(node, clean=False)
    return node.end_lineno - node.lineno + 1 - (len(doc.splitlines()) if doc else 0)


def test_a_file_is_a_page_and_a_function_fits_a_screen() -> None:
    for path in SOURCES:
        assert len(path.read_text().splitlines()) <= 300, path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert code_lines(node) <= 40, f"{path}:{node.lineno} {node.name}"


def test_progress_is_silent_for_what_is_quick(capsys) -> None:
    assert list(track(range(5), "Counting", 5, unit="item")) == list(range(5))
    assert list(track(range(5), "Counting", 5, unit="item", show=False)) == list(range(5))
    assert capsys.readouterr().err == ""


def test_progress_shows_for_what_is_slow(capsys, monkeypatch) -> None:
    monkeypatch.setattr("annotator.pipeline.progress.DELAY", 0.0)
    assert list(track(range(5), "Counting", 9, unit="item", done=4)) == list(range(5))
    shown = capsys.readouterr().err
    assert "Counting" in shown
    assert "9/9" in shown

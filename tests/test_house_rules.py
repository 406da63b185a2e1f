"""The house rules that a program can check."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import annotator
from annotator.pipeline.progress import track
from annotator.shapes import AXES

PACKAGE = Path(annotator.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
ROOT = Path(__file__).parent.parent
FOLDERS = {"annotator", "data", "docs", "prompts", "tests"}


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


DECLARED = {"EXPERIMENT", "FORMAT", "KIND", "TITLE", "ABOUT", "NOTE", "MEDIANS", "PUBLISHED", "T"}
"""Names that every file of a registry has for its own, and type variables."""


def named(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """The public names that a statement at the top of a file gives, and what they stand for."""
    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
        yield node.name, f"a class, {node.lineno}"
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for one in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(one, ast.Name) and one.id[0].isupper():
                    yield one.id, ast.dump(node.value)


def test_no_class_or_constant_has_a_name_of_another() -> None:
    found: dict[str, dict[str, Path]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            for name, value in named(node):
                found.setdefault(name, {})[value] = path
    twice = {n: [str(p) for p in by.values()] for n, by in found.items() if len(by) > 1}
    assert {n: where for n, where in twice.items() if n not in DECLARED} == {}


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


TEXTS = {".css", ".jinja", ".js", ".md", ".py", ".toml", ".txt", ".xml"}
ELSEWHERE = "DES" + "IGN"  # a page that is not in the repository; put together, or this cites it


def texts() -> Iterator[tuple[Path, str]]:
    """Every file of the repository that people read."""
    inside = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    for path in sorted([*ROOT.glob("*"), *inside]):
        if path.suffix in TEXTS and "vendor" not in path.parts and path.is_file():
            yield path, path.read_text("utf-8")


def anchor(heading: str) -> str:
    """What a link to a heading says, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def headings(page: Path) -> list[str]:
    """The headings of a Markdown page, code blocks aside."""
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.+?)$", prose, flags=re.MULTILINE)


def test_no_file_cites_what_is_not_here() -> None:
    for path, text in texts():
        assert not re.search(rf"\b{ELSEWHERE}\b", text), path
        joined = re.sub(r"\s*\n[\s#*]*", " ", text)  # a citation may go on in the next line
        for page, heading in re.findall(r'\b(docs/\w+\.md), "([^"]+)"', joined):
            assert heading in headings(ROOT / page), f"{path} cites {page}, {heading}"


def test_links_between_pages_lead_somewhere() -> None:
    for path, text in texts():
        for target in re.findall(r"\]\(([^)\s]+)\)", text) if path.suffix == ".md" else ():
            file, _, heading = target.partition("#")
            if "://" in target or file.startswith("mailto:"):
                continue
            page = path.parent / file if file else path
            assert page.exists(), f"{path} links to {target}"
            if heading:
                assert heading in map(anchor, headings(page)), f"{path} links to {target}"


def test_every_room_has_its_place_in_the_import_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["type"] == "layers")
    placed = {name for layer in layers for name in re.findall(r"annotator\.(\w+)", layer)}
    there = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert placed == there | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def test_a_room_names_files_that_it_has() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        about = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        there = {one.stem for one in path.parent.iterdir()}
        assert set(re.findall(r"`([a-z_]+)`", about)) <= there, path


def test_examples_are_what_the_files_they_name_have() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        name, *lines = block.splitlines()
        there = (ROOT / name.removeprefix("# ")).read_text("utf-8").splitlines()
        assert {*lines} <= {*there}, name

"""What docs/architecture.md shows of the rooms: the import contract, drawn, and every file."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "annotator"
WIDTH = 62


def contracts() -> list[dict[str, Any]]:
    """The import contracts that `make check` holds the code to."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["tool"]["importlinter"]["contracts"]


def layers() -> list[list[str]]:
    """The rooms, those that import the others first; in each layer rooms and what parts them."""
    (found,) = (one["layers"] for one in contracts() if one["type"] == "layers")
    return [layer.replace("annotator.", "").split() for layer in found]


def picture() -> str:
    """The layers, and what else is checked."""
    drawn = [
        " ".join(f"{one} ({_count(one)})" if one.isidentifier() else one for one in layer)
        for layer in layers()
    ]
    arrow = f"\n{'↓'.center(WIDTH).rstrip()}\n"
    shown = arrow.join(one.center(WIDTH).rstrip() for one in drawn)
    others = "\n".join(map(_said, (one for one in contracts() if one["type"] != "layers")))
    return f"```text\n{shown}\n```\n\n{others}\n"


def files() -> str:
    """Every file of every room, and what it holds; those that import nothing of ours first."""
    parts: list[str] = []
    for layer in reversed(layers()):
        rooms = [room for room in layer if room.isidentifier()]
        folders = [room for room in rooms if (PACKAGE / room).is_dir()]
        parts += [_room(PACKAGE / room) for room in folders]
        alone = [PACKAGE / f"{room}.py" for room in rooms if room not in folders]
        if alone:
            title = ", ".join(f"`{path.name}`" for path in alone)
            parts.append(f"### {title}\n\n{_table(alone, PACKAGE)}")
    return "\n".join(parts)


def _count(room: str) -> int:
    """How many Python files it is."""
    return len(list((PACKAGE / room).rglob("*.py"))) or 1


def _said(contract: dict[str, Any]) -> str:
    """A contract in words."""
    if contract["type"] != "forbidden":
        return f"- {contract['name']}."
    rooms = ", ".join(one.removeprefix("annotator.") for one in contract["source_modules"])
    never = ", ".join(f"`{one}`" for one in contract["forbidden_modules"])
    return f"- {contract['name']}: {rooms} import none of {never}."


def _room(folder: Path) -> str:
    """What a room is for, and its files."""
    paths = sorted(path for path in folder.rglob("*") if _is_ours(path))
    told = [path for path in paths if _first_words(path)]
    about = _first_words(folder / "__init__.py")
    others = ", ".join(f"`{path.relative_to(folder)}`" for path in paths if path not in told)
    also = f"\nBeside them: {others}.\n" if others else ""
    listed = [path for path in told if path != folder / "__init__.py"]
    return f"### {folder.name}/\n\n{about}\n\n{_table(listed, folder)}{also}"


def _is_ours(path: Path) -> bool:
    return path.is_file() and not {"__pycache__", "vendor"} & {*path.parts}


def _table(paths: list[Path], folder: Path) -> str:
    rows = (f"| `{path.relative_to(folder)}` | {_first_words(path)} |\n" for path in paths)
    return f"| file | what it holds |\n|---|---|\n{''.join(rows)}"


def _first_words(path: Path) -> str:
    """The first line of a module's docstring, or the first sentence atop a script; "": neither."""
    text = path.read_text(encoding="utf-8") if path.suffix in (".py", ".js") else ""
    if path.suffix == ".py":
        return _escaped((ast.get_docstring(ast.parse(text)) or "").partition("\n")[0])
    comment = re.match(r"/\*\s*(.+?)\*/", text, flags=re.DOTALL)
    words = " ".join(comment[1].split()) if comment else ""
    return _escaped(re.split(r"(?<=\.) ", words)[0])


def _escaped(text: str) -> str:
    """A line that Markdown shows as it is, in a table too; what backquotes enclose stays code."""
    return re.sub(r"([|*])", r"\\\1", text).replace("<", "&lt;")


def renewed(page: Path, parts: dict[str, str]) -> str:
    """A page with what stands between its marks made anew, and all else as it is.

    Args:
        page: it has a mark `<!-- NAME -->` for each part, and `<!-- end -->` after each.
        parts: what belongs there, by name.
    """
    text = page.read_text(encoding="utf-8")
    for name, content in parts.items():
        mark, end = f"<!-- {name} -->\n", "<!-- end -->"
        before, found, rest = text.partition(mark)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"{page.name} has no {mark.strip()} with {end} after it")
        text = f"{before}{mark}{content}{end}{after}"
    return text


def architecture() -> str:
    """The page on rooms, picture and files renewed."""
    page = Path(__file__).with_name("architecture.md")
    return renewed(page, {"import contract": picture(), "files": files()})

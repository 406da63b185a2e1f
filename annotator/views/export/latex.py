r"""LaTeX: a booktabs tabular, numbers to the right and to three decimals, missing as --.

It needs `\usepackage{booktabs}`, and XeLaTeX or LuaLaTeX for letters beyond the usual ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from annotator.views.export.markdown import is_number, shown

if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow as pa

_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "–": "--",
    "-": "-{}",  # of two or more, which would be a dash
    "[": "{[}",  # after the end of a line it would begin that end's argument
    "]": "{]}",
}
_ESCAPED = re.compile(r"[\\&%$#_{}~^<>|`–\[\]]|-(?=-)")
_NEGATIVE = re.compile(r"-[0-9]+(\.[0-9]+)?")


def write(table: pa.Table, file: BinaryIO) -> None:
    """Write a table."""
    columns = "".join("r" if is_number(column.type) else "l" for column in table.columns)
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    lines = [
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        _line(table.column_names),
        "\\midrule",
        *(_line([shown(value) for value in row]) for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    file.writelines(f"{line}\n".encode() for line in lines)


def _line(cells: list[str]) -> str:
    return " & ".join(_escaped(cell) for cell in cells) + r" \\"


def _escaped(text: str) -> str:
    """A text that prints as it is, on one line; a number's minus sign as one."""
    if _NEGATIVE.fullmatch(text):
        return f"${text}$"
    return _ESCAPED.sub(lambda found: _SPECIAL[found[0]], " ".join(text.splitlines()))

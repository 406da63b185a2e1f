"""docs/bad_inputs.md: a row for each bad input."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from annotator.terminal_text import visible
from tests.bad_inputs.case import BadInput, Told
from tests.bad_inputs.catalogs import CATALOGS
from tests.bad_inputs.hostile import HOSTILE
from tests.bad_inputs.language_models import LANGUAGE_MODELS, TAKEN
from tests.bad_inputs.machines import MACHINES, STUDIES
from tests.bad_inputs.models import MODELS

PAGE = Path(__file__).parents[2] / "docs" / "bad_inputs.md"
SECTIONS: Mapping[str, Sequence[BadInput]] = {
    "Models": MODELS,
    "Hostile files": HOSTILE,
    "Catalogs and their files": CATALOGS,
    "Language models": LANGUAGE_MODELS,
    "Machines and folders": MACHINES,
    "Studies": STUDIES,
    "Taken all the same, and said": TAKEN,
}
INTRO = """# Bad inputs

What a command says of an input that it cannot take, and how it ends. Written by `python -m
tests.bad_inputs`, which runs every command below; `make test` runs each again and holds it against
its row. None of them changes a file that was there. `model` is a tiny checkpoint, `catalog` its
catalog, and a server on port 8080 is one that answers as the row says; a variable before a command
is of its environment.
"""


def row(case: BadInput, told: Told) -> str:
    """What stands of it in the page."""
    unset = [name for name, value in case.environment.items() if value is None]
    variables = " ".join(f"{name}={value}" for name, value in case.environment.items() if value)
    variables = " ".join(filter(None, (*(f"env -u {name}" for name in unset), variables)))
    command = " ".join(filter(None, (variables, "annotator", case.command)))
    command = command.replace("{server}", "http://127.0.0.1:8080")
    message = "<br>".join(_code(line) for line in told.message.splitlines() if line.strip())
    return f"| {case.what} | {_code(command)} | {told.code} | {message} |"


def _code(text: str) -> str:
    mark = "``" if "`" in text else "`"
    text = os.fsencode(text).decode(errors="backslashreplace")  # a name that is no UTF-8
    return f"{mark}{visible(text).replace('|', chr(92) + '|')}{mark}"


def page(told: Mapping[str, Sequence[Told]]) -> str:
    """The whole page, of what each section's commands came to."""
    parts = [INTRO]
    for section, cases in SECTIONS.items():
        rows = (row(case, one) for case, one in zip(cases, told[section], strict=True))
        head = f"## {section}\n\n| what | command | exit | message |\n|---|---|---|---|"
        parts.append("\n".join((head, *rows)) + "\n")
    return "\n".join(parts)

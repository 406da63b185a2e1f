"""Write what is generated: `make docs`. With --check, only say what is out of date: `make check`.

- docs/cli.md: the commands' own help
- docs/families.md: its table, between two marks
- docs/architecture.md: the rooms and their files, likewise (see `docs.rooms`)
- annotator/weights/families/defaults.json: what transformers' config classes assume
- annotator/weights/families/proofs.json: on which tiny models each entry is proved
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

import annotator.weights.families as table
from annotator.cli.commands import app
from annotator.weights.find_family import make_plan
from annotator.weights.in_memory import from_module
from docs.rooms import architecture, renewed

DOCS, TABLE = Path(__file__).parent, Path(table.__file__).parent
INTRO = "# Commands\n\nWritten by `make docs` from the commands' own help.\n"
# Names that a config class of transformers reads without listing them.
OLDER_NAMES = {"bloom": {"n_embed": "hidden_size"}, "falcon": {"n_embed": "hidden_size"}}


def _run(*arguments: str) -> str:
    runner = CliRunner(env={"COLUMNS": "80"})
    return runner.invoke(app, arguments, prog_name="annotator", terminal_width=80).output.rstrip()


def commands() -> str:
    """The help of every command, in one page."""
    parts = [INTRO]
    for words in ((), *_words()):
        title = " ".join(("annotator", *words))
        parts.append(f"## {title}\n\n```text\n{_run(*words, '--help')}\n```\n")
    return "\n".join(parts)


def _words() -> Iterator[tuple[str, ...]]:
    """Every command, and of a group each of its own."""
    for name, command in app.commands.items():
        yield (name,)
        if isinstance(command, click.Group):
            defined = list(command.commands)  # after those that a registry adds
            every = command.list_commands(click.Context(command))
            known = {own: place for place, own in enumerate(defined)}
            yield from ((name, own) for own in sorted(every, key=lambda own: known.get(own, -1)))


def families() -> str:
    """The page on families, its table renewed."""
    lines = (line.rstrip() for line in _run("families").splitlines())
    shown = "\n".join(lines)
    return renewed(DOCS / "families.md", {"annotator families": f"```text\n{shown}\n```\n"})


def defaults() -> str:
    """One line for each model_type: its config keys with defaults, and its keys' other names."""
    from transformers import CONFIG_MAPPING, PreTrainedConfig

    common = {field.name for field in fields(PreTrainedConfig)}
    rows: dict[str, Any] = {}
    for model_type in table.FAMILIES:
        config: Any = CONFIG_MAPPING[model_type]
        assumed = {
            field.name: field.default
            for field in fields(config)
            if field.name not in common and isinstance(field.default, str | int | float | None)
        }
        names = config.attribute_map | OLDER_NAMES.get(model_type, {})
        rows[model_type] = {"defaults": assumed, "names": names}
    return _lines(rows)


def proofs() -> str:
    """One line for each entry: the recipes of the proof suite that are of it."""
    from transformers.utils import logging

    from tests.recipes import ALL, built

    logging.set_verbosity_error()
    rows: dict[str, list[str]] = {}
    for entries in table.FAMILIES.values():
        rows |= {entry.name: [] for entry in entries}
    for name in ALL:
        rows[make_plan(from_module(built(name))).family.name].append(name)
    return _lines(rows)


def _lines(rows: dict[str, Any]) -> str:
    listed = ",\n".join(f"  {json.dumps(key)}: {json.dumps(rows[key])}" for key in sorted(rows))
    return "{\n" + listed + "\n}\n"


# The table of families shows the proofs, so these come first.
FILES: dict[Path, Callable[[], str]] = {
    TABLE / "defaults.json": defaults,
    TABLE / "proofs.json": proofs,
    DOCS / "cli.md": commands,
    DOCS / "families.md": families,
    DOCS / "architecture.md": architecture,
}


def main() -> int:
    """Write the files, or with --check compare them."""
    stale: list[Path] = []
    for path, content in FILES.items():
        text = content()
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        named = ", ".join(os.path.relpath(path) for path in stale)
        print(f"out of date: {named}. Run make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A small catalog of everything: maps, relation scores, descriptions by two, judgments by three;
in all that a model, a language model or a person wrote stands what a terminal would obey."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import large_catalog

CONTROLS = (
    *(
        "\x1b[2J",
        "\x1b[31m",
        "\x1b]52;c;ZXZpbA==\x07",
        "\x1b]8;;http://evil.example\x1b\\",
        "\x9b2J",
    ),
    *("\x1bP1$r\x9c", "\x07\x08", "a\rb", "\u202eleft\u202c", "\u2066x\u2069", "\x7f", "\x85"),
)
TOKENS = tuple(f"t{number}{one}" for number, one in enumerate(CONTROLS))
SAID = "".join(CONTROLS)
LLM = "openai:made-up\x1b[2J\u202emodel"


def make(folder: Path) -> None:
    """Make it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_catalog, "VOCAB", 4096)
        patch.setattr(large_catalog, "HOSTILE", TOKENS)
        patch.setattr(large_catalog, "SAID", (SAID, f"{SAID} again", f"{SAID} and again"))
        patch.setattr(large_catalog, "FAKE", LLM)
        patch.setattr(large_catalog, "RATERS", ("ana\x1b[2J", "ben\u202e", "chi\x9b2J"))
        large_catalog.mapped(folder, 2, 8)
        large_catalog.related(folder)
        large_catalog.described(folder, (LLM, "rules"))
        large_catalog.judged(folder, 10)
    file = folder / "catalog.json"
    manifest = json.loads(file.read_text("utf-8"))
    manifest["model"]["id"] = f"made-up/{SAID}"
    file.write_text(json.dumps(manifest), "utf-8")

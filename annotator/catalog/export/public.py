"""What a model, its describers and its raters are called where others read it.

Raters are R1, R2, ... in the order of their first answers: the ledger only grows, so that they stay
who they are. Names of language models lose the server or folder that the user reached them by.
"""

from __future__ import annotations

import re

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.manifest import Manifest
from annotator.catalog.read import Catalog

_FOLDER = re.compile(r"[/\\~.]|[A-Za-z]:[/\\]|.*\\")
_SERVER = re.compile(r"@|\b\w+://")
_SLASH = re.compile(r"[/\\]")


def public_model(manifest: Manifest) -> str:
    """A model's name; of one in a folder, the last part."""
    name = str(manifest.model["id"])
    local = manifest.model.get("revision") is None and _FOLDER.match(name)
    return _SLASH.split(name.rstrip("/\\"))[-1] if local else name


def public_llms(catalog: Catalog) -> dict[str, str]:
    """Every language model's name, by what --llm called it.

    Where two would be called the same, the later one is numbered: openai:m, openai:m (2).

    Raises:
        LedgerUnusable: the ledger, where they are, cannot be read.
    """
    given: dict[str, str] = {}
    for llm in _asked(catalog):
        name, number = _public(llm), 1
        while (called := name if number == 1 else f"{name} ({number})") in given.values():
            number += 1
        given[llm] = called
    return given


def pseudonyms(catalog: Catalog) -> dict[str, str]:
    """Every rater's pseudonym, by the name in the ledger.

    Raises:
        LedgerUnusable: the ledger, where they are, cannot be read.
    """
    if not (catalog.folder / LEDGER).is_file():
        return {}
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger

    with Ledger(catalog.folder / LEDGER, read_only=True) as ledger:
        raters = dict.fromkeys(one.rater for one in Judgments(ledger).all())
    return {rater: f"R{number}" for number, rater in enumerate(raters, start=1)}


def _asked(catalog: Catalog) -> list[str]:
    """The language models in the order they were first asked; then those that only items name."""
    if not (catalog.folder / LEDGER).is_file():
        return []
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger

    with Ledger(catalog.folder / LEDGER, read_only=True) as ledger:
        named = [*ledger.llms(), *(item.llm for item in Judgments(ledger).shown())]
    return list(dict.fromkeys(named))


def _public(llm: str) -> str:
    kind, colon, model = llm.partition(":")
    if not colon:
        kind, model = "", llm
    if model.startswith("//"):  # an address, not a kind
        kind, colon, model = "", "", re.split(r"[?#]", model)[0].rpartition("/")[2]
    name = model if kind == "local" else _SERVER.split(model)[0]
    if kind == "local" or _FOLDER.match(name):
        name = _SLASH.split(name)[-1]
    return f"{kind}{colon}{name}"

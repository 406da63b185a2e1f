"""What is shown of a head, to a language model and to a person alike.

Its most salient sources and what it maps them to, as shown text (see `annotator.tokens.display`),
and nothing else: no head, no layer, no model, no number. Who describes or judges is blind to them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from annotator.errors import SettingInvalid
from annotator.records import EVIDENCE_SOURCES, EVIDENCE_TARGETS, Description, HeadMap

ABSTENTION = "No recurring pattern."
"""Shown where a description would be, whoever abstained."""


@dataclass(frozen=True, slots=True)
class ShownMapping:
    """A source and its targets, largest logit first, as shown text."""

    source: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is shown of one head: its mappings, most salient source first."""

    mappings: tuple[ShownMapping, ...]


def evidence_of(
    head: HeadMap, sources: int = EVIDENCE_SOURCES, targets: int = EVIDENCE_TARGETS
) -> Evidence:
    """The first salient sources of a head, each with its first targets.

    A head that was mapped with fewer is shown with what there is.

    Raises:
        SettingInvalid: no such number of sources or targets.
    """
    for name, number in (("sources", sources), ("targets", targets)):
        if number < 1:
            raise SettingInvalid(name, number, "at least 1")
    return Evidence(
        tuple(
            ShownMapping(
                mapping.source.text,
                tuple(target.token.text for target in mapping.targets[:targets]),
            )
            for mapping in head.mappings[:sources]
        )
    )


def description_text(description: Description) -> str:
    """A description in two plain lines, or the words for an abstention.

    Raises:
        ValueError: it is neither described nor unclear.
    """
    if description.status == "unclear":
        return ABSTENTION
    if description.status != "described":
        raise ValueError(f"what is {description.status} is not shown to raters")
    inputs, pattern = plain(description.inputs or ""), plain(description.pattern or "")
    return f"Inputs: {inputs}\nPattern: {pattern}"


def plain(text: str) -> str:
    """On one line, without what no screen shows: control characters and halves of characters."""
    line = " ".join(text.split())
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in line)

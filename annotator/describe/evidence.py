"""What is shown of a head, to a language model and to a person alike.

Its most salient sources and what it maps them to, as shown text (see `annotator.tokens.display`),
and nothing else: no head, no layer, no model, no number. Who describes or judges is blind to them.
"""

from __future__ import annotations

from dataclasses import dataclass

from annotator.errors import SettingInvalid
from annotator.records import HeadMap

SOURCES = 30
"""Sources shown, as in the published evidence."""
TARGETS = 5
"""Targets shown of each source, as in the published evidence."""


@dataclass(frozen=True, slots=True)
class ShownMapping:
    """A source and its targets, largest logit first, as shown text."""

    source: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is shown of one head: its mappings, most salient source first."""

    mappings: tuple[ShownMapping, ...]


def evidence_of(head: HeadMap, sources: int = SOURCES, targets: int = TARGETS) -> Evidence:
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

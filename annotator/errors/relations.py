"""What can go wrong with relations and the experiments on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotator.errors.base import AnnotatorError

PROBLEMS_SHOWN = 10


@dataclass(eq=False)
class RelationError(AnnotatorError):
    """Relations cannot be scored, or not compared with inference; what is finished is kept."""


@dataclass(eq=False)
class RelationsInvalid(RelationError):
    """Relation files that cannot be used; each problem names file, line and pair."""

    where: str
    problems: Sequence[str]

    def __str__(self) -> str:
        named = "".join(f"\n  - {problem}" for problem in self.problems[:PROBLEMS_SHOWN])
        more = len(self.problems) - PROBLEMS_SHOWN
        rest = f"\n  - and {more} more" if more > 0 else ""
        return (
            f"{self.where} cannot be used as relations:{named}{rest}\n"
            'A relation is a JSON list of ["source", "target"] pairs; see data/relations/README.md.'
        )


@dataclass(eq=False)
class NoRelations(RelationError):
    """A catalog without relation scores, or without the relation that was asked for."""

    catalog: str
    reason: str
    remedy: str = "Score them first: annotator relations CATALOG."

    _message = "{catalog}: {reason}. {remedy}"


@dataclass(eq=False)
class NotRun(RelationError):
    """A model that transformers cannot run here, or that it runs otherwise than it is mapped."""

    model: str
    reason: str
    remedy: str

    _message = "{model} cannot be run in inference: {reason}. {remedy}"

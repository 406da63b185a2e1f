"""Answers of raters, written down in a catalog's ledger, wherever they come from."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import Catalog
from annotator.errors import AnswersInvalid

if TYPE_CHECKING:
    from annotator.label_studio.answers import ExportAnswers
    from annotator.ledger.judgments import Judgments


@dataclass
class PullResult:
    """What came back.

    Attributes:
        new: answers that were not known.
        edited: answers that changed one that was known.
        unchanged: answers that were known.
        twice: items that a rater answered more than once, a line each; the last answer counts.
        problems: answers that cannot be taken, a line each.
        gone: of each rater whose project was deleted its number.
    """

    new: int = 0
    edited: int = 0
    unchanged: int = 0
    twice: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    gone: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, taken: ExportAnswers, judgments: Judgments) -> None:
        """Record what was taken, and count it."""
        counts = judgments.record(taken.answers)
        self.new += counts.new
        self.edited += counts.edited
        self.unchanged += counts.unchanged
        self.problems += taken.problems
        for one in counts.clashing:
            line = f"rater {one.rater}, item {one.item}: its id is that of another answer"
            self.problems.append(line)
        if counts.new or counts.edited:
            self.twice += taken.twice


def refuse_problems(pulled: PullResult) -> None:
    """Nothing, where every answer could be had and taken.

    Raises:
        AnswersInvalid: some could not be taken.
    """
    if pulled.problems:
        raise AnswersInvalid(pulled.problems, pulled.new + pulled.edited + pulled.unchanged)


@contextmanager
def judgments_of(catalog: Catalog) -> Generator[Judgments]:
    """What people judged of a catalog, to be added to.

    Raises:
        LedgerUnusable: the ledger cannot be read or written.
    """
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger

    with Ledger(catalog.folder / LEDGER) as ledger:
        yield Judgments(ledger)

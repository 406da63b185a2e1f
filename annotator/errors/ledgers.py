"""What is wrong with a ledger, or with a backup of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotator.errors.describing import DescribeError, LedgerUnusable


@dataclass(eq=False)
class LedgerUnlockable(LedgerUnusable):
    """The ledger's disk lacks what SQLite needs of it.

    Attributes:
        path: the ledger.
        reason: what the disk lacks, with the system's own words.
        remedy: what to do.
    """

    remedy: str = "It may be a network's: copy the catalog to a local disk and use it there"

    _message = (
        "the ledger {path} cannot be used: its disk has no {reason}, which SQLite needs. Nothing "
        "that it holds was changed. {remedy}; then run the same command again."
    )


@dataclass(eq=False)
class LedgerMissing(LedgerUnusable):
    """There is no ledger."""

    reason: str = "there is none"
    remedy: str = "Name a catalog whose heads were described, or the file of a backup"

    _message = "there is no ledger at {path}. {remedy}."


@dataclass(eq=False)
class LedgerDamaged(DescribeError):
    """A ledger that is not as it should be; every problem is named.

    Attributes:
        path: the ledger.
        problems: what is wrong, a line each.
    """

    path: str
    problems: Sequence[str]

    def __str__(self) -> str:
        listed = "\n".join(f"  - {problem}" for problem in self.problems)
        return (
            f"the ledger {self.path} is damaged:\n{listed}\n"
            "Nothing was changed. Move it away, with the -wal beside it, and put its last backup "
            "in its place; what can still be read of it, sqlite3's .recover saves."
        )


@dataclass(eq=False)
class BackupFailed(DescribeError):
    """A backup that was not written.

    Attributes:
        path: where it was to be.
        reason: what is wrong.
        remedy: what to do.
    """

    path: str
    reason: str
    remedy: str = "Make room, or choose another place"

    _message = "no backup was written to {path}: {reason}. {remedy}."

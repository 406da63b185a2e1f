"""`annotator ledger`: is it whole, and a copy of it; and whether a catalog's can be used at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import LedgerDamaged, LedgerUnlockable
from annotator.paths import user_path
from annotator.pipeline.progress import bar, say

if TYPE_CHECKING:
    from annotator.ledger.check import LedgerCheck, LedgerContents


def check_ledger(catalog: Catalog | str | Path) -> LedgerCheck:
    """Whether a ledger is whole, and what it holds. Nothing is changed.

    Args:
        catalog: the catalog or its directory, or a ledger's file: a backup.

    Raises:
        LedgerMissing: there is none.
        LedgerUnusable: it is of a newer version, of something else, or on a disk without locks.
    """
    from annotator.ledger.check import check

    return check(_file(catalog))


def refuse_damaged(found: LedgerCheck) -> None:
    """Nothing, where a ledger is whole.

    Raises:
        LedgerDamaged: it is not.
    """
    if found.problems:
        raise LedgerDamaged(found.path, found.problems)


def backup_ledger(
    catalog: Catalog | str | Path, file: str | Path, *, force: bool = False, progress: bool = True
) -> LedgerContents:
    """Copy a ledger, also while a run is writing it: as it is now, whole or not at all.

    The copy is a ledger too. One of an older version is copied as it is.

    Args:
        catalog: the catalog or its directory, or a ledger's file.
        file: the copy.
        force: replace a file that is there.
        progress: show a bar.

    Returns:
        What the copy holds.

    Raises:
        BackupFailed: it cannot be written.
        LedgerMissing: there is no ledger.
        LedgerUnusable: it cannot be read.
    """
    from annotator.ledger.backup import back_up

    with bar("Backing up", 0, unit="page", show=progress) as shown:

        def watch(done: int, pages: int) -> None:
            shown.total = pages
            shown.update(done - shown.n)

        return back_up(_file(catalog), user_path(file), watch, force=force)


def require_ledger(catalog: Catalog, *, read_only: bool = False) -> None:
    """Nothing, where a catalog's ledger can be used: asked before anything is sent.

    Args:
        catalog: whose.
        read_only: it is only read, where there is one.

    Raises:
        LedgerUnlockable: its disk lacks what SQLite needs.
    """
    file = catalog.folder / LEDGER
    if read_only and not file.is_file():
        return
    from annotator.ledger.locks import require_locks

    require_locks(file, read_only=read_only)


def open_to_show(catalog: Catalog | str | Path) -> Catalog:
    """A finished catalog; where its disk has no locks, without descriptions and judgments.

    If so, a line on standard error says it.

    Raises:
        CatalogError: it cannot be read.
    """
    opened = open_catalog(catalog)
    if opened.ledger is None:
        return opened
    try:
        require_ledger(opened, read_only=True)
    except LedgerUnlockable as error:
        say(f"Without descriptions and judgments: {error}")
        return Catalog(opened.folder, ledger=False)
    return opened


def _file(catalog: Catalog | str | Path) -> Path:
    path = catalog.folder if isinstance(catalog, Catalog) else user_path(catalog)
    return path / LEDGER if path.is_dir() else path

"""`annotator ledger`: what was paid for or given by people, checked and backed up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from annotator.cli.app import CATALOG, FOLDER, app
from annotator.cli.layout import new_console, new_table, plural

if TYPE_CHECKING:
    from annotator.ledger.check import LedgerContents


@app.group()
def ledger() -> None:
    """Check and back up a catalog's ledger.db.

    It holds what was paid for or given by people: every request to a language model, every answer,
    every judgment. CATALOG may be a ledger's file instead: a backup.
    """


@ledger.command()
@CATALOG
def check(catalog: Path) -> None:
    """Is it whole? And what does it hold?

    Its tables, indexes and triggers, its pages, and what its rows refer to are looked at. Nothing
    is changed. Ends with exit code 1 if something is wrong, and names all of it.
    """
    from annotator.pipeline.ledger import check_ledger, refuse_damaged

    found = check_ledger(catalog)
    refuse_damaged(found)
    if found.contents is not None:
        print_contents(found.path, found.contents)


@ledger.command()
@CATALOG
@click.argument("file", type=FOLDER)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def backup(catalog: Path, file: Path, force: bool) -> None:
    """Copy it to FILE, also while a run is writing it.

    A plain copy lacks what is in ledger.db-wal. FILE has all that was recorded by now, and takes
    its name once it is whole and on disk. It is a ledger: to go back to it, put it in the place of
    CATALOG/ledger.db, and move ledger.db-wal, ledger.db-shm and ledger.db-spill-* away with the
    old one.
    """
    from annotator.pipeline.ledger import backup_ledger

    print_contents(str(file), backup_ledger(catalog, file, force=force))


def print_contents(path: str, contents: LedgerContents) -> None:
    """A line for each table, and how attempts ended."""
    console = new_console()
    console.print(Text(f"{path} is whole; version {contents.version}"), soft_wrap=True)
    table = new_table(("", ""), ("rows", "number"))
    for name, count in contents.rows.items():
        table.add_row(name, f"{count:,}")
        if name == "outcomes":
            for kind, ended in contents.outcomes.items():
                table.add_row(Text(f"  {kind}"), f"{ended:,}")
    table.add_row("in flight", f"{contents.in_flight:,}")
    console.print(table)
    if contents.waiting:
        answers = plural(contents.waiting, "answer")
        console.print(
            f"{answers} that the ledger could not take are in files beside it, and not in a "
            "backup; the next annotator describe takes them in.",
            soft_wrap=True,
        )

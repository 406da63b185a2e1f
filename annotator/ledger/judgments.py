"""What people are asked and what they answer, in the ledger; nothing of it is ever changed.

An edit is a judgment of its own beside the one before, and the last one counts.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from annotator.ledger.inserting import insert_new
from annotator.ledger.ledger import Ledger
from annotator.ledger.tables import ITEMS, JUDGMENTS, PROJECTS
from annotator.records import Describer, HeadId, Item, Judgment

_Row = Mapping[str, Any]


@dataclass(frozen=True)
class Project:
    """One rater's project on a Label Studio.

    Attributes:
        url: the server, without a password.
        rater: whose it is.
        project: its id there.
        at: when it was made, seconds since 1970.
    """

    url: str
    rater: str
    project: int
    at: float


@dataclass(frozen=True)
class RecordCounts:
    """What came of judgments.

    Attributes:
        new: how many were not there.
        edited: how many changed one that was there.
        unchanged: how many were there already.
        clashing: those under the id of an answer to something else, which were not recorded.
    """

    new: int = 0
    edited: int = 0
    unchanged: int = 0
    clashing: tuple[Judgment, ...] = ()


class Judgments:
    """The judgments of one catalog.

    Args:
        ledger: where they are; one of an older version that is only read holds none.

    Raises (as every method does):
        LedgerUnusable: it cannot be read or written. What it holds stays as it was.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add_items(self, items: Iterable[Item]) -> int:
        """Items that are to be judged; those that are there already stay as they are.

        Returns:
            How many are new.
        """
        key = ("id", "llm", "key", "name")
        with self._ledger.writing() as connection:
            return insert_new(connection, ITEMS, key, map(_item_row, items))

    def shown(self) -> list[Item]:
        """All items in the order they were added.

        Two have the same id where two describers say the same of a head; of a describer who was
        asked twice, and said the same, there is the last.
        """
        with self._ledger.reading() as connection:
            rows = _rows(connection, ITEMS)
        return list({(item.id, item.who): item for item in map(_item, rows)}.values())

    def items(self, who: Describer | None = None) -> dict[str, Item]:
        """The items by id.

        Args:
            who: only of this describer's; None: of several who say the same of a head, the first.
        """
        found: dict[str, Item] = {}
        for item in self.shown():
            if who in (None, item.who):
                found.setdefault(item.id, item)
        return found

    def categories(self, items: Iterable[Item]) -> dict[str, str]:
        """Of each request that described an item the category that the language model gave."""
        answers = self._ledger.answers(item.key for item in items)
        said = {key: came.content.get("category") for key, came in answers.items()}
        return {key: category for key, category in said.items() if category is not None}

    def add_project(self, url: str, rater: str, project: int) -> None:
        """A rater's project was made; from here on it is the rater's only one on that server."""
        row = {"url": _place(url), "rater": rater, "project": project, "at": time.time()}
        with self._ledger.writing() as connection:
            connection.execute(insert(PROJECTS).values(row))

    def project(self, url: str, rater: str) -> int | None:
        """A rater's project on a server; None where none was made."""
        own = [
            one.project for one in self.projects() if (one.url, one.rater) == (_place(url), rater)
        ]
        return own[-1] if own else None

    def projects(self) -> list[Project]:
        """All projects in the order they were made."""
        with self._ledger.reading() as connection:
            return [
                Project(row["url"], row["rater"], row["project"], row["at"])
                for row in _rows(connection, PROJECTS)
            ]

    def record(self, answers: Iterable[tuple[Judgment, Mapping[str, Any]]]) -> RecordCounts:
        """Write down what was judged; all of it, or nothing.

        Args:
            answers: of each the judgment, and the annotation as it came.

        Raises:
            ValueError: a judgment of an item that was not added.
        """
        came: list[str] = []
        clashing: list[Judgment] = []
        with self._ledger.writing() as connection:
            known = {row["id"] for row in _rows(connection, ITEMS)}
            before: defaultdict[str, list[Judgment]] = defaultdict(list)
            for row in _rows(connection, JUDGMENTS):
                before[row["annotation"]].append(_judgment(row))
            now = time.time()
            for judgment, raw in answers:
                if judgment.item not in known:
                    raise ValueError(f"no item {judgment.item} was added")
                of_it = before[judgment.annotation]
                if of_it and (of_it[0].item, of_it[0].rater) != (judgment.item, judgment.rater):
                    clashing.append(judgment)
                    continue
                if _is_among(judgment, of_it):
                    came.append("unchanged")
                    continue
                row = {**asdict(judgment), "raw": dict(raw), "recorded": now}
                connection.execute(insert(JUDGMENTS).values(row))
                came.append("edited" if of_it else "new")
                of_it.append(judgment)
        kinds = [came.count(kind) for kind in ("new", "edited", "unchanged")]
        return RecordCounts(*kinds, clashing=tuple(clashing))

    def all(self) -> list[Judgment]:
        """Every judgment, edits too, in the order they were recorded."""
        with self._ledger.reading() as connection:
            return [_judgment(row) for row in _rows(connection, JUDGMENTS)]

    def judged(self) -> set[tuple[str, Describer]]:
        """The requests whose descriptions people have judged, each with its describer."""
        given = {judgment.item for judgment in self.all()}
        return {(item.key, item.who) for item in self.shown() if item.id in given}

    def last(self) -> list[Judgment]:
        """Of each item and rater the last answer, by the time it was given; by item and rater."""
        found: dict[tuple[str, str], Judgment] = {}
        for judgment in sorted(self.all(), key=lambda one: one.at):
            found[judgment.item, judgment.rater] = judgment
        return [found[which] for which in sorted(found)]


def _is_among(judgment: Judgment, before: list[Judgment]) -> bool:
    """Whether it was recorded, or is the last one again: a server may touch what nobody edited."""
    if not before:
        return False
    last = max(before, key=lambda one: one.at)
    return any(one.at == judgment.at for one in before) or replace(judgment, at=last.at) == last


def _rows(connection: Connection, table: Table) -> list[_Row]:
    """All rows as they were added, but for what only the database needs."""
    columns = [column for column in table.c if column.name not in ("raw", "recorded")]
    query = select(*columns).order_by(table.c.number)
    return [dict(row) for row in connection.execute(query).mappings()]


def _item_row(item: Item) -> dict[str, Any]:
    head = {"layer": item.head.layer, "head": item.head.head}
    return {name: getattr(item, name) for name in Item.__slots__} | head


def _item(row: _Row) -> Item:
    own: dict[str, Any] = {name: row[name] for name in Item.__slots__}
    own["head"] = HeadId(row["layer"], row["head"])
    return Item(**own)


def _judgment(row: _Row) -> Judgment:
    return Judgment(**{name: value for name, value in row.items() if name != "number"})


def _place(url: str) -> str:
    """A server's URL without a password, a query and slashes at its end."""
    return re.sub(r"(?<=://)[^/]*@", "", re.split(r"[?#]", url)[0]).rstrip("/")

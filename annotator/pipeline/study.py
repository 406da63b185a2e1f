"""A study without a server: what is judged, tasks as files, answers from a file, the report."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.files import make_folder, whole_file
from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import ExportUnreadable, NothingToJudge
from annotator.paths import user_path
from annotator.pipeline.studio import pseudonyms
from annotator.records import Description, HeadId, HeadMap, Item

if TYPE_CHECKING:
    from annotator.judge.report import Report
    from annotator.judge.task import Task
    from annotator.pipeline.judge import Pulled


@dataclass(frozen=True)
class Chosen:
    """What is judged.

    Attributes:
        items: a description each.
        said: of each item, by id, the description.
        heads: the heads they are of.
    """

    items: Sequence[Item]
    said: dict[str, Description]
    heads: dict[HeadId, HeadMap]


def choose(catalog: Catalog, llm: str | None, heads: Sequence[str] | None) -> Chosen:
    """The descriptions and abstentions that are judged.

    Args:
        catalog: where they are.
        llm: whose; needed where several language models have described.
        heads: only these, by name.

    Raises:
        NothingToJudge: there is none, or several where one has to be named.
        HeadInvalid: not a head of this model.
    """
    from annotator.judge.items import STATUSES, items_of

    there = [one for one in catalog.descriptions() if one.status in STATUSES]
    llms = list(dict.fromkeys(one.llm for one in there))
    if llm is None and len(llms) > 1:
        named = ", ".join(llms)
        raise NothingToJudge(f"several have described heads; name one with --llm: {named}")
    maps = {head.head: head for head in map(catalog.head, heads)} if heads is not None else None
    said = [one for one in there if llm in (None, one.llm) and (maps is None or one.head in maps)]
    if not said:
        whose = f" by {llm}" if llm else ""
        has = f"; there are some by {', '.join(llms)}" if llms else ""
        of = "of these heads" if heads is not None else "yet"
        raise NothingToJudge(
            f"no head is described{whose} {of}{has}. Run: annotator describe "
            f"{catalog.folder} --llm ..."
        )
    if maps is None:
        wanted = {one.head for one in said}
        maps = {head.head: head for head in catalog if head.head in wanted}
    items = items_of(said, maps, catalog.manifest.model["weight_digest"])
    return Chosen(items, {item.id: one for item, one in zip(items, said, strict=True)}, maps)


def described_by(catalog: str | Path) -> list[str]:
    """Whose descriptions there are to judge."""
    from annotator.judge.items import STATUSES

    found = open_catalog(catalog).descriptions()
    return list(dict.fromkeys(one.llm for one in found if one.status in STATUSES))


def tasks_of(
    chosen: Chosen, rater: str, seed: int, without: Collection[str], numbered: int = 0
) -> list[Task]:
    """A rater's tasks, in the rater's own random order.

    Args:
        chosen: what is judged.
        rater: the rater's pseudonym.
        seed: of the order.
        without: items that the rater has already.
        numbered: how many tasks the rater has already; numbers go on from there.
    """
    from annotator.judge.items import order
    from annotator.judge.task import task_of

    left = [item for item in order(chosen.items, seed, rater) if item.id not in without]
    of = numbered + len(left)
    return [
        task_of(item, chosen.heads[item.head], chosen.said[item.id], number, of, rater)
        for number, item in enumerate(left, start=numbered + 1)
    ]


def export_tasks(
    catalog: str | Path,
    raters: Sequence[str],
    out: str | Path | None = None,
    *,
    llm: str | None = None,
    heads: Sequence[str] | None = None,
    seed: int = 0,
) -> list[Path]:
    """Write what a Label Studio imports by hand: each rater's tasks, and the screen.

    Args:
        catalog: the catalog's directory.
        raters: pseudonyms.
        out: directory for the files; by default `judge/` within the catalog.
        llm: whose descriptions; needed where several language models have described.
        heads: only these, by name.
        seed: of each rater's random order.

    Returns:
        The files written.

    Raises:
        NothingToJudge: no description, or several where one has to be named.
        CatalogUnwritable: a file cannot be written.
    """
    from annotator.judge.task import screen
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger

    named = pseudonyms(raters)
    opened = open_catalog(catalog)
    chosen = choose(opened, llm, heads)
    folder = opened.folder / "judge" if out is None else user_path(out)
    with Ledger(opened.folder / LEDGER) as ledger:
        Judgments(ledger).add_items(chosen.items)
    make_folder(folder)
    files = [folder / "screen.xml"]
    with whole_file(files[0]) as file:
        file.write(screen().encode())
    for rater in named:
        tasks = [{"data": dict(task.data)} for task in tasks_of(chosen, rater, seed, ())]
        files.append(folder / f"tasks-{_file_name(rater)}.json")
        with whole_file(files[-1]) as file:
            file.write(json.dumps(tasks, ensure_ascii=False, indent=1).encode())
    return files


def import_answers(catalog: str | Path, file: str | Path) -> Pulled:
    """Read a JSON export of Label Studio's.

    Raises:
        ExportUnreadable: it cannot be read, or is no JSON.
        StudyForeign: it is none, or of another catalog; nothing was recorded.
        LedgerUnusable: the answers cannot be written down.
    """
    from annotator.judge.answers import read_export
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger
    from annotator.pipeline.judge import Pulled

    opened, path = open_catalog(catalog), user_path(file)
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ExportUnreadable(str(path), error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ExportUnreadable(str(path), "it is no JSON") from error
    pulled = Pulled()
    with Ledger(opened.folder / LEDGER) as ledger:
        judgments = Judgments(ledger)
        pulled.add(read_export(tasks, str(path), judgments.items()), judgments)
    return pulled


def report(catalog: str | Path, llm: str | None = None) -> tuple[Report, list[str]]:
    """What a study's judgments come to, and who wrote the descriptions.

    Args:
        catalog: the catalog's directory.
        llm: only of this one's descriptions.

    Raises:
        NothingToJudge: nothing was judged yet.
    """
    from annotator.judge.report import report as sum_up
    from annotator.ledger.judgments import Judgments
    from annotator.ledger.ledger import Ledger

    opened = open_catalog(catalog)
    if not (opened.folder / LEDGER).is_file():
        raise NothingToJudge("no judgment has come back yet. Run: annotator judge push")
    with Ledger(opened.folder / LEDGER, read_only=True) as ledger:
        judgments = Judgments(ledger)
        llms = list(dict.fromkeys(item.llm for item in judgments.shown()))
        items, last = judgments.items(llm), judgments.last()
        categories = judgments.categories(items.values())
    if llm is not None and llm not in llms:
        there = ", ".join(llms) or "nobody"
        raise NothingToJudge(f"raters were given no description by {llm}, but by {there}")
    if not any(one.item in items for one in last):
        raise NothingToJudge("no judgment has come back yet. Run: annotator judge pull")
    found = sum_up(items, last, opened.manifest.dims["n_layers"], categories)
    return found, llms if llm is None else [llm]


def _file_name(rater: str) -> str:
    """A rater's name as a part of a file's; no two have the same."""
    plain = re.sub(r"[^\w.-]", "_", rater)
    return plain if plain == rater else f"{plain}-{sha256(rater.encode()).hexdigest()[:6]}"

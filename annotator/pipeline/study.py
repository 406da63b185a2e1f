"""A study without a server: what is judged, tasks as files, answers from a file, the report."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.files import make_folder, whole_file
from annotator.catalog.judgments import read_judged
from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import ExportUnreadable, NothingToJudge, SettingInvalid
from annotator.paths import user_path
from annotator.pipeline.studio import pseudonyms
from annotator.records import REAL, Description, Item

if TYPE_CHECKING:
    from annotator.judge.kinds import Shown
    from annotator.judge.report import Report
    from annotator.judge.task import Task
    from annotator.ledger.judgments import Judgments
    from annotator.pipeline.judge import Pulled


@dataclass(frozen=True)
class Chosen:
    """What is judged.

    Attributes:
        items: what raters are asked about.
        shown: of each item, by id, the map and the description.
    """

    items: Sequence[Item]
    shown: Mapping[str, Shown]


def choose(
    catalog: Catalog,
    llm: str | None,
    heads: Sequence[str] | None,
    kinds: Sequence[str] = (REAL,),
) -> Chosen:
    """The descriptions and abstentions that are judged.

    Args:
        catalog: where they are.
        llm: whose: any name of a describer, or an unambiguous part of one; needed where several
            have described.
        heads: only these, by name.
        kinds: which kinds of items are made of them.

    Raises:
        NothingToJudge: there is none, or several where one has to be named.
        DescriberUnknown: nobody is called so, or several are.
        HeadInvalid: not a head of this model.
        SettingInvalid: no such kind.
    """
    from annotator.judge.items import item_of
    from annotator.judge.kinds import KINDS

    for kind in kinds:
        if kind not in KINDS:
            raise SettingInvalid("kind", kind, "one of " + ", ".join(KINDS))
    said = _to_judge(catalog.descriptions(llm=llm), catalog, llm)
    if heads is None:
        wanted = {one.head for one in said}
        maps = {head.head: head for head in catalog if head.head in wanted}
    else:
        maps = {head.head: head for head in map(catalog.head, heads)}
    said = [one for one in said if one.head in maps]
    if not said:
        raise NothingToJudge(_nothing(catalog, llm, "of these heads"))
    digest = catalog.manifest.model["weight_digest"]
    shown = {
        item_of(one, digest, kind): one
        for kind in dict.fromkeys(kinds)
        for one in KINDS[kind].shown(catalog, said, maps)
    }
    return Chosen(list(shown), {item.id: one for item, one in shown.items()})


def _to_judge(
    descriptions: Sequence[Description], catalog: Catalog, llm: str | None
) -> list[Description]:
    """Those that have something to judge, by one describer."""
    from annotator.judge.items import STATUSES

    said = [one for one in descriptions if one.status in STATUSES]
    if not said:
        raise NothingToJudge(_nothing(catalog, llm, "yet"))
    names = list(dict.fromkeys(one.shown for one in said))
    if len(names) > 1:
        named = ", ".join(names)
        raise NothingToJudge(f"several have described heads; name one with --llm: {named}")
    return said


def _nothing(catalog: Catalog, llm: str | None, of: str) -> str:
    whose = f" by {llm}" if llm else ""
    command = f"annotator describe {catalog.folder} --llm ..."
    return f"no head is described{whose} {of}. Run: {command}"


def described_by(catalog: str | Path) -> list[str]:
    """Whose descriptions there are to judge."""
    from annotator.judge.items import STATUSES

    found = open_catalog(catalog).descriptions()
    return list(dict.fromkeys(one.shown for one in found if one.status in STATUSES))


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
    shown = ((item, chosen.shown[item.id]) for item in left)
    return [
        task_of(item, one.head, one.said, number, of, rater)
        for number, (item, one) in enumerate(shown, start=numbered + 1)
    ]


def export_tasks(
    catalog: str | Path,
    raters: Sequence[str],
    out: str | Path | None = None,
    *,
    llm: str | None = None,
    heads: Sequence[str] | None = None,
    kinds: Sequence[str] = (REAL,),
    seed: int = 0,
) -> list[Path]:
    """Write what a Label Studio imports by hand: each rater's tasks, and the screen.

    Args:
        catalog: the catalog's directory.
        raters: pseudonyms.
        out: directory for the files; by default `judge/` within the catalog.
        llm: whose descriptions; needed where several have described.
        heads: only these, by name.
        kinds: which kinds of items.
        seed: of each rater's random order.

    Returns:
        The files written.

    Raises:
        NothingToJudge: no description, or several where one has to be named.
        CatalogUnwritable: a file cannot be written.
    """
    from annotator.judge.task import screen

    named = pseudonyms(raters)
    opened = open_catalog(catalog)
    chosen = choose(opened, llm, heads, kinds)
    folder = opened.folder / "judge" if out is None else user_path(out)
    with judgments_of(opened) as judgments:
        judgments.add_items(chosen.items)
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
    from annotator.pipeline.judge import Pulled

    opened, path = open_catalog(catalog), user_path(file)
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ExportUnreadable(str(path), error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ExportUnreadable(str(path), "it is no JSON") from error
    pulled = Pulled()
    with judgments_of(opened) as judgments:
        pulled.add(read_export(tasks, str(path), judgments.items()), judgments)
    return pulled


def report(catalog: str | Path, llm: str | None = None) -> tuple[Report, list[str]]:
    """What a study's judgments come to, and who wrote the descriptions.

    Args:
        catalog: the catalog's directory.
        llm: only of this describer's: any name of theirs, or an unambiguous part of one.

    Raises:
        NothingToJudge: nothing was judged yet.
        DescriberUnknown: nobody is called so, or several are.
    """
    from annotator.judge.report import report as sum_up

    opened = open_catalog(catalog)
    judged = read_judged(opened.folder)
    if not judged.items:
        raise NothingToJudge("no judgment has come back yet. Run: annotator judge push")
    describers = judged.describers
    who = None if llm is None else describers.find(llm)
    ours = [item for item in judged.items if who in (None, item.who)]
    if not ours:
        there = ", ".join(dict.fromkeys(describers.short(item.who) for item in judged.items))
        raise NothingToJudge(f"raters were given no description by {llm}, but by {there}")
    items: dict[str, Item] = {}
    for item in ours:
        items.setdefault(item.id, item)
    if not any(one.item in items for one in judged.last):
        raise NothingToJudge("no judgment has come back yet. Run: annotator judge pull")
    found = sum_up(items, judged.last, opened.manifest.dims["n_layers"], judged.categories)
    return found, list(dict.fromkeys(describers.short(item.who) for item in ours))


def _file_name(rater: str) -> str:
    """A rater's name as a part of a file's; no two have the same."""
    plain = re.sub(r"[^\w.-]", "_", rater)
    return plain if plain == rater else f"{plain}-{sha256(rater.encode()).hexdigest()[:6]}"

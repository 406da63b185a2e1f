"""A study without a server: tasks as files, and answers from a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from annotator.atomic_files import whole_file
from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import ExportUnreadable
from annotator.json_file import JsonInvalid, read_json
from annotator.paths import file_name, user_path
from annotator.pipeline.judge_answers import PullResult, judgments_of
from annotator.pipeline.judge_items import plan_study, pseudonyms, tasks_of
from annotator.pipeline.progress import say
from annotator.records import REAL
from annotator.views.export.folder import together

MOST_EXPORTED = 1 << 30  # bytes of a project that Label Studio exported


def export_study(
    catalog: Catalog | str | Path,
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
    from annotator.label_studio.task import screen

    named = pseudonyms(raters)
    opened = open_catalog(catalog)
    chosen = plan_study(opened, llm, heads, kinds)
    folder = opened.folder / "judge" if out is None else user_path(out)
    with judgments_of(opened) as judgments:
        judgments.add_items(chosen.items)
    contents = {"screen.xml": screen()}
    for rater in named:
        tasks = [{"data": dict(task.data)} for task in tasks_of(chosen, rater, seed, ())]
        name = f"tasks-{file_name(rater)}.json"
        contents[name] = json.dumps(tasks, ensure_ascii=False, indent=1)
    with together(folder, say) as part:
        for name, content in contents.items():
            with whole_file(part / name) as file:
                file.write(content.encode())
    return [folder / name for name in contents]


def import_answers(catalog: Catalog | str | Path, file: str | Path) -> PullResult:
    """Read a JSON export of Label Studio's.

    Raises:
        ExportUnreadable: it cannot be read, or is no JSON.
        StudyForeign: it is none, or of another catalog; nothing was recorded.
        LedgerUnusable: the answers cannot be written down.
    """
    from annotator.label_studio.answers import read_export

    opened, path = open_catalog(catalog), user_path(file)
    try:
        tasks = read_json(path, most=MOST_EXPORTED)
    except JsonInvalid as error:
        raise ExportUnreadable(str(path), str(error)) from error
    pulled = PullResult()
    with judgments_of(opened) as judgments:
        pulled.add(read_export(tasks, str(path), judgments.items()), judgments)
    return pulled

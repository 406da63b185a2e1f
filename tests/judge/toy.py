"""A kind of item that only tests know: a head's sources, each with another's targets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from annotator.judge.kinds import KINDS, Kind, Maps, Shown
from annotator.pipeline.judge_files import export_study, import_answers
from annotator.records import REAL, Description, HeadId, HeadMap
from tests.judge.record_export import answer

NAME = "toy"


def _shown(
    _: Maps, said: Sequence[Description], heads: Mapping[HeadId, HeadMap]
) -> Iterator[Shown]:
    for one in said:
        head = heads[one.head]
        rows = zip(head.mappings, reversed(head.mappings), strict=True)
        mappings = tuple(replace(row, targets=other.targets) for row, other in rows)
        yield Shown(replace(head, mappings=mappings), one)


KIND = Kind(NAME, real=False, shown=_shown)


def answered(catalog: Path, folder: Path, heads: Sequence[str], llm: str) -> None:
    """By files: ada accepts what is real, and sees nothing in one toy and something in the next."""
    export_study(catalog, ["ada"], folder, llm=llm, heads=heads, kinds=(REAL,))
    real = {one["data"]["item"] for one in _tasks(folder)}
    export_study(catalog, ["ada"], folder, llm=llm, heads=heads, kinds=(REAL, NAME))
    tasks = sorted(_tasks(folder), key=lambda one: one["data"]["item"] not in real)
    yes = answer("yes", "accurate", "semantic")
    for number, task in enumerate(tasks):
        odd = number >= len(real) and (number - len(real)) % 2
        result = answer("yes", "poor", "general") if odd else yes
        result = answer("no") if number >= len(real) and not odd else result
        task |= {"id": number, "annotations": [{"id": number, "result": result, **_WHEN}]}
    (folder / "answers.json").write_text(json.dumps(tasks), "utf-8")
    import_answers(catalog, folder / "answers.json")


_WHEN = {"updated_at": "2026-05-01T10:00:00Z", "lead_time": 8.0}


def _tasks(folder: Path) -> list[Any]:
    return json.loads((folder / "tasks-ada.json").read_text("utf-8"))


if __name__ == "__main__":
    # A push that is killed once some of the tasks have arrived.
    import os
    import signal
    import sys

    from annotator.cli import main
    from annotator.label_studio.client import Studio

    KINDS[NAME] = "tests.judge.toy"
    push = Studio.push

    def killed(self: Studio, project: int, tasks: Any, *more: Any) -> int:
        push(self, project, tasks[:3], *more)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    Studio.push = killed
    main(sys.argv[1:])

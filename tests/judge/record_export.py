"""Records `real_export.json`: what a real Label Studio exports of a small project.

Run: python -m tests.judge.record_export URL TOKEN
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from annotator.label_studio.task import screen, task_of
from tests.judge.made import description, head_map, item

FILE = Path(__file__).parent / "real_export.json"
STATUSES = ("described", "described", "described", "unclear", "described", "unclear")


def region(name: str, *chosen: str) -> dict[str, Any]:
    """One answer, as the screen sends it."""
    kind, field = ("textarea", "text") if name == "comment" else ("choices", "choices")
    value = {field: list(chosen)}
    return {"from_name": name, "to_name": "mappings", "type": kind, "value": value}


def answer(pattern: str, *others: str, comment: str = "") -> list[dict[str, Any]]:
    """Answers to question 1, and to 2 and 3 where there are any."""
    given = [region("pattern", pattern)]
    given += [region(n, o) for n, o in zip(("precision", "category"), others, strict=False)]
    return [*given, region("comment", comment)] if comment else given


def record(url: str, token: str) -> list[dict[str, Any]]:
    """Six tasks: answered, edited, skipped, missed, answered twice, and not answered."""
    from label_studio_sdk import LabelStudio

    studio = LabelStudio(base_url=url, api_key=token)
    project = studio.projects.create(title="A small study", label_config=screen())
    heads = [f"L{number}H0" for number in range(len(STATUSES))]
    tasks = [
        task_of(item(h, s), head_map(h), description(h, s), number, len(heads), "ana")
        for number, (h, s) in enumerate(zip(heads, STATUSES, strict=True), start=1)
    ]
    request: Any = [{"data": dict(task.data)} for task in tasks]
    made = studio.projects.import_tasks(project.id, request=request, return_task_ids=True)
    ids = made.task_ids or []
    yes = answer("yes", "accurate", "semantic", comment="Cuba\nis missing")
    studio.annotations.create(ids[0], result=yes, lead_time=12.5)
    edited = studio.annotations.create(ids[1], result=answer("no"), lead_time=3.0)
    changed = answer("yes", "partial", "language")
    studio.annotations.update(edited.id, result=changed, lead_time=9.0)
    studio.annotations.create(ids[2], result=[], was_cancelled=True, lead_time=1.0)
    studio.annotations.create(ids[3], result=answer("yes", "poor", "general"), lead_time=20.0)
    studio.annotations.create(ids[4], result=answer("no"), lead_time=4.0)
    studio.annotations.create(ids[4], result=answer("yes", "scope", "unnatural"), lead_time=5.0)
    return studio.projects.exports.as_json(project.id)


if __name__ == "__main__":
    found = record(*sys.argv[1:])
    FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

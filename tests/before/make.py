"""Makes `catalog/`: a tiny model's, with all that people and language models gave, as of version 1.

Run once, with the annotator of before the ledger had a version (commit 3fc8ff8) on PYTHONPATH:

python -m tests.before.make FOLDER

In `catalog/ledger.db` nobody has described a head twice; two say the same of one. `again.db.gz`
goes on: the same language model is asked with another prompt, one elsewhere has the same name.
What the commands of then print and export of the first is in `printed/` and `exported/`.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shutil
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import annotator
from annotator.catalog.descriptions import LEDGER
from annotator.cli import main
from annotator.describe.llm import Reply
from annotator.describe.outcome import (
    Answer,
    Described,
    Failed,
    Malformed,
    Outcome,
    Refused,
    Truncated,
    Unclear,
)
from annotator.describe.request import Request
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.pipeline.describe import describe_heads
from tests import tiny
from tests.judge.record_export import answer

STRONG, OTHER = "openai:strong", "anthropic:other"
SERVED = "openai:strong@http://10.1.2.3:8080/v1"
TEMPLATE = (
    "{% block system %}You describe.{% endblock %}\n"
    "{% block user %}{% for one in mappings %}{{ one.source }} {{ one.targets|join(' ') }}\n"
    "{% endfor %}What is it?{% endblock %}\n"
)
SAME = Described("r", "the first", "what they share", "language")
FIRST: dict[str, Outcome] = {
    "L0H0": Described("They are alike.", "parts of words", "the same parts", "semantic"),
    "L0H1": SAME,
    "L1H0": Unclear("Nothing recurs.", "mixed"),
    "L1H1": Refused("I would rather not."),
    "L2H0": Truncated(512),
    "L2H1": Malformed("pattern: Field required"),
    "L2H2": Failed("HTTP 503: overloaded", 503),
}
COMMANDS = {
    "show-L0H0": "show CATALOG L0H0",
    "show-L0H1": "show CATALOG L0H1",
    "show-L1H1": "show CATALOG L1H1",
    "heads": "heads CATALOG --telling",
    "descriptions": "descriptions CATALOG",
    "report": "judge report CATALOG",
    "report-strong": f"judge report CATALOG --llm {STRONG}",
}
EXPORTED = ("heads", "descriptions", "judgments")


class Scripted:
    """A language model whose answers are written down here."""

    at_once: int | None = 1

    def __init__(self, name: str, says: Mapping[str, Outcome]) -> None:
        self.name, self.left = name, iter(says.values())
        self.says: dict[str, Outcome] = {}

    def request(self, system: str, prompt: str, template: str, sample: int = 0) -> Request:
        self.says[prompt] = next(self.left)
        kind, _, model = self.name.partition(":")
        model, _, url = model.partition("@")
        schema = {"title": Answer.__name__}
        return Request(kind, url, model, system, prompt, schema, template, {"max_tokens": 512})

    def send(self, request: Request, **_: Any) -> Reply:
        outcome = self.says[request.prompt]
        return Reply(outcome, f"a reply: {outcome.kind}", 100, 10, 1.5)

    def count(self, request: Request) -> None:
        return None

    def close(self) -> None:
        pass


def say(catalog: Path, name: str, says: Mapping[str, Outcome], **more: Any) -> None:
    """Have heads described."""
    llm = Scripted(name, says)
    describe_heads(catalog, llm, heads=list(says), concurrency=1, progress=False, **more)


def answers(catalog: Path, llm: str, given: Sequence[Sequence[Any]], heads: str, day: int) -> None:
    """Tasks are written as files, answered, and read back.

    Args:
        given: of each rater the name and what is answered, an item after the other; None: skipped.
    """
    # As that annotator has it; today it lies elsewhere.
    from annotator.pipeline.study import export_tasks, import_answers

    with tempfile.TemporaryDirectory() as folder:
        export_tasks(catalog, [name for name, *_ in given], folder, llm=llm, heads=heads.split(","))
        tasks: list[Any] = []
        for number, (name, *said) in enumerate(given):
            own = json.loads((Path(folder) / f"tasks-{name}.json").read_text("utf-8"))
            own.sort(key=lambda one: one["data"]["item"])
            tasks += [_answered(t, s, 100 * day + 10 * number + n, day)
                      for n, (t, s) in enumerate(zip(own, said, strict=True))]  # fmt: skip
        file = Path(folder) / "export.json"
        file.write_text(json.dumps(tasks), "utf-8")
        import_answers(catalog, file)


def _answered(task: Any, said: Sequence[str] | None, number: int, day: int) -> Any:
    at = f"2026-05-{day:02}T10:{number % 60:02}:00Z"
    result = [] if said is None else answer(*said, comment="as I see it")
    given = f"{task['data']['rater']} {task['data']['item']}"
    unique = str(uuid.uuid5(uuid.NAMESPACE_URL, given))  # an edit keeps it
    one = {"id": number, "unique_id": unique, "result": result, "updated_at": at}
    one |= {"was_cancelled": said is None, "lead_time": 7.5 + number % 7, "completed_by": 1}
    return {"id": number, "data": task["data"], "annotations": [one]}


def first(catalog: Path) -> None:
    """Two language models and the rules; three raters, of whom one edits and one skips."""
    say(catalog, STRONG, FIRST)
    say(catalog, OTHER, {"L0H1": SAME, "L0H2": Described("r", "a", "b", "general")})
    describe_heads(catalog, "rules", heads=["L0H0", "L1H0"], progress=False)
    with Ledger(catalog / LEDGER) as ledger:
        key = ledger.described(STRONG)[0].key
        ledger.begin(key, {"temperature": 0.7})
    with Ledger(catalog / LEDGER) as ledger:
        ledger.sweep()
        judgments = Judgments(ledger)
        judgments.add_project("http://label-studio.example", "ada", 7)
    yes, wide, no = ("yes", "accurate", "semantic"), ("yes", "scope", "language"), ("no",)
    poor = ("yes", "poor", "general")
    heads = "L0H0,L0H1,L1H0"
    answers(catalog, STRONG, [("zoe", yes, no, wide), ("ada", poor, no, None)], heads, 1)
    answers(catalog, STRONG, [("zoe", yes, yes, wide)], heads, 2)  # an edit
    answers(catalog, OTHER, [("ben", wide, no)], "L0H1,L0H2", 3)


def again(catalog: Path) -> None:
    """Another prompt, another server of the same name; what is said anew is judged too."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "describe_head.jinja").write_text(TEMPLATE, "utf-8")
        anew = Described("Said anew.", "pieces", "their like", "general")
        say(catalog, STRONG, {"L0H0": anew, "L0H1": SAME}, prompts=folder)
    say(catalog, SERVED, {"L0H0": Described("Elsewhere.", "x", "y", "unnatural")})
    answers(catalog, STRONG, [("ben", ("yes", "partial", "general"))], "L0H0", 4)


def printed(catalog: Path, command: str) -> str:
    """What a command prints, but for where the catalog is."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main([str(catalog) if one == "CATALOG" else one for one in command.split()]) == 0
    return said.getvalue().replace(str(catalog), "CATALOG")


def make(folder: Path) -> None:
    """All of it, into an empty folder."""
    with tempfile.TemporaryDirectory() as place:
        model = tiny.save(Path(place) / "tiny", tiny.llama())
        catalog, files = Path(place) / "catalog", folder / "catalog"
        settings = annotator.MapSettings(sources=8, targets=3)
        annotator.map_model(model, catalog, settings=settings, progress=False)
        first(catalog)
        shutil.copytree(catalog, files, ignore=shutil.ignore_patterns(".*", "*-wal", "*-shm"))
        (folder / "printed").mkdir()
        for name, command in COMMANDS.items():
            (folder / "printed" / f"{name}.txt").write_text(printed(files, command), "utf-8")
        annotator.export(files, "jsonl", folder / "exported", progress=False)
        for file in (folder / "exported").iterdir():
            if file.stem not in EXPORTED:
                file.unlink()
        again(catalog)
        whole = gzip.compress((catalog / LEDGER).read_bytes(), mtime=0)
        (folder / "again.db.gz").write_bytes(whole)
        for left in ("-wal", "-shm"):  # a reader's
            (files / f"{LEDGER}{left}").unlink(missing_ok=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]))

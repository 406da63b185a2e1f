"""A whole small study by the commands, on a real Label Studio: pushed, answered by two raters
through its API, pulled, reported and exported.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import open_catalog
from annotator.cli import main
from annotator.ledger.judgments import Judgments
from annotator.ledger.ledger import Ledger
from annotator.pipeline.describe import describe_heads
from tests import PATIENCE
from tests.commands import SCRIPT, error_of, files_of, text_of
from tests.judge import fake_studio
from tests.judge.record_export import answer
from tests.judge.studies import Capture, Study

HEADS = 12


def test_a_study_from_end_to_end(study: Study, capsys: Capture, tmp_path: Path) -> None:
    catalog = study.catalog
    said = study.push()
    projects = study.projects(said)
    assert projects.keys() == {"ada", "ben"}
    assert re.search(rf"ada +{HEADS} +{HEADS} +0 +0 +0", said)
    again = study.push()
    assert study.projects(again) == projects
    assert re.search(rf"ben +0 +{HEADS} +0 +0 +0", again)

    tasks = {name: study.tasks(name, project) for name, project in projects.items()}
    shown = {name: [task.data["item"] for task in some] for name, some in tasks.items()}
    assert sorted(shown["ada"]) == sorted(shown["ben"])
    assert shown["ada"] != shown["ben"], "each has an order of its own"
    for number, task in enumerate(tasks["ada"], start=1):
        assert task.data["title"] == f"Item {number} of {HEADS}"
        assert not re.search(r"L\d+H\d+|rules", json.dumps(task.data))

    for name, some in tasks.items():
        for task in some:
            status = "unclear" if "No recurring" in task.data["description"] else "described"
            yes = answer("yes", "accurate", "general", comment=f"by {name}")
            study.answer(name, task.id, answer("no") if status == "unclear" else yes)
    assert "24 new answers, 0 edited, 0 known before" in study.pull()
    assert "0 new answers, 0 edited, 24 known before" in study.pull()

    report = text_of(capsys, "judge", "report", catalog)
    assert "24 answers on 12 of 12 items by 2 raters; 0 skipped; 8 seconds on one" in report
    assert re.search(r"question 1, on 12 items +100\.0%", report)
    assert "79.8%" in report

    rows = open_catalog(catalog).frame("judgments")
    assert len(rows) == 24
    assert set(rows["rater"]) == {"ada", "ben"}
    assert set(rows["comment"]) <= {"by ada", "by ben", ""}
    text_of(capsys, "export", catalog, "--to", "jsonl", "--out", tmp_path / "files")
    lines = (tmp_path / "files" / "judgments.jsonl").read_text().splitlines()
    assert [json.loads(line)["layer"] for line in lines] == list(rows["layer"])

    status = text_of(capsys, "judge", "status", catalog, *study.on)
    assert re.search(rf"ada +{HEADS} +{HEADS} +0 +{HEADS}", status)


def test_edits_skips_and_second_answers_are_kept(study: Study) -> None:
    projects = study.projects(study.push("--heads", "L0H0,L0H1,L1H2"))
    first, second, third = (task.id for task in study.tasks("ada", projects["ada"]))
    edited = study.answer("ada", first, answer("no"))
    study.answer("ada", second, [], was_cancelled=True)
    study.answer("ada", third, answer("no"))
    assert "3 new answers, 0 edited" in study.pull()
    study.as_rater("ada").annotations.update(edited, result=answer("yes", "poor", "language"))
    study.answer("ada", third, answer("yes", "scope", "semantic"))
    said = study.pull()
    assert "1 new answer, 1 edited, 2 known before" in said
    assert "Answered twice, the last one counts:" in said
    with Ledger(study.catalog / LEDGER) as ledger:
        judgments = Judgments(ledger)
        assert len(judgments.all()) == 5, "what an edit changed is still there"
        last = judgments.last()
    assert [one.skipped for one in last].count(True) == 1
    assert {one.precision for one in last} == {None, "poor", "scope"}
    assert {one.seconds for one in last} == {7.5}


def test_answers_that_cannot_be_taken_are_named_and_the_others_are(study: Study) -> None:
    projects = study.projects(study.push("--heads", "L0H0,L0H1,L1H2"))
    first, second, third = (task.id for task in study.tasks("ben", projects["ben"]))
    study.answer("ben", first, answer("yes", "accurate"))
    study.answer("ben", second, answer("maybe"))
    study.answer("ben", third, answer("no"))
    assert main(["judge", "pull", str(study.catalog), *study.on]) == 1
    said = study.capsys.readouterr()
    assert "1 new answer, " in said.out
    assert "some answers cannot be taken (2)" in said.err
    assert "question 3" in said.err
    assert "maybe" in said.err
    assert len(open_catalog(study.catalog).judgments()) == 1


def test_a_project_that_was_deleted_is_named_and_made_again_when_asked(study: Study) -> None:
    projects = study.projects(study.push("--heads", "L0H0,L0H1"))
    task = study.tasks("ada", projects["ada"])[0].id
    study.answer("ada", task, answer("no"))
    study.pull()
    study.as_rater("ada").projects.delete(projects["ada"])
    task = study.tasks("ben", projects["ben"])[0].id
    study.answer("ben", task, answer("no"))
    for command, shown in (
        ("pull", "1 new answer, 0 edited"),
        ("status", r"ada +deleted +- +- +1"),
    ):
        assert main(["judge", command, str(study.catalog), *study.on]) == 1
        said = study.capsys.readouterr()
        assert re.search(shown, said.out)
        assert f"project {projects['ada']} of rater ada; somebody deleted it" in said.err
        assert "--again" in said.err
    assert len(open_catalog(study.catalog).judgments()) == 2, "ben's answer was fetched"
    said = study.push("--heads", "L0H0,L0H1", "--again")
    assert study.projects(said)["ada"] != projects["ada"]
    assert study.projects(said)["ben"] == projects["ben"]
    assert re.search(r"ada +1 +1 +0 +0 +1", said), "what was answered is not asked again"


def test_after_a_kill_between_project_and_ledger_the_same_project_is_used(study: Study) -> None:
    projects = study.projects(study.push("--heads", "L0H0"))
    (study.catalog / LEDGER).unlink()
    describe_heads(study.catalog, "rules", progress=False)
    assert study.projects(study.push("--heads", "L0H0")) == projects


def test_by_files_alone(study: Study, tmp_path: Path) -> None:
    catalog, capsys = study.catalog, study.capsys
    out = tmp_path / "by hand"
    printed = text_of(
        capsys, "judge", "export", catalog, *study.raters, "--rater", "Zoë/2", "--out", out
    )
    assert len(printed.splitlines()) == len(files_of(out)) == 4
    tasks = json.loads((out / "tasks-ada.json").read_text(encoding="utf-8"))
    project = study.as_rater("ada").projects.create(
        title="by hand", label_config=(out / "screen.xml").read_text(encoding="utf-8")
    )
    admin = study.as_rater("ada")
    ids = admin.projects.import_tasks(project.id, request=tasks, return_task_ids=True).task_ids
    study.answer("ada", ids[0], answer("yes", "partial", "unnatural", comment="é"))
    export = tmp_path / "export.json"
    export.write_text(json.dumps(admin.projects.exports.as_json(project.id)), encoding="utf-8")
    assert "1 new answer, " in text_of(capsys, "judge", "import", catalog, export)
    assert "0 new answers, 0 edited, 1 known" in text_of(capsys, "judge", "import", catalog, export)
    [(_, judgment)] = open_catalog(catalog).judgments()
    assert (judgment.rater, judgment.precision, judgment.comment) == ("ada", "partial", "é")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[", "cannot be read: line 1: it is not JSON"),
        ("[" * 200_000, "cannot be read: it is nested beyond all bounds"),
        ("{}", "no list of tasks"),
        ('[{"data": {"item": "0", "rater": "ada"}, "annotations": []}]', "are not of an item"),
        ('[{"data": {"item": "0", "rater": "\\ud83d"}, "annotations": []}]', "are not of an item"),
    ],
)
def test_a_file_that_is_no_export_of_this_study(
    catalog: Path, tmp_path: Path, capsys: Capture, content: str, reason: str
) -> None:
    file = tmp_path / "export.json"
    file.write_text(content)
    said = error_of(capsys, "judge", "import", catalog, file)
    assert reason in said
    assert len(open_catalog(catalog).judgments()) == 0
    assert "cannot be read: No such file" in error_of(
        capsys, "judge", "import", catalog, tmp_path / "absent"
    )


def test_which_descriptions_has_to_be_plain(catalog: Path, capsys: Capture) -> None:
    describe = ("judge", "export", catalog, "--rater", "ada")
    assert "no head is described by openai:x" in error_of(capsys, *describe, "--llm", "openai:x")
    assert "L9H9" in error_of(capsys, *describe, "--heads", "L9H9")
    assert "Run: annotator judge push" in error_of(capsys, "judge", "report", catalog)
    assert text_of(capsys, *describe)
    assert "Run: annotator judge pull" in error_of(capsys, "judge", "report", catalog)
    with Ledger(catalog / LEDGER) as ledger:
        from annotator.ledger.attempt_results import AttemptResult
        from annotator.records import HeadId

        ledger.add("openai:x", [(HeadId(0, 0), "k", {"template": ""})])
        said = {"reasoning": "r", "inputs": "i", "pattern": "p", "category": "general"}
        ledger.record(ledger.begin("k", {}), AttemptResult("described", said))
    assert "name one with --llm: " in error_of(capsys, *describe)
    (catalog / LEDGER).unlink()
    assert "no head is described yet" in error_of(capsys, *describe)


def test_without_a_server_its_one_command_is_named(catalog: Path, capsys: Capture) -> None:
    said = error_of(capsys, "judge", "pull", catalog)
    assert f"Run in another terminal: annotator judge serve {catalog} --rater NAME" in said
    assert "--token" in error_of(capsys, "judge", "pull", catalog, "--url", "http://127.0.0.1:9")
    assert main(["judge", "pull", str(catalog), "--token", "x"]) == 2
    assert "give both" in capsys.readouterr().err
    both = ("--url", "http://127.0.0.1:9", "--token", "x", "--token-env", "X")
    assert main(["judge", "pull", str(catalog), *both]) == 2


def test_a_server_of_another_version_is_told_and_used(catalog: Path, capsys: Capture) -> None:
    with fake_studio.faking() as fake:
        fake.release = "1.99.0"
        on = ("--url", fake.url, "--token", fake_studio.TOKEN)
        assert main(["judge", "push", str(catalog), "--rater", "ada", *on]) == 0
        said = capsys.readouterr()
    assert f"The Label Studio at {fake.url} is 1.99.0; annotator was tested with 1.23.2" in said.err
    assert re.search(rf"ada +{HEADS} +{HEADS}", said.out)


def test_what_another_user_answered_is_not_taken_for_the_raters(study: Study) -> None:
    projects = study.projects(study.push("--heads", "L0H0,L0H1"))
    first, second = (task.id for task in study.tasks("ada", projects["ada"]))
    study.answer("ada", first, answer("yes", "accurate", "semantic"))
    study.answer("ben", first, answer("no"))
    study.answer("ben", second, answer("no"))
    assert main(["judge", "pull", str(study.catalog), *study.on]) == 1
    said = study.capsys.readouterr()
    assert "1 new answer, " in said.out
    assert said.err.count("and not this rater") == 2
    [(_, judgment)] = open_catalog(study.catalog).judgments()
    assert (judgment.rater, judgment.pattern) == ("ada", True)


def test_a_task_of_somebody_elses_in_a_raters_project_stops_nothing(study: Study) -> None:
    projects = study.projects(study.push("--heads", "L0H0"))
    ada = study.as_rater("ada")
    foreign: Any = [{"data": {"mappings_html": "", "title": "", "description": ""}}]
    ids = ada.projects.import_tasks(projects["ada"], request=foreign, return_task_ids=True).task_ids
    study.answer("ada", ids[0], answer("no"))
    study.answer("ben", study.tasks("ben", projects["ben"])[0].id, answer("no"))
    assert main(["judge", "pull", str(study.catalog), *study.on]) == 1
    said = study.capsys.readouterr()
    assert "1 new answer, " in said.out
    assert f"project {projects['ada']} of rater ada: 1 of its 1 tasks" in said.err
    assert len(open_catalog(study.catalog).judgments()) == 1


def test_pushes_at_once_make_one_project_for_a_rater(study: Study) -> None:
    words = [str(SCRIPT), "judge", "push", str(study.catalog), "--rater", "ada", *study.on]
    pushes = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=PATIENCE)[0] for process in pushes]
    assert [process.returncode for process in pushes] == [0, 0, 0]
    assert len({str(study.projects(one)) for one in said}) == 1
    added = sorted(int(re.search(r"ada +(\d+)", one)[1]) for one in said)  # pyright: ignore
    assert added == [0, 0, HEADS]


def test_another_raters_project_is_not_taken_over(study: Study) -> None:
    """As after the server's data was deleted by hand: a project's number is given out anew."""
    projects = study.projects(study.push("--heads", "L0H0"))
    with Ledger(study.catalog / LEDGER) as ledger:
        Judgments(ledger).add_project(study.server.url, "ada", projects["ben"])
    words = ["judge", "push", str(study.catalog), *study.raters, *study.on, "--heads", "L0H0"]
    assert main(words) == 1
    assert f"project {projects['ben']} of rater ada" in study.capsys.readouterr().err
    said = study.push("--heads", "L0H0", "--again")
    assert study.projects(said) == projects, "found again by its mark"


@pytest.mark.parametrize("name", ["", " ", "ada ", "a\nb", "a" * 41, "\udcff", "\x1b[31m"])
def test_what_is_no_name_for_a_rater(name: str, catalog: Path, capsys: Capture) -> None:
    for command in ("push", "export", "serve"):
        said = error_of(capsys, "judge", command, catalog, "--rater", name)
        assert "1 to 40 letters" in said
        assert "\x1b" not in said


def test_the_report_says_whose_descriptions_it_is_about(study: Study, capsys: Capture) -> None:
    projects = study.projects(study.push("--heads", "L0H0"))
    study.answer("ada", study.tasks("ada", projects["ada"])[0].id, answer("no"))
    study.pull()
    report = text_of(capsys, "judge", "report", study.catalog)
    assert report.startswith("Descriptions by rules (baseline, no language model).\n1 answer on 1")
    said = error_of(capsys, "judge", "report", study.catalog, "--llm", "openai:x")
    assert "no head is described by openai:x; there are descriptions by rules" in said

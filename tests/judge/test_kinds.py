"""A kind of item that is registered here alone goes all the way, and apart from the real ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import annotator
from annotator.catalog.read import open_catalog
from annotator.judge.kinds import KINDS, is_real
from annotator.pipeline.judge_items import plan_study
from annotator.pipeline.judge_report import study_report
from tests.commands import error_of, text_of
from tests.judge import toy
from tests.judge.record_export import answer
from tests.judge.studies import Study

HEADS = ("--heads", "L0H0,L0H1,L1H2")
BOTH = ("--kind", "real", "--kind", toy.NAME)
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, toy.NAME, "tests.judge.toy")


def data(site: Path, name: str) -> Any:
    text = (site / "data" / f"{name}.js").read_text("ascii")
    return json.loads(text[text.index(",") + 1 : text.rindex(")")])


def answer_all(study: Study, projects: dict[str, int], toys: set[str]) -> None:
    """Everybody accepts what is real and described, and half of the raters what is a toy."""
    for name, project in projects.items():
        for task in study.tasks(name, project):
            seen = task.data["item"] not in toys or name == "ben"
            result = answer("yes", "scope", "general") if seen else answer("no")
            study.answer(name, task.id, result)


def test_it_is_pushed_answered_pulled_reported_and_exported(study: Study, tmp_path: Path) -> None:
    catalog, capsys = study.catalog, study.capsys
    command = ("judge", "push", str(catalog), *study.raters, *study.on, *HEADS, *BOTH)
    killed = subprocess.run([sys.executable, "-m", toy.__name__, *command], cwd=ROOT, check=False)
    assert killed.returncode == -9
    said = study.push(*HEADS, *BOTH)
    assert re.search(r"ada +3 +6 +0 +0 +0", said), "three of the six were there already"
    assert re.search(r"ben +6 +6 +0 +0 +0", said)
    assert re.search(r"ada +0 +6 +0 +0 +0", study.push(*HEADS, *BOTH))

    items = {one.id: one for one in plan_study(open_catalog(catalog), None, None, [toy.NAME]).items}
    answer_all(study, study.projects(said), set(items))
    assert "12 new answers" in study.pull()
    assert re.search(r"ada +6 +6 +0 +6", text_of(capsys, "judge", "status", catalog, *study.on))

    found, _ = study_report(catalog)
    assert (found.items, found.total.answered, len(found.others)) == (3, 6, 1)
    assert (found.others[toy.NAME].answered, found.others[toy.NAME].seen.count) == (6, 3)
    printed = text_of(capsys, "judge", "report", catalog)
    assert "6 answers on 3 of 3 items by 2 raters" in printed
    assert re.search(r"not among these: toy +6 ", printed)
    shown = text_of(capsys, "show", catalog, "L0H0")
    assert "judged  " in shown
    assert "judged, toy  a pattern is seen by 1 of 2 raters" in shown

    annotator.export(catalog, "jsonl", tmp_path / "out", progress=False)
    for name, count in (("judgments", 12), ("verdicts", 6), ("studies", 2)):
        lines = (tmp_path / "out" / f"{name}.jsonl").read_text("utf-8").splitlines()
        kinds = [json.loads(line)["kind"] for line in lines]
        assert kinds.count(toy.NAME) == kinds.count("real") == count // 2
    on_the_page(catalog, tmp_path / "site")
    card = annotator.export(catalog, "hf", tmp_path / "hf", progress=False)[0].read_text("utf-8")
    assert "| on | kind | answers |" in card


def on_the_page(catalog: Path, site: Path) -> None:
    annotator.export(catalog, "site", site, progress=False)
    head = data(site, "layer-0")["heads"][0]
    assert [(one["kind"], one["real"]) for one in head["verdicts"]] == [
        ("real", True),
        (toy.NAME, False),
    ]
    [study] = data(site, "results")["study"]
    assert (study["total"]["answered"], study["others"][toy.NAME]["answered"]) == (6, 6)
    for column in data(site, "overview")["judged"]:
        assert set(column["answers"]) <= {0, 2}, "two real answers on a head, and no others"


def test_by_files_the_same_map_may_be_there_twice(catalog: Path, tmp_path: Path) -> None:
    toy.answered(catalog, tmp_path, ["L0H0", "L0H1", "L1H2"], "rules")
    verdicts = open_catalog(catalog).verdicts()
    assert len(verdicts) == 6
    assert len({one.item.id for one in verdicts}) == 6
    for head in {one.item.head for one in verdicts}:
        own = [one.item for one in verdicts if one.item.head == head]
        assert [one.kind for one in own] == ["real", toy.NAME]
        assert own[0].key == own[1].key
    real = [one for one in verdicts if one.item.kind == "real"]
    found, _ = study_report(catalog)
    assert found.total.answered == sum(one.summary.answered for one in real) == 3


def test_a_kind_that_is_registered_no_more_stays_apart(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.answered(catalog, tmp_path, ["L0H0", "L0H1"], "rules")
    monkeypatch.delitem(KINDS, toy.NAME)
    assert not is_real(toy.NAME)
    found, _ = study_report(catalog)
    assert (found.total.answered, found.others[toy.NAME].answered) == (2, 2)


def test_a_kind_that_is_none(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = error_of(capsys, "judge", "export", catalog, "--rater", "ada", "--kind", "fake")
    assert "one of real, toy" in said

"""`annotator validate` stopped, run again, on something else, and on what it must refuse."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

import annotator
from annotator.catalog.experiment_shards import VALIDATION_FOLDER
from annotator.catalog.model_location import remember
from annotator.catalog.shards import Shards
from annotator.cli import main
from annotator.validate.ablation_curves import AblationTask, base_correct
from tests import tiny
from tests.answering import saying_words
from tests.commands import error_of, files_of, text_of

Capture = pytest.CaptureFixture[str]
COMMANDS = ("correlate", "multi-token", "ablate")
pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.mark.parametrize("command", [("correlate", "--variants"), *((c,) for c in COMMANDS[1:])])
def test_a_finished_run_is_shown_again_without_the_model(
    command: tuple[str, ...],
    home: Path,
    answering: Path,
    tmp_path: Path,
    capsys: Capture,
    computed: list[str],
) -> None:
    model = shutil.copytree(home / "tiny-llama", tmp_path / "tiny-llama")
    remember(answering, model)
    text = text_of(capsys, "validate", command[0], answering, *command[1:])
    assert computed
    before = files_of(answering)
    computed.clear()
    shutil.rmtree(model)
    assert text_of(capsys, "validate", command[0], answering, *command[1:]) == text
    assert not computed
    assert files_of(answering) == before
    (answering / VALIDATION_FOLDER / command[0].replace("-", "_") / "also.parquet").unlink()
    message = error_of(capsys, "validate", *command[:1], answering)
    assert "it is no longer at" in message
    assert "--model" in message
    elsewhere = ("--model", home / "tiny-llama")
    assert text_of(capsys, "validate", command[0], answering, *command[1:], *elsewhere) == text
    assert computed == ["also"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_run_keeps_what_is_finished(
    command: str, answering: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, done = Shards.write, list[str]()

    def stopped(shards: Shards, relation: str, *rest: Any) -> None:
        if done:
            raise KeyboardInterrupt
        write(shards, relation, *rest)
        done.append(relation)

    monkeypatch.setattr(Shards, "write", stopped)
    assert main(["validate", command, str(answering)]) == 130
    printed = capsys.readouterr()
    assert "run the same command again to go on" in printed.err
    assert printed.out == ""
    first = (answering / VALIDATION_FOLDER).rglob("*.parquet")
    assert [path.stem for path in first] == done == ["also"]

    def noting(shards: Shards, relation: str, *rest: Any) -> None:
        write(shards, relation, *rest)
        done.append(relation)

    monkeypatch.setattr(Shards, "write", noting)
    text_of(capsys, "validate", command, answering)
    assert len(done) == len(set(done))
    assert set(done) >= {"known", "also", "unknown"}


def test_a_question_that_was_asked_is_not_asked_again(
    answering: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = text_of(capsys, "validate", "ablate", answering)
    for missing in (["also"], ["also", "unknown"]):
        asked: list[str] = []

        def asking(model: Any, module: Any, task: AblationTask, to: list[str] = asked) -> int:
            to.append(task.name)
            return base_correct(model, module, task)

        monkeypatch.setattr("annotator.validate.ablation_curves.base_correct", asking)
        for name in missing:
            (answering / VALIDATION_FOLDER / "ablate" / f"{name}.parquet").unlink()
        assert text_of(capsys, "validate", "ablate", answering) == text
        assert asked == missing


def test_only_what_changed_is_computed_again(
    home: Path, answering: Path, tmp_path: Path, capsys: Capture, computed: list[str]
) -> None:
    for command in ("correlate", "ablate"):
        text_of(capsys, "validate", command, answering)
    computed.clear()
    given = shutil.copytree(home / "relations", tmp_path / "relations")
    pairs = json.loads((given / "silent.json").read_text())
    (given / "silent.json").write_text(json.dumps(pairs[1:]))
    fields = json.loads((given / "relations.json").read_text())
    fields["also"]["published"] = True
    (given / "relations.json").write_text(json.dumps(fields))
    annotator.score_relations(answering, given, draws=50, seed=1)
    text = text_of(capsys, "validate", "correlate", answering)
    assert re.search(r"^tiny-llama, the paper's relations +2 ", text, re.MULTILINE)
    assert computed == ["silent"]
    text_of(capsys, "validate", "ablate", answering)
    assert computed == ["silent"], "what is not asked for is nobody's control"
    (given / "also.json").rename(given / "renamed.json")
    fields["renamed"] = fields.pop("also")
    (given / "relations.json").write_text(json.dumps(fields))
    annotator.score_relations(answering, given, draws=50, seed=1)
    text_of(capsys, "validate", "correlate", answering)
    assert computed == ["silent", "renamed"]
    text_of(capsys, "validate", "ablate", answering)
    assert sorted(computed[2:]) == ["known", "renamed", "unknown"], "any may be another's control"
    computed.clear()
    text_of(capsys, "validate", "ablate", answering, "--seed", "1", "--relation", "known")
    assert computed == ["known"]


def no_scores(catalog: Path) -> tuple[str, ...]:
    (catalog / "relations.json").unlink()
    return ()


def another_model(catalog: Path) -> tuple[str, ...]:
    return ("--model", str(tiny.save(catalog.parent / "other", saying_words(seed=1))))


def a_broken_shard(catalog: Path) -> tuple[str, ...]:
    assert main(["validate", "correlate", str(catalog), "--relation", "known"]) == 0
    path = catalog / VALIDATION_FOLDER / "correlate" / "known.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    return ()


def an_out_that_is_a_file(catalog: Path) -> tuple[str, ...]:
    (catalog.parent / "out").write_text("")
    return ("--relation", "known", "--out", str(catalog.parent / "out"))


REFUSED: dict[str, tuple[Callable[[Path], tuple[str, ...]], str]] = {
    "no scores": (no_scores, "it holds no relation scores. Score them first: annotator relations"),
    "a name": (lambda _: ("--relation", "konwn"), "no relation 'konwn'. Those that are there: "),
    "another model": (another_model, "model.weight_digest"),
    "no such model": (lambda _: ("--model", "/nowhere/at/all"), "/nowhere/at/all"),
    "no GPU": (lambda _: ("--device", "cuda:77"), "cuda:77"),
    "a broken shard": (a_broken_shard, "Delete that file and run the same annotator validate"),
    "an unwritable out": (an_out_that_is_a_file, "what is finished is kept"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_done_is_refused_in_a_message(
    why: str, answering: Path, capsys: Capture
) -> None:
    given, said = REFUSED[why]
    assert said in error_of(capsys, "validate", "correlate", answering, *given(answering))


def test_a_model_that_transformers_cannot_run_is_refused(
    answering: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(family: Any) -> tuple[Any, str]:
        return None, ""

    monkeypatch.setattr("annotator.weights.full_module.class_of", none)
    for command in COMMANDS:
        message = error_of(capsys, "validate", command, answering)
        assert "cannot be run in inference: transformers has no causal language model" in message


def test_two_do_not_write_at_once_but_what_is_finished_is_shown(
    answering: Path, capsys: Capture
) -> None:
    text = text_of(capsys, "validate", "correlate", answering, "--relation", "known")
    with FileLock(answering / ".lock"):
        assert text_of(capsys, "validate", "correlate", answering, "--relation", "known") == text
        assert "another process is writing" in error_of(capsys, "validate", "correlate", answering)


def test_some_relations_do_not_replace_the_tables_of_all(
    answering: Path, no_figures: None, tmp_path: Path, capsys: Capture
) -> None:
    text_of(capsys, "validate", "correlate", answering)
    table = answering / "validation" / "correlate.csv"
    whole = table.read_bytes()
    text_of(capsys, "validate", "correlate", answering, "--relation", "known")
    assert table.read_bytes() == whole
    apart = ("--relation", "known", "--out", tmp_path / "out")
    text_of(capsys, "validate", "correlate", answering, *apart)
    assert len((tmp_path / "out" / "correlate.csv").read_text().splitlines()) == 2

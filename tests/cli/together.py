"""Many commands as the installed script runs them, each a fork of one process that has imported
what they need: that is most of the time that a command takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import PATIENCE

FORKING = """
import gc, importlib, json, os, pkgutil, sys
import numpy, pandas, pyarrow.parquet, rich.table, sqlalchemy, torch
import annotator.pipeline, annotator.views.export, annotator.ledger
from annotator.cli import main

for room in (annotator.pipeline, annotator.views.export, annotator.ledger):
    for one in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
        importlib.import_module(one.name)
gc.freeze()
folder, out, err, commands = json.loads(sys.argv[1])
opened = {}
if "broken" in (out, err):
    reader, opened["broken"] = os.pipe()
    os.close(reader)
for number, words in enumerate(commands):
    child = os.fork()
    if not child:
        for at, name in ((1, out), (2, err)):
            file = opened.get(name) or os.open(f"{folder}/{number}-{at}", os.O_WRONLY | os.O_CREAT)
            os.dup2(file, at)
        sys.argv[1:] = words
        code = main()
        sys.stdout.flush()  # as Python does when it ends, which takes it longer
        sys.stderr.flush()
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    with open(f"{folder}/{number}-code", "w") as file:
        file.write(str(os.waitstatus_to_exitcode(status)))
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str


def run_all(
    commands: Sequence[Sequence[object]],
    *,
    out: str = "file",
    err: str = "file",
    **environment: str,
) -> list[Ran]:
    """Run them one after the other.

    Args:
        out: "broken", and the reader of standard output is gone before anything is written.
        err: the same of standard error.
    """
    words = [[str(word) for word in one] for one in commands]
    with TemporaryDirectory() as folder:
        told = json.dumps([folder, out, err, words])
        ended = subprocess.run(
            [sys.executable, "-c", FORKING, told],
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
        return [_ran(Path(folder), number, one) for number, one in enumerate(words)]


def _ran(folder: Path, number: int, words: Sequence[str]) -> Ran:
    code = int((folder / f"{number}-code").read_text())
    files = [folder / f"{number}-{opened}" for opened in (1, 2)]
    out, err = (file.read_bytes().decode() if file.exists() else "" for file in files)
    return Ran(tuple(words), code, out, err)

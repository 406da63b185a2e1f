"""Exports that are killed: a program that forks one for each line that it reads, and waits for it.

A line is [CATALOG, FORMAT, FOLDER, AT] in JSON; the export there is killed before it changes the
disk for the AT-th time. What it answers is how the process ended, and how often it changed the
disk. What is slow to import is imported once, and no thread is there to be forked.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink")


class Killer:
    """Kills its process at some change of the disk.

    Attributes:
        changes: how many there were.
    """

    def __init__(self, at: int) -> None:
        self.at, self.changes = at, 0

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """What Python tells of every such event, before it happens."""
        writes = event == "open" and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if event in CHANGES or writes:
            if self.changes == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            self.changes += 1


def main() -> None:
    """Export as the lines of standard input say."""
    from annotator.pipeline.export import export
    from annotator.views.export.registry import FORMATS

    warm = sys.argv[1]
    for to in FORMATS:  # whatever they import when they run
        with tempfile.TemporaryDirectory() as folder:
            export(warm, to, folder, progress=False)
    gc.freeze()  # so that the forked ones share its memory
    print("ready", flush=True)
    for line in sys.stdin:
        catalog, to, folder, at = json.loads(line)
        read, write = os.pipe()
        child = os.fork()
        if not child:
            killer = Killer(at)
            sys.addaudithook(killer)
            export(catalog, to, folder, progress=False)
            os.write(write, str(killer.changes).encode())
            os._exit(0)
        os.close(write)
        _, status = os.waitpid(child, 0)
        changes = os.read(read, 20).decode()
        os.close(read)
        print(json.dumps([os.waitstatus_to_exitcode(status), int(changes or at)]), flush=True)


class Exports:
    """What the program does, asked from here."""

    def __init__(self, process: Popen[str]) -> None:
        self._process = process

    def killed(self, catalog: Path, to: str, folder: Path, at: int) -> tuple[int, int]:
        """How an export ended, and how many changes it made."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([str(catalog), to, str(folder), at]), file=self._process.stdin, flush=True)
        ended, changes = json.loads(self._process.stdout.readline())
        return ended, changes


@contextmanager
def exporting(catalog: Path) -> Iterator[Exports]:
    """The program while it runs; it warms up with a catalog."""
    command = [sys.executable, "-m", "tests.export.killing", str(catalog)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Exports(process)
        assert process.stdin is not None
        process.stdin.close()


if __name__ == "__main__":
    main()

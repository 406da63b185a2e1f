"""One bad input: what it is, the command, and what makes its folder so."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from annotator.cli import main
from tests.commands import run as run_apart
from tests.describe.asking import unwaited
from tests.describe.loopback import Answer, Provider, running

ENVIRONMENT = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "HF_TOKEN", "HF_HUB_OFFLINE"),
    *("LABEL_STUDIO_API_KEY", "LABEL_STUDIO_URL", "XDG_STATE_HOME"),
)
"""What a case has only where it says so."""
CLOSED = "http://127.0.0.1:1"
"""An address at which nobody answers; the hub's, unless a case says otherwise."""
BAR = re.compile(r"Describing: +\d")  # which is drawn anew below a line that is said
LARGE = 1_000_000
SHOWN_SERVER = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Sources:
    """What cases copy: a tiny model, and its catalog with descriptions."""

    model: Path
    catalog: Path


@dataclass
class Place:
    """The folder that a command runs in.

    Attributes:
        folder: the folder. `model` and `catalog` are copies in it, made once they are asked for.
        provider: a language model's server, once it is asked for.
    """

    folder: Path
    sources: Sources
    held: ExitStack

    @cached_property
    def model(self) -> Path:
        return shutil.copytree(self.sources.model, self.folder / "model")

    @cached_property
    def catalog(self) -> Path:
        return shutil.copytree(self.sources.catalog, self.folder / "catalog")

    @cached_property
    def provider(self) -> Provider:
        return self.held.enter_context(running())

    def configure(self, file: str = "config.json", **changes: object) -> None:
        """Change values of a JSON file of the model."""
        path = self.model / file
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    def write(self, name: str, content: str | bytes) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def answer(self, *answers: Answer) -> None:
        """What the server answers, one after the other; the last again and again."""
        rest = list(answers)
        self.provider.answer = lambda asked: rest.pop(0) if len(rest) > 1 else rest[0]


Make = Callable[[Place], Any]


def nothing(_: Place) -> None:
    """The command alone is wrong."""


@dataclass(frozen=True)
class BadInput:
    """A bad input.

    Attributes:
        what: it is, as its row says.
        command: as it is typed after `annotator`; {server} is a language model's server.
        make: makes the folder so; files named `model` and `catalog` are there where the command
            names them.
        environment: variables that are set, or unset; without HOME nobody knows the user's either.
        code: how the command ends.
        apart: run it in a process of its own: a library reads the environment once.
    """

    what: str
    command: str
    make: Make = nothing
    environment: Mapping[str, str | None] = field(default_factory=dict)
    code: int = 1
    apart: bool = False


@dataclass(frozen=True)
class Told:
    """How a command ended, and its message."""

    code: int
    message: str


@contextmanager
def _surroundings(case: BadInput, place: Place) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for name in ENVIRONMENT:
            patched.delenv(name, raising=False)
            patched.delenv(name.lower(), raising=False)
        patched.setenv("HF_ENDPOINT", CLOSED)
        for name, value in case.environment.items():
            if value is not None:
                patched.setenv(name, value)
            else:
                patched.delenv(name, raising=False)
        if case.environment.get("HOME", "") is None:
            patched.setattr("pwd.getpwuid", lambda uid: {}[uid])
        with chdir(place.folder), unwaited():  # how long waits are has tests of its own
            yield


def run(case: BadInput, folder: Path, sources: Sources) -> Told:
    """Run a command in its folder.

    Raises:
        AssertionError: it printed more than an error, or changed what was there.
    """
    with ExitStack() as held:
        place = Place(folder, sources, held)
        words = shlex.split(case.command)
        for name in ("model", "catalog"):
            if name in words:
                getattr(place, name)
        case.make(place)
        server = place.provider.url if "{server}" in case.command else ""
        before = _contents(folder)
        words = [word.replace("{server}", server) for word in words]
        with _surroundings(case, place):
            code, said = _apart(words) if case.apart else _here(words)
    after = _contents(folder)
    changed = [name for name, content in before.items() if after.get(name) != content]
    assert not changed, f"{case.what}: {changed} changed"
    assert "Traceback" not in said
    text = said.replace(server, SHOWN_SERVER) if server else said
    lines = text.replace(str(folder), os.curdir).strip().splitlines()
    return Told(code, "\n".join(line for line in lines if not BAR.match(line)))


def _here(words: list[str]) -> tuple[int, str]:
    said = StringIO()
    with redirect_stdout(StringIO()), redirect_stderr(said):
        return main(words), said.getvalue()


def _apart(words: list[str]) -> tuple[int, str]:
    done = run_apart(*words)
    return done.returncode, done.stderr


def _contents(folder: Path) -> dict[str, bytes | int]:
    """What no command may change: each file's bytes, or how many of a large one.

    The ledger is left out, which takes what was answered, and links.
    """
    found: dict[str, bytes | int] = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and "ledger.db" not in path.name:
            size = path.stat().st_size
            content = path.read_bytes() if size < LARGE else size
            found[path.relative_to(folder).as_posix()] = content
    return found

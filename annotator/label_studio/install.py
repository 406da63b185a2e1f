"""The local Label Studio's own environment: its packages and a database to begin with.

Label Studio pins what it needs too tightly to live beside us, so it has a folder:

    <folder>/venv               about 1 GB; made by pip, from PyPI or the index that pip is set to
    <folder>/template.sqlite3   a database with every table and nobody in it: making one takes a
                                minute, copying one does not
    <folder>/installed.txt      which packages: written last, so that nothing half made is taken
                                for whole
    <folder>/install.log        what pip said

    python -m annotator.label_studio.install [FOLDER]

makes it where it is not there. One killed midway is begun again, and two at once wait in turn.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from annotator.atomic_files import sync_folder, whole_file
from annotator.errors import CatalogUnwritable, ServerUnusable
from annotator.locks import turn
from annotator.paths import cache_folder, user_path

RELEASE = "1.23.2"
VARIABLE = "ANNOTATOR_LABEL_STUDIO"
DATABASE = "label_studio.sqlite3"
"""The database's name in a server's data folder."""
LAST_LINES = 12
"""How much of a log an error repeats."""


def home() -> Path:
    """Where the environment is, or will be.

    $ANNOTATOR_LABEL_STUDIO, else `label-studio-1.23.2` in the cache's folder.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return user_path(named)
    return cache_folder() / f"label-studio-{RELEASE}"


def python(folder: Path) -> Path:
    """The environment's Python."""
    return folder / "venv" / "bin" / "python"


def template(folder: Path) -> Path:
    """The database that a new server begins with."""
    return folder / "template.sqlite3"


def ready(folder: Path) -> bool:
    """Whether the environment is whole, and of the packages that this version of ours wants."""
    return _installed(folder) and template(folder).is_file()


def install(folder: Path, tell: Callable[[str], None]) -> None:
    """Make the environment, where it is not ready. It takes minutes, and the network.

    Args:
        folder: see `home`.
        tell: is pipe_name what is being done, a line each.

    Raises:
        ServerUnusable: it cannot be made; what to do is in the error.
    """
    if ready(folder):
        return
    if os.name == "nt":
        remedy = "Use Windows' Linux subsystem, or a server you have, with --url and --token"
        raise ServerUnusable(str(folder), "a local one needs Linux or macOS", remedy)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        waiting = "Waiting for another process that installs Label Studio ..."
        with turn(folder / "install.lock", lambda: tell(waiting)):
            if not _installed(folder):
                _make_venv(folder, tell)
            if not template(folder).is_file():
                _make_template(folder, tell)
    except (OSError, CatalogUnwritable) as error:
        unwritable = isinstance(error, CatalogUnwritable)
        reason = error.reason if unwritable else error.strerror or str(error)
        raise ServerUnusable(str(folder), reason, _remedy(reason)) from error


def guarded(by: Path, module: str, *arguments: str, pipe: int | None = None) -> list[str]:
    """The command that runs a module in the environment while we live; see `guarded_process`.

    Its standard input has to be a pipe of ours, and it a session of its own.
    """
    guard = Path(__file__).with_name("guarded_process.py")
    pipe_name = "-" if pipe is None else str(pipe)
    return [str(by), "-I", "-u", str(guard), pipe_name, module, *arguments]


def surroundings(data: Path) -> dict[str, str]:
    """The environment variables of a Label Studio that keeps to itself.

    It reads names like HOST, PORT and DEBUG, so it is given nothing of the user's but the path.
    """
    dead = "http://127.0.0.1:9"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(data),
        "LANG": "C.UTF-8",
        "GIT_DIR": os.devnull,  # or it shows the commit of whatever repository it lies in
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_SENTRY_DSN": "",
        "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
        "HTTP_PROXY": dead,
        "HTTPS_PROXY": dead,
        "NO_PROXY": "127.0.0.1,localhost",
    }


def last_lines(log: Path, start: int = 0) -> list[str]:
    """The end of what a log holds from a position in bytes on."""
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace").strip().splitlines()[-LAST_LINES:]


def _pins() -> str:
    """What pip may choose: the packages that this was tried with."""
    return resources.files("annotator.label_studio").joinpath("packages.txt").read_text("utf-8")


def _wanted() -> str:
    return f"label-studio=={RELEASE}\n{_pins()}"


def _installed(folder: Path) -> bool:
    try:
        same = (folder / "installed.txt").read_text("utf-8") == _wanted()
    except OSError:
        return False
    return same and python(folder).is_file()  # not if the Python it was made with has gone


def _make_venv(folder: Path, tell: Callable[[str], None]) -> None:
    tell(f"Installing Label Studio {RELEASE} into {folder} (once; 1 GB, some minutes) ...")
    (folder / "installed.txt").unlink(missing_ok=True)
    shutil.rmtree(folder / "venv", ignore_errors=True)
    command = guarded(Path(sys.executable), "venv", str(folder / "venv"))
    _run(command, folder, "it gets no Python of its own")
    pins = folder / "pins.txt"
    pins.write_text(_pins(), "utf-8")
    quiet = ["--quiet", "--disable-pip-version-check", "--constraint", str(pins)]
    command = guarded(python(folder), "pip", "install", *quiet, f"label-studio=={RELEASE}")
    _run(command, folder, "pip cannot install it")
    pins.unlink()
    with whole_file(folder / "installed.txt") as file:
        file.write(_wanted().encode())


def _make_template(folder: Path, tell: Callable[[str], None]) -> None:
    tell("Making Label Studio's empty database (once; about a minute) ...")
    data = folder / "template.new"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    command = guarded(python(folder), "label_studio.server", "version")
    _run(command, folder, "its database cannot be made", surroundings(data))
    (data / DATABASE).replace(template(folder))
    sync_folder(folder)
    shutil.rmtree(data, ignore_errors=True)


def _run(
    command: Sequence[str], folder: Path, problem: str, env: Mapping[str, str] | None = None
) -> None:
    """Run a command to its end, or to ours."""
    log = folder / "install.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
        with process:
            try:
                code = process.wait()
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    if code:
        said = last_lines(log)
        raise ServerUnusable(str(folder), problem, _remedy(" ".join(said)), said)


def _remedy(said: str) -> str:
    again = "then run the same command again"
    if re.search("No space left|Disk quota", said):
        return f"Make room for about 1.5 GB there, or name another place in {VARIABLE}; {again}"
    if re.search("Permission denied|Read-only|Not a directory|File exists", said):
        return f"Name a folder that you can write to in {VARIABLE}; {again}"
    if re.search("ensurepip|python3-venv", said):
        return f"Install Python's venv (Debian: apt install python3-venv); {again}"
    if re.search("Requires-Python|Ignored the following versions that require", said):
        return "Use Python 3.11 to 3.13 for annotator, whose Label Studio runs on the same one"
    return f"It needs PyPI, or the index that pip is set to: see that it can be reached; {again}"


if __name__ == "__main__":
    try:
        install(user_path(sys.argv[1]) if sys.argv[1:] else home(), lambda line: print(line))
    except ServerUnusable as error:
        sys.exit(str(error))

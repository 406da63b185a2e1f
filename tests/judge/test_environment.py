"""The environment of a local Label Studio: made whole, or said not to be.

The real one takes minutes and a gigabyte; `make test` makes it before these tests begin. What can
go wrong while it is made is tried here with a wheel of the same name that holds next to nothing.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from annotator.errors import ServerUnusable
from annotator.label_studio import install as environment
from annotator.label_studio.install import RELEASE, home, install, ready
from tests.judge.processes import children, gone, until

SERVER = """
import os, pathlib
assert not {"HOST", "PORT", "SECRET"} & os.environ.keys(), "nothing of the user's"
(pathlib.Path(os.environ["LABEL_STUDIO_BASE_DATA_DIR"]) / "label_studio.sqlite3").write_text("made")
"""
METADATA = f"Metadata-Version: 2.1\nName: label-studio\nVersion: {RELEASE}\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture(autouse=True)
def own_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A label-studio for pip to find, and nothing else."""
    path = tmp_path / "wheels" / f"label_studio-{RELEASE}-py3-none-any.whl"
    path.parent.mkdir()
    about = f"label_studio-{RELEASE}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("label_studio/__init__.py", "")
        file.writestr("label_studio/server.py", SERVER)
        file.writestr(f"{about}/METADATA", METADATA)
        file.writestr(f"{about}/WHEEL", WHEEL)
        file.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path


@contextmanager
def installing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-u", "-m", "annotator.label_studio.install", str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_word(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().partition(" ")[0]


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("ANNOTATOR_CACHE", "~/cache")
    monkeypatch.setenv(environment.VARIABLE, "~/studio")
    assert home() == tmp_path / "studio"
    monkeypatch.delenv(environment.VARIABLE)
    assert home() == tmp_path / "cache" / f"label-studio-{RELEASE}"
    monkeypatch.delenv("ANNOTATOR_CACHE")
    assert home() == Path(f"/xdg/annotator/label-studio-{RELEASE}")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert home() == tmp_path / ".cache" / "annotator" / f"label-studio-{RELEASE}"


def test_the_real_one_is_of_the_version_we_know(label_studio: Path) -> None:
    code = "from importlib.metadata import version; print(version('label-studio'))"
    command = [str(environment.python(label_studio)), "-I", "-c", code]
    assert subprocess.check_output(command, text=True) == f"{RELEASE}\n"


def test_made_killed_midway_and_made_again(tmp_path: Path, wheel: Path) -> None:
    folder, told = tmp_path / "studio", list[str]()
    with closing(socket.create_server(("127.0.0.1", 0))) as index:  # it takes calls, and is silent
        url = f"http://127.0.0.1:{index.getsockname()[1]}/"
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("PIP_NO_INDEX")
            patch.setenv("PIP_INDEX_URL", url)
            with installing(folder) as process, installing(folder) as second:
                connection, _ = index.accept()
                with connection:
                    pips = children(process.pid) + children(second.pid)
                    assert len(pips) == 1, "two at once take turns"
                    assert {first_word(process), first_word(second)} == {"Installing", "Waiting"}
                    process.kill()
                    second.kill()
                    until(lambda: all(gone(pip) for pip in pips))
    assert environment.python(folder).is_file()
    assert not ready(folder)
    install(folder, told.append)
    assert ready(folder)
    assert environment.template(folder).read_text() == "made"
    assert [line.partition(" ")[0] for line in told] == ["Installing", "Making"]
    changed_since(folder)


def changed_since(folder: Path) -> None:
    """What is missing is made again, and nothing else."""
    told: list[str] = []
    install(folder, told.append)
    assert told == []
    environment.template(folder).unlink()
    assert not ready(folder)
    install(folder, told.append)
    assert [line.partition(" ")[0] for line in told] == ["Making"]
    environment.python(folder).rename(folder / "venv" / "gone")
    assert not ready(folder)
    (folder / "venv" / "gone").rename(environment.python(folder))
    assert ready(folder)
    (folder / "installed.txt").write_text("label-studio==1.0\n")
    assert not ready(folder)


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    with installing(tmp_path / "studio") as process:
        out, said = process.communicate()
    assert process.returncode == 1
    assert out.startswith(f"Installing Label Studio {RELEASE}")
    assert "pip cannot install it. It needs PyPI" in said
    assert f"No matching distribution found for label-studio=={RELEASE}" in said
    assert "Traceback" not in said
    assert not ready(tmp_path / "studio")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerUnusable, match=r"Not a directory\. Name a folder that you can write"):
        install(tmp_path / "file" / "studio", print)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "Make room for about 1.5"),
        ("The virtual environment was not created: ensurepip is not", "Install Python's venv"),
        ("ERROR: Ignored the following versions that require a different", "Use Python 3.11"),
        ("[Errno 13] Permission denied: '/opt/x'", "Name a folder that you can write to"),
    ],
)
def test_what_to_do(said: str, remedy: str) -> None:
    assert environment._remedy(said).startswith(remedy)


def test_not_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.os, "name", "nt")
    with pytest.raises(ServerUnusable, match="a local one needs Linux or macOS"):
        install(tmp_path, print)

"""A file is whole or absent, and what a killed writer left is removed by the next one."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from annotator.atomic_files import is_part, make_folder, part_name, whole_file
from annotator.errors import CatalogUnwritable

WRITER = """
import sys
from pathlib import Path
from annotator.atomic_files import whole_file
with whole_file(Path(sys.argv[1])) as file:
    file.write(b"new")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""


@contextmanager
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the midst of a file, until its standard input ends."""
    command = [sys.executable, "-c", WRITER, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process


def write(path: Path, content: bytes, **how: int) -> None:
    with whole_file(path, **how) as file:
        file.write(content)


def parts(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if is_part(path.name)]


def test_a_killed_writer_leaves_the_older_file_and_the_next_one_sweeps(tmp_path: Path) -> None:
    write(tmp_path / "file", b"old")
    with writer(tmp_path / "file") as process:
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(parts(tmp_path)) == 1
    write(tmp_path / "another", b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "another"}


def test_a_writer_at_work_is_left_alone(tmp_path: Path) -> None:
    with writer(tmp_path / "file") as process:
        (part,) = parts(tmp_path)
        write(tmp_path / "file", b"of another")
        with whole_file(tmp_path / "file"):
            assert len(parts(tmp_path)) == 2
        assert parts(tmp_path) == [part]
        process.communicate("")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"new"}


def test_what_only_looks_like_ours_stays(tmp_path: Path) -> None:
    mine = {".annotator-notes.part", "file.part", ".annotator-0123456789ABCDEF.part", "x.tmp"}
    for name in mine:
        (tmp_path / name).write_text("mine")
    (tmp_path / part_name()).mkdir()
    write(tmp_path / "file", b"new")
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {*mine, "file"}
    assert len(parts(tmp_path)) == 1, "a folder is no part of a file"


def test_swept_before_it_was_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweeper may meet a part file between its making and its lock; it is made once more."""
    import filelock

    lock, met = filelock.lock_descriptor, iter([True])

    def swept(opened: int, **how: bool) -> bool:
        if next(met, False):
            parts(tmp_path)[0].unlink()
        return lock(opened, **how)

    monkeypatch.setattr(filelock, "lock_descriptor", swept)
    write(tmp_path / "file", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"new"}


def test_a_disk_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written to all the same; what may be somebody's is not swept."""

    def refused(*_: object, **__: object) -> bool:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("filelock.lock_descriptor", refused)
    (tmp_path / part_name()).write_text("of somebody")
    write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert len(parts(tmp_path)) == 1


def test_who_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "shared", b"")
        write(tmp_path / "own", b"", mode=0o600)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"shared": 0o640, "own": 0o600}


def test_the_file_is_on_disk_before_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    fsync = os.fsync

    def watched(opened: int) -> None:
        what = Path(os.readlink(f"/proc/self/fd/{opened}"))  # noqa: PTH115
        name = "part" if is_part(what.name) else what.relative_to(tmp_path).as_posix()
        seen.append((name, (tmp_path / "a/b/file").exists()))
        fsync(opened)

    monkeypatch.setattr(os, "fsync", watched)
    make_folder(tmp_path / "a" / "b")
    assert seen == [("a", False), (".", False)]
    seen.clear()
    write(tmp_path / "a" / "b" / "file", b"new")
    assert seen == [("part", False), ("a/b", True)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, OSError(28, "full")])
def test_a_writer_that_stops_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    write(tmp_path / "file", b"old")
    wanted = CatalogUnwritable if isinstance(error, OSError) else error

    def stopped() -> None:
        with whole_file(tmp_path / "file") as file:
            file.write(b"new")
            raise error

    with pytest.raises(wanted):
        stopped()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


@pytest.mark.parametrize("name", ["file/deeper", "missing/file", "folder"])
def test_where_no_file_can_be(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CatalogUnwritable, match=f"cannot write {tmp_path / name}"):
        write(tmp_path / name, b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}

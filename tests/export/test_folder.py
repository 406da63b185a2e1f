"""An export is whole or absent, replaces the one before it, and touches nothing else."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import annotator
from annotator.atomic_files import is_part
from annotator.errors import SettingInvalid
from annotator.pipeline.validate import write_all
from annotator.records.table import WHOLE, Column, Table
from annotator.views.export import hf
from annotator.views.export.folder import together
from annotator.views.export.format import table_files
from annotator.views.export.registry import FORMATS
from annotator.views.export.tables import schemas
from tests import PATIENCE
from tests.commands import SCRIPT, error_of, files_of, text_of

SCHEMAS = schemas()
ALL = len(hf.every_file())
Capture = pytest.CaptureFixture[str]
FLAT = ("jsonl", "csv", "parquet")


def names(to: str) -> set[str]:
    return set(hf.every_file()) if to == "hf" else {f"{name}.{to}" for name in SCHEMAS}


@contextmanager
def no_room(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes: the kernel itself says so."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("to", [*FLAT, "hf"])
def test_every_table_and_each_its_own_folder(copied: Path, to: str, capsys: Capture) -> None:
    before = files_of(copied)
    printed = text_of(capsys, "export", copied, "--to", to).splitlines()
    out = copied / "export" / to
    assert {str(Path(path).relative_to(out)) for path in printed} == names(to)
    added = files_of(copied).keys() - before.keys()
    assert {path for path in added if not path.startswith("ledger.db-")} == {
        f"export/{to}/{name}" for name in names(to)
    }


@pytest.mark.parametrize("to", [*FLAT, "hf"])
def test_an_older_export_is_replaced_and_other_files_stay(
    all_there: Path, bare: Path, tmp_path: Path, to: str
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / f"mine.{to}").write_text("mine")
    annotator.export(all_there, to, tmp_path, progress=False)
    mine = {"notes.txt": b"mine", f"mine.{to}": b"mine"}
    assert files_of(tmp_path).keys() == names(to) | mine.keys()
    written = annotator.export(bare, to, tmp_path, progress=False)
    assert {str(path.relative_to(tmp_path)) for path in written} < names(to)
    files = files_of(tmp_path)
    assert {name: files.pop(name) for name in mine} == mine
    annotator.export(bare, to, tmp_path / "alone", progress=False)
    assert files == files_of(tmp_path / "alone")


@pytest.mark.parametrize("to", [*FLAT, "hf"])
def test_a_disk_that_is_full(
    bare: Path, all_there: Path, tmp_path: Path, to: str, capsys: Capture
) -> None:
    out = tmp_path / "out"
    with no_room(2000):
        message = error_of(capsys, "export", bare, "--to", to, "--out", out)
    assert f"cannot write {out}/" in message
    assert ".annotator-" not in message
    assert os.strerror(27) in message
    assert files_of(out) == {}
    annotator.export(all_there, to, out, progress=False)
    before = files_of(out)
    with no_room(2000):
        error_of(capsys, "export", bare, "--to", to, "--out", out)
    assert files_of(out) == before
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


def dataset_of(catalog: Path, folder: Path) -> list[Path]:
    return annotator.export(catalog, "hf", folder, progress=False)


@pytest.mark.parametrize("at", [0, 4, ALL, ALL + 1, ALL + 3, ALL + 4])
def test_stopped_while_the_files_take_their_places(
    all_there: Path, bare: Path, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older ones are moved aside, the folder of the new ones is renamed, they are moved."""
    older = {path: path.read_bytes() for path in dataset_of(all_there, tmp_path)}
    replace, count = Path.replace, iter(range(999))

    def stopped(self: Path, target: Path) -> Path:
        if not is_part(self.name) and next(count) == at:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        dataset_of(bare, tmp_path)
    found = {name: one for name, one in files_of(tmp_path).items() if not name.startswith(".")}
    if at < ALL + 4:
        assert {tmp_path / name: content for name, content in found.items()} == older
        assert files_of(tmp_path) == found
    else:  # they are there
        assert len(found) == 3
    assert len(dataset_of(bare, tmp_path)) == len(files_of(tmp_path)) == 3


def test_two_at_once_take_turns(all_there: Path, bare: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [SCRIPT, "export", bare, "--to", "csv", "--out", out]
    with together(out, print) as part:
        for path in annotator.export(all_there, "csv", tmp_path / "other", progress=False):
            shutil.copy(path, part)
        second = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert second.stderr is not None
        assert f"Waiting for another process that writes to {out}" in second.stderr.readline()
        assert [path.name for path in out.glob("*.part")] == [part.parent.name]
    with second:
        assert second.wait(PATIENCE) == 0
    annotator.export(bare, "csv", tmp_path / "alone", progress=False)
    assert files_of(out) == files_of(tmp_path / "alone")


def test_tables_and_their_figures_are_written_together(tmp_path: Path) -> None:
    tables = [Table(name, "A title", "About it.", [Column(WHOLE, [1], "n", "n")]) for name in "ab"]

    def drawn(folder: Path) -> list[Path]:
        (folder / "a.png").write_bytes(b"\x89PNG")
        return [folder / "a.png"]

    def stopped(_: Path) -> list[Path]:
        raise KeyboardInterrupt

    names = [f"{name}.{kind}" for name in "ab" for kind in ("csv", "md", "tex")]
    assert write_all(tmp_path, tables, drawn) == [tmp_path / name for name in [*names, "a.png"]]
    before = files_of(tmp_path)
    assert before.keys() == {*names, "a.png"}
    tables[0] = replace(tables[0], columns=[Column(WHOLE, [2], "n", "n")])
    with pytest.raises(KeyboardInterrupt):
        write_all(tmp_path, tables, stopped)
    assert files_of(tmp_path) == before


def test_folders_that_only_look_like_ours_stay(bare: Path, tmp_path: Path) -> None:
    for name in (".annotator-notes", ".annotator-0123456789abcdef"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("mine")
    annotator.export(bare, "csv", tmp_path, progress=False)
    assert len(files_of(tmp_path)) == 4


@pytest.mark.parametrize("to", FLAT)
def test_stopped_while_it_writes(
    bare: Path, tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{FORMATS[to]}.FORMAT", table_files(to, stopped))
    with pytest.raises(KeyboardInterrupt):
        annotator.export(bare, to, tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(bare: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper", Path("/proc/annotator")):
        assert "cannot write" in error_of(capsys, "export", bare, "--to", "csv", "--out", out)
    (tmp_path / "out" / "heads.csv").mkdir(parents=True)
    assert "cannot write" in error_of(
        capsys, "export", bare, "--to", "csv", "--out", tmp_path / "out"
    )


def test_the_folder_that_one_is_in(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    annotator.export(bare, "csv", ".", progress=False)
    annotator.export(bare, "csv", ".", progress=False)
    assert sorted(path.name for path in Path().iterdir()) == ["heads.csv", "mappings.csv"]


def test_a_format_that_is_not_offered(bare: Path) -> None:
    with pytest.raises(SettingInvalid, match="hf, jsonl, csv, parquet, site"):
        annotator.export(bare, "xlsx")

"""An export is whole or absent, replaces the one before it, and touches nothing else."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import annotator
from annotator.errors import SettingInvalid
from annotator.views.export import hf
from annotator.views.export.format import table_files
from annotator.views.export.registry import FORMATS
from annotator.views.export.tables import schemas
from tests.commands import error_of, files_of, text_of

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


@pytest.mark.parametrize("at", [0, 4, ALL, ALL + 2, ALL + 3])
def test_stopped_while_the_files_take_their_places(
    all_there: Path, bare: Path, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = {path: path.read_bytes() for path in dataset_of(all_there, tmp_path)}
    replace, count = Path.replace, iter(range(99))

    def stopped(self: Path, target: Path) -> Path:
        if self.suffix != ".part" and next(count) == at:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stopped)
    if at < ALL + 3:
        with pytest.raises(KeyboardInterrupt):
            dataset_of(bare, tmp_path)
        assert {tmp_path / name: content for name, content in files_of(tmp_path).items()} == older
    else:
        assert len(dataset_of(bare, tmp_path)) == len(files_of(tmp_path)) == 3


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

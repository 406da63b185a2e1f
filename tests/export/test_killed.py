"""An export that is killed leaves the older files or the new ones; the next sweeps what it left."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import annotator
from annotator.atomic_files import whole_file
from annotator.maps.settings import MapSettings
from annotator.pipeline.describe import describe_heads
from annotator.views.export.folder import is_whole, together
from annotator.views.export.registry import FORMATS
from tests.commands import files_of
from tests.export.killing import Exports, exporting

MOMENTS = 14
"""So many of those at which an export changes the disk, from first to last."""
STAGES = ["older", "between", "newer"]
MINE = {"notes.txt": b"mine", "data/notes.txt": b"mine"}


@pytest.fixture(scope="module")
def catalogs(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An older catalog, and another with other numbers and one table less."""
    older, newer = (tmp_path_factory.mktemp("catalogs") / name for name in ("older", "newer"))
    settings = MapSettings(sources=5, targets=2)
    annotator.map_model(tiny_folder, older, settings, progress=False)
    describe_heads(older, "rules", progress=False)
    settings = MapSettings(sources=4, targets=2)
    annotator.map_model(tiny_folder, newer, settings, progress=False)
    return older, newer


@pytest.fixture(scope="module")
def exports(catalogs: tuple[Path, Path]) -> Iterator[Exports]:
    with exporting(catalogs[0]) as found:
        yield found


def begin(older: Path, folder: Path) -> None:
    """An older export, and files of somebody's."""
    shutil.copytree(older, folder)
    for name, content in MINE.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def seen(folder: Path) -> dict[str, bytes]:
    """What a reader sees: hidden files are none of theirs."""
    return {name: one for name, one in files_of(folder).items() if not name.startswith(".")}


def another(folder: Path) -> None:
    """The next export into the folder, of something else."""
    with together(folder, print) as part, whole_file(part / "another") as file:
        file.write(b"else")


@pytest.mark.parametrize("to", FORMATS)
def test_killed_at_any_moment(
    catalogs: tuple[Path, Path], exports: Exports, to: str, tmp_path: Path
) -> None:
    whole = [tmp_path / "older", tmp_path / "newer"]
    for catalog, folder in zip(catalogs, whole, strict=True):
        annotator.export(catalog, to, folder, progress=False)
    older, newer = ({**files_of(folder), **MINE} for folder in whole)
    assert older.keys() > newer.keys()
    begin(whole[0], tmp_path / "counted")
    ended, changes = exports.killed(catalogs[1], to, tmp_path / "counted", 10_000)
    assert (ended, files_of(tmp_path / "counted")) == (0, newer)
    left: list[str] = []
    for at in (moment * (changes - 1) // (MOMENTS - 1) for moment in range(MOMENTS)):
        folder = tmp_path / str(at)
        begin(whole[0], folder)
        assert exports.killed(catalogs[1], to, folder, at)[0] == -signal.SIGKILL
        found = seen(folder)
        left.append("older" if found == older else "newer" if found == newer else "between")
        assert left[-1] != "between" or not is_whole(folder), at
        another(folder)
        found = files_of(folder)
        assert found.pop("another") == b"else", at
        assert found in {"older": [older], "between": [older, newer], "newer": [newer]}[left[-1]]
        shutil.rmtree(folder)
    assert list(dict.fromkeys(left)) == STAGES
    assert left == sorted(left, key=STAGES.index)


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_export_again_after_a_kill(
    catalogs: tuple[Path, Path], exports: Exports, to: str, tmp_path: Path
) -> None:
    """Killed as the files change places, of an older catalog, and again; then it is let through."""
    older, newer = catalogs
    annotator.export(older, to, tmp_path / "out", progress=False)
    _, changes = exports.killed(newer, to, tmp_path / "counted", 10_000)
    for at in (changes // 2, 2 * changes // 3, changes - 4):
        assert exports.killed(newer, to, tmp_path / "out", at)[0] == -signal.SIGKILL
    annotator.export(newer, to, tmp_path / "out", progress=False)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "counted")

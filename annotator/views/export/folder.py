"""A folder of files that takes the place of an older one as a whole, whenever its maker is killed.

No call that all systems have exchanges some files of a folder at once and leaves the others, so it
takes a rename for each. They go through a folder within the folder, and what is in there says how
far a killed run was; the next one brings it to its end before it does anything else.

    .annotator-0123456789abcdef.part/
        new/        the new files while they are written: the older ones are in their places
        old/        the older files, moved aside: the next run puts them back
        entering/   what new/ is called from the moment that all older files are aside: the next
                    run moves the rest of them into their places
        gone/       what old/ is called once the new files are there
    .annotator.lock     held by the one who is at it; others wait

So a folder holds the older files or the new ones; of both, or neither, only while they are moved,
and after a kill in that moment until the next run. `is_whole` tells.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

from annotator.atomic_files import is_part, make_folder, part_name, sync_folder
from annotator.errors import CatalogUnwritable
from annotator.locks import turn

_LOCK = ".annotator.lock"
_NEW, _OLD, _ENTERING, _GONE = "new", "old", "entering", "gone"


def _none(_: Path) -> Iterable[str]:
    return ()


@contextmanager
def together(
    folder: Path,
    tell: Callable[[str], object],
    names: Callable[[Path], Iterable[str]] = _none,
) -> Generator[Path]:
    """A folder to fill; once it is full, its files take the place of an older export's.

    A failure on the way leaves the older ones. Files of other names are nobody's business.

    Args:
        folder: where they go in the end.
        tell: is told where another process has to be waited for.
        names: every file that an export of this kind may have, as paths in the folder, which may
            hold some already; by default only files of the same names are replaced.

    Raises:
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    make_folder(folder)
    part = folder / part_name()
    try:
        waiting = f"Waiting for another process that writes to {folder} ..."
        with turn(folder / _LOCK, lambda: tell(waiting)):
            for left in _parts(folder):
                _settle(left, folder)
            older = list(names(folder))
            try:
                make_folder(part / _NEW)
                yield part / _NEW
                _swap(part, folder, older)
            finally:
                _settle(part, folder)
    except CatalogUnwritable as error:
        error.path = _in_its_place(error.path, part, folder)
        raise
    except OSError as error:
        path = _in_its_place(str(error.filename or folder), part, folder)
        raise CatalogUnwritable(path, error.strerror or str(error)) from error


def is_whole(folder: Path) -> bool:
    """Whether no files of a folder are, or were by a kill, on the way to their places."""
    stages = (part / stage for part in _parts(folder) for stage in (_OLD, _ENTERING))
    return not any(stage.is_dir() for stage in stages)


def _parts(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if is_part(path.name) and path.is_dir()]


def _swap(part: Path, folder: Path, older: Sequence[str]) -> None:
    """All of the new files; or, stopped half-way, the older ones stay aside for `_settle`."""
    new, entering = part / _NEW, part / _ENTERING
    files = _files(new)
    aside = [name for name in dict.fromkeys([*older, *files]) if _is_file(folder / name)]
    try:
        _move(folder, part / _OLD, aside)
        new.replace(entering)
        sync_folder(part)
        _move(entering, folder, files)
    except BaseException:
        if entering.is_dir():
            _move(folder, entering, [name for name in files if not _is_file(entering / name)])
            entering.replace(new)
            sync_folder(part)
        raise


def _settle(part: Path, folder: Path) -> None:
    """Move what is on the way to where it belongs, and remove the rest."""
    entering, old = part / _ENTERING, part / _OLD
    for stage in (entering, old):
        if stage.is_dir():
            _move(stage, folder, _files(stage))
            break
    if old.is_dir():  # never to be put back from now on, even if removing it is cut short
        old.replace(part / _GONE)
        sync_folder(part)
    shutil.rmtree(part, ignore_errors=True)


def _move(source: Path, target: Path, names: Sequence[str]) -> None:
    make_folder(target)
    for name in names:
        make_folder((target / name).parent)
        (source / name).replace(target / name)
    for folder in {(of / name).parent for of in (source, target) for name in names}:
        sync_folder(folder)


def _files(folder: Path) -> list[str]:
    found = sorted(path for path in folder.rglob("*") if _is_file(path))
    return [path.relative_to(folder).as_posix() for path in found]


def _is_file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _in_its_place(path: str, part: Path, folder: Path) -> str:
    """The name that a file would have had."""
    for stage in (_NEW, _OLD, _ENTERING):
        path = path.replace(str(part / stage), str(folder))
    return path

"""A folder of exported files that takes the place of an older one as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from annotator.atomic_files import make_folder
from annotator.errors import CatalogUnwritable


@contextmanager
def together(folder: Path, names: Iterable[str]) -> Generator[Path]:
    """A folder to fill; once it is full, its files take the place of an older export's.

    Old and new are never side by side, and a failure on the way leaves the old ones. Files of other
    names are nobody's business.

    Args:
        folder: where they go in the end.
        names: every file that an export of this kind may have, as paths in the folder.

    Raises:
        CatalogUnwritable: the disk is full, or a path cannot be written.
    """
    make_folder(folder)
    part: Path | None = None
    try:
        part = Path(mkdtemp(prefix=".annotator-", dir=folder))
        yield part
        _moved(part, folder, [folder / name for name in names])
    except CatalogUnwritable as error:  # by the name that the file would have had
        error.path = error.path.replace(str(part), str(folder))
        raise
    except OSError as error:
        path = str(error.filename or folder).replace(str(part), str(folder))
        raise CatalogUnwritable(path, error.strerror or str(error)) from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _moved(part: Path, folder: Path, ours: list[Path]) -> None:
    """All of the new files; or, stopped half-way, the old ones again."""
    new = {path: folder / path.relative_to(part) for path in part.rglob("*") if path.is_file()}
    for path in new.values():
        path.parent.mkdir(exist_ok=True)
    kept = {path: part / f"old{number}" for number, path in enumerate(ours) if path.is_file()}
    moves = [*kept.items(), *new.items()]
    try:
        for path, place in moves:
            path.replace(place)
    except BaseException:
        for path, place in reversed(moves):
            if place.exists() and not path.exists():
                place.replace(path)
        raise

"""Writing so that a file is whole or absent, whenever its writer is killed or the power fails.

A file is written under a name that no other writer uses, brought to disk, and renamed in one step;
then the folder is brought to disk too. Its writer holds a lock on it until then, and a lock ends
with its process: a part file that nobody holds was left by a writer that was killed, and the next
one to write in that folder removes it.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from annotator.errors import CatalogUnwritable

_PART = re.compile(r"\.annotator-[0-9a-f]{16}\.part")
_NO_SYNC = {errno.EACCES, errno.EBADF, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}


def part_name() -> str:
    """A name that nothing else has, for what is not whole yet."""
    return f".annotator-{secrets.token_hex(8)}.part"


def is_part(name: str) -> bool:
    """Whether a file or folder of that name is ours, and is not whole or was left by a kill."""
    return _PART.fullmatch(name) is not None


@contextmanager
def whole_file(path: Path, mode: int = 0o666) -> Generator[BinaryIO]:
    """A file to write that takes its name only once it is complete and on disk.

    Args:
        path: its name; an older file of that name stays until then.
        mode: who may read and write it, less what the user's mask takes away.

    Raises:
        CatalogUnwritable: the disk is full, or the path cannot be written.
    """
    part = path.with_name(part_name())
    try:
        _sweep(path.parent)
        with _held(part, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            _closed_on_windows(file)
            part.replace(path)
        sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise CatalogUnwritable(str(path), error.strerror or str(error)) from error
        raise


def make_folder(path: Path) -> None:
    """Make a folder where there is none.

    Raises:
        CatalogUnwritable: it cannot be made.
    """
    try:
        new = [one for one in (path, *path.parents) if not one.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for one in new:
            sync_folder(one.parent)
    except OSError as error:
        raise CatalogUnwritable(str(path), error.strerror or str(error)) from error


def sync_folder(path: Path) -> None:
    """Bring to disk which files a folder has, on systems that can.

    Raises:
        OSError: the disk fails.
    """
    try:
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _held(part: Path, mode: int) -> BinaryIO:
    """A new file that is locked as long as it is open."""
    from filelock import lock_descriptor

    while True:
        file = open(part, "xb", opener=partial(os.open, mode=mode))  # noqa: SIM115
        with suppress(OSError):  # a disk without locks: there nothing is swept
            lock_descriptor(file.fileno())
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # swept before it was locked


def _sweep(folder: Path) -> None:
    """Remove the part files of a folder that nobody holds."""
    from filelock import lock_descriptor

    for part in [path for path in folder.iterdir() if is_part(path.name)]:
        with suppress(OSError), part.open("r+b") as file:
            if lock_descriptor(file.fileno(), blocking=False):
                _closed_on_windows(file)
                part.unlink()


def _closed_on_windows(file: BinaryIO) -> None:
    """Windows neither renames nor removes a file that is open."""
    if os.name == "nt":
        file.close()

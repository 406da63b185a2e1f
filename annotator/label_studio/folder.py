"""Where a catalog's own Label Studio is, and its folder seen from outside.

Catalogs are shared, and a server's folder is full of secrets: passwords, and in Label Studio's
database the tokens that it takes. So it lies with what is this user's alone, and the catalog says
which one it is:

    CATALOG/label-studio/id                     a random name, so that a moved catalog finds it
    STATE/label-studio/<id>/                    see `server`; STATE: `annotator.paths.state_folder`
    STATE/label-studio/<id>/catalog             where its catalog was when it was served last

Before that it lay in CATALOG/label-studio; such a one is moved when it is served next.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from annotator.atomic_files import make_folder, sync_folder, whole_file
from annotator.errors import CatalogUnwritable, ServerUnusable
from annotator.label_studio.credentials import CREDENTIALS_FILE
from annotator.paths import state_folder

SERVER = "label-studio"
ID_FILE = "id"
OWNER_FILE = "catalog"
_KEPT = (CREDENTIALS_FILE, "data", "server.log")
"""What a server's folder holds that matters."""


def own_folder(catalog: Path) -> Path | None:
    """The folder of a catalog's own server; None where it has none here.

    Raises:
        ServerUnusable: it is that of another catalog, of which this one is a copy.
        HomeMissing: nothing names the folder of this user's state.
    """
    inside = catalog / SERVER
    folder = _named(inside)
    if folder is not None and folder.is_dir():
        _refuse_copy(catalog, folder)
        return folder
    return inside if _holds_server(inside) else None


def take_folder(catalog: Path, tell: Callable[[str], object]) -> Path:
    """The same, for a server that is to be started: made, or moved, where that is to be done.

    Whenever it is killed, what a catalog of before holds is whole there or where it goes.

    Args:
        catalog: the catalog's directory.
        tell: is told what a user may not expect, a line each.

    Raises (beside what `own_folder` does):
        ServerUnusable: it cannot be written, or is being served where it was before.
    """
    inside = catalog / SERVER
    try:
        make_folder(inside)
        with FileLock(inside / "lock").acquire(timeout=0):
            return _taken(catalog, inside, tell)
    except Timeout:
        remedy = "Use that one, or end it first"
        raise ServerUnusable(str(inside), "it is being served already", remedy) from None
    except (OSError, CatalogUnwritable) as error:
        raise unwritable(inside, error) from error


def unwritable(folder: Path, error: OSError | CatalogUnwritable) -> ServerUnusable:
    """What could not be written, and why."""
    if isinstance(error, CatalogUnwritable):
        reason = f"{error.path}: {error.reason}"
    else:
        reason = f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror}"
    remedy = (
        "Make room, or make it a folder that you can write to; XDG_STATE_HOME names another place"
    )
    return ServerUnusable(str(folder), reason, remedy)


def clear_exports(folder: Path) -> None:
    """Remove the copies that a server keeps of all that was ever exported from it.

    The folder that they are in stays: a server makes it when it starts, and never again.
    """
    with suppress(OSError):  # a copy that vanished meanwhile, or that cannot be removed
        for copy in (folder / "data" / "export").iterdir():
            if copy.is_dir() and not copy.is_symlink():
                shutil.rmtree(copy, ignore_errors=True)
                continue
            with suppress(OSError):
                copy.unlink()


def is_served(folder: Path) -> bool:
    """Whether a server runs on this folder."""
    lock = FileLock(folder / "lock", thread_local=False)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def _named(inside: Path) -> Path | None:
    """The folder that a catalog names, there or not."""
    try:
        held = (inside / ID_FILE).read_bytes().decode(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = f"{inside / ID_FILE}: {error.strerror}"
        raise ServerUnusable(str(inside), reason, "Make it readable") from None
    if not re.fullmatch("[0-9a-f]{32}", held):  # it becomes a path, and catalogs come from anywhere
        reason = f"its {ID_FILE} is not as annotator wrote it"
        remedy = "Put back the file as it was, or delete it to begin anew"
        raise ServerUnusable(str(inside), reason, remedy)
    return state_folder() / SERVER / held


def _holds_server(inside: Path) -> bool:
    return (inside / CREDENTIALS_FILE).exists() or (inside / "data").exists()


def _refuse_copy(catalog: Path, folder: Path) -> None:
    """Nothing, unless the catalog that the folder belongs to is another, and still there."""
    try:
        owner = Path(os.fsdecode((folder / OWNER_FILE).read_bytes()))
        if _named(owner / SERVER) != folder or owner.samefile(catalog):
            return
    except (OSError, ServerUnusable):  # moved, deleted, or no longer ours to see
        return
    reason = f"it is that of {owner}, of which this catalog is a copy"
    remedy = (
        f"To give the copy one of its own, delete {catalog / SERVER / ID_FILE}; to have that one "
        f"here, delete {owner / SERVER / ID_FILE} in place of it"
    )
    raise ServerUnusable(str(folder), reason, remedy)


def _taken(catalog: Path, inside: Path, tell: Callable[[str], object]) -> Path:
    named, held_inside = _named(inside), _holds_server(inside)
    folder = named or state_folder() / SERVER / secrets.token_hex(16)
    if named is None:
        with whole_file(inside / ID_FILE) as file:
            file.write(folder.name.encode())
    elif folder.is_dir():
        _refuse_copy(catalog, folder)
    make_folder(folder.parent)
    folder.parent.chmod(0o700)
    if not folder.is_dir():
        _fill(folder, inside)
        if named and not held_inside:
            tell(
                f"This catalog's Label Studio was not in {folder.parent}: it is another user's, "
                "another machine's, or XDG_STATE_HOME has changed. A new one was made."
            )
    owner = folder / OWNER_FILE  # written last: without it, what was moved may still be inside
    moved = not owner.exists() and _holds_server(folder)
    if held_inside and not moved:
        reason = f"this catalog has another in {folder}"
        raise ServerUnusable(str(inside), reason, "Move the one that is not wanted elsewhere")
    if moved:
        _remove_kept(inside)
        inside.chmod(catalog.stat().st_mode & 0o777)  # it was its owner's alone
        tell(f"This catalog's Label Studio, with its passwords, was moved to {folder}")
    with whole_file(owner, mode=0o600) as file:
        file.write(os.fsencode(catalog.resolve()))
    return folder


def _fill(folder: Path, inside: Path) -> None:
    """Make a server's folder, whole or not at all, with what lies inside of a catalog."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        for name in _KEPT:
            if (inside / name).exists():
                _copy(inside / name, part / name)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, and bring it to disk; what is a link leads where it led."""
    if source.is_symlink():
        target.symlink_to(source.resolve())
        return
    if source.is_dir():
        target.mkdir()
        for one in source.iterdir():
            _copy(one, target / one.name)
    else:
        shutil.copy2(source, target)
    sync_folder(target)


def _remove_kept(inside: Path) -> None:
    for path in (inside / name for name in (*_KEPT, "data.new")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

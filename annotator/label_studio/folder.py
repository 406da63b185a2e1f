"""Where a catalog's own Label Studio is, and its folder seen from outside.

Catalogs are shared, and a server's folder is full of secrets: passwords, and in Label Studio's
database the tokens that it takes. So it lies with what is this user's alone, and the catalog says
which one it is:

    CATALOG/label-studio/id                     a random name, so that a moved catalog finds it
    STATE/label-studio/<id>/                    see `server`; STATE: `annotator.paths.state_folder`
    STATE/label-studio/<id>/catalog             which its catalog was when it was served last

Before that it lay in CATALOG/label-studio; such a one is moved when it is served next.
"""

from __future__ import annotations

import filecmp
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

    Whenever it is killed, what a catalog of before holds is whole there or where it goes. One that
    is elsewhere is not begun anew: its answers would be out of reach.

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
    """Nothing, unless the folder belongs to another catalog, or nobody can tell."""
    try:
        identity, _, path = (folder / OWNER_FILE).read_bytes().partition(b"\n")
    except OSError:  # it was never served, or what was moved may still be inside
        return
    owner = Path(os.fsdecode(path))
    if identity.decode(errors="replace") == _identity(catalog) or _is_same(owner, catalog):
        return
    if owner.is_dir():
        if _released(owner, folder):
            return
        reason = f"it is that of {owner}, of which this catalog is a copy"
        remedy = (
            f"To give the copy one of its own, delete {catalog / SERVER / ID_FILE}; to have that "
            f"one here, delete {owner / SERVER / ID_FILE} in place of it"
        )
    else:
        reason = f"it is that of a catalog that was {owner}, of which this may be a copy"
        remedy = (
            f"If this is that one, moved to another disk, delete {folder / OWNER_FILE}; to give a "
            f"copy one of its own, delete {catalog / SERVER / ID_FILE}"
        )
    raise ServerUnusable(str(folder), reason, remedy)


def _is_same(owner: Path, catalog: Path) -> bool:
    try:
        return owner.samefile(catalog)
    except OSError:
        return False


def _released(owner: Path, folder: Path) -> bool:
    """Whether the catalog that the folder was of names it no more."""
    try:
        return _named(owner / SERVER) != folder
    except ServerUnusable:
        return True


def _taken(catalog: Path, inside: Path, tell: Callable[[str], object]) -> Path:
    named, held_inside = _named(inside), _holds_server(inside)
    folder = named or state_folder() / SERVER / secrets.token_hex(16)
    if named is None and not held_inside:
        _fill(folder, inside)  # first, or a catalog would name what never was
    if named is None:
        with whole_file(inside / ID_FILE) as file:
            file.write(folder.name.encode())
    elif folder.is_dir():
        _refuse_copy(catalog, folder)
    if not folder.is_dir():
        _require_inside(inside, folder)
        _fill(folder, inside)
    owner = folder / OWNER_FILE  # written last: without it, what was moved may still be inside
    half_removed = not owner.exists() and any((inside / name).exists() for name in _KEPT)
    if held_inside or half_removed:
        if owner.exists() or not _is_part_of(inside, folder):
            reason = f"this catalog has another in {folder}"
            raise ServerUnusable(str(inside), reason, "Move the one that is not wanted elsewhere")
        _remove_kept(inside)
        inside.chmod(catalog.stat().st_mode & 0o777)  # it was its owner's alone
        tell(f"This catalog's Label Studio, with its passwords, was moved to {folder}")
    with whole_file(owner, mode=0o600) as file:
        file.write(f"{_identity(catalog)}\n".encode() + os.fsencode(catalog.resolve()))
    return folder


def _require_inside(inside: Path, folder: Path) -> None:
    """Refuse to begin anew beside answers that may lie elsewhere, and be pulled by nobody."""
    if _holds_server(inside):
        return
    reason = (
        f"this catalog's is not in {folder.parent}: it is another user's or machine's, or "
        "XDG_STATE_HOME has changed"
    )
    remedy = (
        "Pull its answers where it is; to begin anew here, with a server of this user's, delete "
        f"{inside / ID_FILE}"
    )
    raise ServerUnusable(str(folder), reason, remedy)


def _identity(catalog: Path) -> str:
    """What a folder keeps when it is moved on its disk, and no copy has."""
    known = catalog.stat()
    return f"{known.st_dev}:{known.st_ino}"


def _is_part_of(inside: Path, folder: Path) -> bool:
    """Whether all that a catalog has of a server inside is in the folder too, and the same."""
    files = [path for path in inside.rglob("*") if path.is_file() and not path.is_symlink()]
    kept = [path.relative_to(inside) for path in files]
    return all(
        (folder / path).is_file() and filecmp.cmp(inside / path, folder / path, shallow=False)
        for path in kept
        if path.parts[0] in _KEPT
    )


def _fill(folder: Path, inside: Path) -> None:
    """Make a server's folder, whole or not at all, with what lies inside of a catalog."""
    make_folder(folder.parent)
    folder.parent.chmod(0o700)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        for name in _KEPT:
            if (inside / name).exists():
                _copy(inside / name, part / name, inside)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def _copy(source: Path, target: Path, inside: Path) -> None:
    """Copy a file or a folder, and bring it to disk; what is a link leads where it led."""
    if source.is_symlink():
        leads = source.resolve()
        if leads.is_relative_to(inside.resolve()):  # within what is moved
            target.symlink_to(os.path.relpath(leads, source.parent.resolve()))
        else:
            target.symlink_to(leads)
        return
    if source.is_dir():
        target.mkdir()
        for one in source.iterdir():
            _copy(one, target / one.name, inside)
    else:
        shutil.copy2(source, target)
    sync_folder(target)


def _remove_kept(inside: Path) -> None:
    for path in (inside / name for name in (*_KEPT, "data.new")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

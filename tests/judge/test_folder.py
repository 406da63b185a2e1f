"""Where a catalog's own Label Studio is: not in what is shared, and found again."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from annotator.errors import ServerUnusable
from annotator.label_studio import folder as places
from annotator.label_studio.credentials import (
    Credentials,
    new_credentials,
    read_credentials,
    write_credentials,
)
from annotator.label_studio.folder import SERVER, own_folder, take_folder
from annotator.paths import state_folder
from tests.commands import files_of

ANSWERS = b"precious" * 1000


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as of a catalog; the user's state is beside it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "catalog").mkdir()
    return tmp_path / "catalog"


@pytest.fixture
def said() -> list[str]:
    return []


def filled(folder: Path) -> Credentials:
    """What a server leaves in its folder."""
    held = new_credentials()
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    write_credentials(folder, held)
    (folder / "data" / "media").mkdir(parents=True)
    (folder / "data" / "label_studio.sqlite3").write_bytes(ANSWERS)
    (folder / "data" / ".env").write_text("SECRET_KEY=x")
    (folder / "data" / ".env").chmod(0o600)
    (folder / "server.log").write_text("started")
    return held


def test_what_is_shared_holds_a_name_and_no_more(catalog: Path, said: list[str]) -> None:
    assert own_folder(catalog) is None
    assert files_of(catalog) == {}
    folder = take_folder(catalog, said.append)
    filled(folder)
    assert own_folder(catalog) == take_folder(catalog, said.append) == folder
    assert folder.parent == state_folder() / SERVER
    shared = files_of(catalog)
    assert shared.pop(f"{SERVER}/id") == folder.name.encode()
    assert shared == {f"{SERVER}/lock": b""}
    for private in (folder, folder.parent):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert said == []


def test_a_moved_catalog_finds_it(catalog: Path, tmp_path: Path, said: list[str]) -> None:
    folder = take_folder(catalog, said.append)
    for name in ("once", "twice"):
        catalog = catalog.rename(tmp_path / name)
        assert own_folder(catalog) == take_folder(catalog, said.append) == folder
    (tmp_path / "link").symlink_to(catalog)
    assert take_folder(tmp_path / "link", said.append) == folder
    assert said == []


def test_a_copy_leaves_it_to_the_catalog_it_is_of(
    catalog: Path, tmp_path: Path, said: list[str]
) -> None:
    folder = take_folder(catalog, said.append)
    held = filled(folder)
    copy = shutil.copytree(catalog, tmp_path / "copy")
    for refused in (own_folder, lambda one: take_folder(one, said.append)):
        with pytest.raises(ServerUnusable, match=f"is that of {catalog}, of which") as caught:
            refused(copy)
        assert f"delete {copy / SERVER / 'id'}; to have" in str(caught.value)
    assert take_folder(catalog, said.append) == folder, "nobody is locked out"
    (copy / SERVER / "id").unlink()
    own = take_folder(copy, said.append)
    assert own != folder
    (catalog / SERVER / "id").replace(copy / SERVER / "id")
    assert take_folder(copy, said.append) == folder, "the other remedy"
    assert read_credentials(folder) == held


def test_another_users_or_machines_is_not_begun_anew(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    """Its answers would be out of reach: the ledger knows one local server."""
    filled(take_folder(catalog, said.append))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert own_folder(catalog) is None
    with pytest.raises(ServerUnusable, match="another user's or machine's") as caught:
        take_folder(catalog, said.append)
    assert f"to begin anew here, with a server of this user's, delete {catalog}" in str(
        caught.value
    )
    assert not (tmp_path / "other").exists()
    (catalog / SERVER / "id").unlink()
    assert take_folder(catalog, said.append).is_relative_to(tmp_path / "other")


def test_a_copy_does_not_take_over_where_the_other_was_moved(
    catalog: Path, tmp_path: Path, said: list[str]
) -> None:
    folder = take_folder(catalog, said.append)
    filled(folder)
    copy = shutil.copytree(catalog, tmp_path / "copy")
    moved = catalog.rename(tmp_path / "moved")
    for refused in (own_folder, lambda one: take_folder(one, said.append)):
        with pytest.raises(ServerUnusable, match="of which this may be a copy") as caught:
            refused(copy)
        assert f"moved to another disk, delete {folder / 'catalog'}" in str(caught.value)
    assert take_folder(moved, said.append) == folder, "nobody is locked out"
    shutil.rmtree(moved)  # the copy is what is left of it, on another disk say
    (folder / "catalog").unlink()
    assert take_folder(copy, said.append) == folder
    assert said == []


def test_what_an_older_annotator_added_after_a_kill_is_not_deleted(
    catalog: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(catalog / SERVER)
    with monkeypatch.context() as patch:
        patch.setattr(places, "_remove_kept", lambda inside: sys.exit(9))
        with pytest.raises(SystemExit):
            take_folder(catalog, said.append)
    newer = catalog / SERVER / "data" / "label_studio.sqlite3"
    newer.write_bytes(b"newer")
    with pytest.raises(ServerUnusable, match="this catalog has another in"):
        take_folder(catalog, said.append)
    assert newer.read_bytes() == b"newer"
    newer.write_bytes(ANSWERS)
    assert (take_folder(catalog, said.append) / "data" / newer.name).read_bytes() == ANSWERS
    assert not newer.exists()


def test_links_within_what_is_moved_go_along(catalog: Path, said: list[str]) -> None:
    data = catalog / SERVER / "data"
    filled(catalog / SERVER)
    (data / "upload").mkdir()
    (data / "media" / "relative").symlink_to("../label_studio.sqlite3")
    (data / "media" / "absolute").symlink_to(data / "upload")
    moved = take_folder(catalog, said.append) / "data"
    assert (moved / "media" / "relative").read_bytes() == ANSWERS
    assert (moved / "media" / "absolute").resolve() == (moved / "upload").resolve()
    assert not data.exists()


@pytest.mark.parametrize("held", [b"", b"../../../etc", b"/etc", b"\xff" * 32, b"0" * 31])
def test_a_name_that_is_none(catalog: Path, held: bytes, said: list[str]) -> None:
    (catalog / SERVER).mkdir()
    (catalog / SERVER / "id").write_bytes(held)
    for refused in (own_folder, lambda one: take_folder(one, said.append)):
        with pytest.raises(ServerUnusable, match="id is not as annotator wrote it"):
            refused(catalog)


def test_one_of_before_is_moved(catalog: Path, tmp_path: Path, said: list[str]) -> None:
    inside, disk = catalog / SERVER, tmp_path / "disk"
    filled(inside)
    (inside / "data" / "media").rmdir()
    disk.mkdir()
    (disk / "image").write_bytes(b"image")
    (inside / "data" / "media").symlink_to("../../../disk")
    (inside / "mine.txt").write_text("mine")
    before = files_of(inside)
    assert own_folder(catalog) == inside, "until it is served"
    folder = take_folder(catalog, said.append)
    assert own_folder(catalog) == take_folder(catalog, said.append) == folder
    after = files_of(folder)
    assert after.pop("catalog").partition(b"\n")[2] == str(catalog).encode()
    assert before.pop("mine.txt") == b"mine"
    assert after == before
    assert (folder / "data" / "media" / "image").read_bytes() == b"image"
    assert (disk / "image").exists()
    assert stat.S_IMODE((folder / "data" / ".env").stat().st_mode) == 0o600
    assert stat.S_IMODE(inside.stat().st_mode) == stat.S_IMODE(catalog.stat().st_mode)
    assert sorted(files_of(inside)) == ["id", "lock", "mine.txt"]
    assert said == [f"This catalog's Label Studio, with its passwords, was moved to {folder}"]


def test_one_of_before_that_runs_is_left(catalog: Path, said: list[str]) -> None:
    filled(catalog / SERVER)
    before = files_of(catalog)
    with FileLock(catalog / SERVER / "lock"), pytest.raises(ServerUnusable, match="being served"):
        take_folder(catalog, said.append)
    assert files_of(catalog) == before | {f"{SERVER}/lock": b""}


KILLED = """
import os, sys
from pathlib import Path
from annotator.label_studio.folder import take_folder

left = int(sys.argv[2])

def count(event, args):
    global left
    if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.copyfile"):
        left -= 1
        if left < 0:
            os._exit(9)

sys.addaudithook(count)
take_folder(Path(sys.argv[1]), print)
"""


def test_whenever_it_is_killed_one_of_both_is_whole(
    catalog: Path, tmp_path: Path, said: list[str]
) -> None:
    filled(tmp_path / "server")
    kept = files_of(tmp_path / "server")
    codes: list[int] = []
    for left in range(0, 100, 2):
        shutil.rmtree(catalog)
        shutil.rmtree(state_folder(), ignore_errors=True)
        shutil.copytree(tmp_path / "server", catalog / SERVER)
        command = [sys.executable, "-c", KILLED, str(catalog), str(left)]
        codes.append(subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode)
        found = own_folder(catalog)
        assert found is not None
        assert kept.items() <= files_of(found).items(), left
        folder = take_folder(catalog, said.append)
        assert kept.items() <= files_of(folder).items(), left
        assert [one.name for one in folder.parent.iterdir()] == [folder.name]
        assert sorted(files_of(catalog)) == [f"{SERVER}/id", f"{SERVER}/lock"]
        if codes[-1] == 0:
            break
    assert codes[-1] == 0
    assert codes.count(9) > 8


def test_a_full_disk_leaves_it_where_it_was(
    catalog: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    filled(catalog / SERVER)
    before = files_of(catalog)

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device", "there")

    with monkeypatch.context() as patch:
        patch.setattr(places, "sync_folder", full)
        with pytest.raises(ServerUnusable, match=r"No space left.*XDG_STATE_HOME names another"):
            take_folder(catalog, said.append)
    assert before.items() <= files_of(catalog).items()
    assert list((state_folder() / SERVER).iterdir()) == []
    assert take_folder(catalog, said.append).is_dir()


def test_one_that_was_put_back_beside_the_moved_one(catalog: Path, said: list[str]) -> None:
    """A backup of before, say: which of the two is wanted nobody knows."""
    filled(catalog / SERVER)
    folder = take_folder(catalog, said.append)
    filled(catalog / SERVER)
    with pytest.raises(ServerUnusable, match=f"has another in {folder}"):
        take_folder(catalog, said.append)
    assert (catalog / SERVER / "data" / "label_studio.sqlite3").read_bytes() == ANSWERS
    assert (folder / "data" / "label_studio.sqlite3").read_bytes() == ANSWERS


def test_a_state_folder_that_cannot_be_written(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(ServerUnusable, match="XDG_STATE_HOME names another"):
        take_folder(catalog, said.append)

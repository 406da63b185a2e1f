"""The catalog's own server through the commands: its port may change, and its raters are known."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import httpx
import pytest

from annotator.catalog.read import open_catalog
from annotator.cli import main
from annotator.errors import ServerUnusable
from annotator.label_studio.folder import OWNER_FILE, SERVER, clear_exports, own_folder
from annotator.label_studio.server import Server
from annotator.pipeline.judge_server import serve
from tests.commands import error_of, files_of, text_of
from tests.judge.record_export import answer

Capture = pytest.CaptureFixture[str]


def answered(server: Server, name: str, task: int) -> None:
    """As the rater of that name, or the admin."""
    from label_studio_sdk import LabelStudio

    accounts = (server.credentials.admin, *server.credentials.raters)
    token = next(one.token for one in accounts if one.name == name)
    with httpx.Client() as client:
        sdk = LabelStudio(base_url=server.url, api_key=token, httpx_client=client)
        sdk.annotations.create(task, result=answer("no"), lead_time=3.0)


def as_before(catalog: Path) -> None:
    """Have a catalog hold its server itself, as one of an earlier version does."""
    folder, inside = own_folder(catalog), catalog / SERVER
    assert folder is not None
    (folder / OWNER_FILE).unlink()
    shutil.rmtree(inside)
    folder.rename(inside)


def test_a_study_goes_on_at_another_port_and_place(
    label_studio: Path, catalog: Path, capsys: Capture
) -> None:
    heads = ("--heads", "L0H0,L0H1")
    with serve(catalog, ["ada"]) as server:
        url = server.url
        text_of(capsys, "judge", "push", catalog, "--rater", "ada", *heads)
        answered(server, "ada", 1)
        accounts = server.credentials.admin, *server.credentials.raters
        shared = b"".join(files_of(catalog).values())
        for one in accounts:
            assert one.token.encode() not in shared
            assert one.password.encode() not in shared
    assert "annotator judge serve" in error_of(capsys, "judge", "pull", catalog)
    as_before(catalog)
    assert "annotator judge serve" in error_of(capsys, "judge", "pull", catalog)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.listen()
        with (
            pytest.raises(ServerUnusable, match=f"listens on port {port}"),
            serve(catalog, [], port),
        ):
            pass
    with serve(catalog, [], port) as server:
        assert server.url != url
        assert (server.credentials.admin, *server.credentials.raters) == accounts
        assert sorted(one.name for one in (catalog / SERVER).iterdir()) == ["id", "lock"]
        again = text_of(capsys, "judge", "push", catalog, "--rater", "ada", *heads)
        assert "projects/1/data" in again
        answered(server, "admin", 2)
        assert main(["judge", "pull", str(catalog)]) == 1
        said = capsys.readouterr()
        assert "1 new answer, " in said.out
        assert "and not this rater" in said.err, "the admin is not ada, who has not answered it"
        assert not list((server.folder / "data").glob("export/*"))
    assert [one.rater for _, one in open_catalog(catalog).judgments()] == ["ada"]


def test_pull_after_pull_of_one_server_life(
    label_studio: Path, catalog: Path, capsys: Capture
) -> None:
    with serve(catalog, ["ada"]) as server:
        heads = ("--heads", "L0H0,L0H1,L0H2")
        text_of(capsys, "judge", "push", catalog, "--rater", "ada", *heads)
        for number in (1, 2, 3):
            answered(server, "ada", number)
            said = text_of(capsys, "judge", "pull", catalog)
            assert f"1 new answer, 0 edited, {number - 1} known before" in said
            copies = server.folder / "data" / "export"
            assert list(copies.iterdir()) == [], "what was exported does not pile up"
    assert len(open_catalog(catalog).judgments()) == 3


def test_the_copies_of_exports_go_and_their_folder_stays(tmp_path: Path) -> None:
    copies, other = tmp_path / "data" / "export", tmp_path / "other"
    clear_exports(tmp_path)  # of a server that never ran
    assert list(tmp_path.iterdir()) == []
    (copies / "project-1").mkdir(parents=True)
    other.mkdir()
    for file in (copies / "project-1.json", copies / "project-1" / "a.json", other / "a.json"):
        file.touch()
    (copies / "gone").symlink_to(tmp_path / "nowhere")
    (copies / "linked").symlink_to(other)
    clear_exports(tmp_path)
    assert list(copies.iterdir()) == []
    assert (other / "a.json").exists(), "a link goes, not what it leads to"


def test_the_first_time_raters_have_to_be_named(catalog: Path, capsys: Capture) -> None:
    assert main(["judge", "serve", str(catalog)]) == 2
    assert "name the raters, each with --rater" in capsys.readouterr().err
    assert not (catalog / SERVER).exists()

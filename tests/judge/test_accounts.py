"""Who may log in to a local Label Studio, and where that is written."""

from __future__ import annotations

import os
import socket
import stat
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from annotator.errors import CatalogUnwritable, ServerUnusable
from annotator.label_studio.accounts import Accounts
from annotator.label_studio.credentials import (
    Account,
    new_account,
    new_credentials,
    read_credentials,
    write_credentials,
)
from annotator.label_studio.server import Server


def test_each_is_known_by_token_and_by_password(studio_server: Server) -> None:
    held = studio_server.credentials
    assert held == read_credentials(studio_server.folder)
    assert [one.name for one in held.raters] == ["ada", "ben"]
    for account in (held.admin, *held.raters):
        assert Accounts(studio_server.url, account).whoami() == account.email
        assert Accounts(studio_server.url, held.admin).log_in(account) == account.token
    assert Accounts(studio_server.url, replace(held.admin, token="0" * 40)).whoami() is None
    assert Accounts(studio_server.url, held.admin).log_in(replace(held.admin, password="x")) is None


def test_only_the_user_can_read_it(studio_server: Server) -> None:
    folder = studio_server.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "credentials.json").stat().st_mode) == 0o600


def test_nothing_secret_is_shown(studio_server: Server) -> None:
    held = studio_server.credentials
    log = (studio_server.folder / "server.log").read_text()
    shown = f"{held!r} {studio_server!r} {held.admin} {log}"
    for account in (held.admin, *held.raters):
        assert account.email in repr(held)
        assert account.password not in shown
        assert account.token not in shown
    command = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
    assert held.admin.password.encode() not in command
    assert held.admin.token.encode() not in command


def test_an_invite_in_the_log_is_of_no_use(studio_server: Server) -> None:
    log = (studio_server.folder / "server.log").read_text()
    invite = log.rpartition("/user/signup/?token=")[2].partition(" ")[0]
    assert len(invite) == 40
    other = Account("eve", "eve@localhost", "abcdefghijklmnopqrst", "")
    accounts = Accounts(studio_server.url, studio_server.credentials.admin)
    for query in ({"token": invite}, {}):
        assert accounts._enter("/user/signup/", other, query) is None


def test_every_name_gets_an_email_of_its_own() -> None:
    accounts = [new_credentials().admin]
    for name in ["ada", "Ada", "ADA", "b.c", "Zoë", "zo", "山田", "田中", "", "admin", "x" * 99]:
        accounts.append(new_account(name, accounts))
        assert accounts[-1].name == name
    emails = [account.email for account in accounts]
    assert len(set(emails)) == len(emails)
    assert emails[:2] == ["admin@localhost", "ada@localhost"]
    assert emails[4] == "b.c@localhost"
    assert all(len(email) < 60 and email.isascii() for email in emails)
    assert len({account.password for account in accounts}) == len(accounts)


def test_the_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = new_credentials()
    write_credentials(tmp_path, held)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CatalogUnwritable, match="No space left"):
        write_credentials(tmp_path, replace(held, url="http://127.0.0.1:8080"))
    assert read_credentials(tmp_path) == held
    assert [path.name for path in tmp_path.iterdir()] == ["credentials.json"]


def test_somebody_elses_server() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        accounts = Accounts(f"http://127.0.0.1:{other.getsockname()[1]}", new_credentials().admin)

        def answer() -> None:
            for held in (b"<html>", b"[]"):
                connection, _ = other.accept()
                connection.recv(65536)
                head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                connection.sendall(head % len(held) + held)
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        for _ in range(2):
            with pytest.raises(ServerUnusable, match="something else than JSON"):
                accounts.whoami()
        thread.join()


def test_a_file_that_cannot_be_read_is_to_be_made_readable(
    tmp_path: Path,
) -> None:
    (tmp_path / "credentials.json").symlink_to("/proc/self/mem")  # which not even root can read
    with pytest.raises(ServerUnusable, match=r"Input/output error.*Make it readable"):
        read_credentials(tmp_path)
    (tmp_path / "credentials.json").unlink()
    (tmp_path / "credentials.json").write_text("{}")
    with pytest.raises(ServerUnusable, match=r"not as annotator wrote it.*Put back the file"):
        read_credentials(tmp_path)

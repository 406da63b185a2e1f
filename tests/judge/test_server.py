"""A real Label Studio: started, started again, interrupted, killed, and kept to this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from annotator.atomic_files import part_name
from annotator.errors import ServerUnusable
from annotator.label_studio import guarded_process as guard
from annotator.label_studio import install as environment
from annotator.label_studio.accounts import Accounts
from annotator.label_studio.credentials import (
    Account,
    new_credentials,
    read_credentials,
    write_credentials,
)
from annotator.label_studio.server import Server
from tests import PATIENCE
from tests.judge.processes import gone, servers_in, until

SERVING = """
import sys
from pathlib import Path
from annotator.label_studio.server import Server

print("begun", flush=True)
with Server(Path(sys.argv[1]), ["ada"]) as server:
    print(server._process.pid, server.url, flush=True)
    server.wait()
"""


@pytest.fixture(scope="module")
def ended(label_studio: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server that ran once."""
    folder = tmp_path_factory.mktemp("ended") / "server"
    with Server(folder, ["ada"]):
        pass
    return folder


@pytest.fixture
def folder(ended: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(ended, tmp_path / "server")


@contextmanager
def serving(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that serves a folder."""
    command = [sys.executable, "-c", SERVING, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            yield process
        finally:
            process.kill()


def ask(server: Server, account: Account, path: str, **what: object) -> httpx2.Response:
    what["headers"] = {"Authorization": f"Token {account.token}"}
    return httpx2.post(server.url + path, timeout=PATIENCE, trust_env=False, **what)


def whoami(server: Server, account: Account) -> str | None:
    return Accounts(server.url, account).whoami()


def change_raters(folder: Path, **changes: str) -> None:
    held = read_credentials(folder)
    raters = tuple(replace(rater, **changes) for rater in held.raters)
    write_credentials(folder, replace(held, raters=raters))


def test_it_listens_on_the_loopback_alone(studio_server: Server) -> None:
    port = f":{int(studio_server.url.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    lines += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    listening = {line[1] for line in lines if line[3] == "0A" and line[1].endswith(port)}
    assert listening == {f"0100007F{port}"}
    headers = {"Host": "rebound.example"}  # a page elsewhere whose name leads here
    login = f"{studio_server.url}/user/login/"
    assert httpx2.get(login, trust_env=False).status_code == 200
    assert httpx2.get(login, headers=headers, trust_env=False).status_code == 400


def test_it_asks_nobody_else(studio_server: Server) -> None:
    """Tips from the internet, tasks by URL, a webhook: each would have it ask another machine."""
    admin = studio_server.credentials.admin
    assert httpx2.get(f"{studio_server.url}/heidi-tips", trust_env=False).status_code == 404
    screen = '<View><Text name="t" value="$t"/><TextArea name="a" toName="t"/></View>'
    made = ask(studio_server, admin, "/api/projects", json={"title": "out", "label_config": screen})
    project = made.json()["id"]
    url = {"url": "http://192.0.2.1/tasks.json"}
    came = ask(studio_server, admin, f"/api/projects/{project}/import", data=url)
    assert came.status_code == 400
    log = (studio_server.folder / "server.log").read_text()
    assert "PermissionError: this server stays on this machine; not asked: 192.0.2.1" in log


@pytest.mark.parametrize(
    ("event", "arguments", "refused"),
    [
        ("socket.connect", (None, ("127.0.0.1", 8080)), False),
        ("socket.connect", (None, ("::1", 8080, 0, 0)), False),
        ("socket.connect", (None, "/var/run/nscd/socket"), False),
        ("socket.connect", (None, ("127.0.0.1", 6379)), True),
        ("socket.connect", (None, ("192.0.2.1", 443)), True),
        ("socket.sendto", (None, ("192.0.2.1", 53)), True),
        ("socket.getaddrinfo", ("localhost", 80, 0, 0, 0), False),
        ("socket.getaddrinfo", (b"pypi.org", 443, 0, 0, 0), True),
        ("socket.gethostbyname", ("pypi.org",), True),
        ("open", ("pypi.org", "r", 0), False),
    ],
)
def test_what_is_not_asked(event: str, arguments: tuple[object, ...], refused: bool) -> None:
    if refused:
        with pytest.raises(PermissionError, match="stays on this machine"):
            guard._stay_at_home(event, arguments)
    else:
        guard._stay_at_home(event, arguments)


def test_two_on_one_folder(studio_server: Server) -> None:
    message = f"served already, at {studio_server.url}. Use that one, or end it first"
    with pytest.raises(ServerUnusable, match=message):
        Server(studio_server.folder, []).__enter__()
    assert whoami(studio_server, studio_server.credentials.admin) == "admin@localhost"


def test_started_again(folder: Path) -> None:
    """What is in it stays; others may join; its port is taken by somebody, who is told nothing."""
    before = read_credentials(folder)
    port = int(before.url.rpartition(":")[2])
    with closing(socket.create_server(("127.0.0.1", port))) as other:
        with Server(folder, ["ada", "Zoë", "ada"]) as server:
            held = server.credentials
            assert held.url != before.url
            assert held.admin == before.admin
            assert held.raters[0] == before.raters[0]
            assert [one.name for one in held.raters] == ["ada", "Zoë"]
            assert whoami(server, held.raters[1]) == held.raters[1].email
            made = ask(server, held.admin, "/api/projects", json={"title": "kept"})
        other.settimeout(0)
        with pytest.raises(BlockingIOError):  # nobody came
            other.accept()
    with Server(folder, []) as server:
        assert server.credentials == held, "the last port was free, and nobody is forgotten"
        headers = {"Authorization": f"Token {held.admin.token}"}
        url = f"{server.url}/api/projects/{made.json()['id']}"
        assert httpx2.get(url, headers=headers, trust_env=False).json()["title"] == "kept"
        threading.Timer(0.2, server.close).start()
        server.wait()
        assert servers_in(folder) == []
    server.wait()
    server.close()


def test_its_parent_is_killed(folder: Path) -> None:
    with serving(folder) as process:
        assert process.stdout is not None
        number, url = process.stdout.readline().split()
        assert Accounts(url, read_credentials(folder).admin).whoami() == "admin@localhost"
        assert servers_in(folder) == [int(number)]
        process.kill()
        process.wait()
        until(lambda: gone(int(number)))
    with pytest.raises(ServerUnusable, match="broke off"):
        Accounts(url, read_credentials(folder).admin).whoami()


def test_interrupted_while_it_serves(folder: Path) -> None:
    with serving(folder) as process:
        assert process.stdout is not None
        number, _ = process.stdout.readline().split()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
        assert gone(int(number)), "it is ended before its parent is"
        assert said.rstrip().endswith("KeyboardInterrupt")


def test_interrupted_in_its_first_start(tmp_path: Path, label_studio: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / part_name()).touch()  # as an earlier kill may have left it
    with serving(folder) as process:
        until(lambda: bool(servers_in(folder)))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
        assert said.rstrip().endswith("KeyboardInterrupt")
        assert servers_in(folder) == []
    first = read_credentials(folder).admin
    with Server(folder, ["ada"]) as server:
        assert server.credentials.admin == first
        assert whoami(server, server.credentials.raters[0]) == "ada@localhost"


def test_killed_before_tokens_were_written_down(folder: Path) -> None:
    """The accounts are there with their passwords; their tokens are asked for."""
    before = read_credentials(folder)
    change_raters(folder, token="")
    lost = replace(before.admin, token="0" * 40)
    write_credentials(folder, replace(read_credentials(folder), admin=lost))
    with Server(folder, []) as server:
        assert server.credentials == before


def test_credentials_of_another_server(folder: Path) -> None:
    change_raters(folder, token="", password="another")
    message = "ada@localhost has an account there, with another password"
    with pytest.raises(ServerUnusable, match=message):
        Server(folder, []).__enter__()
    write_credentials(folder, replace(new_credentials(), url=read_credentials(folder).url))
    message = "does not take its own admin's token"
    with pytest.raises(ServerUnusable, match=message):
        Server(folder, []).__enter__()
    assert servers_in(folder) == []


def test_a_server_that_ends_by_itself(folder: Path) -> None:
    with Server(folder, []) as server:
        (number,) = servers_in(folder)
        os.kill(number, signal.SIGKILL)
        with pytest.raises(ServerUnusable, match=r"ended by itself \(exit code -9\)"):
            server.wait()


def test_a_database_that_is_none(folder: Path) -> None:
    """What it said at its end is in the error."""
    database = folder / "data" / environment.DATABASE
    database.write_bytes(b"no database" * 1000)
    with (
        pytest.raises(ServerUnusable, match="file is not a database") as caught,
        Server(folder, []),
    ):
        pass
    assert f"it ended while it started. Its log is {folder}/server.log. It said:\n" in str(
        caught.value
    )
    assert database.read_bytes() == b"no database" * 1000


def test_data_without_credentials(folder: Path) -> None:
    (folder / "credentials.json").unlink()
    with pytest.raises(ServerUnusable, match="it has data and no credentials"):
        Server(folder, []).__enter__()
    assert (folder / "data" / environment.DATABASE).is_file()


@pytest.mark.parametrize(
    "held", ["", "{}", "[1]", '{"url": 1, "admin": {}, "raters": []}', "hunter2", '{"raters": 3}']
)
def test_broken_credentials(tmp_path: Path, label_studio: Path, held: str) -> None:
    (tmp_path / "credentials.json").write_text(held)
    with pytest.raises(ServerUnusable, match="is not as annotator wrote it") as caught:
        Server(tmp_path, []).__enter__()
    assert "hunter2" not in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_a_folder_of_other_things(tmp_path: Path, label_studio: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(ServerUnusable, match=r"holds other things \(thesis.tex\)"):
        Server(tmp_path, []).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_no_folder(tmp_path: Path, label_studio: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerUnusable, match=r"file: .*make it a folder that you can write to"):
        Server(tmp_path / "file", []).__enter__()
    with pytest.raises(ServerUnusable, match=r"there is no credentials\.json in it"):
        read_credentials(tmp_path)


def test_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environment.VARIABLE, str(tmp_path / "none"))
    with pytest.raises(
        ServerUnusable, match=r"not installed there\. Run: python -m annotator.label_studio"
    ):
        Server(tmp_path / "server", []).__enter__()
    assert not (tmp_path / "server").exists()

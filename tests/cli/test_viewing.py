"""`annotator view`: the page is written and served, to this machine alone."""

from __future__ import annotations

import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

import pytest

import annotator
from annotator.pipeline import view
from tests import PATIENCE
from tests.commands import SCRIPT, error_of, text_of

Capture = pytest.CaptureFixture[str]
SECRET = b"nobody's business"


@pytest.fixture(scope="module")
def mapped(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return annotator.map_model(tiny_folder, tmp_path_factory.mktemp("viewed") / "catalog").folder


@pytest.fixture(scope="module")
def written(mapped: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A page's files, the first in the folder where much else lies, outside of which lies more."""
    home = tmp_path_factory.mktemp("written") / "home"
    others = ("secret.txt", ".env", ".ssh/id_rsa", "sub/secret.txt", "data/a", "app/theirs.js")
    for name in (*others, "../outside"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(SECRET)
    (home / "linked.js").symlink_to(home.parent / "outside")
    return annotator.export(mapped, "site", home, progress=False)


@contextmanager
def served(folder: Path, files: Iterable[Path]) -> Iterator[str]:
    """The address at which files of a folder are served."""
    with view.serve(folder) as (address, server):
        server.offer(files)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield address
        server.shutdown()
        thread.join()


def asked(address: str, target: str, method: str = "GET") -> tuple[int, bytes]:
    """What is answered to a request whose target is sent as it is written here."""
    connection = HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=PATIENCE)
    connection.putrequest(method, target, skip_host=True)  # or it tries to understand the target
    connection.putheader("Host", "localhost")
    connection.endheaders()
    answer = connection.getresponse()
    held = answer.status, answer.read()
    connection.close()
    return held


def test_it_serves_the_page_until_ctrl_c(mapped: Path) -> None:
    running = subprocess.Popen(
        [SCRIPT, "view", mapped, "--no-browser"], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    line = running.stdout.readline()
    address = line.split(": ")[1].split()[0]
    assert address.startswith("http://127.0.0.1:")
    (mapped / "site" / "private.js").write_bytes(SECRET)
    assert asked(address, "/private.js")[0] == 404
    with urlopen(address) as page, urlopen(f"{address}data/overview.js") as data:
        assert page.read() == (mapped / "site" / "index.html").read_bytes()
        assert data.headers["Cache-Control"] == "no-store"
        assert data.read().startswith(b'annotatorData("overview"')
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=PATIENCE) == 0
    running.stdout.close()


def test_only_the_pages_own_files_are_served(written: list[Path]) -> None:
    home = written[0].parent
    assert (home / "app" / "theirs.js").is_file()
    with served(home, written) as address:
        for target in ("/", "/?head=L0H0", *(f"/{one.relative_to(home)}" for one in written)):
            file = home / (target.partition("?")[0][1:] or "index.html")
            assert asked(address, target) == (200, file.read_bytes()), target
            assert asked(address, target, "HEAD") == (200, b"")
        for target in REFUSED:
            for method in ("GET", "HEAD"):
                status, body = asked(address, target, method)
                assert status == 404, (method, target)
                assert SECRET not in body
                assert b"secret" not in body, "no list of what lies there"
        assert asked(address, "/", "POST")[0] == 501


REFUSED = [
    *(
        "/secret.txt",
        "/.env",
        "/.ssh/id_rsa",
        "/.ssh/",
        "/.ssh",
        "/sub/secret.txt",
        "/sub/",
        "/sub",
    ),
    *("/data/", "/data", "/data/a", "/app/", "/app/theirs.js", "/vendor", "/.annotator.lock"),
    *("/linked.js", "/index.html/", "//etc/passwd", "/etc/passwd", "/site/secret.txt"),
    *("/../outside", "/%2e%2e/outside", "/app/../../outside", "/app/%2e%2e/%2e%2e/outside"),
    *("/..%2foutside", "/app/../secret.txt", "/app/%2e%2e/secret.txt", "/./secret.txt"),
    *("/sub%2fsecret.txt", "/secret.txt%00", "/secret.txt?index.html", "/..\\outside"),
    *("http://127.0.0.1/secret.txt", "http://[/", "secret.txt", "*"),
]


@pytest.fixture
def page(written: list[Path], tmp_path: Path) -> Path:
    """A copy of its folder, to change."""
    return shutil.copytree(written[0].parent, tmp_path / "page", symlinks=True)


def files_in(page: Path) -> list[Path]:
    return [page / name for name in ("index.html", "app/data.js", "data/overview.js")]


def test_a_link_in_the_place_of_a_pages_file_is_not_followed(page: Path, tmp_path: Path) -> None:
    outside, files = tmp_path / "outside", [*files_in(page), page / "vendor" / "d3.min.js"]
    outside.write_bytes(SECRET)
    with served(page, files) as address:
        assert {asked(address, f"/{one.relative_to(page)}")[0] for one in files} == {200}
        (page / "app" / "data.js").unlink()
        (page / "app" / "data.js").symlink_to(outside)
        (page / "vendor").rename(tmp_path / "vendor")
        (page / "vendor").symlink_to(tmp_path / "vendor")
        (page / "data" / "overview.js").unlink()
        (page / "data" / "overview.js").mkdir()
        for name in ("/app/data.js", "/vendor/d3.min.js", "/data/overview.js"):
            assert asked(address, name)[0] == asked(address, name, "HEAD")[0] == 404
        assert asked(address, "/")[0] == 200


def test_a_page_that_is_itself_behind_a_link_is_served(page: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(page)
    with served(tmp_path / "link", files_in(tmp_path / "link")) as address:
        assert asked(address, "/data/overview.js")[0] == 200


def test_a_browser_that_goes_away_is_no_failure(page: Path, capsys: Capture) -> None:
    with served(page, [*files_in(page), page / "vendor" / "plot.umd.min.js"]) as address:
        host, port = address.removeprefix("http://").rstrip("/").split(":")
        for _ in range(5):
            gone = socket.create_connection((host, int(port)))
            gone.sendall(b"GET /vendor/plot.umd.min.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
            linger = struct.pack("ii", 1, 0)  # closed at once, with a reset
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            gone.close()
        assert asked(address, "/")[0] == 200
    assert capsys.readouterr().err == ""


def test_a_port_that_is_taken_is_named(mapped: Path, capsys: Capture) -> None:
    with socket.socket() as taken:
        taken.bind((view.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = error_of(capsys, "view", mapped, "--no-browser", "--port", port)
    assert f"port {port} cannot be used" in said
    assert "--port" in said


def test_without_a_port_a_free_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind((view.HOST, 0))
        taken.listen()
        monkeypatch.setattr(view, "PORT", taken.getsockname()[1])
        with view.serve(tmp_path) as (address, server):
            assert server.server_address[0] == "127.0.0.1"
            assert address != f"http://127.0.0.1:{view.PORT}/"


def test_a_name_that_is_not_this_machines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("the page")
    with served(tmp_path, [tmp_path / "index.html"]) as address:
        for name, status in (("localhost:1", 200), ("127.0.0.1", 200), ("evil.example", 403)):
            connection = HTTPConnection(address.removeprefix("http://").rstrip("/"))
            connection.request("GET", "/", headers={"Host": name})
            assert connection.getresponse().status == status
            connection.close()


def test_without_a_browser_the_address_is_left(
    mapped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    said = threading.Event()

    def nowhere(_: str) -> bool:
        said.set()
        return False

    def served(_: object) -> None:
        assert said.wait(PATIENCE)
        raise KeyboardInterrupt

    monkeypatch.setattr(view, "open_browser", nowhere)
    monkeypatch.setattr(view.PageServer, "serve_forever", served)
    assert "Ctrl-C ends it" in text_of(capsys, "view", mapped, "--out", tmp_path / "page")
    assert (tmp_path / "page" / "index.html").is_file()


def test_no_catalog_is_one_message(tmp_path: Path, capsys: Capture) -> None:
    assert "no finished catalog" in error_of(capsys, "view", tmp_path, "--no-browser")

"""`annotator view`: the page is written and served, to this machine alone."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

import pytest

import annotator
from annotator.pipeline import view
from tests import PATIENCE
from tests.commands import SCRIPT, error_of, text_of

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def mapped(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return annotator.map_model(tiny_folder, tmp_path_factory.mktemp("viewed") / "catalog").folder


def test_it_serves_the_page_until_ctrl_c(mapped: Path) -> None:
    running = subprocess.Popen(
        [SCRIPT, "view", mapped, "--no-browser"], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    line = running.stdout.readline()
    address = line.split(": ")[1].split()[0]
    assert address.startswith("http://127.0.0.1:")
    with urlopen(address) as page, urlopen(f"{address}data/overview.js") as data:
        assert page.read() == (mapped / "site" / "index.html").read_bytes()
        assert data.headers["Cache-Control"] == "no-store"
        assert data.read().startswith(b'annotatorData("overview"')
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=PATIENCE) == 0
    running.stdout.close()


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
    with view.serve(tmp_path) as (address, server):
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        for name, status in (("localhost:1", 200), ("127.0.0.1", 200), ("evil.example", 403)):
            connection = HTTPConnection(address.removeprefix("http://").rstrip("/"))
            connection.request("GET", "/", headers={"Host": name})
            assert connection.getresponse().status == status
            connection.close()
        server.shutdown()
        thread.join()


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
    monkeypatch.setattr(view.ThreadingHTTPServer, "serve_forever", served)
    assert "Ctrl-C ends it" in text_of(capsys, "view", mapped, "--out", tmp_path / "page")
    assert (tmp_path / "page" / "index.html").is_file()


def test_no_catalog_is_one_message(tmp_path: Path, capsys: Capture) -> None:
    assert "no finished catalog" in error_of(capsys, "view", tmp_path, "--no-browser")

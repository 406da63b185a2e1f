"""`annotator view`: the page of a catalog, served on this machine alone."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from annotator.errors import PortTaken

HOST = "127.0.0.1"
PORT = 8090


class PageServer(ThreadingHTTPServer):
    """A page's files, to this machine; of what else lies in their folder nothing, nor a list."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self._folder = folder
        self._files: dict[str, Path] = {}

    def offer(self, files: Iterable[Path]) -> None:
        """Name the files of the folder that may be had; the first is what is shown first."""
        self._files = {f"/{one.relative_to(self._folder).as_posix()}": one for one in files}
        self._files["/"] = next(iter(self._files.values()))

    def file_at(self, target: str) -> Path | None:
        """The file that a request asks for, or None where it may not be had."""
        file = self._files.get(unquote(target.partition("?")[0]))
        if file is None:
            return None
        real = file.resolve()  # a link that was put in a file's place may lead anywhere
        inside = real.is_relative_to(self._folder.resolve())
        return real if inside and real.is_file() else None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing of a browser that went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    """Nothing is kept by the browser, for the page may be written anew."""

    def send_head(self) -> Any:
        # A page from elsewhere may have its own name resolve to this machine, to read along.
        if self.headers.get("Host", "").partition(":")[0] not in (HOST, "localhost"):
            return self.send_error(HTTPStatus.FORBIDDEN)
        assert isinstance(self.server, PageServer)
        found = self.server.file_at(self.path)
        if found is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        self.path = quote(str(found))
        return super().send_head()

    def translate_path(self, path: str) -> str:
        return unquote(path)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a page asks for many files."""


@contextmanager
def serve(folder: Path, port: int | None = None) -> Generator[tuple[str, PageServer]]:
    """Serve a page to this machine.

    Args:
        folder: the page's.
        port: None: 8090, or any that is free where that one is taken.

    Yields:
        The address, and the server. It gives the files that it is told to `offer`, and its
        `serve_forever` answers until it is stopped.

    Raises:
        PortTaken: another program has the port that was named.
    """
    server = _server(folder, port or PORT, named=port is not None)
    try:
        yield f"http://{HOST}:{server.server_port}/", server
    finally:
        server.server_close()


def open_browser(address: str) -> bool:
    """Open the user's browser; False where there is none."""
    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False


def _server(folder: Path, port: int, *, named: bool) -> PageServer:
    try:
        return PageServer(folder, port)
    except OSError as error:
        if named:
            raise PortTaken(port, error.strerror or str(error)) from error
        return PageServer(folder, 0)

"""`annotator view`: the page of a catalog, served on this machine alone."""

from __future__ import annotations

import webbrowser
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from annotator.errors import PortTaken

HOST = "127.0.0.1"
PORT = 8090


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder; nothing is kept by the browser, for the page may be written anew."""

    def send_head(self) -> Any:
        # A page from elsewhere may have its own name resolve to this machine, to read along.
        if self.headers.get("Host", "").partition(":")[0] not in (HOST, "localhost"):
            return self.send_error(HTTPStatus.FORBIDDEN)
        return super().send_head()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a page asks for many files."""


@contextmanager
def serve(folder: Path, port: int | None = None) -> Generator[tuple[str, ThreadingHTTPServer]]:
    """Serve a folder to this machine.

    Args:
        folder: the page.
        port: None: 8090, or any that is free where that one is taken.

    Yields:
        The address, and the server, whose `serve_forever` answers until it is stopped.

    Raises:
        PortTaken: another program has the port that was named.
    """
    handler = partial(_Handler, directory=str(folder))
    server = _server(port or PORT, handler, named=port is not None)
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


def _server(port: int, handler: Any, *, named: bool) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        if named:
            raise PortTaken(port, error.strerror or str(error)) from error
        return ThreadingHTTPServer((HOST, 0), handler)

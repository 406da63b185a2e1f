"""Servers on 127.0.0.1 that speak no HTTP, or none in order, and a proxy that makes tunnels."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import trustme

Talk = Callable[[socket.socket, threading.Event], None]
"""What is done with a connection; the event is set when the server ends."""


@contextmanager
def talking(talk: Talk) -> Iterator[str]:
    """The address (host:port) of a server, until the block ends."""
    over, threads = threading.Event(), list[threading.Thread]()

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # a client that hangs up is no concern of the server's
            talk(connection, over)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=one, args=(connection,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield "{}:{}".format(*listener.getsockname())
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@contextmanager
def full() -> Iterator[str]:
    """The address of a server that accepts no connection, and refuses none."""
    with ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield "{}:{}".format(*listener.getsockname())


def says_nothing(_: socket.socket, over: threading.Event) -> None:
    """It neither reads nor writes."""
    over.wait(30)


def reads_slowly(connection: socket.socket, over: threading.Event) -> None:
    """A little now and then."""
    while not over.wait(0.01) and connection.recv(65_536):
        pass


def resets_in_the_request(connection: socket.socket, _: threading.Event) -> None:
    """It breaks the connection when it has read a little."""
    connection.recv(1000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answers(content: bytes) -> Talk:
    """It reads a small request, and answers with these bytes."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(content)

    return talk


def drips_before_the_tunnel(connection: socket.socket, over: threading.Event) -> None:
    """A proxy that never has one."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Wait: ")
    while not over.wait(0.05):
        connection.sendall(b".")


def certificate(folder: Path, host: str) -> Path:
    """A file with a key, its certificate for a host, and that of the authority that signed it."""
    file, authority = folder / "certificate.pem", trustme.CA()
    own = authority.issue_cert(host).private_key_and_cert_chain_pem
    file.write_bytes(own.bytes() + authority.cert_pem.bytes())
    return file


def tunnels(pem: Path, url: str) -> Talk:
    """A proxy whose every tunnel ends, with TLS, at the server of an address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = urlsplit(url)

    def pour(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while some := source.recv(65_536):
                target.sendall(some)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def talk(connection: socket.socket, _: threading.Event) -> None:
        assert connection.recv(65_536).startswith(b"CONNECT ")
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with (
            context.wrap_socket(connection, server_side=True) as secure,
            closing(socket.create_connection((server.hostname, server.port))) as behind,
        ):
            back = threading.Thread(target=pour, args=(behind, secure))
            back.start()
            pour(secure, behind)
            back.join()

    return talk

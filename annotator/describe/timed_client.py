"""An HTTP client that ends a whole sending in time, and says how far one without an answer got.

httpx2's timeouts are those of one wait for the network: a server that sends a byte now and then
keeps a sending alive for ever. Here each wait (to connect, for TLS, to write, to read) gets no more
than what is left of the sending's own time. The time runs in the thread that sends; there is no
thread beside it.

What it cannot end early: looking up a name, which is the system's; and a host of several addresses
is given the time to connect at each of them.
"""

from __future__ import annotations

import ssl
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

import httpcore2
import httpx2

from annotator.http import client_settings

CONNECTIONS = httpx2.Limits(
    max_connections=None,  # or a sending's time would run while it waits for another's connection
    max_keepalive_connections=None,
    # A server that closes an idle connection just when a request comes looks like one that worked
    # and broke off. Servers wait for 2 seconds or more, most for 5.
    keepalive_expiry=1.0,
)
PIECE = 16_384
"""Bytes that are written at once: as many as a socket takes in a wait or two."""
PROXY_SAYS_NO = ("401", "402", "403", "404", "405", "407", "410")
"""HTTP statuses of a proxy that will not change their mind; a busy one may."""
CERTIFICATE_REFUSED = "CERTIFICATE_VERIFY_FAILED"
"""What OpenSSL calls it."""
LEAST = 0.001
"""Seconds of a wait at least: none at all would not be a wait that ends, but no wait."""

_end: ContextVar[float] = ContextVar("_end")
"""When the sending of this thread ends, by the monotonic clock."""


class NoAnswer(httpx2.TransportError):
    """A sending that ended without a whole answer.

    Attributes:
        sent: whether the request was wholly written; if not, no model has seen it.
        late: whether its time was up.
        alike: whether every other sending would end so: a certificate that is not trusted here, or
            a proxy that says no.
        status: the HTTP status, where the answer broke off later; or None.
    """

    def __init__(self, error: httpx2.RequestError, sent: bool, status: int | None) -> None:
        super().__init__(str(error) or type(error).__name__)
        self.sent, self.status = sent, status
        self.late = isinstance(error, httpx2.TimeoutException)
        turned_away = isinstance(error, httpx2.ProxyError) and str(error)[:3] in PROXY_SAYS_NO
        self.alike = turned_away or CERTIFICATE_REFUSED in str(error)


class TimedClient(httpx2.Client):
    """A client of one server; see `annotator.http.client_settings`. Safe in several threads.

    Args:
        url: the server's address.
        seconds: for a request and its answer, connecting included.
    """

    def __init__(self, url: str, seconds: float) -> None:
        super().__init__(**client_settings(url, seconds), limits=CONNECTIONS)
        self._seconds = seconds
        transports: list[Any] = [self._transport, *filter(None, self._mounts.values())]
        for transport in transports:  # httpx2 has no setting for it, httpcore2 has
            pool = transport._pool
            pool._network_backend = _Backend(pool._network_backend)

    def send(self, request: httpx2.Request, *, stream: bool = False, **how: Any) -> httpx2.Response:
        """Send a request, and read its answer whole.

        Raises:
            NoAnswer: there is none.
        """
        body = request.stream = _Body(request.stream)
        status = None
        with _ends_in(self._seconds):
            try:
                response = super().send(request, stream=True, **how)
                status = response.status_code
                try:
                    response.read()
                finally:
                    response.close()
            except httpx2.RequestError as error:
                raise NoAnswer(error, body.written, status) from error
        return response


class _Body(httpx2.SyncByteStream):
    """A request's body, which knows whether all of it was taken: each part, once written."""

    def __init__(self, parts: Any) -> None:
        self._parts: Iterable[bytes] = parts
        self.written = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts
        self.written = True


@contextmanager
def _ends_in(seconds: float) -> Generator[None]:
    before = _end.set(monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(before)


def _left(timeout: float | None) -> float | None:
    """Seconds that one wait may take of the `timeout` that it would have by itself."""
    left = _end.get(None)
    if left is None:
        return timeout
    left = max(LEAST, left - monotonic())
    return left if timeout is None else min(left, timeout)


def _is_over() -> bool:
    return monotonic() >= _end.get(float("inf"))


class _Backend(httpcore2.NetworkBackend):
    """Makes the connections of a pool, with the time that is left."""

    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        stream = self._inner.connect_tcp(host, port, _left(timeout), local_address, socket_options)
        return _Stream(stream)


class _Stream(httpcore2.NetworkStream):
    """A connection whose every wait has the time that is left."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if _is_over():  # a server that always has another byte ready keeps no read waiting
            raise httpcore2.ReadTimeout("timed out")
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            if _is_over():
                raise httpcore2.WriteTimeout("timed out")
            self._inner.write(buffer[start : start + PIECE], _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

"""Addresses of servers, and the client that goes to one and nowhere else."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from annotator.errors import LlmInvalid

if TYPE_CHECKING:
    import httpx2


def server(llm: str, url: str) -> str:
    """A base URL in the one form that a request is keyed by.

    Raises:
        LlmInvalid: it is no plain http(s) address. One with a password in it would be recorded,
            so the message does not repeat it either.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise LlmInvalid(llm, "its BASE_URL is no address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise LlmInvalid(llm, "its BASE_URL has to begin with http:// or https:// and a server")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise LlmInvalid(llm, "its BASE_URL holds a password, a query or a fragment; leave it out")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def is_local(url: str) -> bool:
    """Whether the server is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def http_client(url: str, timeout: float) -> httpx2.Client:
    """A client that follows no redirect: a request goes to the server that it names, once.

    No proxy of the environment stands between this machine and itself.
    """
    import httpx2

    limits = httpx2.Timeout(timeout, connect=min(timeout, 10.0))
    return httpx2.Client(timeout=limits, follow_redirects=False, trust_env=not is_local(url))

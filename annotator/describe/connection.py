"""Where a provider's requests go, with what key, and its SDK once one is sent.

The two SDKs are opened alike: without retries of their own, with a client that goes nowhere else,
and with a key that is given, so that they look for no other.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from annotator.describe.keys import find_key
from annotator.errors import LlmInvalid

if TYPE_CHECKING:
    import httpx2


class Connection:
    """A model of a provider, and the way to it. Safe to use from several threads.

    Args:
        kind: "openai" or "anthropic".
        model: the model's name.
        own: the provider's own address.
        base_url: another server in its place, or None.
        variable: the environment variable of the provider's key.
        key: the key, or a file that holds it, in place of the environment's. A server on this
            machine needs none, and is not shown the environment's.
        timeout: seconds without a byte after which an answer is given up.

    Attributes:
        name: as --llm names it.
        base_url: the server that a request is keyed by; "" is the provider's own.
        key: the key, or "".
        timeout: as above.

    Raises:
        LlmInvalid: a base URL that is none.
        KeyMissing: no key.
        KeyInvalid: a key, or a file of one, that cannot be used.
    """

    def __init__(
        self,
        kind: str,
        model: str,
        *,
        own: str,
        base_url: str | None,
        variable: str,
        key: str | Path | None,
        timeout: float,
    ) -> None:
        self._url = server(f"{kind}:{model}", base_url) if base_url else own
        self.base_url = "" if self._url == own else self._url
        self.name = f"{kind}:{model}" + (f"@{self.base_url}" if self.base_url else "")
        free = key is None and is_local(self._url)
        self.key = "" if free else find_key(self.name, variable, key)
        self.timeout = timeout
        self._sdk: Any = None
        self._lock = Lock()

    def sdk(self, sdk: Any) -> Any:
        """The SDK's client, opened by its class when it is first asked for."""
        with self._lock:
            if self._sdk is None:
                client = http_client(self._url, self.timeout)
                self._sdk = sdk(
                    api_key=self.key or "none",  # an SDK wants one; such a server reads none
                    base_url=self._url,
                    max_retries=0,
                    timeout=client.timeout,  # or Anthropic's refuses a large limit unstreamed
                    http_client=client,
                )
            return self._sdk

    def close(self) -> None:
        """Let go of the connections; the next request opens new ones."""
        with self._lock:
            if self._sdk is not None:
                self._sdk.close()
                self._sdk = None


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

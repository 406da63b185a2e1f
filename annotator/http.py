"""HTTP: addresses, a client for one server, Retry-After, and secrets kept out of words."""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS = 10.0


class AddressInvalid(ValueError):
    """No plain address of a server; one with a password in it would be recorded.

    Attributes:
        reason: why not, as the rest of a sentence; it repeats nothing of the address.
        shown: as much of the address as a message may repeat.
    """

    def __init__(self, reason: str, shown: str = "(no address)") -> None:
        super().__init__(reason)
        self.reason, self.shown = reason, shown


def plain_address(url: str) -> str:
    """An http(s) address in the one form that it is recorded in.

    Raises:
        AddressInvalid: it is none, or holds a password, a query or a fragment.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise AddressInvalid("is no address") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        reason = "holds a password, a query or a fragment; leave it out"
        raise AddressInvalid(reason, parts.hostname or "(no address)")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        shown = "(no address)" if "@" in url else url
        raise AddressInvalid("has to begin with http:// or https:// and a server", shown)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def name_and_address(text: str) -> tuple[str, str]:
    """What stands before the last @ that an address follows, and the address, or "".

    Names of models have an @ of their own: `@cf/a/b`, `qwen@q4_k_m`, `qwen@q8:2`. What is meant
    for an address and is none (`localhost:8080`, `ftp://a`) counts as one: it must not become a
    name.
    """
    for address in (r"\w+://.*", r"localhost(?:[:/].*)?|[a-zA-Z\d.-]+:\d{2,5}(?:/.*)?"):
        if found := re.fullmatch(rf"(.*)@({address})", text, re.DOTALL):
            return found[1], found[2]
    return text, ""


def is_local(url: str) -> bool:
    """Whether the server is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def client_settings(url: str, timeout: float) -> dict[str, Any]:
    """Of a client that follows no redirect: a request goes to the server that it names, once.

    No proxy of the environment stands between this machine and itself, and certificates are read,
    which takes a while, only where there are some to check.

    Args:
        url: the server's address.
        timeout: seconds without a byte after which it is given up.
    """
    import httpx2

    limits = httpx2.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS))
    return {
        "timeout": limits,
        "follow_redirects": False,
        "trust_env": not is_local(url),
        "verify": url.startswith("https:"),
    }


def http_client(url: str, timeout: float) -> httpx2.Client:
    """A client of one server; see `client_settings`."""
    import httpx2

    return httpx2.Client(**client_settings(url, timeout))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, of retry-after-ms (OpenAI's own) or Retry-After, seconds or a date.

    Source: RFC 9110, 10.2.3.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    until = _moment(headers.get("retry-after", ""))
    if until is None:
        return None
    now = _moment(headers.get("date", ""))  # by the server's clock, which set the date
    return max(0.0, until - (time.time() if now is None else now))


def _moment(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def without_secret(text: str, secret: str, shown: str) -> str:
    """A text in which a secret cannot be read; an empty one is none."""
    return text.replace(secret, shown) if secret else text

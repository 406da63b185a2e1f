"""What the environment says of the way to a server: its proxies and certificates.

httpx2, httpx and the hub's client read the same variables, and each fails over them in a way of its
own, some only once a request is begun. So they are looked at before anything is asked.
"""

from __future__ import annotations

import os
import re
import ssl
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from annotator.errors import EnvironmentInvalid
from annotator.http import is_local

ANY_HUB = "https://huggingface.co"
"""Whatever HF_ENDPOINT says: the hub's client reads the whole environment for any address."""
CERTIFICATES = "SSL_CERT_FILE"
CERTIFICATES_FOLDER = "SSL_CERT_DIR"


def check_environment(url: str) -> None:
    """Refuse proxies and certificates that no connection can be made with.

    Args:
        url: the server's address; to this machine no proxy leads.

    Raises:
        EnvironmentInvalid: a variable names what cannot be used.
    """
    if is_local(url):
        return
    for scheme, proxy in _proxies().items():
        _check_proxy(_variable(scheme), proxy)
    if url.startswith("https:"):
        _check_certificates()


def is_variable_name(text: str) -> bool:
    """Whether it can name a variable; where it cannot, it may be the secret itself."""
    return re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", text) is not None


def proxy_variable(url: str) -> str | None:
    """The variable that names the proxy on the way to a server; None where there is none."""
    parts = urlsplit(url)
    if is_local(url) or proxy_bypass(parts.netloc):
        return None
    found = _proxies()
    return next((_variable(scheme) for scheme in (parts.scheme, "all") if scheme in found), None)


def _proxies() -> dict[str, str]:
    """The proxies that are heeded, by what of; none where NO_PROXY says that there is none."""
    named = getproxies()
    if "*" in (host.strip() for host in named.get("no", "").split(",")):
        return {}
    return {scheme: named[scheme] for scheme in ("http", "https", "all") if named.get(scheme)}


def _variable(scheme: str) -> str:
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next((name for name in names if name in os.environ), "the system's proxy setting")


def _check_proxy(variable: str, proxy: str) -> None:
    """Refuse a proxy that the clients cannot use. No message repeats it: it may hold a password."""
    import httpx2

    form = "Write it as http://HOST:PORT"
    try:
        address = httpx2.Proxy(proxy if "://" in proxy else f"http://{proxy}").url
    except httpx2.InvalidURL:
        raise _unusable(variable, "names no address of a proxy", form) from None
    except ValueError:
        kind = proxy.partition("://")[0]
        named = f" ({kind}://)" if re.fullmatch("[a-zA-Z][a-zA-Z0-9]{0,9}", kind) else ""
        reason = f"names a proxy of an unknown kind{named}"
        raise _unusable(variable, reason, form) from None
    if not address.host:
        raise _unusable(variable, "names no address of a proxy", form)
    if address.scheme.startswith("socks") and find_spec("socksio") is None:
        reason = "names a SOCKS proxy, which needs a package that is not installed"
        raise _unusable(variable, reason, "Run: pip install socksio")


def _check_certificates() -> None:
    if file := os.environ.get(CERTIFICATES):
        try:
            ssl.create_default_context(cafile=file)
        except ssl.SSLError:
            reason = f"names a file without certificates ({file})"
        except OSError as error:
            reason = f"names a file that cannot be read ({file}: {error.strerror})"
        else:
            return
        raise _unusable(CERTIFICATES, reason, "Name the file of your network's authority")
    folder = os.environ.get(CERTIFICATES_FOLDER)
    if folder and not Path(folder).is_dir():
        raise _unusable(
            CERTIFICATES_FOLDER, f"names a folder that is not there ({folder})", "Name one"
        )


def _unusable(variable: str, reason: str, remedy: str) -> EnvironmentInvalid:
    return EnvironmentInvalid(
        variable, f"{reason}, so nothing was sent", f"{remedy}; or unset {variable}"
    )

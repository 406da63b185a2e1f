"""Which token of the environment goes to which Label Studio.

LABEL_STUDIO_API_KEY is meant for the server that LABEL_STUDIO_URL names, as its own tools
read them. Any other server gets the token that was named for it.
"""

from __future__ import annotations

import os

from annotator.errors import ServerUnusable
from annotator.http import AddressInvalid, is_local, plain_address

TOKEN_VARIABLE = "LABEL_STUDIO_API_KEY"
URL_VARIABLE = "LABEL_STUDIO_URL"


def environment_token(url: str, variable: str | None) -> str:
    """The token that the environment holds for a server.

    Args:
        url: the server.
        variable: that was named for it; None: LABEL_STUDIO_API_KEY, where that is meant for it.

    Raises:
        ServerUnusable: there is none, or it is meant for another server.
    """
    token = os.environ.get(variable or TOKEN_VARIABLE, "").strip()
    if not token:
        reason = "it wants a token" + (f", and {variable} holds none" if variable else "")
        remedy = "Give a personal access token of a user there with --token or --token-env NAME"
        raise ServerUnusable(_shown(url), reason, remedy)
    if variable is None and not (is_local(url) or _same(url, os.environ.get(URL_VARIABLE, ""))):
        reason = f"{TOKEN_VARIABLE} goes by itself only to the server that {URL_VARIABLE} names"
        remedy = f"Give --token-env {TOKEN_VARIABLE}, if it is the token of a user there"
        raise ServerUnusable(_shown(url), reason, remedy)
    return token


def _same(url: str, other: str) -> bool:
    try:
        return plain_address(url) == plain_address(other)
    except AddressInvalid:
        return False


def _shown(url: str) -> str:
    """An address as far as a message may repeat it."""
    try:
        return plain_address(url)
    except AddressInvalid as error:
        return error.shown

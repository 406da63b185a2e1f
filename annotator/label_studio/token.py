"""Which token of the environment goes to which Label Studio.

LABEL_STUDIO_API_KEY is meant for the server that LABEL_STUDIO_URL names, as its own tools read
them, or for one on this machine where that is not set. Any other server gets the token that was
named for it.
"""

from __future__ import annotations

import os

from annotator.errors import ServerUnusable
from annotator.http import AddressInvalid, is_local, plain_address
from annotator.http_environment import is_variable_name
from annotator.label_studio.connection import address

TOKEN_VARIABLE = "LABEL_STUDIO_API_KEY"
URL_VARIABLE = "LABEL_STUDIO_URL"


def environment_token(url: str, variable: str | None) -> str:
    """The token that the environment holds for a server.

    Args:
        url: the server.
        variable: that was named for it; None: LABEL_STUDIO_API_KEY, where that is meant for it.

    Raises:
        ServerUnusable: there is none, it is meant for another server, or the address is none.
    """
    url = address(url)
    if variable is not None and not is_variable_name(variable):
        remedy = "Give the name of a variable that holds the token"
        raise ServerUnusable(url, "what --token-env gives is no variable's name", remedy)
    token = os.environ.get(variable or TOKEN_VARIABLE, "").strip()
    if not token:
        reason = "it wants a token" + (f", and {variable} holds none" if variable else "")
        remedy = "Give a personal access token of a user there with --token or --token-env NAME"
        raise ServerUnusable(url, reason, remedy)
    its_server = os.environ.get(URL_VARIABLE, "")
    mine = is_local(url) if not its_server else _same(url, its_server)
    if variable is None and not mine:
        reason = f"{TOKEN_VARIABLE} goes by itself only to the server that {URL_VARIABLE} names"
        remedy = f"Give --token-env {TOKEN_VARIABLE}, if it is the token of a user there"
        raise ServerUnusable(url, reason, remedy)
    return token


def _same(url: str, other: str) -> bool:
    try:
        return plain_address(url) == plain_address(other)
    except AddressInvalid:
        return False

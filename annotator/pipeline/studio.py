"""Which Label Studio a study is on: the catalog's own, or a team's."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import ServerUnusable
from annotator.pipeline.progress import say

if TYPE_CHECKING:
    from annotator.judge.label_studio import Studio
    from annotator.judge.server import Server

SERVER = "label-studio"
"""Where in a catalog its own is."""


def serve(catalog: str | Path, raters: Sequence[str], port: int | None = None) -> Server:
    """A catalog's own Label Studio, to be entered; it is installed first where it is not yet.

    Args:
        catalog: the catalog's directory; the server's is in it.
        raters: who gets an account.
        port: to listen on; by default that of the last time.

    Raises:
        ServerUnusable: it cannot be installed.
    """
    from annotator.judge import environment
    from annotator.judge.server import Server

    folder = open_catalog(catalog).folder / SERVER
    home = environment.home()
    if not environment.ready(home):
        environment.install(home, say)
    return Server(folder, raters, port)


def accounts(catalog: str | Path) -> list[str]:
    """Who has an account on a catalog's own Label Studio."""
    from annotator.judge.credentials import NAME, read_credentials

    folder = open_catalog(catalog).folder / SERVER
    if not (folder / NAME).is_file():
        return []
    return [one.name for one in read_credentials(folder).raters]


@contextmanager
def open_studio(catalog: Catalog, url: str | None, token: str | None) -> Generator[Studio]:
    """A server that has been heard from.

    Args:
        catalog: whose own it is, where no other is named.
        url: a team's.
        token: of a user there.

    Raises:
        ServerUnusable: it does not answer, or it is no Label Studio.
        TokenRefused: it does not take the token.
    """
    from annotator.judge.credentials import read_credentials
    from annotator.judge.environment import VERSION
    from annotator.judge.label_studio import Studio

    remedy = ""
    if url is None:
        remedy = (
            f"Run in another terminal: annotator judge serve {catalog.folder} --rater NAME; or "
            "name a team's server with --url"
        )
        if not accounts(catalog.folder):
            raise ServerUnusable(str(catalog.folder / SERVER), "it was never started", remedy)
        credentials = read_credentials(catalog.folder / SERVER)
        url, token = credentials.url, credentials.admin.token
    if not token:
        want = "Give a personal access token of a user there with --token"
        raise ServerUnusable(url, "it wants a token", want)
    with Studio(url, token) as studio:
        try:
            studio.whoami()
        except ServerUnusable as error:
            raise ServerUnusable(url, error.reason, remedy or error.remedy) from error
        if (release := studio.version()) != VERSION:
            say(f"The Label Studio at {url} is {release}; annotator was tested with {VERSION}.")
        yield studio

"""Which Label Studio a study is on: the catalog's own, or a team's."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import ServerUnusable, SettingInvalid
from annotator.pipeline.progress import say

if TYPE_CHECKING:
    from annotator.judge.credentials import Credentials
    from annotator.judge.label_studio import Studio
    from annotator.judge.server import Server

SERVER = "label-studio"
"""Where in a catalog its own is."""
OWN = "local"
"""What the ledger calls it."""


def serve(catalog: str | Path, raters: Sequence[str], port: int | None = None) -> Server:
    """A catalog's own Label Studio, to be entered; it is installed first where it is not yet.

    Args:
        catalog: the catalog's directory; the server's is in it.
        raters: who gets an account.
        port: to listen on; by default that of the last time.

    Raises:
        ServerUnusable: it cannot be installed.
        SettingInvalid: a name that no rater can have.
    """
    from annotator.judge import environment
    from annotator.judge.server import Server

    named = pseudonyms(raters)
    folder = open_catalog(catalog).folder / SERVER
    home = environment.home()
    if not environment.ready(home):
        environment.install(home, say)
    return Server(folder, named, port)


def pseudonyms(raters: Sequence[str]) -> list[str]:
    """The raters' names, each once.

    Raises:
        SettingInvalid: one that no rater can be called by.
    """
    from annotator.judge.task import LONGEST_NAME, is_pseudonym

    for rater in raters:
        if not is_pseudonym(rater):
            form = f"one line of 1 to {LONGEST_NAME} letters that can be seen"
            raise SettingInvalid("rater", ascii(rater), form)
    return list(dict.fromkeys(raters))


def accounts(catalog: str | Path) -> list[str]:
    """Who has an account on a catalog's own Label Studio."""
    from annotator.judge.credentials import NAME, read_credentials

    folder = open_catalog(catalog).folder / SERVER
    if not (folder / NAME).is_file():
        return []
    return [one.name for one in read_credentials(folder).raters]


@dataclass(frozen=True)
class Opened:
    """A server that has been heard from.

    Attributes:
        studio: what speaks to it.
        place: what the ledger calls it: its address, or `OWN`, whose port may change.
        users: of each rater the server's number, where it is known: on the catalog's own.
        folder: the own server's, or None.
    """

    studio: Studio
    place: str
    users: Mapping[str, int]
    folder: Path | None


@contextmanager
def open_studio(catalog: Catalog, url: str | None, token: str | None) -> Generator[Opened]:
    """A team's server, or the catalog's own.

    Args:
        catalog: whose own it is, where no other is named.
        url: a team's.
        token: of a user there.

    Raises:
        ServerUnusable: it does not answer, or it is no Label Studio.
        TokenRefused: it does not take the token.
    """
    from annotator.judge.environment import VERSION
    from annotator.judge.label_studio import Studio

    own = url is None
    if url is None:
        credentials = _own(catalog)
        raters = credentials.raters
        url, token = credentials.url, credentials.admin.token
    elif not token:
        want = "Give a personal access token of a user there with --token"
        raise ServerUnusable(url, "it wants a token", want)
    else:
        raters = ()
    with Studio(url, token) as studio:
        studio.whoami()
        if (release := studio.version()[:40]) != VERSION:
            tested = f"annotator was tested with {VERSION}"
            say(f"The Label Studio at {studio.url} is {release}; {tested}.")
        numbers = studio.users() if own else {}
        users = {one.name: numbers[one.email] for one in raters if one.email in numbers}
        folder = catalog.folder / SERVER if own else None
        yield Opened(studio, OWN if own else studio.url, users, folder)


def _own(catalog: Catalog) -> Credentials:
    """The credentials of the catalog's own server, if it runs.

    Raises:
        ServerUnusable: it does not.
    """
    from annotator.judge.credentials import read_credentials
    from annotator.judge.folder import is_served

    folder = catalog.folder / SERVER
    if not accounts(catalog.folder) or not is_served(folder):
        remedy = (
            f"Run in another terminal: annotator judge serve {catalog.folder} --rater NAME; or "
            "name a team's server with --url"
        )
        raise ServerUnusable(str(folder), "it is not running", remedy)
    return read_credentials(folder)

"""Which Label Studio a study is on: the catalog's own, or a team's."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import ServerUnusable
from annotator.pipeline.judge_items import pseudonyms
from annotator.pipeline.ledger import require_ledger
from annotator.pipeline.progress import say

if TYPE_CHECKING:
    from annotator.label_studio.client import Studio
    from annotator.label_studio.credentials import Credentials
    from annotator.label_studio.server import Server

OWN_SERVER = "local"
"""What the ledger calls it."""


def serve(catalog: Catalog | str | Path, raters: Sequence[str], port: int | None = None) -> Server:
    """A catalog's own Label Studio, to be entered; it is installed first where it is not yet.

    Args:
        catalog: the catalog's directory; the server's is with what is this user's alone.
        raters: who gets an account.
        port: to listen on; by default that of the last time.

    Raises:
        ServerUnusable: it cannot be installed, or is that of another catalog.
        HomeMissing: nothing names the folder of this user's state.
        SettingInvalid: a name that no rater can have.
        LedgerUnlockable: what raters answer could not be written down.
    """
    from annotator.label_studio import install as environment
    from annotator.label_studio.folder import take_folder
    from annotator.label_studio.server import Server

    named = pseudonyms(raters)
    opened = open_catalog(catalog)
    require_ledger(opened)
    folder = take_folder(opened.folder, say)
    home = environment.home()
    if not environment.ready(home):
        environment.install(home, say)
    return Server(folder, named, port)


def accounts(catalog: Catalog | str | Path) -> list[str]:
    """Who has an account on a catalog's own Label Studio."""
    from annotator.label_studio.credentials import CREDENTIALS_FILE, read_credentials
    from annotator.label_studio.folder import own_folder

    folder = own_folder(open_catalog(catalog).folder)
    if folder is None or not (folder / CREDENTIALS_FILE).is_file():
        return []
    return [one.name for one in read_credentials(folder).raters]


@dataclass(frozen=True)
class OpenServer:
    """A server that has been heard from.

    Attributes:
        studio: what speaks to it.
        place: what the ledger calls it: its address, or `OWN_SERVER`, whose port may change.
        users: of each rater the server's number, where it is known: on the catalog's own.
        folder: the own server's, or None.
    """

    studio: Studio
    place: str
    users: Mapping[str, int]
    folder: Path | None


@contextmanager
def open_studio(
    catalog: Catalog, url: str | None, token: str | None, *, allow_http: bool = False
) -> Generator[OpenServer]:
    """A team's server, or the catalog's own.

    Args:
        catalog: whose own it is, where no other is named.
        url: a team's.
        token: of a user there; by default the environment's, where that is meant for it.
        allow_http: whether it may go to another machine over http.

    Raises:
        ServerUnusable: it does not answer, it is no Label Studio, or there is no token for it.
        TokenRefused: it does not take the token.
    """
    from annotator.label_studio.client import Studio
    from annotator.label_studio.install import RELEASE
    from annotator.label_studio.token import environment_token

    own = url is None
    folder = None
    if url is None:
        folder, credentials = _own(catalog)
        raters = credentials.raters
        url, token = credentials.url, credentials.admin.token
    else:
        raters, token = (), token or environment_token(url, None)
    with Studio(url, token, allow_http=allow_http) as studio:
        studio.whoami()
        if (release := studio.version()[:40]) != RELEASE:
            tested = f"annotator was tested with {RELEASE}"
            say(f"The Label Studio at {studio.url} is {release}; {tested}.")
        numbers = studio.users() if own else {}
        users = {one.name: numbers[one.email] for one in raters if one.email in numbers}
        yield OpenServer(studio, OWN_SERVER if own else studio.url, users, folder)


def _own(catalog: Catalog) -> tuple[Path, Credentials]:
    """The folder and the credentials of the catalog's own server, if it runs.

    Raises:
        ServerUnusable: it does not.
    """
    from annotator.label_studio.credentials import read_credentials
    from annotator.label_studio.folder import is_served, own_folder

    folder = own_folder(catalog.folder)
    if folder is None or not accounts(catalog) or not is_served(folder):
        remedy = (
            f"Run in another terminal: annotator judge serve {catalog.folder} --rater NAME; or "
            "name a team's server with --url"
        )
        raise ServerUnusable(str(folder or catalog.folder), "it is not running", remedy)
    return folder, read_credentials(folder)

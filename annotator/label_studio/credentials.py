"""Who may log in to a local Label Studio: kept in one file that only the user can read."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from annotator.atomic_files import whole_file
from annotator.errors import ServerUnusable
from annotator.json_file import JsonInvalid, JsonUnreadable, read_json

CREDENTIALS_FILE = "credentials.json"
_PLAIN = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Account:
    """One who can log in.

    Attributes:
        name: of the rater, or "admin".
        email: to log in with; no mail is ever sent to it.
        password: to log in with.
        token: for the API; "" until the server has the account.
    """

    name: str
    email: str
    password: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A local server's address and its accounts.

    Attributes:
        url: where it runs, or last ran; "" before its first start.
        admin: who makes the projects.
        raters: all that were ever given an account.
    """

    url: str
    admin: Account
    raters: tuple[Account, ...]


def new_credentials() -> Credentials:
    """An admin for a server that is yet to be started."""
    token = secrets.token_hex(20)
    return Credentials("", Account("admin", "admin@localhost", _password(), token), ())


def new_account(name: str, others: Iterable[Account]) -> Account:
    """A rater's account, as it is to be made: it has no token yet.

    Args:
        name: the rater's, any text.
        others: those who have an account already; two never share an email.
    """
    user = name.lower()
    taken = {account.email for account in others}
    if not _PLAIN.fullmatch(user) or len(user) > 40 or f"{user}@localhost" in taken:
        letters = re.sub(r"[^a-z0-9]+", "-", user).strip("-")[:40] or "rater"
        user = f"{letters}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    return Account(name, f"{user}@localhost", _password(), "")


def read_credentials(folder: Path) -> Credentials:
    """The credentials of the server in a folder.

    Raises:
        ServerUnusable: there are none, or they cannot be read.
    """
    path = folder / CREDENTIALS_FILE
    if not path.is_file():
        reason = f"there is no {CREDENTIALS_FILE} in it"
        remedy = "Name the folder of a local server, or start one: annotator judge serve"
        raise ServerUnusable(str(folder), reason, remedy)
    try:
        return read_json(path, Credentials)
    except JsonUnreadable as error:
        raise ServerUnusable(str(folder), f"{path}: {error}", "Make it readable") from None
    except JsonInvalid as error:
        reason = f"its {CREDENTIALS_FILE} is not as annotator wrote it ({error})"
        remedy = "Put back the file as it was; without it nobody can log in"
        raise ServerUnusable(str(folder), reason, remedy) from None


def write_credentials(folder: Path, credentials: Credentials) -> None:
    """Write the file, whole or not at all; only the user can read it.

    Raises:
        CatalogUnwritable: it cannot be written.
    """
    with whole_file(folder / CREDENTIALS_FILE, mode=0o600) as file:
        file.write(json.dumps(asdict(credentials), indent=2).encode())


def _password() -> str:
    """Twenty letters and digits, none of which looks like another."""
    return "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(20))

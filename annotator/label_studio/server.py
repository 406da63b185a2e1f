"""A Label Studio on this machine, for as long as it is wanted; what was answered in it stays.

    with Server(folder, ["ada", "ben"]) as server:
        print(server.url)
        server.wait()

The folder, which only the user can read (`folder` says where a catalog's is):

    catalog            which catalog's it is, where it is one's
    credentials.json   the address, and how the admin and the raters log in
    data               Label Studio's own: its database, and a key that signs sessions
    server.log         what it said, start after start
    lock               held while it runs

It listens on the loopback, keeps to this machine, and ends with the process that started it.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from annotator.atomic_files import is_part, sync_folder, whole_file
from annotator.errors import CatalogUnwritable, ServerUnusable
from annotator.label_studio import install
from annotator.label_studio.accounts import Accounts
from annotator.label_studio.credentials import (
    CREDENTIALS_FILE,
    Credentials,
    new_account,
    new_credentials,
    read_credentials,
    write_credentials,
)
from annotator.label_studio.folder import OWNER_FILE, clear_exports, unwritable

HOST = "127.0.0.1"
SERVER_PORT = 8080
"""Label Studio's own; another is taken where it is busy."""
START_SECONDS = 300.0
"""After which a server that has not come up is given up; it takes 3 to 9 on two cores."""
END_SECONDS = 10.0


class Server:
    """A local Label Studio; see the module. Its environment has to be ready.

    Args:
        folder: its own; made where it is not there.
        raters: who get an account, if they have none yet.
        port: to listen on; by default that of the last time. Another where it is busy.

    Attributes:
        url: where it runs.
        credentials: of the admin and of all raters that it ever had.

    Raises (on entering):
        ServerUnusable: it cannot be started; the reason is in the error.
    """

    credentials: Credentials

    def __init__(self, folder: Path, raters: Sequence[str], port: int | None = None) -> None:
        self.folder = folder
        self.raters = tuple(dict.fromkeys(raters))
        self._port = port
        self._lock = FileLock(folder / "lock", thread_local=False)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "server.log"
        self._log_start = 0

    @property
    def url(self) -> str:
        """Where it runs."""
        return self.credentials.url

    def __enter__(self) -> Server:
        made = install.home()
        if not install.ready(made):
            remedy = "Run: python -m annotator.label_studio.install"
            raise ServerUnusable(str(made), "it is not installed there", remedy)
        try:
            self._take_folder()
            self._keep(self._known())
            self._start(made)
            self._prove()
            self._sign_up()
        except (OSError, CatalogUnwritable) as error:
            self.close()
            raise unwritable(self.folder, error) from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self) -> None:
        """Wait until another thread closes it, or an exception, such as Ctrl-C's, ends the wait.

        Raises:
            ServerUnusable: it ended by itself.
        """
        process = self._process
        if process is None:
            return
        code = process.wait()
        if self._process is process:
            raise self._failed(f"it ended by itself (exit code {code})")

    def close(self) -> None:
        """End the server; what it holds stays. Nothing happens where it does not run."""
        process, self._process = self._process, None
        try:
            if process is not None:
                _end(process)
        finally:
            self._lock.release()

    def _take_folder(self) -> None:
        folder = self.folder
        if folder.is_dir() and not (folder / CREDENTIALS_FILE).exists():
            names = sorted(path.name for path in folder.iterdir())
            others = [name for name in names if name not in _OURS and not is_part(name)]
            if others:
                reason = f"the folder holds other things ({', '.join(others[:3])})"
                raise ServerUnusable(str(folder), reason, "Name an empty or a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            where = f", at {_url_of(folder)}" if _url_of(folder) else ""
            reason = f"it is being served already{where}"
            raise ServerUnusable(str(folder), reason, "Use that one, or end it first") from None

    def _known(self) -> Credentials:
        """The accounts of this folder's data, which begins as a copy of the template."""
        data, has_file = self.folder / "data", (self.folder / CREDENTIALS_FILE).exists()
        if data.exists() and not has_file:
            remedy = "Put the file back, or move the data away to begin anew"
            raise ServerUnusable(str(self.folder), f"it has data and no {CREDENTIALS_FILE}", remedy)
        known = read_credentials(self.folder) if has_file else new_credentials()
        if data.exists():
            return known
        known = replace(known, raters=tuple(replace(one, token="") for one in known.raters))
        write_credentials(self.folder, known)  # before the data: it is useless without them
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        with whole_file(new / install.DATABASE) as file:
            file.write(install.template(install.home()).read_bytes())
        new.rename(data)
        sync_folder(self.folder)
        return known

    def _keep(self, credentials: Credentials) -> None:
        self.credentials = credentials
        write_credentials(self.folder, credentials)

    def _start(self, made: Path) -> None:
        """Start it, and wait until it listens."""
        last = urlsplit(self.url).port or SERVER_PORT
        port = _free_port(self._port or last)
        if self._port and port != self._port:
            reason = f"something else listens on port {self._port}"
            raise ServerUnusable(str(self.folder), reason, "Name another port, or none")
        clear_exports(self.folder)
        heard, writing = os.pipe()
        with os.fdopen(heard, "rb") as hears:
            try:
                self._process = self._popen(made, port, writing)
            finally:
                os.close(writing)
            came, _, _ = select.select([hears], [], [], START_SECONDS)
            said = hears.readline() if came else b""
        if not came:
            raise self._failed(f"it did not come up in {START_SECONDS:g} seconds")
        if not said:
            raise self._failed("it ended while it started")
        self._keep(replace(self.credentials, url=f"http://{HOST}:{int(said)}"))

    def _popen(self, made: Path, port: int, pipe: int) -> subprocess.Popen[bytes]:
        data, admin = (self.folder / "data").resolve(), self.credentials.admin
        where = ["--internal-host", HOST, "--port", str(port)]
        quiet = ["--no-browser", "--log-level", "WARNING"]
        module = "label_studio.server"
        python = install.python(made)
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            return subprocess.Popen(
                install.guarded(python, module, "start", *where, *quiet, pipe=pipe),
                env={
                    **install.surroundings(data),
                    "LABEL_STUDIO_USERNAME": admin.email,
                    "LABEL_STUDIO_PASSWORD": admin.password,
                    "LABEL_STUDIO_USER_TOKEN": admin.token,
                    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
                    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
                    "LABEL_STUDIO_ALLOWED_HOSTS": f"{HOST},localhost",
                },
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(pipe,),
                start_new_session=True,  # a Ctrl-C is ours; it is ended in order
            )

    def _prove(self) -> None:
        """See that it knows its admin."""
        admin = self.credentials.admin
        email = Accounts(self.url, admin).whoami()
        if email is None:  # killed in its first start, between making the admin and the token
            token = Accounts(self.url, admin).log_in(admin) or admin.token
            admin = replace(admin, token=token)
            self._keep(replace(self.credentials, admin=admin))
            email = Accounts(self.url, admin).whoami()
        if email != admin.email:
            reason = "it does not take its own admin's token"
            remedy = "Switch old-style tokens on in its Organization page, or put its files back"
            raise ServerUnusable(str(self.folder), reason, remedy)

    def _sign_up(self) -> None:
        """An account for each rater who has none; written down before it is made."""
        known = {one.name for one in self.credentials.raters}
        for name in self.raters:
            if name not in known:
                held = self.credentials
                new = new_account(name, (held.admin, *held.raters))
                self._keep(replace(held, raters=(*held.raters, new)))
        accounts = Accounts(self.url, self.credentials.admin)
        for number, rater in enumerate(self.credentials.raters):
            if not rater.token:
                raters = list(self.credentials.raters)
                raters[number] = replace(rater, token=accounts.sign_up(rater))
                self._keep(replace(self.credentials, raters=tuple(raters)))

    def _failed(self, reason: str) -> ServerUnusable:
        said = install.last_lines(self._log, self._log_start)
        return ServerUnusable(str(self.folder), reason, f"Its log is {self._log}", said)


_OURS = ("data", "data.new", "lock", "server.log", OWNER_FILE)


def _url_of(folder: Path) -> str:
    try:
        return read_credentials(folder).url
    except ServerUnusable:
        return ""


def _free_port(wanted: int) -> int:
    """The wanted port, or another where something listens there."""
    for port in (wanted, 0):
        with socket.socket() as tried, suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((HOST, port))
            return int(tried.getsockname()[1])
    raise OSError(0, "no port is free", HOST)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(END_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        pass
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stdin is not None
        process.stdin.close()
        process.wait()

"""Accounts on a local Label Studio: who answers there, and sign-up over HTTP as a browser does it.

Label Studio's API makes users without a password; its sign-up page, opened with the organisation's
invite token, makes whole ones.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from annotator.errors import ServerUnusable
from annotator.http import http_client
from annotator.label_studio.credentials import Account

if TYPE_CHECKING:
    import httpx2

SECONDS = 60.0
"""Without a byte, after which a server on this machine is given up."""


class Accounts:
    """What the admin of a local server does there.

    Args:
        url: the server's.
        admin: whose token is used.

    Raises (as its methods do):
        ServerUnusable: it does not answer, or not as Label Studio does.
    """

    def __init__(self, url: str, admin: Account) -> None:
        self.url, self.admin = url, admin

    def whoami(self) -> str | None:
        """The email of the user that the admin's token stands for; None where it is refused."""
        with self._client() as client:
            answer = client.get("/api/current-user/whoami", headers=self._as_admin())
            if answer.status_code == 401:
                return None
            return str(self._json(answer)["email"])

    def sign_up(self, account: Account) -> str:
        """Make an account, or log in where it is there already.

        Returns:
            Its token.

        Raises:
            ServerUnusable: the account is there with another password.
        """
        with self._client() as client:
            invite = self._json(client.get("/api/invite", headers=self._as_admin()))["token"]
        token = self._enter("/user/signup/", account, {"token": str(invite)})
        with self._client() as client:  # the invite was in a URL, so it may be in logs
            self._json(client.post("/api/invite/reset-token", headers=self._as_admin()))
        token = token or self.log_in(account)
        if token is None:
            reason = f"{account.email} has an account there, with another password than recorded"
            remedy = "Put back the credentials.json that lay beside its data"
            raise ServerUnusable(self.url, reason, remedy)
        return token

    def log_in(self, account: Account) -> str | None:
        """The token of one who can log in; None for one who cannot."""
        return self._enter("/user/login/", account, {})

    def _enter(self, page: str, account: Account, query: dict[str, str]) -> str | None:
        with self._client() as client:
            client.get(page, params=query)  # its cookie has to come back in the form
            form = {
                "email": account.email,
                "password": account.password,
                "csrfmiddlewaretoken": client.cookies.get("csrftoken") or "",
            }
            if client.post(page, params=query, data=form).status_code != 302:
                return None  # the page again, with what it does not like
            return str(self._json(client.get("/api/current-user/token"))["token"])

    def _as_admin(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.admin.token}"}

    def _json(self, answer: httpx2.Response) -> dict[str, Any]:
        try:
            held = answer.raise_for_status().json()
        except ValueError:
            held = None
        if not isinstance(held, dict):
            raise ServerUnusable(self.url, "it answers with something else than JSON", _REMEDY)
        return held

    @contextmanager
    def _client(self) -> Generator[httpx2.Client]:
        import httpx2

        with http_client(self.url, SECONDS) as client:
            client.base_url = self.url
            try:
                yield client
            except httpx2.HTTPStatusError as error:
                said = f"it answers {error.response.status_code} to {error.request.url.path}"
                raise ServerUnusable(self.url, said, _REMEDY) from None
            except httpx2.HTTPError as error:
                said = f"it broke off ({type(error).__name__})"
                raise ServerUnusable(self.url, said, _REMEDY) from None


_REMEDY = "See its server.log, and start it again"

"""What the models of all providers have in common: an address, a key, and an SDK once one is asked.

The SDKs are made alike and opened alike: without retries of their own, with a client that goes
nowhere else, and with a key that is given, so that they look for no other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

from annotator.describe import http_errors
from annotator.describe.api_keys import KeyVariable, custom_headers, find_key
from annotator.describe.llm import Reply
from annotator.describe.outcome import Failed, MaybePaid, answer_schema
from annotator.describe.request import Request
from annotator.errors import KeyElsewhere, KeyReadable, LlmInvalid
from annotator.http import AddressInvalid, is_local, plain_address
from annotator.http_environment import check_environment

if TYPE_CHECKING:
    import httpx2


class Provider(ABC):
    """A model of a provider; see `annotator.describe.llm.Llm`. Safe to send from several threads.

    Args:
        model: the model's name.
        own: the provider's own address.
        base_url: another server in its place, or None.
        key: the key, or the file or environment variable that holds it; None: at the provider's own
            address the environment's. A server on this machine needs none.
        allow_http: whether the key may go to another machine over http.
        sampling: of a request; sample n is sent seed + n.
        timeout: seconds for a request and its answer, connecting included.

    Attributes:
        kind: the provider, named as its SDK's module is.
        client: the SDK's class.
        variable: the environment variable of its key.
        key_header: what the SDK sends the key in, and how.
        own_headers: what the SDK sends of the environment that is the provider's own affair.
        base_url: the server that a request is keyed by; "" is the provider's own.

    Raises:
        LlmInvalid: a base URL that is none.
        KeyMissing: no key.
        KeyElsewhere: none was named for a server that is not the provider's own.
        KeyReadable: others could read it on its way.
        KeyInvalid: a key, or a file of one, that cannot be used.
        EnvironmentInvalid: a proxy or certificates that cannot be.
    """

    kind: ClassVar[str]
    client: ClassVar[str]
    variable: ClassVar[str]
    key_header: ClassVar[tuple[str, str]]
    own_headers: ClassVar[tuple[str, ...]] = ()
    at_once: int | None = None

    def __init__(
        self,
        model: str,
        own: str,
        base_url: str | None,
        key: str | Path | KeyVariable | None,
        sampling: dict[str, Any],
        timeout: float,
        allow_http: bool,
    ) -> None:
        self.model = model
        try:
            self._url = plain_address(base_url) if base_url else own
        except AddressInvalid as error:
            raise LlmInvalid(f"{self.kind}:{model}", f"its BASE_URL {error.reason}") from None
        self.base_url = "" if self._url == own else self._url
        self.name = f"{self.kind}:{model}" + (f"@{self.base_url}" if self.base_url else "")
        self._key = self._find_key(key, allow_http=allow_http)
        check_environment(self._url)
        self._sampling = sampling
        self._timeout = timeout
        self._opened: Any = None
        self._lock = Lock()

    def _find_key(self, key: str | Path | KeyVariable | None, *, allow_http: bool) -> str:
        local = is_local(self._url)
        if key is None and self.base_url:
            if local:
                return ""
            raise KeyElsewhere(self.name, self.variable)
        found = find_key(self.name, KeyVariable(self.variable) if key is None else key)
        if not (local or allow_http or self._url.startswith("https://")):
            raise KeyReadable(self.name)
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def request(self, system: str, prompt: str, template: str, sample: int = 0) -> Request:
        """The request that asks this model."""
        sampling = dict(self._sampling)
        if "seed" in sampling:
            sampling["seed"] += sample  # or all samples would be one
        return Request(
            provider=self.kind,
            base_url=self.base_url,
            model=self.model,
            system=system,
            prompt=prompt,
            schema=answer_schema(),
            template=template,
            sampling=sampling,
            sample=sample,
        )

    def send(self, request: Request, **changes: Any) -> Reply:
        """Send it once; see `Llm`. A change that this API has no name for is not sent."""
        started = perf_counter()
        reply = self._ask(request, changes)
        reply = replace(reply, seconds=perf_counter() - started)
        return http_errors.without_key(reply, self._key)

    def close(self) -> None:
        """Let go of the connections; sending opens new ones."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    @abstractmethod
    def _ask(self, request: Request, changes: dict[str, Any]) -> Reply:
        """Send it once, in the API's own words."""

    def _sdk(self) -> Any:
        """The SDK's client, opened when it is first asked for."""
        from annotator.describe.timed_client import TimedClient

        with self._lock:
            if self._opened is None:
                client, sdk = TimedClient(self._url, self._timeout), import_module(self.kind)
                self._opened = getattr(sdk, self.client)(
                    api_key=self._key or "none",  # an SDK wants one; such a server reads none
                    base_url=self._url,
                    max_retries=0,
                    timeout=client.timeout,  # or Anthropic's refuses a large limit unstreamed
                    http_client=client,
                    default_headers=self._headers(sdk.Omit()),
                )
            return self._opened

    def _headers(self, left_out: Any) -> dict[str, Any]:
        """For another server: nothing of the environment, and the key, whatever took its place."""
        if not self.base_url:
            return {}
        own, form = self.key_header
        names = (*self.own_headers, *custom_headers(self.kind))
        headers = {name: left_out for name in names if name.lower() != own}
        return headers | {own: form.format(self._key or "none")}

    def _put(
        self, api: Any, body: dict[str, Any]
    ) -> httpx2.Response | http_errors.HttpFault | Failed | MaybePaid:
        """What came back of one request to a part of the API, be it an error, or why nothing."""
        sdk: Any = import_module(self.kind)
        try:
            return api.with_raw_response.create(**body).http_response
        except sdk.APIStatusError as error:
            return http_errors.read_fault(error.response, self._key)
        except UnicodeEncodeError:
            return http_errors.UNWRITABLE
        except sdk.APIError as error:
            cause = error.__cause__ or error
            return http_errors.unanswered(cause, self._key, self._timeout, self._url)

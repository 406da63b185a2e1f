"""The way to a Label Studio: the SDK opened, and what it comes to where there is no answer.

| what happens | is | tried again, where only read |
|---|---|---|
| 401 | TokenRefused | no |
| 3xx, 4xx, an answer that does not fit | ServerUnusable | no |
| 408, 425, 429, 5xx | ServerUnusable | after Retry-After, where it is sent |
| no connection, one that breaks, half an answer | ServerUnusable | yes |
| no answer in time | ServerUnusable | no |

The SDK's own retries are off: it would also send twice what adds tasks. It checks no answer, so
whoever asks reads it with `text` and `whole`. No error holds the token, nor, as its cause or
context, the SDK's error that it stems from, whose request does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import responses
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_random_exponential

from annotator.errors import ServerUnusable, TokenRefused
from annotator.http import (
    CONNECT_SECONDS,
    AddressInvalid,
    is_local,
    plain_address,
    retry_after,
    without_secret,
)
from annotator.http_environment import check_environment, proxy_variable
from annotator.label_studio.install import RELEASE

if TYPE_CHECKING:
    import httpx
    from label_studio_sdk import LabelStudio

T = TypeVar("T")
TRIES = 4
LONGEST_WAIT = 30.0  # seconds, whatever the server asks
LONGEST_SAID = 300  # letters of a server's message that are kept
RETRIED = {408, 425, 429}
ASK = "Ask whoever runs it"
CHECK = "Check the address, and that it runs"


@dataclass(frozen=True)
class ServerFault:
    """Why a request came to nothing.

    Attributes:
        error: what to raise.
        again: whether the same may work in a moment.
        done: whether the server may have done it all the same.
        after: seconds that the server asks to wait, or None.
    """

    error: ServerUnusable | TokenRefused
    again: bool = False
    done: bool = False
    after: float | None = None


class Connection:
    """A server's address, a token, and the SDK once something is asked.

    Arguments, attributes and errors are those of `annotator.label_studio.client.Studio`.
    """

    def __init__(
        self,
        url: str,
        token: str,
        timeout: float,
        sleep: Callable[[float], None],
        allow_http: bool,
    ) -> None:
        self.url, self._token = address(url), token.strip()
        if not (allow_http or is_local(self.url) or self.url.startswith("https:")):
            remedy = "Use https, or --allow-http if the network between is your own"
            raise ServerUnusable(self.url, "over http others can read the token on its way", remedy)
        if not self._token or not all("!" <= letter <= "~" for letter in self._token):
            raise TokenRefused(self.url, "it is empty or has letters that no token has")
        check_environment(self.url)
        self._timeout, self._sleep = timeout, sleep
        self._opened: tuple[LabelStudio, httpx.Client] | None = None

    def close(self) -> None:
        """Let go of the connections; the next request opens new ones."""
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    def read(self, what: str, call: Callable[[LabelStudio], T]) -> T:
        """The answer to a request that changes nothing, tried again where that may help.

        Args:
            what: what is asked for, as a message names it.
            call: asks, and raises ValueError where the answer does not fit.

        Raises:
            ServerUnusable: no answer, or none that fits.
            TokenRefused: 401.
        """
        guess = wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT)

        def wait(state: RetryCallState) -> float:
            fault = state.outcome and state.outcome.result()
            after = fault.after if isinstance(fault, ServerFault) else None
            return guess(state) if after is None else min(after, LONGEST_WAIT)

        answer: T | ServerFault = Retrying(
            retry=retry_if_result(lambda answer: isinstance(answer, ServerFault) and answer.again),
            wait=wait,
            stop=stop_after_attempt(TRIES),
            sleep=self._sleep,
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )(self.once, what, call)
        if isinstance(answer, ServerFault):
            raise answer.error
        return answer

    def pause(self, fault: ServerFault, before: int) -> None:
        """Wait after a fault, longer for each one `before` it."""
        self._sleep(min(fault.after or 2.0**before, LONGEST_WAIT))

    def once(self, what: str, call: Callable[[LabelStudio], T]) -> T | ServerFault:
        """The answer to one request, or why there is none; see `read`."""
        import httpx
        from label_studio_sdk.core.api_error import ApiError
        from label_studio_sdk.core.parse_error import ParsingError

        try:
            return call(self._sdk())
        except TokenRefused as error:
            return ServerFault(error)
        except ApiError as error:
            return self._answered(what, error)
        except httpx.TimeoutException:
            return self._fault(f"no answer within {self._timeout:g} seconds", CHECK, done=True)
        except httpx.ConnectError as error:
            proxy = proxy_variable(self.url)
            way = f" through the proxy that {proxy} names" if proxy else ""
            return self._broken(f"no connection{way}: {self._said(error)}")
        except (httpx.HTTPError, httpx.StreamError) as error:
            return self._broken(f"the connection broke: {self._said(error)}")
        except json.JSONDecodeError:
            return self._broken("half an answer, or none in JSON, came back")
        except (ParsingError, AttributeError, LookupError, TypeError, ValueError):
            return self._misfit(what)

    def _sdk(self) -> LabelStudio:
        """The SDK's client. It asks for a new access token by itself whenever one is needed."""
        if self._opened is None:
            import httpx
            from label_studio_sdk import LabelStudio

            # No redirect: a POST would become a GET. No proxy between this machine and itself.
            # Certificates are read, which takes a while, only where there are some to check.
            client = httpx.Client(
                timeout=httpx.Timeout(self._timeout, connect=min(self._timeout, CONNECT_SECONDS)),
                trust_env=not is_local(self.url),
                verify=self.url.startswith("https:"),
            )
            try:
                sdk = LabelStudio(
                    base_url=self.url + "/",
                    api_key=self._token,
                    httpx_client=client,
                    max_retries=0,
                )
            except (ArithmeticError, OSError, TypeError, ValueError):
                client.close()
                raise TokenRefused(self.url, "it names no day on which it expires") from None
            except BaseException:
                client.close()
                raise
            self._opened = sdk, client
        return self._opened[0]

    def _fault(self, reason: str, remedy: str, **how: Any) -> ServerFault:
        return ServerFault(ServerUnusable(self.url, reason, remedy), **how)

    def _broken(self, reason: str) -> ServerFault:
        return self._fault(reason, CHECK, again=True, done=True)

    def _misfit(self, what: str) -> ServerFault:
        """An answer that Label Studio as we know it does not give."""
        release = self.once("", lambda sdk: text(sdk.versions.get().release)) if what else None
        named = (
            f"says that it is version {release[:40]}" if isinstance(release, str) else "names none"
        )
        reason = f"its answer about the {what} is of no version that we know; it {named}"
        remedy = f"Use the community edition {RELEASE}, which annotator was made for"
        return self._fault(reason, remedy, done=True)

    def _answered(self, what: str, error: Any) -> ServerFault:
        """What an answer other than a success comes to."""
        status, headers = int(error.status_code or 0), dict(error.headers or {})
        page = isinstance(error.body, str) and error.body.lstrip().startswith("<")
        said = "" if page else self._said(error.body)
        name = f"HTTP {status} {responses.get(status, '')}".rstrip() + (f": {said}" if said else "")
        if status == 401:
            return ServerFault(TokenRefused(self.url, said or name))
        if status < 300:
            return self._misfit(what)
        if status < 400:
            to = self._said(headers.get("location", "elsewhere"))
            return self._fault(
                f"it sends the request on to {to}", "Give the address that it leads to"
            )
        if status == 404:
            remedy = "Somebody deleted it, or the address is wrong"
            return self._fault(f"it has no such {what}", remedy)
        if status in RETRIED or status >= 500:
            return self._fault(name, ASK, again=True, done=True, after=retry_after(headers))
        return self._fault(name, ASK)

    def _said(self, body: Any) -> str:
        """The words of an error, in one line, the token hidden."""
        words = " ".join(str(part) for part in _words(body) if part)
        return " ".join(without_secret(words, self._token, "[token]").split())[
            :LONGEST_SAID
        ].rstrip(". ")


def address(url: str) -> str:
    """A server's address in its plain form.

    Raises:
        ServerUnusable: it is none; the message does not repeat it, for it may hold a password.
    """
    try:
        return plain_address(url)
    except AddressInvalid as error:
        remedy = "Give it as http://127.0.0.1:8080"
        raise ServerUnusable(error.shown, f"its address {error.reason}", remedy) from None


def text(value: object) -> str:
    """A text of an answer.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or not value:
        raise ValueError("no text")
    return value


def whole(value: object) -> int:
    """A number or id of an answer.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("no whole number")
    return value


def _words(body: Any) -> list[Any]:
    """What an error body says: Label Studio's detail and validation_errors, or any text."""
    if not isinstance(body, Mapping):
        return [body]
    errors = body.get("validation_errors")
    details = (
        [f"{name}: {value}" for name, value in errors.items()]
        if isinstance(errors, Mapping)
        else []
    )
    return [body.get("detail") or body.get("error"), *details]

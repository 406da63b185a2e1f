"""What an answer that is none comes to, with either SDK.

| HTTP | is | |
|---|---|---|
| 3xx, 401 – 405, 407, 410, 501 | fatal | wrong address, key, model or proxy: all fail alike |
| any, with a code for no money or a setting unknown to the model | fatal | |
| 400, with a code for forbidden content | refused | |
| any, with a generation that failed | malformed | a model was asked; its text is kept |
| 504, 524 | may be paid | a proxy gave up on a model at work |
| 408, 409, 425, 429, other 5xx | again | after Retry-After, where it is sent |
| other 4xx | failed | this request only: too long, as a rule |
| 2xx, with an error for a body | as the error says | |
| 2xx, with a web page | fatal | wrong address |
| 2xx, with a stream of events | fatal | it was not asked for, and is not read |
| 2xx, with half an answer, or something else | may be paid | |

| no HTTP answer | is | |
|---|---|---|
| the request was not wholly written: no connection, no TLS, no time left | again | |
| no certificate that is trusted here, a proxy that says no | fatal | |
| it was, and the connection broke or the time was up | may be paid | |

An error whose words broke off is still that error. Only what certainly reached no model is sent
again without a word. Counting a prompt's tokens is free, whatever comes of it.

Sources: platform.openai.com/docs/guides/error-codes, docs.anthropic.com/en/api/errors,
developers.cloudflare.com/support/troubleshooting/http-status-codes (524), and the error classes of
openai 3.54 and anthropic 2.12.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from annotator.describe.llm import Reply
from annotator.describe.outcome import Failed, Malformed, MaybePaid, Refused
from annotator.http import retry_after, without_secret
from annotator.http_environment import proxy_variable

if TYPE_CHECKING:
    import httpx2

FATAL = {401, 402, 403, 404, 405, 407, 410, 501}
AGAIN = {408, 409, 425, 429}
GAVE_UP = {504, 524}
UNSUPPORTED = {"unsupported_parameter", "unsupported_value", "unknown_parameter"}
BROKE = {
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "organization_on_hold",
    "contract_spend_limit_reached",
    "enforced_spend_limit_reached",
}
DECLINED = {"content_filter", "content_policy_violation", "invalid_prompt"}
UNWRITABLE = Failed(
    "the prompt holds half a character (a lone surrogate), which UTF-8 cannot write"
)
HIDDEN = "[key]"
LONGEST_BODY = 100_000  # letters that are kept of a body that is no answer
LONGEST_MESSAGE = 500  # letters of a server's message that are kept
SECRET = 12  # a shorter key ("none", "test") is an ordinary word in a model's answer


@dataclass(frozen=True)
class HttpFault:
    """What an error response says.

    Attributes:
        status: the HTTP status.
        said: the server's message, in one line.
        codes: its machine-readable kinds.
        param: the parameter that it blames, or "".
        after: seconds that it asks to wait, or None.
        generated: what a model wrote that did not fit; None where no model was asked, or no word
            of it came.
    """

    status: int
    said: str
    codes: frozenset[str]
    param: str
    after: float | None
    generated: str | None = None


def read_fault(response: httpx2.Response, key: str) -> HttpFault:
    """What an error response says, in any of the forms that are about, the key hidden.

    Shape: OpenAI's and Anthropic's {"error": {...}}, Ollama's {"error": "..."}, FastAPI's
    {"detail": [{"loc": [...], "msg": "..."}]}, plain text; anything else counts as silence.
    """
    try:
        body: Any = json.loads(response.content)
    except (ValueError, RecursionError):
        body = response.text if _is_plain(response) else None
    error = body.get("error", body) if isinstance(body, dict) else body
    said = message_of(error)
    facts: Mapping[str, Any] = error if isinstance(error, dict) else {}
    details = facts.get("details")
    codes = [facts.get("code"), facts.get("type")]
    codes += [details.get("error_code")] if isinstance(details, dict) else []
    status, code = response.status_code, facts.get("code")
    generated = facts.get("failed_generation")
    if status < 300 and isinstance(code, int) and 400 <= code < 600:
        status = code  # OpenRouter's way: 200, and the status of the model's host in the body
    return HttpFault(
        status=status,
        said=" ".join(without_secret(said, key, HIDDEN).split()),
        codes=frozenset(code for code in codes if isinstance(code, str)),
        param=str(facts.get("param") or ""),
        after=retry_after(response.headers),
        generated=generated if isinstance(generated, str) else None,
    )


def _is_plain(response: httpx2.Response) -> bool:
    """Whether a body is words for people, and neither a page nor half an answer."""
    form, begin = response.headers.get("content-type", ""), response.content.lstrip()[:1]
    return form.startswith("text/plain") and begin not in (b"", b"{", b"[", b"<")


def message_of(error: Any, depth: int = 8) -> str:
    """The words of an error body, down to so many levels."""
    if isinstance(error, str):
        return error
    if not depth:
        return ""
    if isinstance(error, list):
        return "; ".join(filter(None, (message_of(one, depth - 1) for one in error)))
    if not isinstance(error, dict):
        return ""
    where = error.get("loc")
    path = ".".join(map(str, where)) + ": " if isinstance(where, list) else ""
    for name in ("message", "msg", "detail", "error"):
        if error.get(name):
            return path + message_of(error[name], depth - 1)
    return ""


def outcome_of(fault: HttpFault, schema_names: tuple[str, ...]) -> Failed | Refused | MaybePaid:
    """What an error response comes to.

    Args:
        fault: what it says.
        schema_names: what this API calls an answer's schema; a model without it fails always.
    """
    status, said = fault.status, fault.said[:LONGEST_MESSAGE].rstrip(". ")
    declined = fault.codes & DECLINED or "blocked by content filtering" in said
    if status == 400 and declined:
        return Refused(said or "forbidden content")
    try:
        name = HTTPStatus(status).phrase
    except ValueError:
        name = "overloaded" if status == 529 else "no answer"
    problem = f"HTTP {status}: {said or name}"
    no_schema = status in (400, 422) and any(name in fault.said for name in schema_names)
    no_money = bool(fault.codes & BROKE) or "credit balance is too low" in fault.said
    unsupported = status in (400, 422) and bool(fault.codes & UNSUPPORTED)
    if status in FATAL or status < 400 or no_schema or no_money or unsupported:
        return Failed(problem, status=status, fatal=True)
    if status in GAVE_UP:
        return MaybePaid(problem, status)
    again = status in AGAIN or status >= 500
    return Failed(problem, status=status, again=again, after=fault.after if again else None)


def unreadable(
    response: httpx2.Response, key: str, schema_names: tuple[str, ...]
) -> Failed | Refused | MaybePaid:
    """What a body comes to that is no answer of its API, although its status says so."""
    fault = read_fault(response, key)
    if fault.status >= 400:
        return outcome_of(fault, schema_names)
    status = response.status_code
    if "html" in response.headers.get("content-type", ""):
        problem = "a web page came back: the BASE_URL names another place (most end in /v1)"
        return Failed(problem, status=status, fatal=True)
    if _is_stream(response):
        problem = "the server sends its answer as a stream, although it is told not to"
        return Failed(problem, status=status, fatal=True)
    problem = "what came back is no whole answer"
    if not fault.said:
        return MaybePaid(problem, status)
    said = fault.said[:LONGEST_MESSAGE].rstrip(". ")
    return Failed(f"{problem}: {said}", status=status, again=True, after=fault.after)


def _is_stream(response: httpx2.Response) -> bool:
    form = response.headers.get("content-type", "")
    return form.startswith("text/event-stream") or response.content.lstrip().startswith(b"data:")


def unanswered(
    error: BaseException, key: str, timeout: float, url: str
) -> HttpFault | Failed | MaybePaid:
    """What a sending comes to that ended without a whole answer, by how far it got.

    Args:
        error: a `NoAnswer`; of anything else it is not known.
        key: the provider's, which the server may have echoed.
        timeout: the sending's seconds.
        url: the server.
    """
    from annotator.describe.timed_client import CERTIFICATE_REFUSED, NoAnswer

    said = " ".join(without_secret(str(error), key, HIDDEN).split()) or type(error).__name__
    said = said[:LONGEST_MESSAGE]
    if not isinstance(error, NoAnswer):
        return MaybePaid(said)
    if error.status is not None and error.status >= 300:
        return HttpFault(error.status, said="", codes=frozenset(), param="", after=None)
    if not error.sent:
        proxy = proxy_variable(url)
        way = f" through the proxy that {proxy} names" if proxy else ""
        if not error.alike:
            return Failed(f"no connection, or one that broke{way}: {said}", again=True)
        remedy = "; name a file with its authority's certificate in SSL_CERT_FILE"
        trust = remedy if CERTIFICATE_REFUSED in said else ""
        return Failed(f"no connection{way}: {said}{trust}", fatal=True)
    if error.late:
        return MaybePaid(f"no answer within {timeout:g} seconds", error.status)
    return MaybePaid(f"the connection broke before the answer was whole: {said}", error.status)


def whole_number(value: object) -> int | None:
    """A count of tokens; None where a server answered something else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def without_key(reply: Reply, key: str) -> Reply:
    """A reply that cannot give the key away, should the server have echoed it."""
    outcome = reply.outcome
    doubts = {kind: without_secret(said, key, HIDDEN) for kind, said in reply.doubts.items()}
    reply = replace(reply, doubts=doubts)
    if len(key) < SECRET and not isinstance(outcome, Failed | Refused | Malformed | MaybePaid):
        return reply
    texts = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    hidden = {
        name: without_secret(text, key, HIDDEN)
        for name, text in texts.items()
        if isinstance(text, str)
    }
    text = without_secret(reply.text, key, HIDDEN) if len(key) >= SECRET else reply.text
    return replace(reply, outcome=replace(outcome, **hidden), text=text)

"""`annotator describe`: language models say what heads do; what they say is in the ledger.

A run that was stopped or killed goes on where it was: what has an answer is not asked again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import LedgerUnusable, SettingInvalid
from annotator.pipeline.concurrency import Stop, flying, repeating
from annotator.pipeline.describe_result import DescribeResult
from annotator.pipeline.ledger import require_ledger
from annotator.pipeline.progress import bar, say
from annotator.pipeline.prompt import request_of
from annotator.records import BASELINE, EVIDENCE_SOURCES, HeadId, HeadMap

if TYPE_CHECKING:
    from annotator.describe.api_keys import KeyChoice
    from annotator.describe.llm import Llm
    from annotator.describe.request import Request
    from annotator.ledger.ledger import Ledger


_NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,39}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{8}|[0-9a-f]{64}")  # what stands in a nameless describer's place
BAR = "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
"""No drawn bar: at 80 columns the numbers would not fit beside it."""


@dataclass(frozen=True)
class _How:
    """How a run asks; see `describe_heads`.

    Raises:
        SettingInvalid: a number that cannot be.
    """

    concurrency: int
    leave_unsure: bool
    reserve_mb: float
    progress: bool

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise SettingInvalid("concurrency", self.concurrency, "at least 1")
        if not 0.01 <= self.reserve_mb <= 1e6:
            raise SettingInvalid("reserve-mb", self.reserve_mb, "0.01 to 1,000,000")


def describe_heads(
    catalog: Catalog | str | Path,
    llm: str | Llm,
    *,
    heads: Sequence[str] | None = None,
    top: int | None = None,
    by: str = "telling",
    concurrency: int = 4,
    key_file: str | Path | None = None,
    key_env: str | None = None,
    allow_http: bool = False,
    prompts: str | Path | None = None,
    max_tokens: int | None = None,
    timeout: float | None = None,
    name: str = "",
    leave_unsure: bool = False,
    reserve_mb: float = 8.0,
    progress: bool = True,
) -> DescribeResult:
    """Have a language model describe heads.

    Args:
        catalog: a finished catalog's directory; the ledger is in it.
        llm: as --llm names it, or a language model.
        heads: names of heads; None: by `top`.
        top: so many, by a signature; None: all.
        by: a signature, or "telling" (one head for each KV group).
        concurrency: requests in flight at most.
        key_file: a file that holds the key; by default it is the environment's, at the provider's
            own address.
        key_env: an environment variable that holds the key.
        allow_http: whether the key may go to another machine over http.
        prompts: a directory with a template of one's own.
        max_tokens: an answer's limit, reasoning included; None: the language model's default.
        timeout: seconds for a request and its answer; None: the language model's default.
        name: what this language model with this prompt is called here; by default it goes by the
            prompt's digest.
        leave_unsure: leave out what may have been paid for without an answer, where it would be
            asked once more.
        reserve_mb: room that is kept free for answers that the ledger cannot take, in megabytes.
        progress: show a bar.

    Raises:
        SettingInvalid: what no describer can be called, or a setting out of its range.
        NameTaken: the name stands for another language model or prompt; nothing was sent.
        DescribeError: the run cannot go on; what was recorded is kept.
        CatalogError: the catalog cannot be used.
    """
    from annotator.describe.api_keys import KeyChoice
    from annotator.describe.prompt import read_template
    from annotator.ledger.ledger import Ledger

    _require_name(name, llm if isinstance(llm, str) else llm.name)
    how = _How(concurrency, leave_unsure, reserve_mb, progress)
    opened = open_catalog(catalog)
    require_ledger(opened)
    chosen = choose_heads(opened, heads, top, by)
    template = read_template(prompts)
    key = KeyChoice(key_file, key_env, allow_http)
    with _asked(llm, key, max_tokens, timeout) as model, Ledger(opened.folder / LEDGER) as ledger:
        _sweep(ledger)
        requests = {head.head: request_of(model, head, template) for head in chosen}
        asked = [(head, r.key, r.content()) for head, r in requests.items()]
        ledger.add(model.name, asked, name)
        return _run(model, ledger, requests, how)


def _asked(
    llm: str | Llm, key: KeyChoice, max_tokens: int | None, timeout: float | None
) -> AbstractContextManager[Llm]:
    """The language model; one that is opened here is closed at the end."""
    from annotator.describe.providers import open_llm
    from annotator.pipeline.quickstart import embedded_model

    if isinstance(llm, str):
        return closing(open_llm(llm, key, embedded_model, max_tokens, timeout))
    return nullcontext(llm)


def _sweep(ledger: Ledger) -> None:
    """Of what others left behind: mark what is lost, and say what cannot be taken in."""
    ledger.sweep()
    for file in ledger.strange_spills:
        say(f"{file} has answers that are not of this ledger, or cannot be read; it stays.")


def _require_name(name: str, llm: str) -> None:
    """A describer's name, if it is given one.

    Raises:
        SettingInvalid: it cannot be one.
    """
    if name and llm == BASELINE:
        raise SettingInvalid("as", name, f"left out: {BASELINE} is the baseline, and has no prompt")
    if name and (not _NAME.fullmatch(name) or _DIGEST.fullmatch(name)):
        form = "1 to 40 letters, digits, dots, dashes or underscores, and no prompt's digest"
        raise SettingInvalid("as", name, form)


def choose_heads(
    catalog: Catalog, heads: Sequence[str] | None, top: int | None, by: str
) -> Iterable[HeadMap]:
    """The heads that a run is about, most telling first where they are chosen by that.

    They are gone through once; of all heads there are only the sources that are shown.
    """
    if heads is not None:
        return [catalog.head(head) for head in dict.fromkeys(heads)]
    if top is None:
        return catalog.maps(EVIDENCE_SOURCES)
    if by == "telling":
        return catalog.telling(top)
    return [catalog.head(summary.head) for summary in catalog.heads(sort=by, top=top)]


def _run(llm: Llm, ledger: Ledger, requests: dict[HeadId, Request], how: _How) -> DescribeResult:
    from annotator.describe.attempts import Asker
    from annotator.describe.gate import Gate
    from annotator.ledger.claims import RENEW_SECONDS

    by_key = {request.key: request for request in requests.values()}
    answered = ledger.answers(by_key)
    result = DescribeResult(len(requests), before=sum(r.key in answered for r in requests.values()))
    unsure = ledger.unsure(by_key.keys() - answered.keys())
    heads = sum(request.key in unsure for request in requests.values())
    _say_unsure(heads, how.leave_unsure)
    left_out, result.left_out = (unsure, heads) if how.leave_unsure else (set[str](), 0)
    done = answered.keys() | left_out
    missing = [request for key, request in by_key.items() if key not in done]
    if missing:
        ledger.reserve(round(how.reserve_mb * 1e6))
    concurrency = min(how.concurrency, len(missing), llm.at_once or how.concurrency)
    shown = bar("Describing", len(by_key), done=len(answered), unit="head", show=how.progress)
    with shown, repeating(_renewal(ledger), RENEW_SECONDS):
        shown.bar_format = BAR
        stop = Stop()
        asker = Asker(llm, ledger, Gate(llm.name, stop.sleep), say)
        with flying(asker.ask, missing, concurrency, stop, _waiting) as replies:
            for reply in replies:
                result.add(reply)
                shown.set_postfix_str(result.postfix(), refresh=False)
                shown.update(0 if reply is None else 1)
    answered = ledger.answers(by_key)
    result.end(requests.values(), answered)
    unsure = ledger.unsure(by_key.keys() - answered.keys())
    result.maybe_paid = sum(request.key in unsure for request in requests.values())
    return result


def _say_unsure(heads: int, left: bool) -> None:
    if heads:
        which = "1 head" if heads == 1 else f"{heads} heads"
        then = "left out" if left else "asked once more; --leave-unsure leaves them out"
        say(f"{which} may have been paid for without an answer: {then}.")


def _renewal(ledger: Ledger) -> Callable[[], None]:
    def renew() -> None:
        with suppress(LedgerUnusable):  # the next time, or the lease ends
            ledger.renew()

    return renew


def _waiting(requests: int) -> None:
    """On Ctrl-C: a word on what is still waited for."""
    if requests:
        say(f"Stopping. {requests} under way are waited for and recorded; Ctrl-C leaves at once.")

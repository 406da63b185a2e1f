"""`annotator describe`: language models say what heads do; what they say is in the ledger.

A run that was stopped or killed goes on where it was: what has an answer is not asked again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from annotator.catalog.read import Catalog, open_catalog
from annotator.errors import HeadsUnanswered, SettingInvalid
from annotator.pipeline.progress import bar
from annotator.records import HeadId, HeadMap

if TYPE_CHECKING:
    from annotator.describe.llm import Llm, Reply
    from annotator.describe.prompt import Rendered, Template
    from annotator.describe.request import Request
    from annotator.ledger.ledger import Ledger


@dataclass
class Told:
    """What a run came to.

    Attributes:
        heads: how many heads were to be described.
        before: how many of them had an answer already.
        sent: how many requests were sent.
        kinds: how many heads have which answer now.
        unanswered: how many have none: their requests failed, or another process is at them.
        tokens_in: prompt tokens of this run.
        tokens_out: completion tokens of this run.
    """

    heads: int
    before: int = 0
    sent: int = 0
    kinds: Counter[str] = field(default_factory=Counter[str])
    unanswered: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


def describe(
    catalog: str | Path,
    llm: str | Llm,
    *,
    heads: Sequence[str] | None = None,
    top: int | None = None,
    by: str = "telling",
    concurrency: int = 4,
    key_file: Path | None = None,
    prompts: Path | None = None,
    progress: bool = True,
) -> Told:
    """Have a language model describe heads.

    Args:
        catalog: a finished catalog's directory; the ledger is in it.
        llm: as --llm names it, or a language model.
        heads: names of heads; None: by `top`.
        top: so many, by a signature; None: all.
        by: a signature, or "telling" (one head for each KV group).
        concurrency: requests in flight at most.
        key_file: a file that holds the provider's key.
        prompts: a directory with a template of one's own.
        progress: show a bar.

    Raises:
        DescribeError: the run cannot go on; what was recorded is kept.
        CatalogError: the catalog cannot be used.
    """
    from annotator.describe.choose import open_llm
    from annotator.describe.prompt import read_template
    from annotator.ledger.ledger import FILE, Ledger
    from annotator.pipeline.quickstart import embedded_model

    opened = open_catalog(catalog)
    chosen = choose_heads(opened, heads, top, by)
    template = read_template(prompts)
    model = open_llm(llm, key_file, embedded_model) if isinstance(llm, str) else llm
    try:
        with Ledger(opened.folder / FILE) as ledger:
            ledger.sweep()
            requests = {head.head: request_of(model, head, template) for head in chosen}
            for head, request in requests.items():
                ledger.add(head, model.name, request.key, request.content())
            return _run(model, ledger, requests, concurrency, progress)
    finally:
        if isinstance(llm, str):
            model.close()


def choose_heads(
    catalog: Catalog, heads: Sequence[str] | None, top: int | None, by: str
) -> list[HeadMap]:
    """The heads that a run is about, most telling first where they are chosen by that."""
    if heads:
        return [catalog.head(head) for head in dict.fromkeys(heads)]
    if top is None:
        return list(catalog)
    if by == "telling":
        return catalog.telling(top)
    return [catalog.head(summary.head) for summary in catalog.heads(sort=by, top=top)]


def request_of(llm: Llm, head: HeadMap, template: Template) -> Request:
    """What a language model is asked about a head; the rules are asked with its signatures."""
    from annotator.describe.evidence import evidence_of
    from annotator.describe.prompt import render

    if llm.name == "rules":
        return llm.request("", json.dumps(asdict(head.signatures)), "")
    rendered = render(evidence_of(head), template)
    return llm.request(rendered.system, rendered.prompt, rendered.digest)


def prompt_of(catalog: str | Path, head: str, prompts: Path | None = None) -> Rendered:
    """What would be sent about a head.

    Raises:
        PromptInvalid: a template of one's own that cannot be used.
    """
    from annotator.describe.evidence import evidence_of
    from annotator.describe.prompt import read_template, render

    return render(evidence_of(open_catalog(catalog).head(head)), read_template(prompts))


def _run(
    llm: Llm, ledger: Ledger, requests: dict[HeadId, Request], concurrency: int, progress: bool
) -> Told:
    if concurrency < 1:
        raise SettingInvalid("concurrency", concurrency, "at least 1")
    by_key = {request.key: request for request in requests.values()}
    answered = ledger.answers(by_key)
    told = Told(len(requests), before=sum(r.key in answered for r in requests.values()))
    missing = [request for key, request in by_key.items() if key not in answered]
    with bar("Describing", len(by_key), done=len(answered), unit="head", show=progress) as shown:
        for reply in _replies(llm, ledger, missing, concurrency):
            told.sent += 1
            told.tokens_in += reply.tokens_in
            told.tokens_out += reply.tokens_out
            shown.update(1)
            shown.set_postfix(last=reply.outcome.kind, tokens=told.tokens_in + told.tokens_out)
    now = ledger.answers(by_key)
    told.kinds.update(now[r.key].kind for r in requests.values() if r.key in now)
    told.unanswered = len(requests) - told.kinds.total()
    return told


def refuse_unanswered(told: Told, llm: str) -> None:
    """Nothing, where every head has an answer.

    Raises:
        HeadsUnanswered: some have none.
    """
    if told.unanswered:
        raise HeadsUnanswered(llm, told.unanswered)


def _replies(
    llm: Llm, ledger: Ledger, requests: Iterable[Request], concurrency: int
) -> Iterator[Reply]:
    """Each request's last reply, as they come; on the way out nothing in flight is left behind."""
    from annotator.describe.asking import ask

    stop = Event()

    def one(request: Request) -> Reply | None:
        if stop.is_set() or not ledger.claim(request.key):
            return None
        try:
            return ask(llm, ledger, request, sleep=_sleeper(stop))
        finally:
            ledger.release(request.key)

    waiting = iter(requests)
    with ThreadPoolExecutor(concurrency) as pool:
        flying: set[Future[Reply | None]] = set()
        try:
            while True:
                for request in waiting:
                    flying.add(pool.submit(one, request))
                    if len(flying) >= concurrency:
                        break
                if not flying:
                    return
                done, flying = wait(flying, return_when=FIRST_COMPLETED)
                yield from (reply for future in done if (reply := future.result()) is not None)
        finally:
            stop.set()


class _Stopped(Exception):
    """The run ends while a request waits to be sent again."""


def _sleeper(stop: Event) -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise _Stopped

    return sleep

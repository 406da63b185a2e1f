"""`annotator describe`: language models say what heads do; what they say is in the ledger.

A run that was stopped or killed goes on where it was: what has an answer is not asked again.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import Catalog, open_catalog
from annotator.describe.outcome import Failed
from annotator.errors import HeadsUnanswered, SettingInvalid
from annotator.pipeline.concurrency import Stop, flying
from annotator.pipeline.progress import bar, say
from annotator.records import BASELINE, HeadId, HeadMap

if TYPE_CHECKING:
    from annotator.describe.llm import Llm, Reply
    from annotator.describe.prompt import Template
    from annotator.describe.request import Request
    from annotator.ledger.ledger import Ledger


_NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,39}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{8}|[0-9a-f]{64}")  # what stands in a nameless describer's place
BAR = "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
"""No drawn bar: at 80 columns the numbers would not fit beside it."""


@dataclass
class DescribeResult:
    """What a run came to.

    Attributes:
        heads: how many heads were to be described.
        before: how many of them had an answer already.
        sent: how many requests were sent.
        kinds: how many heads have which answer now.
        unanswered: how many have none: their requests failed, or another process is at them.
        problems: what their requests failed at, and how many.
        tokens_in: prompt tokens of this run.
        tokens_out: completion tokens of this run.
    """

    heads: int
    before: int = 0
    sent: int = 0
    kinds: Counter[str] = field(default_factory=Counter[str])
    unanswered: int = 0
    problems: Counter[str] = field(default_factory=Counter[str])
    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, reply: Reply | None) -> None:
        """Count a reply."""
        if reply is not None:
            if isinstance(reply.outcome, Failed):
                self.problems[reply.outcome.problem] += 1
            self.sent += 1
            self.kinds[reply.outcome.kind] += 1
            self.tokens_in += reply.tokens_in
            self.tokens_out += reply.tokens_out

    def postfix(self) -> str:
        """What a bar shows beside the rate: tokens in and out, and outcomes."""
        kinds = [f"{count} {kind}" for kind, count in self.kinds.most_common()]
        tokens = f"{_short(self.tokens_in)}+{_short(self.tokens_out)} tokens"
        return ", ".join([tokens, *kinds])


@dataclass(frozen=True)
class PromptPreview:
    """What would be sent about a head.

    Attributes:
        system: the system message.
        prompt: the user message.
        schema: that the answer has to fit; empty where nobody is named who would get it.
        counted: its tokens, as the language model counts them; None where it does not.
        key: of the request; "" where nobody is named who would get it.
    """

    system: str
    prompt: str
    schema: Mapping[str, Any] = field(default_factory=dict[str, Any])
    counted: int | None = None
    key: str = ""

    @property
    def estimated(self) -> int:
        """Its tokens, estimated from its length: SmolLM2's tokenizer comes to 2.3 bytes a token."""
        return round(len(f"{self.system}{self.prompt}".encode()) / 2.3)


def _short(tokens: int) -> str:
    """A number in few letters: 950, 1.5k, 2.3M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if tokens >= size:
            return f"{tokens / size:.1f}{unit}"
    return str(tokens)


def describe_heads(
    catalog: Catalog | str | Path,
    llm: str | Llm,
    *,
    heads: Sequence[str] | None = None,
    top: int | None = None,
    by: str = "telling",
    concurrency: int = 4,
    key_file: str | Path | None = None,
    prompts: str | Path | None = None,
    max_tokens: int | None = None,
    timeout: float | None = None,
    name: str = "",
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
        key_file: a file that holds the provider's key.
        prompts: a directory with a template of one's own.
        max_tokens: an answer's limit, reasoning included; None: the language model's default.
        timeout: seconds for a request and its answer; None: the language model's default.
        name: what this language model with this prompt is called here; by default it goes by the
            prompt's digest.
        progress: show a bar.

    Raises:
        SettingInvalid: what no describer can be called, or a setting out of its range.
        NameTaken: the name stands for another language model or prompt; nothing was sent.
        DescribeError: the run cannot go on; what was recorded is kept.
        CatalogError: the catalog cannot be used.
    """
    from annotator.describe.prompt import read_template
    from annotator.describe.providers import open_llm
    from annotator.ledger.ledger import Ledger
    from annotator.pipeline.quickstart import embedded_model

    _require_name(name, llm if isinstance(llm, str) else llm.name)
    opened = open_catalog(catalog)
    chosen = choose_heads(opened, heads, top, by)
    template = read_template(prompts)
    if isinstance(llm, str):
        asks = closing(open_llm(llm, key_file, embedded_model, max_tokens, timeout))
    else:
        asks = nullcontext(llm)
    with asks as model, Ledger(opened.folder / LEDGER) as ledger:
        ledger.sweep()
        requests = {head.head: request_of(model, head, template) for head in chosen}
        asked = [(head, r.key, r.content()) for head, r in requests.items()]
        ledger.add(model.name, asked, name)
        return _run(model, ledger, requests, concurrency, progress)


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
) -> list[HeadMap]:
    """The heads that a run is about, most telling first where they are chosen by that."""
    if heads is not None:
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

    if llm.name == BASELINE:
        return llm.request("", json.dumps(asdict(head.signatures)), "")
    rendered = render(evidence_of(head), template)
    return llm.request(rendered.system, rendered.prompt, rendered.digest)


def prompt_of(
    catalog: Catalog | str | Path,
    head: str,
    llm: str | None = None,
    *,
    key_file: str | Path | None = None,
    prompts: str | Path | None = None,
) -> PromptPreview:
    """What would be sent about a head. No model is asked.

    Args:
        catalog: a finished catalog's directory.
        head: the head's name.
        llm: as --llm names it: who it would be sent to, and counts its tokens; None: nobody.
        key_file: a file that holds the provider's key.
        prompts: a directory with a template of one's own.

    Raises:
        PromptInvalid: a template of one's own that cannot be used.
        DescribeError: there is no such language model, or no key for it.
    """
    from annotator.describe.evidence import evidence_of
    from annotator.describe.prompt import read_template, render
    from annotator.describe.providers import open_llm
    from annotator.pipeline.quickstart import embedded_model

    map_of_head, template = open_catalog(catalog).head(head), read_template(prompts)
    if llm is None:
        rendered = render(evidence_of(map_of_head), template)
        return PromptPreview(rendered.system, rendered.prompt)
    with closing(open_llm(llm, key_file, embedded_model)) as model:
        request = request_of(model, map_of_head, template)
        schema = {} if model.name == BASELINE else request.schema
        counted = model.count(request)
        return PromptPreview(request.system, request.prompt, schema, counted, request.key)


def _run(
    llm: Llm, ledger: Ledger, requests: dict[HeadId, Request], concurrency: int, progress: bool
) -> DescribeResult:
    if concurrency < 1:
        raise SettingInvalid("concurrency", concurrency, "at least 1")
    by_key = {request.key: request for request in requests.values()}
    answered = ledger.answers(by_key)
    result = DescribeResult(len(requests), before=sum(r.key in answered for r in requests.values()))
    missing = [request for key, request in by_key.items() if key not in answered]
    concurrency = min(concurrency, len(missing), llm.at_once or concurrency)
    with bar("Describing", len(by_key), done=len(answered), unit="head", show=progress) as shown:
        shown.bar_format = BAR
        stop = Stop()
        ask = _asker(llm, ledger, stop)
        with flying(ask, missing, concurrency, stop, _waiting) as replies:
            for reply in replies:
                result.add(reply)
                shown.set_postfix_str(result.postfix(), refresh=False)
                shown.update(0 if reply is None else 1)
    now = ledger.answers(by_key)
    result.kinds = Counter(now[r.key].kind for r in requests.values() if r.key in now)
    result.unanswered = len(requests) - result.kinds.total()
    return result


def refuse_unanswered(result: DescribeResult, llm: str) -> None:
    """Nothing, where every head has an answer.

    Raises:
        HeadsUnanswered: some have none.
    """
    if result.unanswered:
        problems = [f"{problem} ({count})" for problem, count in result.problems.most_common(3)]
        if more := len(result.problems) - len(problems):
            problems.append(f"and {more} more")
        raise HeadsUnanswered(llm, result.unanswered, problems)


def _asker(llm: Llm, ledger: Ledger, stop: Stop) -> Callable[[Request], Reply | None]:
    """Sees a request through to its last reply; None where another process is at it."""
    from annotator.describe.attempts import ask

    def one(request: Request) -> Reply | None:
        if not ledger.claim(request.key):
            return None
        try:
            return ask(llm, ledger, request, sleep=stop.sleep)
        finally:
            ledger.release(request.key)

    return one


def _waiting(requests: int) -> None:
    """On Ctrl-C: a word on what is still waited for."""
    if requests:
        say(f"Stopping. {requests} under way are waited for and recorded; Ctrl-C leaves at once.")

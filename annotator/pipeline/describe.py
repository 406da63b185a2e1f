"""`annotator describe`: language models say what heads do; what they say is in the ledger.

A run that was stopped or killed goes on where it was: what has an answer is not asked again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.catalog.descriptions import LEDGER
from annotator.catalog.read import Catalog, open_catalog
from annotator.describe.outcome import (
    Described,
    Failed,
    MaybePaid,
    Unclear,
    outcome_of,
    problem_of,
)
from annotator.errors import HeadsUnanswered, LedgerUnusable, NoneDescribed, SettingInvalid
from annotator.pipeline.concurrency import Stop, flying, repeating
from annotator.pipeline.ledger import require_ledger
from annotator.pipeline.progress import bar, say
from annotator.pipeline.prompt import request_of
from annotator.records import BASELINE, EVIDENCE_SOURCES, HeadId, HeadMap

if TYPE_CHECKING:
    from annotator.describe.llm import Llm, Reply
    from annotator.describe.request import Request
    from annotator.ledger.attempt_results import AttemptResult
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
        sent: how many heads were asked about now.
        kinds: how many heads have which answer now.
        unanswered: how many have none: their requests failed, or another process is at them.
        left_out: how many have none because they were to be left out.
        problems: why heads have no description, and how many for each reason.
        maybe_paid: how many of those without an answer may have been paid for.
        tokens_in: prompt tokens of this run; of what may have been paid for, as many as it can be.
        tokens_out: completion tokens of this run, likewise.
    """

    heads: int
    before: int = 0
    sent: int = 0
    kinds: Counter[str] = field(default_factory=Counter[str])
    unanswered: int = 0
    left_out: int = 0
    problems: Counter[str] = field(default_factory=Counter[str])
    maybe_paid: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, reply: Reply | None) -> None:
        """Count a reply."""
        if reply is not None:
            if isinstance(reply.outcome, Failed | MaybePaid):
                self.problems[reply.outcome.problem] += 1
            self.sent += 1
            self.kinds[reply.outcome.kind] += 1
            self.tokens_in += reply.tokens_in
            self.tokens_out += reply.tokens_out

    @property
    def without(self) -> int:
        """How many heads are neither described, nor said to have no pattern, nor left out."""
        return self.heads - self.left_out - self.kinds[Described.kind] - self.kinds[Unclear.kind]

    def end(self, requests: Iterable[Request], answers: Mapping[str, AttemptResult]) -> None:
        """Count what the heads have in the end, and why some have no description."""
        came = [answers[request.key] for request in requests if request.key in answers]
        self.kinds = Counter(one.kind for one in came)
        self.unanswered = self.heads - len(came) - self.left_out
        said = (problem_of(outcome_of(one.kind, dict(one.content))) for one in came)
        self.problems.update(problem for problem in said if problem is not None)

    def causes(self) -> list[str]:
        """The most frequent problems, each with its number."""
        causes = [f"{problem} ({count})" for problem, count in self.problems.most_common(3)]
        more = len(self.problems) - len(causes)
        return [*causes, f"and {more} more"] if more else causes

    def postfix(self) -> str:
        """What a bar shows beside the rate: tokens in and out, and outcomes."""
        kinds = [f"{count} {kind}" for kind, count in self.kinds.most_common()]
        tokens = f"{_short(self.tokens_in)}+{_short(self.tokens_out)} tokens"
        return ", ".join([tokens, *kinds])


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
        key_file: a file that holds the provider's key.
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
    from annotator.describe.prompt import read_template
    from annotator.describe.providers import open_llm
    from annotator.ledger.ledger import Ledger
    from annotator.pipeline.quickstart import embedded_model

    _require_name(name, llm if isinstance(llm, str) else llm.name)
    how = _How(concurrency, leave_unsure, reserve_mb, progress)
    opened = open_catalog(catalog)
    require_ledger(opened)
    chosen = choose_heads(opened, heads, top, by)
    template = read_template(prompts)
    if isinstance(llm, str):
        asks = closing(open_llm(llm, key_file, embedded_model, max_tokens, timeout))
    else:
        asks = nullcontext(llm)
    with asks as model, Ledger(opened.folder / LEDGER) as ledger:
        ledger.sweep()
        for file in ledger.strange_spills:
            say(f"{file} has answers that are not of this ledger, or cannot be read; it stays.")
        requests = {head.head: request_of(model, head, template) for head in chosen}
        asked = [(head, r.key, r.content()) for head, r in requests.items()]
        ledger.add(model.name, asked, name)
        return _run(model, ledger, requests, how)


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


def refuse_unanswered(result: DescribeResult, llm: str) -> None:
    """Nothing, where every head has an answer, and not all of them are none that describes.

    Raises:
        HeadsUnanswered: some have none.
        NoneDescribed: no head got a description.
    """
    if result.unanswered:
        raise HeadsUnanswered(llm, result.unanswered, result.causes())
    if 0 < result.without == result.heads:
        raise NoneDescribed(llm, result.heads, result.causes())


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

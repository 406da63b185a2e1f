"""What a run that describes heads came to: counted as it goes, and shown beside its bar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from annotator.describe.outcome import (
    Described,
    Failed,
    MaybePaid,
    Unclear,
    outcome_of,
    problem_of,
)
from annotator.errors import HeadsUnanswered, NoneDescribed

if TYPE_CHECKING:
    from annotator.describe.llm import Reply
    from annotator.describe.request import Request
    from annotator.ledger.attempt_results import AttemptResult


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


def _short(tokens: int) -> str:
    """A number in few letters: 950, 1.5k, 2.3M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if tokens >= size:
            return f"{tokens / size:.1f}{unit}"
    return str(tokens)

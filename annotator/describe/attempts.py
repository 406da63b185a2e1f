"""Requests through to their answers: sent, written down, and sent again where that may help.

Every attempt is in the ledger before it is sent and after it came back. What the network or the
provider failed at is tried again after a wait, the provider's own where it names one; an answer
that was cut or does not fit the schema is asked for again with other settings. Anything else is
the model's answer. What was tried, and what is left to try, follows from the attempts on record,
be they of this run or of one that was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_random_exponential

from annotator.describe.gate import Gate
from annotator.describe.llm import Llm, Reply
from annotator.describe.outcome import (
    Failed,
    Malformed,
    MaybePaid,
    Outcome,
    Truncated,
    fields_of,
    outcome_of,
)
from annotator.describe.request import Request
from annotator.errors import LedgerUnusable, LlmFailed
from annotator.ledger.attempt_results import MAYBE_PAID, Attempt, AttemptResult, tokens_at_most
from annotator.ledger.claims import ClaimLost
from annotator.ledger.ledger import Ledger

RECORD_AGAIN_SECONDS = 5.0
_TEMPERATURE = 0.7


@dataclass(frozen=True)
class Policy:
    """How often to send again.

    Attributes:
        failures: sendings at most, where the network or the provider fails.
        reasks: further sendings at most, where an answer was cut or does not fit the schema.
        unsure: sendings at most that may have been paid for without an answer; of a request that
            has one on record, one less.
    """

    failures: int = 6
    reasks: int = 2
    unsure: int = 2


@dataclass
class ToTry:
    """What is left to try of a request.

    Attributes:
        changes: settings of the next sending.
        reasks: further sendings at most, where an answer is cut or does not fit.
        unsure: sendings at most that may have been paid for without an answer.
    """

    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    reasks: int = 0
    unsure: int = 0

    def answered(self, outcome: Outcome) -> None:
        """Go on with other settings: more room for what was cut, chance for what did not fit."""
        cut = isinstance(outcome, Truncated)
        change = {"max_tokens": 2 * outcome.limit} if cut else {"temperature": _TEMPERATURE}
        self.changes, self.reasks = {**self.changes, **change}, max(0, self.reasks - 1)


def left_to_try(attempts: Iterable[Attempt], policy: Policy) -> ToTry:
    """What is left to try after the attempts on record."""
    left = ToTry(reasks=policy.reasks, unsure=policy.unsure)
    for attempt in attempts:
        for came in attempt.came:
            if came.kind in (Truncated.kind, Malformed.kind):
                left.changes = dict(attempt.parameters)
                left.answered(outcome_of(came.kind, dict(came.content)))
            if came.kind == MAYBE_PAID:
                left.unsure = max(1, policy.unsure - 1)
    return left


@dataclass(frozen=True)
class Asker:
    """Sees the requests of a run through. Several threads may use it.

    Attributes:
        llm: who is asked.
        ledger: where everything is written down.
        gate: whatever has to be waited for.
        say: tells people what they should know now.
        policy: how often to send again.
    """

    llm: Llm
    ledger: Ledger
    gate: Gate
    say: Callable[[str], None]
    policy: Policy = Policy()
    _said: dict[str, str] = field(default_factory=dict[str, str])

    def ask(self, request: Request) -> Reply | None:
        """Send a request until it has an answer, or sending again will not help.

        Returns:
            The last reply, with the tokens of all of them; each is in the ledger by itself. None
            where another process is at it, or it has its answer.

        Raises:
            LlmFailed: a failure that every other request would meet alike.
            LedgerUnusable: the ledger cannot be written; nothing was sent since.
        """
        self.gate.wait_while_kept_closed()
        if not self.ledger.claim(request.key):
            return None
        try:
            reply = self._through(request)
        except ClaimLost:
            return None
        except LedgerUnusable:  # the claim ends with this process, or by itself
            raise
        except BaseException:
            with suppress(LedgerUnusable):
                self.ledger.release(request.key)
            raise
        self.ledger.release(request.key)
        return reply

    def _through(self, request: Request) -> Reply:
        left = left_to_try(self.ledger.attempts(request.key), self.policy)
        tokens_in = tokens_out = 0
        while True:
            last = not left.reasks
            reply = self._sent(request, left, last)
            tokens_in, tokens_out = tokens_in + reply.tokens_in, tokens_out + reply.tokens_out
            if last or not isinstance(reply.outcome, Truncated | Malformed):
                return replace(reply, tokens_in=tokens_in, tokens_out=tokens_out)
            left.answered(reply.outcome)

    def _sent(self, request: Request, left: ToTry, last: bool) -> Reply:
        """Send, and again while the network or the provider fails."""
        guess = wait_random_exponential(multiplier=1, max=self.gate.longest_wait)

        def wait(state: RetryCallState) -> float:
            """Where the provider named a wait, the gate sees to it."""
            outcome: Outcome = state.outcome.result().outcome  # pyright: ignore[reportOptionalMemberAccess]
            return 0.0 if getattr(outcome, "after", None) else guess(state)

        def may_help(reply: Reply) -> bool:
            if isinstance(reply.outcome, MaybePaid):
                left.unsure -= 1
                return left.unsure > 0
            return isinstance(reply.outcome, Failed) and reply.outcome.again

        return Retrying(
            retry=retry_if_result(may_help),
            wait=wait,
            stop=stop_after_attempt(self.policy.failures),
            sleep=self.gate.sleep,
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )(self._once, request, dict(left.changes), last)

    def _once(self, request: Request, changes: dict[str, Any], last: bool) -> Reply:
        """Send it once.

        An answer that is cut or does not fit is recorded as final only where it is the `last` one.
        Where the next cannot be had for good, its failure is final, and what was answered before
        stands.
        """
        with self.gate.passing() as came:
            attempt = self.ledger.begin(request.key, changes)
            reply = self.llm.send(request, **changes)
            if isinstance(reply.outcome, MaybePaid):
                spent = tokens_at_most(request.content(), changes)
                reply = replace(reply, tokens_in=spent[0], tokens_out=spent[1])
            self._record(attempt, _result(reply, _is_final(reply.outcome, changes, last)))
            came(reply.outcome)
        for kind, doubt in reply.doubts.items():
            if self._said.setdefault(kind, doubt) is doubt:
                self.say(doubt)
        if isinstance(reply.outcome, Failed) and reply.outcome.fatal:
            raise LlmFailed(self.llm.name, reply.outcome.problem)
        return reply

    def _record(self, attempt: int, came: AttemptResult) -> None:
        """Write down what came back; where the ledger cannot, beside it, and try until it can."""
        why = "the ledger takes nothing now"
        if not self.gate.is_kept_closed:  # or it would wait for what others wait for already
            try:
                return self.ledger.record(attempt, came)
            except LedgerUnusable as error:
                why = error.reason
        with self.gate.kept_closed():
            place = self.ledger.spill(attempt, came)
            kept = f"kept in {place}" if place else "kept nowhere but in memory"
            self.say(f"{why}: what came back is {kept} until {self.ledger.where} takes it.")
            self._record_later(attempt, came)
        if place is not None:
            self.ledger.unspill()
        return None

    def _record_later(self, attempt: int, came: AttemptResult) -> None:
        while True:
            try:
                self.gate.sleep(RECORD_AGAIN_SECONDS)
            except Exception:  # told to stop: a last try
                self.ledger.record(attempt, came)
                raise
            with suppress(LedgerUnusable):
                return self.ledger.record(attempt, came)


def _is_final(outcome: Outcome, changes: dict[str, Any], last: bool) -> bool:
    match outcome:
        case Failed():
            return bool(changes) and not (outcome.again or outcome.fatal)
        case MaybePaid():
            return False
        case Truncated() | Malformed():
            return last
        case _:
            return True


def _result(reply: Reply, final: bool) -> AttemptResult:
    return AttemptResult(
        kind=reply.outcome.kind,
        content=fields_of(reply.outcome),
        reply=reply.text,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        seconds=reply.seconds,
        final=final,
    )

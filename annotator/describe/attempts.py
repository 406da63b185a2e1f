"""One request through to its answer: sent, written down, and sent again where that may help.

Every attempt is in the ledger before it is sent and after it came back. What the network or the
provider failed at is tried again after a wait, the provider's own where it names one; an answer
that was cut or does not fit the schema is asked for again with other settings. Anything else is
the model's answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_random_exponential

from annotator.describe.llm import Llm, Reply
from annotator.describe.outcome import Failed, Malformed, Outcome, Truncated, fields_of
from annotator.describe.request import Request
from annotator.errors import LlmFailed
from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.ledger import Ledger


@dataclass(frozen=True)
class Policy:
    """How often to send again.

    Attributes:
        failures: sendings at most, where the network or the provider fails.
        reasks: further sendings at most, where an answer was cut or does not fit the schema.
        longest_wait: seconds to wait at most. A provider that asks for a longer wait is not asked
            again in this run: sooner would be too soon.
    """

    failures: int = 6
    reasks: int = 2
    longest_wait: float = 120.0


def ask(
    llm: Llm,
    ledger: Ledger,
    request: Request,
    policy: Policy | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Reply:
    """Send a request until it has an answer, or sending again will not help.

    Returns:
        The last reply, with the tokens of all of them; each is in the ledger by itself.

    Raises:
        LlmFailed: a failure that every other request would meet alike.
        LedgerUnusable: the ledger cannot be written.
    """
    policy = policy or Policy()
    changes: dict[str, Any] = {}
    left, tokens_in, tokens_out = policy.reasks, 0, 0
    while True:
        reply = _sent(llm, ledger, request, changes, policy, sleep, last=not left)
        tokens_in, tokens_out = tokens_in + reply.tokens_in, tokens_out + reply.tokens_out
        if not left or not isinstance(reply.outcome, Truncated | Malformed):
            return replace(reply, tokens_in=tokens_in, tokens_out=tokens_out)
        sleep(0.0)  # not where the run is being stopped
        changes, left = _changed(reply.outcome, changes), left - 1


def _sent(
    llm: Llm,
    ledger: Ledger,
    request: Request,
    changes: dict[str, Any],
    policy: Policy,
    sleep: Callable[[float], None],
    last: bool,
) -> Reply:
    """Send, and again while the network or the provider fails.

    An answer that is cut or does not fit is recorded as final only where it is the `last` one: a
    run that is killed before the next asks again. Where the next cannot be had for good, its
    failure is final, and what was answered before stands.
    """

    def once() -> Reply:
        attempt = ledger.begin(request.key, changes)
        reply = llm.send(request, **changes)
        ledger.record(attempt, _recorded(reply, _is_final(reply.outcome, changes, last)))
        if isinstance(reply.outcome, Failed) and reply.outcome.fatal:
            raise LlmFailed(llm.name, reply.outcome.problem)
        return reply

    guess = wait_random_exponential(multiplier=1, max=policy.longest_wait)

    def wait(state: RetryCallState) -> float:
        outcome: Outcome = state.outcome.result().outcome  # pyright: ignore[reportOptionalMemberAccess]
        named = outcome.after if isinstance(outcome, Failed) else None
        return guess(state) if named is None else named

    def may_help(reply: Reply) -> bool:
        outcome = reply.outcome
        if not isinstance(outcome, Failed) or not outcome.again:
            return False
        return outcome.after is None or outcome.after <= policy.longest_wait

    return Retrying(
        retry=retry_if_result(may_help),
        wait=wait,
        stop=stop_after_attempt(policy.failures),
        sleep=sleep,
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )(once)


def _is_final(outcome: Outcome, changes: dict[str, Any], last: bool) -> bool:
    if isinstance(outcome, Failed):
        return bool(changes) and not (outcome.again or outcome.fatal)
    return last or not isinstance(outcome, Truncated | Malformed)


def _changed(outcome: Truncated | Malformed, changes: dict[str, Any]) -> dict[str, Any]:
    """Other settings for an answer that was cut: more room; for one that did not fit: chance."""
    if isinstance(outcome, Truncated):
        return {**changes, "max_tokens": 2 * outcome.limit}
    return {**changes, "temperature": 0.7}


def _recorded(reply: Reply, final: bool) -> AttemptResult:
    return AttemptResult(
        kind=reply.outcome.kind,
        content=fields_of(reply.outcome),
        reply=reply.text,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        seconds=reply.seconds,
        final=final,
    )

"""One request through to its answer: the real SDK, a loopback server, a real ledger."""

from __future__ import annotations

import json
from typing import Any

import pytest

from annotator.describe.attempts import Asker, Policy
from annotator.describe.gate import Gate
from annotator.describe.llm import Reply
from annotator.describe.request import Request
from annotator.errors import LlmFailed
from annotator.ledger import claims
from annotator.ledger.attempt_results import tokens_at_most
from annotator.ledger.ledger import Ledger
from annotator.pipeline.concurrency import Stop, Stopped
from tests.describe.asking import BUSY, CUT, GOOD, PROSE, SAID, Asked, answer
from tests.describe.loopback import Answer as Sent
from tests.describe.loopback import openai_error


def test_an_answer_is_written_down_with_its_words_and_tokens(asked: Asked) -> None:
    assert asked.outcome(GOOD) == "described"
    recorded = asked.ledger.answers([asked.request.key])[asked.request.key]
    assert json.loads(recorded.reply) == SAID
    assert recorded.content["pattern"] == "capitals"
    assert (recorded.tokens_in, recorded.tokens_out) == (321, 45)
    assert asked.waits == []


def test_a_failure_is_tried_again_after_a_wait_and_every_attempt_counts(asked: Asked) -> None:
    assert asked.outcome(BUSY, Sent(500, b"no json"), GOOD) == "described"
    assert len(asked.waits) >= 2
    assert asked.ledger.count() == 3
    assert asked.ledger.count("failed") == 2
    assert answer(asked) == "described"


def test_the_providers_own_wait_is_kept_and_never_cut_short(asked: Asked) -> None:
    later = openai_error("slow down", "rate_limit_exceeded")
    with pytest.raises(LlmFailed, match="slow down; it asks to wait 31 seconds"):
        asked.ask(
            Sent(429, later, {"Retry-After": "7"}),
            Sent(429, later, {"Retry-After": "30"}),
            Sent(429, later, {"Retry-After": "31"}),
            gate=asked.gate(longest_wait=30.0),
        )
    assert asked.waits == [7.0, 30.0]
    assert asked.ledger.answers([asked.request.key]) == {}
    asked.ask(GOOD)
    assert answer(asked) == "described"


def test_it_gives_up_and_the_request_has_no_answer_yet(asked: Asked) -> None:
    assert asked.outcome(*[BUSY] * 3, policy=Policy(failures=3)) == "failed"
    assert len(asked.provider.asked) == 3
    assert asked.ledger.answers([asked.request.key]) == {}


def test_what_every_request_would_meet_ends_the_run_and_is_written_down(asked: Asked) -> None:
    with pytest.raises(LlmFailed, match="cannot be asked"):
        asked.ask(Sent(401, openai_error("wrong key", "invalid_api_key")))
    assert asked.ledger.count("failed") == 1
    assert len(asked.provider.asked) == 1


def test_a_cut_answer_is_asked_for_again_with_more_room(asked: Asked) -> None:
    assert asked.outcome(CUT, CUT, GOOD) == "described"
    assert [one.body["max_tokens"] for one in asked.provider.asked] == [100, 200, 400]
    assert asked.ledger.count("truncated") == 2
    assert answer(asked) == "described"


def test_an_answer_that_does_not_fit_is_asked_for_again_with_chance(asked: Asked) -> None:
    assert asked.outcome(PROSE, GOOD) == "described"
    assert [one.body.get("temperature") for one in asked.provider.asked] == [None, 0.7]


def test_more_room_that_cannot_be_had_leaves_the_cut_answer_and_is_paid_for_once(
    asked: Asked,
) -> None:
    full = Sent(400, openai_error("max_tokens does not fit the context", "invalid_request_error"))
    assert asked.outcome(CUT, full) == "failed"
    assert len(asked.provider.asked) == 2
    assert answer(asked) == "truncated"
    assert not asked.ledger.claim(asked.request.key)


def test_nothing_is_asked_once_more_when_the_run_is_being_stopped(asked: Asked) -> None:
    stop = Stop()

    def cut_and_stopped(sent: object) -> Sent:
        stop.set()
        return CUT

    asked.provider.answer = cut_and_stopped
    asker = Asker(asked.llm, asked.ledger, Gate("tiny", stop.sleep), asked.said.append)
    with pytest.raises(Stopped):
        asker.ask(asked.request)
    assert len(asked.provider.asked) == 1
    assert asked.ledger.count("truncated") == 1
    assert asked.ledger.answers([asked.request.key]) == {}, "it will be asked for again"


def test_tokens_are_those_of_all_sendings(asked: Asked) -> None:
    reply = asked.ask(CUT, PROSE, GOOD)
    assert reply is not None
    assert (reply.tokens_in, reply.tokens_out) == (3 * 321, 3 * 45)


def test_after_so_many_the_answer_stays_what_it_is(asked: Asked) -> None:
    assert asked.outcome(*[PROSE] * 3) == "malformed"
    assert len(asked.provider.asked) == 3
    assert answer(asked) == "malformed"


def killed_at(asked: Asked, sending: int, *answers: Sent) -> None:
    """A run that ends in the midst of a sending, as by a kill."""
    send, begun = asked.llm.send, iter(range(sending + 1))

    def dying(request: Request, **changes: Any) -> Reply:
        if next(begun) == sending:
            raise SystemExit
        return send(request, **changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asked.llm, "send", dying)
        with pytest.raises(SystemExit):
            asked.ask(*answers)
    ended = asked.ledger.attempts(asked.request.key)[-1]
    assert ended.came == ()
    asked.ledger.close()
    asked.ledger = Ledger(asked.ledger.where)
    assert asked.ledger.sweep() == 1


def sent(asked: Asked) -> list[tuple[int, float | None]]:
    """Of each sending the limit and the temperature."""
    return [(one.body["max_tokens"], one.body.get("temperature")) for one in asked.provider.asked]


def test_what_was_tried_before_a_kill_is_not_tried_again(asked: Asked) -> None:
    killed_at(asked, 1, CUT)
    assert asked.ledger.answers([asked.request.key]) == {}
    killed_at(asked, 1, PROSE)
    assert asked.outcome(CUT) == "truncated"
    assert sent(asked) == [(100, None), (200, None), (200, 0.7)]
    assert answer(asked) == "truncated"
    assert asked.ask() is None, "it has its answer"
    assert len(asked.provider.asked) == 3


def test_four_runs_that_are_killed_pay_for_a_cut_answer_once(asked: Asked) -> None:
    killed_at(asked, 1, CUT)
    for _ in range(3):
        killed_at(asked, 0)
    assert asked.outcome(GOOD) == "described"
    assert sent(asked) == [(100, None), (200, None)]
    assert [one.parameters for one in asked.ledger.attempts(asked.request.key)] == [
        {},
        *[{"max_tokens": 200}] * 5,
    ]


@pytest.mark.parametrize("fault", [Sent(ends="reset", body=GOOD.body), Sent(504, b"{}")])
def test_what_may_have_been_paid_is_sent_once_more_and_once_in_each_later_run(
    asked: Asked, fault: Sent
) -> None:
    assert asked.outcome(fault, fault) == "maybe_paid"
    assert asked.outcome(fault) == "maybe_paid"
    assert asked.ledger.count("maybe_paid") == len(asked.provider.asked) == 3
    assert asked.ledger.unsure([asked.request.key]) == {asked.request.key}
    assert asked.outcome(BUSY, GOOD) == "described"
    [head] = asked.ledger.described()
    spent = tokens_at_most(asked.request.content(), {})
    assert spent[1] == 100
    assert (head.tokens_in, head.tokens_out) == (321 + 3 * spent[0], 45 + 3 * 100)


def test_the_upper_price_is_not_below_the_real_one() -> None:
    """Byte-level tokenizers have no token of less than a byte."""
    content = {"system": "s" * 10, "prompt": "é\ud83d" * 10, "schema": {}}
    sampling = {"sampling": {"max_tokens": 7}}
    tokens_in, tokens_out = tokens_at_most({**content, **sampling}, {})
    assert tokens_in >= 10 + 10 * 5
    assert tokens_out == 7
    assert tokens_at_most({**content, **sampling}, {"max_tokens": 14})[1] == 14
    assert tokens_at_most({**content, "sampling": {}}, {}) == (0, 0), "the rules cost nothing"


def test_one_whose_request_another_has_taken_over_sends_no_more(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another container could not see this process, and its lease had run out."""
    other = Ledger(asked.ledger.where)

    def taken_over(sent: object) -> Sent:
        with other.writing() as connection:
            connection.exec_driver_sql("UPDATE claims SET owner = ?", (other.owner,))
        return CUT

    asked.provider.answer = taken_over
    asker = Asker(asked.llm, asked.ledger, asked.gate(), asked.said.append)
    assert asker.ask(asked.request) is None
    assert len(asked.provider.asked) == asked.ledger.count("truncated") == 1
    assert other.claim(asked.request.key), "it is still the other's"
    other.close()


def test_an_answer_that_comes_after_its_attempt_was_written_off_is_kept(asked: Asked) -> None:
    def written_off(sent: object) -> Sent:
        with Ledger(asked.ledger.where) as other, pytest.MonkeyPatch.context() as patch:
            patch.setattr(claims, "at_work", lambda *_: False)
            assert other.sweep() == 1
        return GOOD

    asked.provider.answer = written_off
    asker = Asker(asked.llm, asked.ledger, asked.gate(), asked.said.append)
    assert asker.ask(asked.request) is not None
    assert answer(asked) == "described"
    [attempt] = asked.ledger.attempts(asked.request.key)
    assert [came.kind for came in attempt.came] == ["lost", "described"]

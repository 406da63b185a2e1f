"""One request through to its answer: the real SDK, a loopback server, a real ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.describe.attempts import Policy, ask
from annotator.describe.llm import Reply
from annotator.describe.openai import OpenAi
from annotator.errors import LlmFailed
from annotator.ledger.ledger import Ledger
from annotator.pipeline.concurrency import Stop, Stopped
from annotator.records import HeadId
from tests.describe import loopback
from tests.describe.loopback import Answer as Sent
from tests.describe.loopback import Provider, completion, openai_error

SAID = {"reasoning": "r", "inputs": "countries", "pattern": "capitals", "category": "semantic"}
GOOD = Sent(body=completion(json.dumps(SAID)))
CUT = Sent(body=completion('{"reasoning": "r', finish="length"))
PROSE = Sent(body=completion("It maps countries to capitals."))
BUSY = Sent(503, openai_error("overloaded", "server_error"))


class Asked:
    """A model, a ledger, and the waits between sendings, which nobody waits for."""

    def __init__(self, provider: Provider, folder: Path) -> None:
        self.provider = provider
        self.llm = OpenAi("tiny", provider.url + "/v1", "sk-0123456789abcdef", max_tokens=100)
        self.ledger = Ledger(folder / "ledger.db")
        self.request = self.llm.request("You describe.", "What is it?", "0" * 64)
        key, content = self.request.key, self.request.content()
        self.ledger.add(self.llm.name, [(HeadId(0, 0), key, content)])
        self.waits: list[float] = []

    def ask(self, *answers: Sent, policy: Policy | None = None) -> Reply:
        self.provider.answers(*answers)
        return ask(self.llm, self.ledger, self.request, policy, sleep=self.waits.append)

    def close(self) -> None:
        self.llm.close()
        self.ledger.close()


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    with loopback.running() as provider:
        one = Asked(provider, tmp_path)
        yield one
        one.close()


def answer(asked: Asked) -> str:
    return asked.ledger.answers([asked.request.key])[asked.request.key].kind


def test_an_answer_is_written_down_with_its_words_and_tokens(asked: Asked) -> None:
    assert asked.ask(GOOD).outcome.kind == "described"
    recorded = asked.ledger.answers([asked.request.key])[asked.request.key]
    assert json.loads(recorded.reply) == SAID
    assert recorded.content["pattern"] == "capitals"
    assert (recorded.tokens_in, recorded.tokens_out) == (321, 45)
    assert asked.waits == []


def test_a_failure_is_tried_again_after_a_wait_and_every_attempt_counts(asked: Asked) -> None:
    reply = asked.ask(BUSY, Sent(500, b"no json"), Sent(ends="reset", body=GOOD.body), GOOD)
    assert reply.outcome.kind == "described"
    assert len(asked.waits) == 3
    assert asked.ledger.count() == 4
    assert asked.ledger.count("failed") == 3
    assert answer(asked) == "described"


def test_the_providers_own_wait_is_kept_and_never_cut_short(asked: Asked) -> None:
    later = openai_error("slow down", "rate_limit_exceeded")
    asked.ask(
        Sent(429, later, {"Retry-After": "7"}),
        Sent(429, later, {"Retry-After": "30"}),
        Sent(429, later, {"Retry-After": "31"}),
        policy=Policy(longest_wait=30.0),
    )
    assert asked.waits == [7.0, 30.0]
    assert asked.ledger.answers([asked.request.key]) == {}
    asked.ask(GOOD)
    assert answer(asked) == "described"


def test_it_gives_up_and_the_request_has_no_answer_yet(asked: Asked) -> None:
    reply = asked.ask(*[BUSY] * 3, policy=Policy(failures=3))
    assert reply.outcome.kind == "failed"
    assert len(asked.provider.asked) == 3
    assert asked.ledger.answers([asked.request.key]) == {}


def test_what_every_request_would_meet_ends_the_run_and_is_written_down(asked: Asked) -> None:
    with pytest.raises(LlmFailed, match="cannot be asked"):
        asked.ask(Sent(401, openai_error("wrong key", "invalid_api_key")))
    assert asked.ledger.count("failed") == 1
    assert len(asked.provider.asked) == 1


def test_a_cut_answer_is_asked_for_again_with_more_room(asked: Asked) -> None:
    assert asked.ask(CUT, CUT, GOOD).outcome.kind == "described"
    assert [one.body["max_tokens"] for one in asked.provider.asked] == [100, 200, 400]
    assert asked.ledger.count("truncated") == 2
    assert answer(asked) == "described"


def test_an_answer_that_does_not_fit_is_asked_for_again_with_chance(asked: Asked) -> None:
    assert asked.ask(PROSE, GOOD).outcome.kind == "described"
    assert [one.body.get("temperature") for one in asked.provider.asked] == [None, 0.7]


def test_more_room_that_cannot_be_had_leaves_the_cut_answer_and_is_paid_for_once(
    asked: Asked,
) -> None:
    full = Sent(400, openai_error("max_tokens does not fit the context", "invalid_request_error"))
    assert asked.ask(CUT, full).outcome.kind == "failed"
    assert len(asked.provider.asked) == 2
    assert answer(asked) == "truncated"
    assert not asked.ledger.claim(asked.request.key)


def test_nothing_is_asked_once_more_when_the_run_is_being_stopped(asked: Asked) -> None:
    stop = Stop()

    def cut_and_stopped(sent: object) -> Sent:
        stop.set()
        return CUT

    asked.provider.answer = cut_and_stopped
    with pytest.raises(Stopped):
        ask(asked.llm, asked.ledger, asked.request, sleep=stop.sleep)
    assert len(asked.provider.asked) == 1
    assert asked.ledger.count("truncated") == 1
    assert asked.ledger.answers([asked.request.key]) == {}, "it will be asked for again"


def test_tokens_are_those_of_all_sendings(asked: Asked) -> None:
    reply = asked.ask(CUT, PROSE, GOOD)
    assert (reply.tokens_in, reply.tokens_out) == (3 * 321, 3 * 45)


def test_after_so_many_the_answer_stays_what_it_is(asked: Asked) -> None:
    assert asked.ask(*[PROSE] * 3).outcome.kind == "malformed"
    assert len(asked.provider.asked) == 3
    assert answer(asked) == "malformed"


def test_a_kill_before_the_answer_is_asked_for_once_more_leaves_it_to_be_asked(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(request: object, **changes: object) -> Reply:
        if changes:
            raise SystemExit  # in the middle of the second sending
        return send(asked.request)

    send = asked.llm.send
    monkeypatch.setattr(asked.llm, "send", killed)
    with pytest.raises(SystemExit):
        asked.ask(CUT)
    assert asked.ledger.count("truncated") == 1
    assert asked.ledger.answers([asked.request.key]) == {}
    monkeypatch.undo()
    assert asked.ask(CUT, GOOD).outcome.kind == "described"
    assert answer(asked) == "described"

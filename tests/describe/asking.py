"""One request, a real ledger, and the answers that a loopback server gives to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from annotator.describe.attempts import Asker, Policy
from annotator.describe.gate import Gate
from annotator.describe.llm import Reply
from annotator.describe.openai import OpenAi
from annotator.ledger.ledger import Ledger
from annotator.records import HeadId
from tests.describe.loopback import Answer as Sent
from tests.describe.loopback import Provider, completion, openai_error

SAID = {"reasoning": "r", "inputs": "countries", "pattern": "capitals", "category": "semantic"}
GOOD = Sent(body=completion(json.dumps(SAID)))
CUT = Sent(body=completion('{"reasoning": "r', finish="length"))
PROSE = Sent(body=completion("It maps countries to capitals."))
BUSY = Sent(503, openai_error("overloaded", "server_error"))


class Clock:
    """Time that passes where somebody waits, and only then."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if seconds:
            self.waits.append(round(seconds, 3))


@contextmanager
def unwaited() -> Iterator[None]:
    """Runs whose waits between sendings nobody waits for."""
    clock = Clock()

    def gate(llm: str, _: object) -> Gate:
        return Gate(llm, clock.sleep, clock=lambda: clock.now)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("annotator.describe.gate.Gate", gate)
        yield


class Asked:
    """A model, a ledger, and the waits between sendings, which nobody waits for."""

    def __init__(self, provider: Provider, folder: Path) -> None:
        self.provider = provider
        self.llm = OpenAi("tiny", provider.url + "/v1", "sk-0123456789abcdef", max_tokens=100)
        self.ledger = Ledger(folder / "ledger.db")
        self.request = self.llm.request("You describe.", "What is it?", "0" * 64)
        key, content = self.request.key, self.request.content()
        self.ledger.add(self.llm.name, [(HeadId(0, 0), key, content)])
        self.clock = Clock()
        self.said: list[str] = []

    @property
    def waits(self) -> list[float]:
        return self.clock.waits

    def gate(self, **settings: Any) -> Gate:
        return Gate(self.llm.name, self.clock.sleep, clock=lambda: self.clock.now, **settings)

    def ask(
        self, *answers: Sent, policy: Policy | None = None, gate: Gate | None = None
    ) -> Reply | None:
        self.provider.answers(*answers)
        gate = gate or self.gate()
        asker = Asker(self.llm, self.ledger, gate, self.said.append, policy or Policy())
        return asker.ask(self.request)

    def outcome(self, *answers: Sent, **how: Any) -> str:
        """The kind of the last outcome."""
        reply = self.ask(*answers, **how)
        assert reply is not None
        return reply.outcome.kind

    def close(self) -> None:
        self.llm.close()
        self.ledger.close()


def answer(asked: Asked) -> str:
    return asked.ledger.answers([asked.request.key])[asked.request.key].kind

"""A provider that only a test has heard of: every head does what its first mapping does."""

from __future__ import annotations

from typing import Any

from annotator.describe.llm import Reply
from annotator.describe.outcome import Described
from annotator.describe.providers import NamedLlm
from annotator.describe.request import Request


class Toy:
    """See `annotator.describe.llm.Llm`."""

    at_once: int | None = None

    def __init__(self, model: str) -> None:
        self.model, self.name = model, f"toy:{model}"

    def request(self, system: str, prompt: str, template: str, sample: int = 0) -> Request:
        return Request("toy", "", self.model, system, prompt, {}, template, sample=sample)

    def send(self, request: Request, **_: Any) -> Reply:
        return Reply(Described("a toy", "any token", f"as {self.model} says", "general"))

    def count(self, request: Request) -> int:
        return len(request.prompt)

    def close(self) -> None:
        pass


def open_llm_named(named: NamedLlm) -> Toy:
    return Toy(named.model)

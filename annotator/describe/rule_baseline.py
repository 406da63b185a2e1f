"""Sentences from the signatures, by fixed rules: the baseline that a language model has to beat.

It is no language model, and is called "rules" wherever it shows. The same head always gets the same
sentence.
"""

from __future__ import annotations

import json
from typing import Any

from annotator.describe.llm import Reply
from annotator.describe.outcome import Described, Outcome, Unclear, answer_schema
from annotator.describe.providers import NamedLlm
from annotator.describe.request import Request
from annotator.records import BASELINE

RULES = (
    # signature, at least, pattern, category
    ("copy", 0.5, "the input token itself", "general"),
    ("stem", 0.5, "tokens that begin as the input does: other forms of the same word", "language"),
    ("script", 0.5, "tokens in another script than the input's", "language"),
    ("hub", 0.5, "one and the same token, whatever the input is", "unnatural"),
    ("fragment", 0.5, "whitespace, punctuation or pieces of characters", "unnatural"),
)
"""The first rule that a head meets describes it; one that meets none is unclear."""


class Rules:
    """The baseline; see `annotator.describe.llm.Llm`."""

    name = BASELINE
    at_once: int | None = None

    def request(self, system: str, prompt: str, template: str, sample: int = 0) -> Request:
        """The signatures, as JSON in the prompt."""
        schema = answer_schema()
        return Request("rules", "", "rules-2", system, prompt, schema, template, sample=sample)

    def send(self, request: Request, **_: Any) -> Reply:
        """The first rule that fits."""
        return Reply(_described(json.loads(request.prompt)), text="")

    def count(self, request: Request) -> int:
        """None is sent."""
        return 0

    def close(self) -> None:
        """There is nothing to let go of."""


def _described(signatures: dict[str, float]) -> Outcome:
    for name, least, pattern, category in RULES:
        if signatures[name] >= least:
            reasoning = f"{name} is {signatures[name]:.2f}"
            return Described(reasoning, "any token", pattern, category)
    return Unclear("no signature reaches its threshold", "unclear")


def open_llm_named(_: NamedLlm) -> Rules:
    """The baseline."""
    return Rules()

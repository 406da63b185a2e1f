"""Both SDKs, for what has to hold with either."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from annotator.describe.anthropic import Anthropic
from annotator.describe.llm import Reply
from annotator.describe.openai import OpenAi
from tests.describe.loopback import SAID, Answer, completion, message

OPENAI_KEY = "sk-proj-0123456789abcdefghijklmnop"


@dataclass(frozen=True)
class Sdk:
    """One of them.

    Attributes:
        llm: a language model of a server, by its address and the timeout.
        good: an answer that describes.
    """

    llm: Callable[[str, float], OpenAi | Anthropic]
    good: Answer

    @contextmanager
    def opened(self, url: str, timeout: float = 300.0) -> Iterator[OpenAi | Anthropic]:
        """A language model, closed at the end."""
        llm = self.llm(url, timeout)
        try:
            yield llm
        finally:
            llm.close()

    def reply(self, url: str, timeout: float = 300.0, prompt: str = "Which?") -> Reply:
        """What comes of one sending."""
        with self.opened(url, timeout) as llm:
            return llm.send(llm.request("Be brief.", prompt, "t" * 64))


BOTH = {
    "openai": Sdk(
        lambda url, timeout: OpenAi(
            "tiny", f"{url}/v1", OPENAI_KEY, timeout=timeout, allow_http=True
        ),
        Answer(body=completion(json.dumps(SAID))),
    ),
    "anthropic": Sdk(
        lambda url, timeout: Anthropic("tiny", OPENAI_KEY, url, timeout=timeout, allow_http=True),
        Answer(body=message(json.dumps(SAID))),
    ),
}

from __future__ import annotations

from collections.abc import Iterator

import pytest

from annotator.describe import openai as module
from annotator.describe.openai import OpenAi
from tests.describe import loopback
from tests.describe.loopback import Provider

OPENAI_KEY = "sk-proj-0123456789abcdefghijklmnop"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with loopback.running() as server:
        yield server


@pytest.fixture
def llm(provider: Provider) -> Iterator[OpenAi]:
    """A server that only speaks the protocol."""
    one = OpenAi("tiny", provider.url + "/v1", OPENAI_KEY)
    yield one
    one.close()


@pytest.fixture
def own(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAi]:
    """OpenAI itself."""
    monkeypatch.setattr(module, "OWN", provider.url + "/v1")
    one = OpenAi("gpt-tiny", key=OPENAI_KEY)
    yield one
    one.close()

"""Which language model a --llm names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from annotator.describe.llm import Llm
from annotator.errors import LlmInvalid
from annotator.paths import user_path


def open_llm(llm: str, key_file: Path | None, embedded: Callable[[], Path]) -> Llm:
    """The language model that a text names.

    Args:
        llm: openai:MODEL, openai:MODEL@BASE_URL, anthropic:MODEL, local:, local:FILE or rules.
        key_file: a file that holds the provider's key, in place of the environment.
        embedded: finds the model that `local:` alone stands for.

    Raises:
        LlmInvalid: it names none.
        KeyMissing: its provider's key is nowhere.
    """
    kind, colon, model = llm.partition(":")
    if llm == "rules":
        from annotator.describe.rules import Rules

        return Rules()
    if not colon or kind not in ("openai", "anthropic", "local"):
        raise LlmInvalid(llm, "it is of no known kind")
    if kind == "local":
        from annotator.describe.local import Local

        return Local(user_path(model) if model else embedded())
    if not model or model.startswith("@"):
        raise LlmInvalid(llm, "it names no model")
    if kind == "anthropic":
        from annotator.describe.anthropic import Anthropic

        return Anthropic(model, key=key_file)
    from annotator.describe.openai import OpenAi

    name, _, url = model.partition("@")
    return OpenAi(name, base_url=url or None, key=key_file)

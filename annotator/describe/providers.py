"""Which language model a --llm names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from annotator.describe.llm import Llm
from annotator.errors import LlmInvalid
from annotator.paths import user_path


def open_llm(
    llm: str,
    key_file: str | Path | None,
    embedded: Callable[[], Path],
    max_tokens: int | None = None,
) -> Llm:
    """The language model that a text names.

    Args:
        llm: openai:MODEL, openai:MODEL@BASE_URL, anthropic:MODEL, local:, local:FILE or rules.
        key_file: a file that holds the provider's key, in place of the environment.
        embedded: finds the model that `local:` alone stands for.
        max_tokens: an answer's limit, reasoning included; None: the language model's default.

    Raises:
        LlmInvalid: it names none.
        KeyMissing: its provider's key is nowhere.
    """
    kind, colon, model = llm.partition(":")
    limit: dict[str, Any] = {} if max_tokens is None else {"max_tokens": max_tokens}
    key = None if key_file is None else user_path(key_file)
    if llm == "rules":
        from annotator.describe.rule_baseline import Rules

        return Rules()
    if not colon or kind not in ("openai", "anthropic", "local"):
        raise LlmInvalid(llm, "it is of no known kind")
    if kind == "local":
        from annotator.describe.local import Local

        return Local(user_path(model) if model else embedded(), **limit)
    if not model or model.startswith("@"):
        raise LlmInvalid(llm, "it names no model")
    if kind == "anthropic":
        from annotator.describe.anthropic import Anthropic

        if "@" in model:  # not repeated: there may be a password in it
            raise LlmInvalid("anthropic:...@...", "only openai: takes a BASE_URL")
        return Anthropic(model, key=key, **limit)
    from annotator.describe.openai import OpenAi

    name, _, url = model.partition("@")
    return OpenAi(name, base_url=url or None, key=key, **limit)

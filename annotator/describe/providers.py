"""Every provider of language models, and which language model a --llm names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from annotator.describe.api_keys import KeyChoice
from annotator.errors import LlmInvalid, SettingInvalid
from annotator.http import name_and_address

if TYPE_CHECKING:
    from annotator.describe.llm import Llm


class ProviderEntry(NamedTuple):
    """How --llm names a model of it, a line on it, and the module with `open_llm_named(named)`."""

    form: str
    help: str
    module: str


PROVIDERS = {
    "openai": ProviderEntry(
        "openai:MODEL[@BASE_URL]",
        "OpenAI (key OPENAI_API_KEY), or a server that speaks its API.",
        "annotator.describe.openai",
    ),
    "anthropic": ProviderEntry(
        "anthropic:MODEL", "Anthropic (key ANTHROPIC_API_KEY).", "annotator.describe.anthropic"
    ),
    "local": ProviderEntry(
        "local:[FILE.gguf]", "A GGUF model; by default quickstart's.", "annotator.describe.local"
    ),
    "file": ProviderEntry(
        "file:ANSWERS.jsonl", "Replies out of a file.", "annotator.describe.answer_file"
    ),
    "rules": ProviderEntry(
        "rules", "No LLM: sentences from the signatures.", "annotator.describe.rule_baseline"
    ),
}
"""By what its form begins with; one without a colon names its only model."""
LONGEST_TIMEOUT = 1_000_000
"""Seconds, more than eleven days; a socket can wait for twice that, and no longer."""


@dataclass(frozen=True)
class NamedLlm:
    """A language model as --llm names it.

    Attributes:
        llm: the whole text.
        model: what stands after the colon; "" where nothing does.
        key: which key is sent, and how.
        embedded: finds the model that comes as a package.
        options: of the model: max_tokens and timeout, where they were given.
    """

    llm: str
    model: str
    key: KeyChoice
    embedded: Callable[[], Path]
    options: dict[str, Any]


def open_llm(
    llm: str,
    key: KeyChoice,
    embedded: Callable[[], Path],
    max_tokens: int | None = None,
    timeout: float | None = None,
) -> Llm:
    """The language model that a text names.

    Args:
        llm: in the form that its provider's entry has.
        key: which key is sent, and how.
        embedded: finds the model that `local:` alone stands for.
        max_tokens: an answer's limit, reasoning included; None: the language model's default.
        timeout: seconds for a request and its answer; None: the language model's default.

    Raises:
        SettingInvalid: a timeout that is none.
        LlmInvalid: it names none.
        KeyMissing: its key is nowhere, or none was named for a server that is not the provider's.
        KeyReadable: others could read it on its way.
    """
    if timeout is not None and not 0 < timeout <= LONGEST_TIMEOUT:
        allowed = f"a number of seconds above 0 and up to {LONGEST_TIMEOUT:,}"
        raise SettingInvalid("timeout", timeout, allowed)
    provider, _, model = llm.partition(":")
    entry = PROVIDERS.get(provider)
    if entry is None or (":" in llm) != (":" in entry.form):
        forms = ", ".join(known.form for known in PROVIDERS.values())
        raise LlmInvalid(llm, f"it is of none of the forms {forms}")
    given = {"max_tokens": max_tokens, "timeout": timeout}
    options = {name: value for name, value in given.items() if value is not None}
    named = NamedLlm(llm, model, key, embedded, options)
    return import_module(entry.module).open_llm_named(named)


def require_model(named: NamedLlm) -> str:
    """The model's name.

    Raises:
        LlmInvalid: there is none.
    """
    if not name_and_address(named.model)[0]:
        raise LlmInvalid(named.llm, "it names no model")
    return named.model

"""What determines an answer. Two requests with one key are one request: it is asked once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Request:
    """A request, before it is sent.

    Attributes:
        provider: by its name in `annotator.describe.providers`.
        base_url: the server, or "" for the provider's own.
        model: the model's name; of the local one, its file's SHA-256.
        system: the system message.
        prompt: the user message.
        schema: the answer's JSON schema.
        template: SHA-256 of the prompt's template.
        sampling: the sampling settings that this API accepts (max_tokens, temperature, seed, ...).
        sample: which of several answers to the same question, from 0.
    """

    provider: str
    base_url: str
    model: str
    system: str
    prompt: str
    schema: Mapping[str, Any]
    template: str
    sampling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sample: int = 0

    def content(self) -> dict[str, Any]:
        """All of it, as the ledger keeps it."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**own, "schema": dict(self.schema), "sampling": dict(self.sampling)}

    @cached_property
    def key(self) -> str:
        """SHA-256, in hexadecimal, of its canonical JSON."""
        text = json.dumps(self.content(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

"""What every language model here can do: one method, a request in, what came back out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from annotator.describe.outcome import Outcome
from annotator.describe.request import Request


@dataclass(frozen=True)
class Reply:
    """What came back of one sending.

    Attributes:
        outcome: what it comes to.
        text: the model's own words, or "".
        tokens_in: prompt tokens, as the provider counts them.
        tokens_out: completion tokens.
        seconds: from sending to the last byte.
        doubts: what people should know of what the server says, by kind; each is said once.
    """

    outcome: Outcome
    text: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    doubts: Mapping[str, str] = field(default_factory=dict[str, str])


@runtime_checkable
class Llm(Protocol):
    """A language model.

    Attributes:
        name: as --llm names it, without any key.
        at_once: how many requests it answers at a time; None: any number.
    """

    name: str
    at_once: int | None

    def request(self, system: str, prompt: str, template: str, sample: int = 0) -> Request:
        """The request that asks this model."""
        ...

    def send(self, request: Request, **changes: Any) -> Reply:
        """Send it once. Changes are an attempt's own sampling settings. Raises nothing expected."""
        ...

    def count(self, request: Request) -> int | None:
        """How many prompt tokens it would send; None where that cannot be told. Asks no model."""
        ...

    def close(self) -> None:
        """Let go of connections, servers and models."""
        ...

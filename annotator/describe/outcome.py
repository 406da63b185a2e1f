"""What may come back of a request: a closed union. An error is a type, never a sentence in data.

An abstention is an answer like any other: it is never replaced by a guess.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, Field

from annotator.records import Category


class Answer(BaseModel):
    """The schema of a language model's answer; its field order is the order it is written in."""

    model_config = ConfigDict(extra="forbid")

    reasoning: str = Field(description="What the mappings have in common, briefly.")
    inputs: str = Field(description="What the input tokens are, or 'unclear'.")
    pattern: str = Field(description="What the head maps an input to, or 'unclear'.")
    category: Category = Field(description="What kind of pattern it is.")


@cache
def answer_schema() -> dict[str, Any]:
    """The JSON schema of `Answer`; every request has the same one, which nobody changes."""
    return Answer.model_json_schema()


@dataclass(frozen=True)
class Described:
    """A pattern was seen and described."""

    kind: ClassVar[str] = "described"
    reasoning: str
    inputs: str
    pattern: str
    category: str


@dataclass(frozen=True)
class Unclear:
    """The model saw no pattern, and said so."""

    kind: ClassVar[str] = "unclear"
    reasoning: str
    inputs: str


@dataclass(frozen=True)
class Refused:
    """The model or its provider declined."""

    kind: ClassVar[str] = "refused"
    reason: str


@dataclass(frozen=True)
class Truncated:
    """The answer was cut at the token limit."""

    kind: ClassVar[str] = "truncated"
    limit: int


@dataclass(frozen=True)
class Malformed:
    """The answer is no JSON, or does not fit the schema."""

    kind: ClassVar[str] = "malformed"
    problem: str


@dataclass(frozen=True)
class Failed:
    """No answer came: the network, the provider, a wrong key, a prompt that is too long.

    Attributes:
        problem: what went wrong, without any key.
        status: the HTTP status, or None.
        again: whether the same request may succeed if it is sent again.
        after: seconds the provider asks to wait, or None.
        fatal: whether every other request would fail alike (a wrong key, an unknown model).
    """

    kind: ClassVar[str] = "failed"
    problem: str
    status: int | None = None
    again: bool = False
    after: float | None = None
    fatal: bool = False


@dataclass(frozen=True)
class MaybePaid:
    """No answer came, after the server may have worked: nothing says whether it was paid for.

    Attributes:
        problem: how the sending ended, without any key.
        status: the HTTP status, or None.
    """

    kind: ClassVar[str] = "maybe_paid"
    problem: str
    status: int | None = None


Outcome = Described | Unclear | Refused | Truncated | Malformed | Failed | MaybePaid
OUTCOME_KINDS: dict[str, type[Any]] = {one.kind: one for one in get_args(Outcome)}


def fields_of(outcome: Outcome) -> dict[str, Any]:
    """An outcome's fields, for the ledger."""
    return asdict(outcome)


def outcome_of(kind: str, content: dict[str, Any]) -> Outcome:
    """The outcome that `fields_of` wrote."""
    return OUTCOME_KINDS[kind](**content)


def problem_of(outcome: Outcome) -> str | None:
    """What there is in place of an answer, in a few words; None where there is one."""
    match outcome:
        case Refused(reason):
            return reason
        case Truncated(limit):
            return f"cut at {limit} tokens"
        case Malformed(problem) | Failed(problem) | MaybePaid(problem):
            return problem
        case _:
            return None

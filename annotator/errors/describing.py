"""A description run cannot go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotator.errors.base import AnnotatorError


class DescribeError(AnnotatorError):
    """A description run cannot go on; what was recorded is kept."""


@dataclass(eq=False)
class LlmInvalid(DescribeError):
    """A --llm that names no language model here."""

    llm: str
    reason: str

    _message = "--llm {llm} names no language model: {reason}. See annotator describe --help."


@dataclass(eq=False)
class BaseUrlIgnored(DescribeError):
    """OPENAI_BASE_URL names another server than the one that would be asked.

    Attributes:
        llm: as --llm names it.
        address: the one that the environment names, without any password.
    """

    llm: str
    address: str

    _message = (
        "--llm {llm} is OpenAI itself, while OPENAI_BASE_URL names {address}: type "
        "--llm {llm}@{address} --key-env OPENAI_API_KEY for that server, or unset the variable."
    )


@dataclass(eq=False)
class KeyMissing(DescribeError):
    """A provider's key that is nowhere.

    Attributes:
        llm: the language model.
        variable: the environment variable that was looked at.
    """

    llm: str
    variable: str

    _message = (
        "{llm} needs a key: set {variable}, or name where it is with --key-file FILE or --key-env "
        "NAME. It is never written down."
    )


@dataclass(eq=False)
class KeyElsewhere(KeyMissing):
    """A key that was not named for the server that it would go to.

    Attributes:
        llm: the language model.
        variable: the environment variable of the provider's own key.
    """

    _message = (
        "{llm} is not the provider's own address, where the environment's {variable} alone goes: "
        "name its key with --key-file FILE or --key-env NAME (a server without keys takes any)."
    )


@dataclass(eq=False)
class KeyReadable(DescribeError):
    """A key would go to another machine in the clear."""

    llm: str

    _message = (
        "{llm} is reached over http, where others can read the key on its way: use https, or "
        "--allow-http if the network between is your own."
    )


@dataclass(eq=False)
class KeyInvalid(DescribeError):
    """A key, or a file of one, that cannot be used.

    Attributes:
        llm: the language model.
        where: the file, the environment variable or the argument; never the key.
        reason: what is wrong.
    """

    llm: str
    where: str
    reason: str

    _message = (
        "the key of {llm} cannot be used ({where}): {reason}. Put the key alone on the first line "
        "of the file, or into the environment variable."
    )


@dataclass(eq=False)
class LlmFailed(DescribeError):
    """A failure that every other request would meet alike.

    Attributes:
        llm: the language model.
        problem: what the provider said, without any key.
    """

    llm: str
    problem: str

    _message = (
        "{llm} cannot be asked: {problem}. What was recorded is kept; run the same command again "
        "once that is mended, and only what is missing is asked."
    )


@dataclass(eq=False)
class HeadsUnanswered(DescribeError):
    """A run that came to its end without an answer for each head.

    Attributes:
        llm: the language model.
        heads: how many heads.
        problems: what their requests failed at; none where another process is at them.
    """

    llm: str
    heads: int
    problems: Sequence[str] = ()

    def __str__(self) -> str:
        heads = "1 head has" if self.heads == 1 else f"{self.heads} heads have"
        why = "; ".join(self.problems) or (
            "another process is asking about them, or did so where it cannot be seen from here; it "
            "is given half an hour"
        )
        return (
            f"{heads} no answer of {self.llm}: {why}. Once that is mended or over, run the same "
            "command again: only what has no answer is asked."
        )


@dataclass(eq=False)
class NoneDescribed(DescribeError):
    """A description run in which every request was answered, and no answer describes a head.

    Attributes:
        llm: the language model.
        heads: how many heads.
        causes: what came in place of descriptions.
    """

    llm: str
    heads: int
    causes: Sequence[str]

    def __str__(self) -> str:
        return (
            f"no head of {self.heads} got a description of {self.llm}: {'; '.join(self.causes)}. "
            "Its answers are kept and not asked for again; another language model, --prompts or "
            "--max-tokens may do better."
        )


@dataclass(eq=False)
class PromptInvalid(DescribeError):
    """A prompt template that cannot be rendered."""

    template: str
    reason: str

    _message = "the prompt {template} cannot be rendered: {reason}. Nothing was sent."


@dataclass(eq=False)
class NameTaken(DescribeError):
    """A describer's name that stands for another language model or prompt.

    Attributes:
        name: as --as names it.
        llm: the language model that it stands for.
    """

    name: str
    llm: str

    _message = (
        "--as {name} stands for {llm} with its prompt here, and this is another language model or "
        "another prompt. Nothing was sent. Choose another name."
    )


@dataclass(eq=False)
class DescriberUnknown(DescribeError):
    """A describer that is named by no part of any, or by a part of several.

    Attributes:
        named: as it was named.
        candidates: whom it may mean, in full; of an unknown one all there are.
        several: whether it may mean each of the candidates.
    """

    named: str
    candidates: Sequence[str]
    several: bool = False

    def __str__(self) -> str:
        there = ", ".join(self.candidates)
        if self.several:
            return f"several who have described heads are called {self.named}; name one: {there}."
        if there:
            return f"no head is described by {self.named}; there are descriptions by {there}."
        return f"no head is described yet, by {self.named} or anybody. Run: annotator describe"


@dataclass(eq=False)
class LedgerUnusable(DescribeError):
    """The database of calls cannot be opened, read or written.

    Attributes:
        path: where it is.
        reason: what is wrong.
        remedy: what to do.
    """

    path: str
    reason: str
    remedy: str = (
        "Make room if the disk is full, close what holds it, or if it is no ledger, move it away"
    )

    _message = (
        "the ledger {path} cannot be used: {reason}. Nothing that it holds was changed. {remedy}; "
        "then run the same command again."
    )

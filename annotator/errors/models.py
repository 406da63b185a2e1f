"""A model cannot be read, mapped or proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotator.errors.base import AnnotatorError


class ModelError(AnnotatorError):
    """A model cannot be read or mapped."""


@dataclass(eq=False)
class ModelNotFound(ModelError):
    """Neither a path here nor a repository that the hub gives us."""

    model: str
    reason: str
    remedy: str = (
        "Give a folder with config.json and safetensors, a .gguf file, or a Hugging Face hub id "
        "(with --revision if wanted)."
    )

    _message = "no model at {model!r}: {reason}. {remedy}"


@dataclass(eq=False)
class CheckpointRefused(ModelError):
    """A checkpoint that is readable but must not be mapped as it is."""

    model: str
    reason: str
    remedy: str

    _message = "{model} is refused: {reason}. {remedy}"


@dataclass(eq=False)
class CheckpointBroken(ModelError):
    """Tensors or files that are missing, truncated, mis-shaped or not finite."""

    model: str
    problems: Sequence[str]

    def __str__(self) -> str:
        listed = "\n".join(f"  - {problem}" for problem in self.problems)
        count = "a problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return f"{self.model} has {count}:\n{listed}\nFetch or save the checkpoint again."


@dataclass(eq=False)
class CheckpointUnreadable(ModelError):
    """A file of a checkpoint that the system does not let us read; nothing is known against it."""

    model: str
    file: str
    reason: str

    _message = (
        "{file} of {model} cannot be read: {reason}. See its permissions and its disk, then run "
        "the same command again."
    )


@dataclass(eq=False)
class UnknownFamily(ModelError):
    """A model_type or GGUF architecture that the families table has no entry for."""

    model: str
    family: str
    known: Sequence[str]

    def __str__(self) -> str:
        return (
            f"{self.model} is of family {self.family!r}, which has no proven entry. "
            f"Supported: {', '.join(self.known)}. A new one is an entry in "
            "annotator/weights/families/, proved by the attention oracle in the tests."
        )


@dataclass(eq=False)
class TokenizerMissing(ModelError):
    """No tokenizer where one was expected, or one whose kind is not known."""

    model: str
    reason: str

    _message = (
        "no usable tokenizer for {model}: {reason}. Name one with --tokenizer or tokenizer= (a "
        "tokenizer.json, or a folder that holds one)."
    )


@dataclass(eq=False)
class Disproved(ModelError):
    """A model's own modules compute something else than what annotator cuts from it.

    Attributes:
        model: the model.
        parts: what disagrees.
    """

    model: str
    parts: Sequence[str]

    def __str__(self) -> str:
        return (
            f"{self.model} is not what the families table says. Its own modules disagree on: "
            f"{', '.join(self.parts)}. If --dtype float64 says so too, do not map it, and report "
            "it with its config.json."
        )

"""What was asked for cannot be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotator.errors.base import AnnotatorError


@dataclass(eq=False)
class DeviceUnavailable(AnnotatorError):
    """A device that torch cannot use here."""

    device: str
    reason: str

    _message = "device {device!r} cannot be used: {reason}. Use --device cpu."


@dataclass(eq=False)
class Overflow(AnnotatorError):
    """Finite weights whose products are not finite."""

    layers: Sequence[int]
    dtype: str

    def __str__(self) -> str:
        named = ", ".join(map(str, self.layers))
        return f"layer {named}: logits are not finite in {self.dtype}. Use --dtype float64."


@dataclass(eq=False)
class MissingExtra(AnnotatorError):
    """An optional package is needed."""

    purpose: str
    install: str

    _message = "{purpose} needs a package that is not installed. Run: {install}"


@dataclass(eq=False)
class EnvironmentInvalid(AnnotatorError):
    """A variable of the environment that cannot be used.

    Attributes:
        variable: its name.
        reason: what is wrong, as the rest of a sentence; never a password.
        remedy: what to do.
    """

    variable: str
    reason: str
    remedy: str

    _message = "{variable} {reason}. {remedy}."


@dataclass(eq=False)
class PathInvalid(AnnotatorError):
    """A path that nothing can be kept at.

    Attributes:
        path: as it was given.
        reason: what is wrong.
        remedy: what to do.
    """

    path: str
    reason: str
    remedy: str

    _message = "the path {path} cannot be used: {reason}. {remedy}."


@dataclass(eq=False)
class HomeMissing(AnnotatorError):
    """A user whose home folder nothing names.

    Attributes:
        variable: what else may name the place that is needed.
    """

    variable: str

    _message = (
        "no home folder is known here: HOME is not set, and the system's list of users lacks "
        "this one. Set HOME, or have {variable} name a folder that you can write to."
    )


@dataclass(eq=False)
class SettingInvalid(AnnotatorError):
    """A setting outside its range."""

    setting: str
    value: object
    allowed: str

    _message = "{setting} = {value!r} will not do; it must be {allowed}."


@dataclass(eq=False)
class HeadInvalid(AnnotatorError):
    """Not a head's name, or a head that the model does not have."""

    head: str
    n_layers: int | None = None
    n_heads: int | None = None

    def __str__(self) -> str:
        if self.n_layers is None or self.n_heads is None:
            return f"{self.head!r} is not a head's name. Write layer and head from 0, as in L23H4."
        return (
            f"there is no head {self.head}: this model has L0 to L{self.n_layers - 1}, "
            f"each with H0 to H{self.n_heads - 1}."
        )


@dataclass(eq=False)
class TokenInvalid(AnnotatorError):
    """A text that is not exactly one token.

    Attributes:
        text: what was given.
        pieces: the tokens it becomes, as shown to a person; empty where it becomes none.
        remedy: a neighbouring text that is one token, or "".
    """

    text: str
    pieces: Sequence[str]
    remedy: str = ""

    def __str__(self) -> str:
        becomes = " | ".join(self.pieces) if self.pieces else "nothing"
        hint = self.remedy or "Give one of these tokens, or an id as '#1234'."
        return f"{self.text!r} is not one token of this model; it becomes {becomes}. {hint}"

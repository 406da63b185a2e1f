"""Everything that can go wrong, one type each, each building its own message.

AnnotatorError
├── ModelError                a model cannot be read or mapped
│   ├── ModelNotFound         no such path, and no such repository on the hub
│   ├── CheckpointRefused     readable, but not something that can be mapped as it is
│   ├── CheckpointBroken      missing, truncated, mis-shaped or non-finite; every problem is named
│   ├── UnknownFamily         a model_type (or GGUF architecture) without a table entry
│   └── TokenizerMissing      no tokenizer, or one whose kind is not known
├── DeviceUnavailable         --device names what this machine lacks
├── Overflow                  finite weights whose products are not finite
├── MissingExtra              an optional package is needed and absent
├── SettingInvalid            a setting outside its range
├── HeadInvalid               not a head's name, or a head the model does not have
├── TokenInvalid              a text that is not one token of this model
└── CatalogError              a catalog on disk cannot be used
    ├── CatalogMissing        the folder holds no (finished) catalog
    ├── CatalogMismatch       the folder holds another model or other settings
    ├── CatalogForeign        the folder holds files that are not a catalog's
    ├── CatalogBusy           another process is writing it
    ├── CatalogBroken         a file of it cannot be read
    └── CatalogUnwritable     the disk is full, or the path cannot be written

A message says what is wrong, where, and what to do next. All of them leave finished work alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class AnnotatorError(Exception):
    """Base of every error that annotator raises on purpose."""


class ModelError(AnnotatorError):
    """A model cannot be read or mapped."""


@dataclass(eq=False)
class ModelNotFound(ModelError):
    """Neither a path here nor a repository that the hub gives us."""

    model: str
    reason: str

    def __str__(self) -> str:
        return (
            f"no model at {self.model!r}: {self.reason}. Give a folder with config.json and "
            "safetensors, a .gguf file, or a Hugging Face hub id (with --revision if wanted)."
        )


@dataclass(eq=False)
class CheckpointRefused(ModelError):
    """A checkpoint that is readable but must not be mapped as it is."""

    model: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.model} is refused: {self.reason}. {self.remedy}"


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
class UnknownFamily(ModelError):
    """A model_type or GGUF architecture that the families table has no entry for."""

    model: str
    family: str
    known: Sequence[str]

    def __str__(self) -> str:
        return (
            f"{self.model} is of family {self.family!r}, which has no proven entry. "
            f"Supported: {', '.join(self.known)}. A new one is an entry in "
            "annotator/weights/families.py, proved by the attention oracle in the tests."
        )


@dataclass(eq=False)
class TokenizerMissing(ModelError):
    """No tokenizer where one was expected, or one whose kind is not known."""

    model: str
    reason: str

    def __str__(self) -> str:
        return (
            f"no usable tokenizer for {self.model}: {self.reason}. Name one with --tokenizer "
            "or tokenizer= (a tokenizer.json, or a folder that holds one)."
        )


@dataclass(eq=False)
class DeviceUnavailable(AnnotatorError):
    """A device that torch cannot use here."""

    device: str
    reason: str

    def __str__(self) -> str:
        return f"device {self.device!r} cannot be used: {self.reason}. Use --device cpu."


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

    def __str__(self) -> str:
        return f"{self.purpose} needs a package that is not installed. Run: {self.install}"


@dataclass(eq=False)
class SettingInvalid(AnnotatorError):
    """A setting outside its range."""

    setting: str
    value: object
    allowed: str

    def __str__(self) -> str:
        return f"{self.setting} = {self.value!r} will not do; it must be {self.allowed}."


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


class CatalogError(AnnotatorError):
    """A catalog on disk cannot be used."""


@dataclass(eq=False)
class CatalogMissing(CatalogError):
    """The folder holds no finished catalog."""

    path: str
    reason: str

    def __str__(self) -> str:
        return (
            f"no finished catalog at {self.path}: {self.reason}. "
            f"Run: annotator map MODEL --out {self.path}"
        )


@dataclass(eq=False)
class CatalogMismatch(CatalogError):
    """The folder holds a catalog of another model or made with other settings.

    Attributes:
        path: the folder.
        differences: for each field its value on disk and the one asked for.
    """

    path: str
    differences: Mapping[str, tuple[object, object]]

    def __str__(self) -> str:
        listed = "\n".join(
            f"  - {field}: there {_short(there)}, asked for {_short(asked)}"
            for field, (there, asked) in self.differences.items()
        )
        return (
            f"{self.path} holds a catalog that was made otherwise:\n{listed}\n"
            "Nothing was changed. Choose another --out, or what it was made with."
        )


def _short(value: object) -> str:
    """A value for a message; of a digest, its beginning."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:13]}..."


@dataclass(eq=False)
class CatalogForeign(CatalogError):
    """The folder holds files that must not be mixed with what would be written."""

    path: str
    files: Sequence[str]
    reason: str = "is not empty and holds no catalog.json"

    def __str__(self) -> str:
        return (
            f"{self.path} {self.reason} (there: {', '.join(self.files)}). "
            "Nothing was changed. Choose an empty or new folder for --out."
        )


@dataclass(eq=False)
class CatalogBusy(CatalogError):
    """Another process is writing the catalog.

    Attributes:
        path: the folder.
    """

    path: str

    def __str__(self) -> str:
        return f"another process is writing {self.path}. Wait for it to end, then run this again."


@dataclass(eq=False)
class CatalogBroken(CatalogError):
    """A file of the catalog cannot be read.

    Attributes:
        path: the file.
        reason: the reader's own words.
        remedy: what to do about it.
    """

    path: str
    reason: str
    remedy: str = "Delete that file and run the same annotator map again"

    def __str__(self) -> str:
        return f"{self.path} cannot be read ({self.reason}). {self.remedy}."


@dataclass(eq=False)
class CatalogUnwritable(CatalogError):
    """The disk is full, or the path cannot be written."""

    path: str
    reason: str

    def __str__(self) -> str:
        return (
            f"cannot write {self.path}: {self.reason}. Make room or choose another place, then run "
            "the same command again: finished layers are kept."
        )

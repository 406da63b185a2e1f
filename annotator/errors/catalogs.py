"""A catalog on disk cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotator.errors.base import AnnotatorError


class CatalogError(AnnotatorError):
    """A catalog on disk cannot be used."""


@dataclass(eq=False)
class CatalogMissing(CatalogError):
    """The folder holds no finished catalog."""

    path: str
    reason: str

    _message = "no finished catalog at {path}: {reason}. Run: annotator map MODEL --out {path}"


@dataclass(eq=False)
class CatalogMismatch(CatalogError):
    """The folder holds a catalog of another model or made with other settings.

    Attributes:
        path: the folder.
        differences: for each field its value on disk and the one asked for.
        remedy: what to do.
    """

    path: str
    differences: Mapping[str, tuple[object, object]]
    remedy: str = "Choose another --out, or what it was made with."

    def __str__(self) -> str:
        listed = "\n".join(
            f"  - {field}: there {_short(there)}, asked for {_short(asked)}"
            for field, (there, asked) in self.differences.items()
        )
        return (
            f"{self.path} holds a catalog that was made otherwise:\n{listed}\n"
            f"Nothing was changed. {self.remedy}"
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

    _message = "another process is writing {path}. Wait for it to end, then run this again."


DELETE_IT = "Delete that file and run"
"""How the remedy begins for a file that can be made again; one that is not there is only made."""


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
    remedy: str = f"{DELETE_IT} the same annotator map again"

    _message = "{path} cannot be read ({reason}). {remedy}."

    @classmethod
    def unreadable(cls, path: str, reason: str) -> CatalogBroken:
        """A file that the system does not let us read; nothing is known against it."""
        remedy = "See its permissions and its disk, then run the same command again"
        return cls(path, reason, remedy)


@dataclass(eq=False)
class CatalogUnwritable(CatalogError):
    """The disk is full, or the path cannot be written."""

    path: str
    reason: str

    _message = (
        "cannot write {path}: {reason}. Make room or choose another place, then run the same "
        "command again: what is finished is kept."
    )


@dataclass(eq=False)
class PortTaken(CatalogError):
    """The page of a catalog cannot be served on the port that was named.

    Attributes:
        port: of this machine.
        reason: what the system says.
    """

    port: int
    reason: str

    _message = "port {port} cannot be used: {reason}. Name another with --port, or leave it out."

"""What a kind of item has to say of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from annotator.records import Description, HeadId, HeadMap


@runtime_checkable
class Maps(Protocol):
    """A catalog's heads, for kinds that show more than the chosen ones."""

    def head(self, head: HeadId | str) -> HeadMap:
        """One head."""
        ...

    def __iter__(self) -> Iterator[HeadMap]:
        """All of them."""
        ...


@dataclass(frozen=True)
class Shown:
    """What a rater is shown.

    Attributes:
        head: a map, under the head that it stands for.
        said: the description beside it.
    """

    head: HeadMap
    said: Description


@dataclass(frozen=True)
class Kind:
    """A kind of item.

    Attributes:
        name: as --kind, ledger and exports have it; up to 20 letters.
        real: whether it counts among the real items of a study; else its sums stand apart.
        shown: makes what is shown of a catalog, of the descriptions chosen and of the heads that
            they are of; the same every time, or what was pushed would not be known again.
    """

    name: str
    real: bool
    shown: Callable[[Maps, Sequence[Description], Mapping[HeadId, HeadMap]], Iterable[Shown]]

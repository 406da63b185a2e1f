"""A head's own map, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from annotator.judge.kinds.base import Kind, Maps, Shown
from annotator.records import REAL, Description, HeadId, HeadMap


def _shown(
    _: Maps, said: Sequence[Description], heads: Mapping[HeadId, HeadMap]
) -> Iterator[Shown]:
    yield from (Shown(heads[one.head], one) for one in said)


KIND = Kind(REAL, real=True, shown=_shown)

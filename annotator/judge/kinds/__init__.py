"""The kinds of what raters are shown, a file each; all else treats them alike."""

from __future__ import annotations

from annotator.judge.kinds import real
from annotator.judge.kinds.base import Kind as Kind
from annotator.judge.kinds.base import Maps as Maps
from annotator.judge.kinds.base import Shown as Shown

KINDS: dict[str, Kind] = {one.name: one for one in (real.KIND,)}
"""Every kind by its name."""


def is_real(kind: str) -> bool:
    """Whether items of a kind count among the real ones; those of an unknown kind do not."""
    return kind in KINDS and KINDS[kind].real

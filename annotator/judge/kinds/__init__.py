"""The kinds of what raters are shown: a file each, and a line here; all else treats them alike."""

from __future__ import annotations

from annotator.judge.kinds.base import Kind as Kind
from annotator.judge.kinds.base import Maps as Maps
from annotator.judge.kinds.base import Shown as Shown
from annotator.registry import registered

KINDS = {"real": "annotator.judge.kinds.real"}
"""By name the module that has it as KIND."""


def kind_of(name: str) -> Kind:
    """The kind of a name.

    Raises:
        SettingInvalid: there is none.
    """
    return registered("kind", name, KINDS, "KIND")


def is_real(kind: str) -> bool:
    """Whether items of a kind count among the real ones; those of an unknown kind do not."""
    return kind in KINDS and kind_of(kind).real

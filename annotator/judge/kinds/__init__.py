"""The kinds of what raters are shown: a file each, and a line here; all else treats them alike."""

from __future__ import annotations

from importlib import import_module

from annotator.errors import SettingInvalid
from annotator.judge.kinds.base import Kind as Kind
from annotator.judge.kinds.base import Maps as Maps
from annotator.judge.kinds.base import Shown as Shown

KINDS = {"real": "annotator.judge.kinds.real"}
"""By name the module that has it as KIND."""


def kind_of(name: str) -> Kind:
    """The kind of a name.

    Raises:
        SettingInvalid: there is none.
    """
    if name not in KINDS:
        raise SettingInvalid("kind", name, "one of " + ", ".join(KINDS))
    return import_module(KINDS[name]).KIND


def is_real(kind: str) -> bool:
    """Whether items of a kind count among the real ones; those of an unknown kind do not."""
    return kind in KINDS and kind_of(kind).real

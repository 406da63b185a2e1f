"""Looks up what a registry names: a module by name, and the one thing in it that it declares."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from annotator.errors import SettingInvalid


def registered(setting: str, name: str, modules: Mapping[str, str], declared: str) -> Any:
    """What a registered module declares; it is imported now.

    Args:
        setting: what a user calls it by, for the message.
        name: which.
        modules: the registry.
        declared: the name that every module of the registry gives it.

    Raises:
        SettingInvalid: there is none of that name.
    """
    if name not in modules:
        raise SettingInvalid(setting, name, "one of " + ", ".join(modules))
    return getattr(import_module(modules[name]), declared)

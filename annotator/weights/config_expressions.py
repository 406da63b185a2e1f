"""The words in which an entry of the families table speaks of a config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Const:
    """A value that the architecture fixes, in place of a config key."""

    value: Any


@dataclass(frozen=True)
class Of:
    """A function of one config value, such as a square root."""

    key: str
    to: Callable[[Any], Any]


Setting = str | Const | Of
"""A config key (dots reach into nested objects), a constant, or a function of a config value."""


def named(setting: Setting) -> str:
    """What a message calls a setting: the config key that it is read from."""
    if isinstance(setting, Const):
        return f"constant {setting.value!r}"
    return setting if isinstance(setting, str) else setting.key


Get = Callable[[str], Any]
"""Config key -> its value, or what the architecture assumes where it is absent."""


def says(**handled: Any) -> Callable[[Get], bool]:
    """Whether a config says all of this; a tuple lists the values that will do.

    A null is false, as in transformers, where a value is either true or false.
    """
    wanted = {
        key: value if isinstance(value, tuple) else (value,) for key, value in handled.items()
    }

    def fits(get: Get) -> bool:
        said = {key: get(key) for key in wanted}
        met = {
            key: said[key] in values or (said[key] is None and False in values)
            for key, values in wanted.items()
        }
        return all(met.values())  # only now, so that each key has been asked for

    return fits


@dataclass(frozen=True)
class Only:
    """A setting that is handled at some values only.

    Attributes:
        key: the config key.
        values: the values that are handled.
        reason: why the others are not.
    """

    key: str
    values: tuple[Any, ...]
    reason: str

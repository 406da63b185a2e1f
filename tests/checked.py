"""Types checked at run time: jaxtyping where a signature has a tensor's axes, beartype elsewhere.

jaxtyping's import hook has every function of annotator check its arguments and what it returns, by
beartype, and binds the arguments of every call to hold axes of one name against each other. Where
there are none, that is most of the time that a test takes: beartype by itself asks the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial, update_wrapper
from types import CodeType, FunctionType
from typing import Any, get_args, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype

with_axes: Callable[..., Any] = jaxtyping.jaxtyped
without_axes = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))

CHECKED = "__beartype_func"
"""Under this name what beartype makes of a function has the function itself."""

_of_code: dict[CodeType, FunctionType] = {}


def install() -> None:
    """Have the import hook decorate with `checked`; before annotator is imported."""
    jaxtyping.jaxtyped = _jaxtyped


def _jaxtyped(*context: str, **typechecker: Any) -> Any:
    return with_axes(*context) if context else partial(checked, **typechecker)


def checked(wanted: Any, *, typechecker: Callable[..., Any]) -> Any:
    """A function that checks its types, or a class whose dataclass's constructor does."""
    if isinstance(wanted, type):
        made = vars(wanted).get("__init__")
        if is_dataclass(wanted) and made is not None and not hasattr(made, "__wrapped__"):
            wanted.__init__ = checked(made, typechecker=typechecker)
        return wanted
    if not isinstance(wanted, FunctionType):
        return with_axes(wanted, typechecker=typechecker)
    if wanted.__code__ in _of_code:
        return _again(_of_code[wanted.__code__], wanted)
    hints = {name: _resolved(hint, wanted) for name, hint in wanted.__annotations__.items()}
    if any(map(_has_axes, hints.values())):
        return with_axes(wanted, typechecker=typechecker)
    written, wanted.__annotations__ = wanted.__annotations__, hints
    found = without_axes(wanted)
    wanted.__annotations__ = found.__annotations__ = written
    if "<locals>" in wanted.__qualname__:
        _of_code[wanted.__code__] = found
    return found


def _again(found: FunctionType, wanted: FunctionType) -> FunctionType:
    """What checks an inner function, made of what checks the one that an earlier call had."""
    if CHECKED not in (found.__kwdefaults__ or {}):
        return wanted  # there is nothing to check
    again = FunctionType(found.__code__, found.__globals__, argdefs=found.__defaults__)
    again.__kwdefaults__ = {**found.__kwdefaults__, CHECKED: wanted}
    return update_wrapper(again, wanted)


def _resolved(hint: Any, function: Any) -> Any:
    """What an annotation stands for; Any, as jaxtyping has it, where that is not known yet."""

    def of(_: Any) -> None:
        pass

    of.__annotations__ = {"_": hint}
    try:
        return get_type_hints(of, function.__globals__, include_extras=True)["_"]
    except (AttributeError, NameError, TypeError):
        return Any


def _has_axes(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    inside = hint if isinstance(hint, list) else get_args(hint)
    return any(map(_has_axes, inside))

"""A progress bar for whatever takes longer than two seconds; on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeVar

from annotator.terminal_text import visible

T = TypeVar("T")
DELAY = 2.0


def track(
    items: Iterable[T], label: str, total: int, *, unit: str, done: int = 0, show: bool = True
) -> Iterable[T]:
    """Pass items through, showing how far they are once two seconds have gone by.

    Args:
        items: what is worked through.
        label: what is done with them.
        total: how many there are in all, those done before included.
        unit: what one is called.
        done: how many were done before.
        show: False: pass them through silently.
    """
    return bar(label, total, unit=unit, done=done, items=items) if show else items


def bar(
    label: str,
    total: int,
    *,
    unit: str,
    done: int = 0,
    show: bool = True,
    items: Iterable[Any] | None = None,
) -> Any:
    """The bar itself, for what is not passed through it: `update` and `set_postfix` move it."""
    from tqdm.auto import tqdm

    # Into a log file: a line now and then, not a stream of them, and the last one stays.
    watched = sys.stderr.isatty()
    return tqdm(
        items,
        label,
        total=total,
        initial=done,
        unit=unit,
        delay=DELAY,
        mininterval=0.1 if watched else 10.0,
        miniters=0,
        smoothing=0,
        leave=not watched,
        disable=not show,
    )


def say(line: str) -> None:
    """A line on standard error, above a bar where there is one; none if it cannot be written."""
    from tqdm.auto import tqdm

    with suppress(OSError):  # a closed terminal, a full disk
        tqdm.write(visible(line), file=sys.stderr)

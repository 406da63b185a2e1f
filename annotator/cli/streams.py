"""Standard output and standard error, as users' shells hand them over: closed, broken, full.

Who reads a command's output and has enough of it (`| head`) has not had it fail. What is written
after that goes nowhere, and the command does the rest of its work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any

from annotator.terminal_text import show_controls


def prepare(*, installed: bool) -> None:
    """Have both streams take every text.

    Args:
        installed: it is the installed command, whose process and streams are its own.
    """
    if installed:
        _open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a token must not fail on a narrow encoding
            stream.reconfigure(errors="backslashreplace")
            if installed:
                show_controls(stream, bars=stream is sys.stderr)
                # Nobody could be told that standard error is full, and work goes on without it.
                _forgive(stream, BrokenPipeError if stream is sys.stdout else OSError)


def end() -> None:
    """Leave nothing unwritten, of which Python would complain in its own words as it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            silence(stream.fileno())


def silence(opened: int) -> None:
    """Have what is written to an open file go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, opened)
    os.close(nowhere)


def _open_closed() -> None:
    """Open what came closed (`>&-`), or a file of ours would take its number and its writes."""
    for opened in range(3):
        try:
            os.fstat(opened)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    for name, opened in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(opened, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def _forgive(stream: TextIOWrapper, failure: type[OSError]) -> None:
    """Have a stream go nowhere once it fails in that way; another failure names the stream."""

    def forgiving(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            try:
                return method(*given)
            except failure:
                silence(stream.fileno())
            except OSError as error:
                raise OSError(error.errno, error.strerror, stream.name) from error

        return call

    stream.write = forgiving(stream.write)
    stream.flush = forgiving(stream.flush)

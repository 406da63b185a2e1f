"""What ends a command in order: Ctrl-C, and what Slurm, docker or a closed terminal send."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import suppress
from types import FrameType

from annotator.cli.streams import silence

STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Signalled(KeyboardInterrupt):
    """The command is to end, as by Ctrl-C.

    Attributes:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def end_in_order() -> None:
    """Have all of them end a command as Ctrl-C does; what is ignored (`nohup`) stays ignored."""
    for one in STOPPING:
        if signal.getsignal(one) != signal.SIG_IGN:
            signal.signal(one, _stop)


def exit_code(stopped: BaseException | None) -> int:
    """The exit code of what was stopped: 128 and the signal, as shells have it; 130 for Ctrl-C."""
    return 128 + getattr(stopped, "number", int(signal.SIGINT))


def _stop(number: int, _: FrameType | None) -> None:
    for opened in (1, 2):
        _silence_if_closed(opened)
    raise Signalled(number)


def _silence_if_closed(opened: int) -> None:
    """What is written to a terminal that was closed fails, and would end the run out of order."""
    with suppress(OSError):
        if stat.S_ISCHR(os.fstat(opened).st_mode) and not os.isatty(opened):
            silence(opened)

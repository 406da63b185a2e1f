"""Who is at a request: an open ledger of a process on a machine, and whether it still is.

An owner is written `host:boot:namespace:process:start:number`. Boot id and PID namespace say where
a process can be seen: two containers may have one hostname, and a machine forgets its processes
when it starts again. Where they differ, only a lease tells. The start tells a process from a later
one that was given the same number by the system. The last number tells the ledgers of one process
apart, so that what a closed one left can be taken up.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import time
from pathlib import Path

_BOOT, _NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
_OPEN: set[str] = set()
_NUMBERS = itertools.count(1)


def enter() -> str:
    """A new owner of this process; it is at work until it leaves."""
    process = os.getpid()
    owner = f"{_place()}:{process}:{_start_of(process)}:{next(_NUMBERS)}"
    _OPEN.add(owner)
    return owner


def leave(owner: str) -> None:
    """It is no longer at work."""
    _OPEN.discard(owner)


def at_work(owner: str, until: float) -> bool:
    """Whether an owner may still be at work.

    Args:
        owner: as `enter` wrote it.
        until: when one that cannot be seen from here is given up; seconds since 1970.
    """
    place, process, start, _ = owner.rsplit(":", 3)
    if place != _place():
        return time.time() < until
    if int(process) == os.getpid():
        return owner in _OPEN
    now = _start_of(int(process))
    return now is not None and (now == start or not (now and start))


def _place() -> str:
    """Where a process can be seen by its number; boot and namespace are "" where there are none."""
    try:
        boot = _BOOT.read_text("ascii").strip()
        namespace = re.sub(r"\D", "", str(_NAMESPACE.readlink()))
    except OSError:
        boot = namespace = ""
    return f"{socket.gethostname()}:{boot}:{namespace}"


def _start_of(process: int) -> str | None:
    """When a process started; "" where the system does not tell; None where it has ended.

    On Linux in the system's own count since boot, which psutil's `create_time` is not: that one
    moves with the clock, and a process at work would look like another after a laptop's sleep.
    """
    import psutil

    try:
        found = psutil.Process(process)
        if found.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None
        if psutil.LINUX:
            stat = Path(f"/proc/{process}/stat").read_bytes()
            return stat.rpartition(b")")[2].split()[19].decode()  # a name may hold anything
        return f"{found.create_time():.0f}"
    except (psutil.Error, OSError):  # it has ended; or is not shown, as where /proc hides others'
        return "" if _exists(process) else None


def _exists(process: int) -> bool:
    """Whether there is a process; psutil looks in /proc, which may hide those of others."""
    import psutil

    if not psutil.POSIX:
        return psutil.pid_exists(process)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True

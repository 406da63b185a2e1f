"""A disk without locks, as far as one process can tell: the kernel refuses it every POSIX lock."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys

_FCNTL = {"x86_64": 72, "aarch64": 25}
_LOCKING = (6, 7, 37, 38)  # F_SETLK, F_SETLKW and those of open files
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _COMMAND = 0, 24  # where they are in what a filter is shown of a system call
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2

CAN = sys.platform == "linux" and platform.machine() in _FCNTL


def refuse_locks() -> None:
    """From here on fcntl gives this process no lock; there is no way back."""
    count = len(_LOCKING)
    made = [
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_IF_EQUAL, 0, count + 1, _FCNTL[platform.machine()]),
        (_LOAD, 0, 0, _COMMAND),
        *((_JUMP_IF_EQUAL, count - at, 0, one) for at, one in enumerate(_LOCKING)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | errno.ENOLCK),
    ]
    steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in made))
    whole = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(made), ctypes.addressof(steps)))
    libc = ctypes.CDLL(None, use_errno=True)
    for wanted in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SECCOMP, _FILTER, whole)):
        if libc.prctl(*wanted):
            raise OSError(ctypes.get_errno(), "no filter of system calls can be had")

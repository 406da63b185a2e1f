"""Runs a module of another environment for as long as the process that started this one lives.

    PYTHON -I -u guarded_process.py PIPE MODULE [ARGUMENT ...]

Started by its path, with another environment's Python: it imports nothing of ours. Its standard
input is a pipe that its parent holds open and never writes to. When the parent ends, kill -9
included, the pipe ends, and with it this process and all that it started.

PIPE is -, or a pipe's number. With a number, the module is a server that stays at home: it may
reach this machine alone, and the port it really got is written into the pipe once it listens. So
nobody has to ask on a port that another program took meanwhile.
"""

from __future__ import annotations

import os
import runpy
import signal
import socketserver
import sys
import threading
from typing import Any

HOME = frozenset({None, "", "localhost", "127.0.0.1", "::1"})
_ASKS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_SENDS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_REDIS = 6379
"""Where Label Studio looks for a queue of jobs: in somebody else's they would never be done."""


def main() -> None:
    """Run the module that the command line names."""
    pipe, module, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if pipe != "-":
        sys.addaudithook(_stay_at_home)
        _tell_port(int(pipe))
    sys.argv[:] = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    os.read(0, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _stay_at_home(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _ASKS:
        host, port = arguments[0], None
    elif event in _SENDS and isinstance(arguments[1], tuple):
        host, port = arguments[1][:2]
    else:
        return
    host = host.decode(errors="replace") if isinstance(host, bytes) else host
    if host not in HOME or port == _REDIS:
        raise PermissionError(f"this server stays on this machine; not asked: {host}")


def _tell_port(pipe: int) -> None:
    activate = socketserver.TCPServer.server_activate

    def tell(self: socketserver.TCPServer) -> None:
        activate(self)
        os.write(pipe, f"{self.server_address[1]}\n".encode())

    socketserver.TCPServer.server_activate = tell


if __name__ == "__main__":
    main()

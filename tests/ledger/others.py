"""Other processes that use a ledger, and what several tests put into one."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.ledger import Ledger
from annotator.records import HeadId
from tests import PATIENCE

HEAD = HeadId(23, 4)
LLM = "openai:some-model"
ANSWER = AttemptResult(
    "described", {"pattern": "capitals"}, '{"pattern": "capitals"}', 812, 64, 1.5
)
FAILURE = AttemptResult("failed", {"problem": "no route to host", "again": True})
_BEFORE = """
import json, sys
from pathlib import Path
from annotator.ledger.attempt_results import AttemptResult
from annotator.ledger.ledger import Ledger
from annotator.records import HeadId

def say(what):
    print(json.dumps(what), flush=True)

def wait():
    assert sys.stdin.readline()

where = Path(sys.argv[1])
given = json.loads(sys.argv[2])
"""


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


KEY = key_of(0)


def ask(ledger: Ledger, key: str, came: AttemptResult | None = ANSWER, **parameters: Any) -> int:
    """One attempt at a request; None: it is still in flight."""
    ledger.add(LLM, [(HEAD, key, {"prompt": key})])
    attempt = ledger.begin(key, parameters)
    if came is not None:
        ledger.record(attempt, came)
    return attempt


def described(ledger: Ledger) -> dict[tuple[HeadId, str], AttemptResult]:
    """Each head's answer by each LLM."""
    return {(one.head, one.who.llm): one.came for one in ledger.described()}


def rows(where: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What plain SQLite reads, or does, without any of the ledger's code."""
    with closing(sqlite3.connect(where)) as connection, connection:
        return connection.execute(query, values).fetchall()


class Other:
    """Another process, running a few lines; it speaks JSON with us, a line at a time.

    Args:
        code: the lines.
        where: the ledger.
        given: what they find under that name.
        within: a command that runs it, such as `unshare`.
    """

    def __init__(
        self, code: str, where: Path, given: Any = None, within: Sequence[str] = ()
    ) -> None:
        command = [*within, sys.executable, "-c", _BEFORE + code, str(where), json.dumps(given)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def __enter__(self) -> Other:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def hear(self) -> Any:
        """The next it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "it ended without a word"
        return json.loads(line)

    def go_on(self) -> None:
        """Let it pass one `wait()`."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Let it go on to its end."""
        self.go_on()
        assert self.process.wait(timeout=PATIENCE) == 0
        self.kill()

    def kill(self) -> None:
        """kill -9, whatever it is at."""
        self.process.kill()
        self.process.communicate()

    def kill_unnoticed(self) -> None:
        """kill -9, but its parent has not asked after it yet: the system still lists it."""
        self.process.kill()
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)

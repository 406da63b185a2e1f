"""A whole `annotator describe` that is killed or stopped: no recorded answer is lost or asked for
again, and no key is left anywhere. The installed command, the real SDK, a loopback server.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from annotator.catalog.descriptions import LEDGER
from annotator.ledger.ledger import Ledger
from tests import PATIENCE
from tests.commands import SCRIPT, run
from tests.describe.loopback import Answer as Sent
from tests.describe.loopback import Asked, Provider, completion, openai_error
from tests.describe.test_run import GOOD, HEADS

KEY = "sk-0123456789abcdefghijklmnop"
BEFORE = 5


class Slow:
    """Answers some requests and keeps all others waiting until they may go on."""

    def __init__(self, provider: Provider, answered: int) -> None:
        self.left = answered
        self.turn = threading.Lock()
        self.waiting = threading.Semaphore(0)
        self.go_on = threading.Event()
        provider.answer = self.answer

    def answer(self, asked: Asked) -> Sent:
        with self.turn:
            self.left -= 1
            at_once = self.left >= 0
        if not at_once:
            self.waiting.release()
            assert self.go_on.wait(2 * PATIENCE)
        return GOOD


def command(catalog: Path, provider: Provider) -> list[str]:
    llm = f"openai:tiny@{provider.url}/v1"
    return ["describe", str(catalog), "--llm", llm, "--all", "--concurrency", "2"]


def started(catalog: Path, provider: Provider) -> subprocess.Popen[str]:
    pipe: Any = subprocess.PIPE
    return subprocess.Popen(
        [SCRIPT, *command(catalog, provider)],
        env={**os.environ, "OPENAI_API_KEY": KEY},
        stdout=pipe,
        stderr=pipe,
        text=True,
    )


def stopping(process: subprocess.Popen[str]) -> str:
    """The line that says so, below what there was of a bar."""
    assert process.stderr is not None
    return next(line for line in process.stderr if "Stopping." in line)


def prompts(provider: Provider) -> list[str]:
    return [asked.body["messages"][-1]["content"] for asked in provider.asked]


def recorded(catalog: Path) -> int:
    with Ledger(catalog / LEDGER) as ledger:
        return len(ledger.described())


def test_after_kill_9_only_what_has_no_answer_is_asked(catalog: Path, provider: Provider) -> None:
    slow = Slow(provider, BEFORE)
    process = started(catalog, provider)
    for _ in range(2):
        assert slow.waiting.acquire(timeout=PATIENCE)
    process.kill()
    process.communicate()
    slow.go_on.set()
    assert recorded(catalog) == BEFORE
    before = prompts(provider)
    done = run(*command(catalog, provider), OPENAI_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert f"{HEADS - BEFORE} asked now, {BEFORE} had an answer" in done.stdout
    again = prompts(provider)[len(before) :]
    assert len(again) == len(set(again)) == HEADS - BEFORE
    assert set(again) & set(before) == set(before[BEFORE:]), "the two in flight, and no other"
    with Ledger(catalog / LEDGER) as ledger:
        assert (ledger.count(), ledger.count("lost")) == (HEADS + 2, 2)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_run_that_is_told_to_stop_waits_for_what_is_under_way_and_records_it(
    catalog: Path, provider: Provider, number: signal.Signals, code: int
) -> None:
    slow = Slow(provider, BEFORE)
    process = started(catalog, provider)
    for _ in range(2):
        assert slow.waiting.acquire(timeout=PATIENCE)
    process.send_signal(number)
    said = stopping(process)
    assert "Stopping. 2 under way are waited for and recorded; Ctrl-C leaves at once." in said
    slow.go_on.set()
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert "Stopped. What is finished is kept; run the same command again to go on." in said
    assert "Traceback" not in said
    assert len(provider.asked) == recorded(catalog) == BEFORE + 2
    done = run(*command(catalog, provider), OPENAI_API_KEY=KEY)
    assert f"{HEADS - BEFORE - 2} asked now, {BEFORE + 2} had an answer" in done.stdout
    assert len(set(prompts(provider))) == len(provider.asked) == HEADS, "each is sent once"


def test_a_closed_terminal_stops_it_in_order_too(catalog: Path, provider: Provider) -> None:
    """What it would say has nowhere to go then."""
    slow = Slow(provider, BEFORE)
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [SCRIPT, *command(catalog, provider)],
        env={**os.environ, "OPENAI_API_KEY": KEY},
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(side)
    for _ in range(2):
        assert slow.waiting.acquire(timeout=PATIENCE)
    os.close(terminal)
    time.sleep(0.5)
    slow.go_on.set()
    assert process.wait(PATIENCE) == 129
    assert len(provider.asked) == recorded(catalog) == BEFORE + 2


def test_what_ignores_a_closed_terminal_goes_on_ignoring_it(
    catalog: Path, provider: Provider
) -> None:
    """As under `nohup`."""
    slow = Slow(provider, BEFORE)
    process = subprocess.Popen(
        ["nohup", SCRIPT, *command(catalog, provider)],
        env={**os.environ, "OPENAI_API_KEY": KEY},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(2):
        assert slow.waiting.acquire(timeout=PATIENCE)
    process.send_signal(signal.SIGHUP)
    slow.go_on.set()
    assert process.wait(PATIENCE) == 0
    assert recorded(catalog) == HEADS


def test_a_second_ctrl_c_leaves_at_once(catalog: Path, provider: Provider) -> None:
    slow = Slow(provider, BEFORE)
    process = started(catalog, provider)
    for _ in range(2):
        assert slow.waiting.acquire(timeout=PATIENCE)
    process.send_signal(signal.SIGINT)
    stopping(process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)  # while the server keeps both waiting
    assert process.returncode == 130
    assert "Traceback" not in said
    slow.go_on.set()
    assert recorded(catalog) == BEFORE
    done = run(*command(catalog, provider), OPENAI_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert recorded(catalog) == HEADS


def test_ctrl_c_twice_leaves_llama_cpp_at_once_too(catalog: Path) -> None:
    process = subprocess.Popen(
        [SCRIPT, "describe", str(catalog), "--llm", "local:", "--all"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with Ledger(catalog / LEDGER) as ledger:
        while not ledger.count():  # until the first is under way
            assert process.poll() is None
            time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    assert "1 under way" in stopping(process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_no_key_is_written_or_said_anywhere(
    catalog: Path, provider: Provider, tmp_path: Path
) -> None:
    """Not by a server that repeats it in its answers and errors, nor by the SDK's own log."""
    echoed = {"reasoning": KEY, "inputs": "i", "pattern": KEY, "category": "general"}
    answers = iter(
        [
            Sent(body=completion(json.dumps(echoed))),
            Sent(401, openai_error(f"wrong key {KEY}", "invalid_api_key")),
        ]
    )
    provider.answer = lambda asked: next(answers)
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    key_file.chmod(0o600)
    done = run(
        *command(catalog, provider)[:-1],
        *("1", "--key-file", key_file),
        OPENAI_LOG="debug",
    )
    assert done.returncode == 1
    assert "wrong key [key]" in done.stderr
    assert [asked.key for asked in provider.asked] == [KEY, KEY]
    left = b"".join(path.read_bytes() for path in catalog.rglob("*") if path.is_file())
    assert b"wrong key [key]" in left
    for text in (done.stdout, done.stderr, left.decode("latin-1")):
        assert KEY not in text
        assert KEY[:16] not in text

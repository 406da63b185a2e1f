"""A description run through faults and kills, and the account of what was sent, paid and recorded.

python -m tests.describe.storm [HEADS] [STOPS] [SEED]

Three sendings in ten meet a fault, drawn by the request and how often it came: too many requests
with and without a wait, server errors, connections that break, answers that drip, bodies that are
none, refusals, cut answers, prose, silence. The run is stopped at random points, by SIGKILL and
SIGTERM in turn, and started again until every head has an answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Lock

from annotator.catalog.descriptions import LEDGER
from annotator.ledger.attempt_results import LOST, MAYBE_PAID
from annotator.ledger.ledger import Ledger
from tests import PATIENCE
from tests.commands import SCRIPT
from tests.describe import loopback
from tests.describe.loopback import Answer, Asked, Provider, completion, described, openai_error
from tests.large_catalog import mapped

FAULTY = 0.3
CONCURRENCY = 16
TIMEOUT = 2.0
N_HEADS = 8
MOST_RUNS = 12  # after the last stop
GOOD = completion(described())
FULL, BROKEN = openai_error("slow down", "rate_limit_exceeded"), openai_error("oh no", "server")
FAULTS = {
    "429 with a wait": Answer(429, FULL, {"retry-after-ms": "50"}),
    "429": Answer(429, FULL),
    "500": Answer(500, BROKEN),
    "503": Answer(503, b"<html>busy</html>", {"Content-Type": "text/html"}),
    "504": Answer(504, BROKEN),
    "reset": Answer(body=GOOD, ends="reset"),
    "cut off": Answer(body=GOOD, ends="cut"),
    "drip": Answer(body=GOOD, ends="drip"),
    "silence": Answer(ends="silent"),
    "no JSON": Answer(body=b'{"choices": ['),
    "refusal": Answer(body=completion(None, refusal="I would rather not.")),
    "length": Answer(body=completion('{"reasoning": "r', finish="length")),
    "prose": Answer(body=completion("It maps countries to capitals.")),
}


class Storm:
    """What a server answers, by the request and how often it came."""

    def __init__(self, provider: Provider, seed: int) -> None:
        self._seed, self._lock = seed, Lock()
        self._came: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        provider.answer = self.answer

    def answer(self, asked: Asked) -> Answer:
        prompt = asked.body["messages"][-1]["content"]
        with self._lock:
            self._came[prompt] += 1
            random = Random(f"{self._seed} {self._came[prompt]} {prompt}")
            fault = random.choice([*FAULTS]) if random.random() < FAULTY else "none"
            self.met[fault] += 1
        return FAULTS.get(fault) or Answer(body=GOOD, after=random.uniform(0, 0.05))


@dataclass(frozen=True)
class Account:
    """What came of it all.

    Attributes:
        heads: how many there are.
        described: how many have one answer.
        sent: how many requests the server counts.
        attempts: how many the ledger does.
        recorded: how many of these have an outcome that the server gave.
        lost: how many were in flight at a kill.
        maybe_paid: how many ended after the server may have worked.
        twice: requests with more than one final answer, or that were sent after it.
        kills: how often it was killed.
        runs: how often it was started.
        met: how often each fault was met.
    """

    heads: int
    described: int
    sent: int
    attempts: int
    recorded: int
    lost: int
    maybe_paid: int
    twice: int
    kills: int
    runs: int
    met: Counter[str]

    def check(self) -> None:
        """Each head has one answer; the books of both sides agree; nothing was paid twice."""
        assert self.described == self.heads
        assert self.attempts == self.recorded + self.lost + self.maybe_paid
        # What was killed between its intent and its sending is lost too, and no server saw it.
        assert self.attempts - self.lost <= self.sent <= self.attempts
        assert self.lost <= CONCURRENCY * self.kills
        assert self.twice == 0
        assert set(self.met) >= {"none"}


def run(folder: Path, heads: int, stops: int, seed: int) -> Account:
    """Describe so many heads through faults and so many stops."""
    mapped(folder, heads // N_HEADS, N_HEADS)
    random = Random(seed)
    with loopback.running() as provider:
        storm = Storm(provider, seed)
        points = sorted(random.sample(range(1, heads), stops))
        kills = runs = 0
        for number, point in enumerate(points):
            process, runs = _started(folder, provider), runs + 1
            by = signal.SIGKILL if number % 2 == 0 else signal.SIGTERM
            kills += _stopped(process, provider, point, by)
        for _ in range(MOST_RUNS):
            process, runs = _started(folder, provider), runs + 1
            if process.wait(10 * PATIENCE) == 0:
                break
        return _account(folder, heads, provider, storm, kills, runs)


def _started(folder: Path, provider: Provider) -> subprocess.Popen[bytes]:
    llm = f"openai:tiny@{provider.url}/v1"
    how = ("--concurrency", str(CONCURRENCY), "--timeout", str(TIMEOUT))
    return subprocess.Popen(
        [SCRIPT, "describe", folder, "--llm", llm, "--all", *how],
        env={**os.environ, "OPENAI_API_KEY": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _stopped(
    process: subprocess.Popen[bytes], provider: Provider, point: int, by: signal.Signals
) -> int:
    """Stop it when the server has counted so many; 1 where it was killed."""
    while len(provider.asked) < point and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(by)
    process.wait(10 * PATIENCE)
    return int(by == signal.SIGKILL)


def _account(
    folder: Path, heads: int, provider: Provider, storm: Storm, kills: int, runs: int
) -> Account:
    with Ledger(folder / LEDGER) as ledger:
        ledger.sweep()
        keys = {one.key for one in ledger.described()}
        tried = {key: ledger.attempts(key) for key in keys}
        lost, maybe_paid = ledger.count(LOST), ledger.count(MAYBE_PAID)
        outcomes = sum(len(attempt.came) for every in tried.values() for attempt in every)
        return Account(
            heads=heads,
            described=len(ledger.described()),
            sent=len(provider.asked),
            attempts=ledger.count(),
            recorded=outcomes - lost - maybe_paid,
            lost=lost,
            maybe_paid=maybe_paid,
            twice=sum(not _once([one.came for one in every]) for every in tried.values()),
            kills=kills,
            runs=runs,
            met=storm.met,
        )


def _once(came: list[tuple[object, ...]]) -> bool:
    """Whether a request ended once, and with its last sending."""
    final = [any(getattr(one, "final", False) for one in every) for every in came]
    return final.count(True) == 1 and final[-1]


def main(heads: int = 1000, stops: int = 20, seed: int = 0) -> None:
    """Print the account, and check it."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        account = run(Path(folder) / "catalog", heads, stops, seed)
    print(json.dumps(vars(account), indent=1))
    print(f"{time.monotonic() - start:.0f} seconds")
    account.check()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

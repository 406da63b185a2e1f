"""1,000 heads, 64 at once, of a server that takes two seconds for an answer: against the ideal.

python -m tests.benchmarks.bench_describe [--small]

The ideal is latency x heads / concurrency, with nothing around the sendings. The whole command has
prompts to make before; from the first sending to the last answer is what the sendings take. At
latency 0 the ceiling is ours: what one machine can send and write down, each answer synced.
"""

from __future__ import annotations

import asyncio
import json
import math
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import func, select

from annotator.catalog.descriptions import LEDGER
from annotator.describe.openai import OpenAi
from annotator.ledger.ledger import Ledger
from annotator.ledger.tables import ATTEMPTS, OUTCOMES
from annotator.pipeline.describe import describe_heads
from tests.benchmarks.common import SMALL, Report, seconds
from tests.describe.loopback import completion, described
from tests.large_catalog import mapped

N_HEADS = 8
HEADS, CONCURRENCY, LATENCY = (64, 16, 0.2) if SMALL else (1000, 64, 2.0)
BODY = json.dumps(completion(described())).encode()
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    b"content-length: " + str(len(BODY)).encode() + b"\r\n\r\n"
)


async def _serve(latency: float, told: Connection) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            length = next(line for line in head.lower().split(b"\r\n") if b"content-length" in line)
            await reader.readexactly(int(length.split(b":")[1]))
            await asyncio.sleep(latency)
            writer.write(HEAD + BODY)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def _run(latency: float, told: Connection) -> None:
    asyncio.run(_serve(latency, told))


@contextmanager
def server(latency: float) -> Iterator[str]:
    """A server in a process of its own, so that it takes none of our time."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(latency, there))
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/v1"
    finally:
        process.terminate()
        process.join()


def timed(folder: Path, latency: float) -> tuple[float, float]:
    """Seconds for all heads, and those from the first sending to the last answer."""
    mapped(folder, HEADS // N_HEADS, N_HEADS)
    with server(latency) as url:
        llm = OpenAi("tiny", url)
        took = seconds(lambda: describe_heads(folder, llm, concurrency=CONCURRENCY, progress=False))
        llm.close()
    with Ledger(folder / LEDGER, read_only=True) as ledger, ledger.reading() as connection:
        first = connection.scalar(select(func.min(ATTEMPTS.c.at)))
        last = connection.scalar(select(func.max(OUTCOMES.c.at)))
    assert first is not None
    assert last is not None
    return took, last - first


def main() -> None:
    """Print the rate against the ideal, and the ceiling."""
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        took, sending = timed(Path(folder, "slow"), LATENCY)
        ideal = math.ceil(HEADS / CONCURRENCY) * LATENCY
        report.line("heads, at once, latency", f"{HEADS:8d}, {CONCURRENCY}, {LATENCY} s")
        report.line("took, sending, ideal", f"{took:8.2f} s, {sending:.2f} s, {ideal:.2f} s")
        report.line("sending's share of the ideal", f"{100 * ideal / sending:8.2f} %")
        report.at_least("share of the ideal rate", 100 * ideal / took, 90, "%")
        _, ceiling = timed(Path(folder, "fast"), 0.0)
        report.line("ceiling, latency 0", f"{HEADS / ceiling:8.1f} heads a second")
    report.end()


if __name__ == "__main__":
    sys.exit(main())

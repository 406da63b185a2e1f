"""What a claim and one head's descriptions cost in a ledger of 1,000 and of 100,000 attempts.

python -m tests.benchmarks.bench_ledger [--small]

The naive references read all there is, as the ledger did once.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, insert, select

from annotator.catalog.descriptions import LEDGER, read_descriptions
from annotator.ledger.attempt_results import UNSETTLED
from annotator.ledger.ledger import Ledger
from annotator.ledger.tables import ATTEMPTS, DESCRIBERS, HEADS, OUTCOMES, REQUESTS
from annotator.records import HeadId
from tests.benchmarks.common import SMALL, Report, peak_bytes, seconds

SIZES = (100, 1000) if SMALL else (1000, 100_000)
REPEATS = 21
N_HEADS = 32
FLAT = 3.0
"""The larger ledger may take so many times what the smaller one takes: its tree is deeper."""
PROMPT = {"prompt": "p" * 3000}
SAID = {"reasoning": "r" * 300, "inputs": "countries", "pattern": "p" * 80, "category": "semantic"}


def fill(ledger: Ledger, size: int) -> None:
    """So many heads, each with an answer."""
    numbers = range(size)
    with ledger.writing() as connection:
        connection.execute(insert(DESCRIBERS).values(number=1, llm="m", template="t", name=""))
        for table, rows in (
            (
                REQUESTS,
                [{"key": str(n), "content": {"prompt": "p" * 3000}, "at": 0} for n in numbers],
            ),
            (HEADS, [{**head(n), "describer": 1, "key": str(n)} for n in numbers]),
            (ATTEMPTS, [attempt(n) for n in numbers]),
            (OUTCOMES, [outcome(n) for n in numbers]),
        ):
            connection.execute(insert(table), rows)


def head(number: int) -> dict[str, int]:
    return {"layer": number // N_HEADS, "head": number % N_HEADS}


def attempt(number: int) -> dict[str, object]:
    own = {"id": number + 1, "key": str(number), "number": 1}
    return {**own, "parameters": {}, "owner": "h::1:1:1", "at": 0}


def outcome(number: int) -> dict[str, object]:
    said = {"kind": "described", "content": SAID, "reply": "r" * 500}
    spent = {"tokens_in": 1, "tokens_out": 1, "seconds": 0, "final": True, "at": number}
    return {"attempt": number + 1, "written_off": False, **said, **spent}


def naive_claim(connection: Connection, key: str) -> bool:
    """Whether it has an answer, found among all that have ended."""
    of, ends = ATTEMPTS.alias(), OUTCOMES.alias()
    ended = select(of.c.key).join_from(of, ends).where(ends.c.final)
    query = (
        select(OUTCOMES.c.attempt)
        .join_from(ATTEMPTS, OUTCOMES)
        .where(ATTEMPTS.c.key == key, OUTCOMES.c.kind.not_in(UNSETTLED), ATTEMPTS.c.key.in_(ended))
    )
    return connection.scalar(query.limit(1)) is None


def timed(folder: Path, size: int) -> dict[str, float]:
    """Milliseconds of each."""
    with Ledger(folder / LEDGER) as ledger:
        fill(ledger, size)
        keys = [f"new {n}" for n in range(REPEATS)]
        ledger.add("m", [(HeadId(0, 0), key, {"template": "t"}) for key in keys])

        def naive() -> None:
            with ledger.writing() as connection:
                naive_claim(connection, str(size // 2))

        took = {
            "claim": median(seconds(lambda key=key: ledger.claim(key)) for key in keys),
            "claim, naive": median(seconds(naive) for _ in range(5)),
        }
    file, some = folder / LEDGER, HeadId(*divmod(size // 2, N_HEADS))

    def all_read() -> None:
        assert [one for one in read_descriptions(file) if one.head == some]

    assert read_descriptions(file, heads=[some])
    took["a head's descriptions"] = median(
        seconds(lambda: read_descriptions(file, heads=[some])) for _ in range(REPEATS)
    )
    took["a head's descriptions, naive"] = seconds(all_read)
    return {name: 1000 * value for name, value in took.items()}


def main() -> None:
    """Print what each costs in both, and the ratios."""
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for size in SIZES:
            place = Path(folder, str(size))
            place.mkdir()
            found.append(timed(place, size))
    small, large = found
    for name in small:
        report.line(
            name, f"{small[name]:8.2f} ms at {SIZES[0]:,}, {large[name]:.2f} at {SIZES[1]:,}"
        )
    for name in ("claim", "a head's descriptions"):
        report.at_most(f"{name}, growth", large[name] / small[name], FLAT, "x")
        report.line(f"{name}, naive", f"{large[f'{name}, naive'] / large[name]:8.1f} x as long")
    report.line("peak memory", f"{peak_bytes() / 2**20:8.0f} MiB")
    report.end()


if __name__ == "__main__":
    sys.exit(main())

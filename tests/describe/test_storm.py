"""A run through faults and kills, in small; `python -m tests.describe.storm` is the large one."""

from __future__ import annotations

from pathlib import Path

from tests.describe.storm import N_HEADS, run


def test_each_head_has_one_answer_and_the_books_of_both_sides_agree(tmp_path: Path) -> None:
    account = run(tmp_path / "catalog", 12 * N_HEADS, stops=4, seed=1)
    account.check()
    assert account.kills == 2
    assert account.maybe_paid
    assert len(account.met) > 8, "most faults were met"

"""A made-up catalog of 2,000 heads, all described by the rules.

python -m tests.judge.large_catalog FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from annotator.records import BASELINE
from tests.large_catalog import described, mapped

LAYERS, HEADS = 50, 40


def make(folder: Path) -> None:
    mapped(folder, LAYERS, HEADS)
    described(folder, [BASELINE])


if __name__ == "__main__":
    make(Path(sys.argv[1]))

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.ledger.ledger import Ledger


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """Where a ledger is to be."""
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(where: Path) -> Iterator[Ledger]:
    """One that holds nothing yet."""
    with Ledger(where) as ledger:
        yield ledger

"""Write docs/bad_inputs.md."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bad_inputs.case import run
from tests.bad_inputs.page import PAGE, SECTIONS, page
from tests.bad_inputs.sources import make_sources

with tempfile.TemporaryDirectory() as name:
    sources, told = make_sources(Path(name)), {}
    for section, cases in SECTIONS.items():
        told[section] = []
        for number, case in enumerate(cases):
            folder = Path(name, f"{len(told)}-{number}")
            folder.mkdir()
            told[section].append(run(case, folder, sources))
PAGE.write_text(page(told))

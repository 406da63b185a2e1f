"""The tiny model and the catalog that cases copy."""

from __future__ import annotations

from pathlib import Path

from annotator.pipeline.describe import describe_heads
from annotator.pipeline.map import map_model
from tests import tiny
from tests.bad_inputs.case import Sources


def make_sources(folder: Path) -> Sources:
    """Make them."""
    model = tiny.save(folder / "tiny-llama", tiny.llama())
    map_model(model, folder / "catalog", progress=False)
    describe_heads(folder / "catalog", "rules", progress=False)
    return Sources(model, folder / "catalog")

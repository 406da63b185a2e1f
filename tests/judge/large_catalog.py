"""A made-up catalog of 2,000 heads, all described by the rules.

python -m tests.judge.large_catalog FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from annotator.catalog.build import Builder
from annotator.catalog.manifest import Manifest
from annotator.pipeline.describe import describe_heads
from tests.judge.made import head_map

LAYERS, HEADS = 50, 40
TEXTS = [(f"␣source{n}", [f"␣target{n}.{k}" for k in range(5)]) for n in range(30)]


def make(folder: Path) -> None:
    manifest = Manifest(
        model={"id": "large", "weight_digest": "0" * 64},
        dims={"n_layers": LAYERS, "n_heads": HEADS},
        settings={},
        versions={},
    )
    groups = [(layer,) for layer in range(LAYERS)]
    with Builder(folder, manifest, groups) as builder:
        for (layer,) in groups:
            names = [f"L{layer}H{head}" for head in range(HEADS)]
            builder.add([head_map(name, TEXTS) for name in names], (layer,))
        builder.finish()
    describe_heads(folder, "rules", progress=False)


if __name__ == "__main__":
    make(Path(sys.argv[1]))

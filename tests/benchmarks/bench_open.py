"""How long the embedded GGUF model takes to open: header, needed tensors, tokenizer.

python -m tests.benchmarks.bench_open [--small]
"""

from __future__ import annotations

import os
import tempfile

import gguf
import torch

from annotator.pipeline.quickstart import embedded_model
from annotator.tokens.load import load_vocabulary
from annotator.weights.model import open_model
from tests.benchmarks.common import Report, seconds


def main() -> None:
    path, report = embedded_model(), Report()
    report.line("torch, gguf", f"{torch.__version__}, {gguf.__name__} imported before")
    model = open_model(path)
    needs = model.plan.needs()
    opened = seconds(lambda: open_model(path))
    read = seconds(lambda: [model.source.read(need.name) for need in needs])
    report.line("header", f"{opened:8.2f} s")
    report.at_most("header and needed tensors", opened + read, 2, "s")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ANNOTATOR_CACHE"] = folder
        built = seconds(lambda: load_vocabulary(model.source, model.dims.vocab))
        cached = seconds(lambda: load_vocabulary(model.source, model.dims.vocab))
    report.at_most("tokenizer, built", built, 2, "s")
    report.at_most("tokenizer, from the cache", cached, 2, "s")
    report.end()


if __name__ == "__main__":
    main()

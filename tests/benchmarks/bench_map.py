"""The engine on SmolLM2-135M against the published algorithm, side by side in one process.

The published algorithm computes the source representation for every head, then X W_V W_O, the
salient sources by norm, and their rows of the map. It is timed on sampled heads and scaled to all.
The engine maps all heads with 45 sources and suppression off. Both read the same safetensors file;
imports and the tokenizer are left out.

    python -m tests.benchmarks.bench_map [--small]
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from annotator.maps.engine import map_layers
from annotator.maps.settings import MapSettings
from annotator.pipeline.quickstart import embedded_model
from annotator.weights.mlp import FirstMlp
from annotator.weights.model import Model, open_model
from tests.benchmarks.common import (
    SMALL,
    Report,
    as_safetensors,
    gemm_rate,
    peak_bytes,
    sampled_heads,
    seconds,
)

SAMPLED = 1 if SMALL else 12
SOURCES, TARGETS = 30, 5


@dataclass
class Published:
    """The published algorithm, its tensors in memory as its code has them."""

    model: Model
    W_E: torch.Tensor
    W_U: torch.Tensor
    mlp: FirstMlp

    def head(self, layer: int, head: int, X: torch.Tensor | None) -> torch.Tensor:
        """One head; X None: computed for this head, too."""
        if X is None:
            X = self.mlp(self.W_E)
        heads = self.model.heads(layer).only(head)
        out = X @ heads.W_V[0] @ heads.W_O[0]
        sigma = out.norm(dim=1) / X.norm(dim=1)
        rows = sigma.topk(SOURCES).indices
        return (out[rows] @ self.W_U).topk(TARGETS).indices


def needed_flops(model: Model, settings: MapSettings) -> float:
    """The products that no way around is known for: X, values, Gram factors, projection."""
    d = model.dims
    dense = model.first_mlp().dense
    assert dense is not None, "what a mixture of experts needs is not counted here"
    X = 2 * d.vocab * d.d_model * d.d_mlp * (2 if dense.gate is None else 3)
    values = 2 * d.vocab * d.d_model * d.n_kv_heads * d.d_head
    gram = 2 * d.vocab * d.d_head * d.d_head * d.n_heads
    rows = d.n_heads * settings.sources
    projection = 2 * rows * d.vocab * d.d_model
    return X + d.n_layers * (values + gram + projection)


def run(model: Model, settings: MapSettings) -> None:
    for _ in map_layers(model, settings, range(model.dims.n_layers)):
        pass


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = as_safetensors(embedded_model(), Path(folder))
        settings = MapSettings()
        model = open_model(path)
        flops = needed_flops(model, settings)
        n_heads = model.dims.n_layers * model.dims.n_heads
        rate = gemm_rate()
        engine = min(
            seconds(lambda: run(open_model(path), settings)) for _ in range(1 if SMALL else 3)
        )
        rate = max(rate, gemm_rate())
        peak = peak_bytes()
        sampled = sampled_heads(model, SAMPLED)
        naive = Published(model, *model.embeddings(), model.first_mlp())
        published = seconds(lambda: [naive.head(*h, None) for h in sampled])
        X = naive.mlp(naive.W_E)
        once = seconds(lambda: [naive.head(*h, X) for h in sampled])
    published *= n_heads / SAMPLED
    once *= n_heads / SAMPLED
    report = Report()
    report.line("threads", f"{torch.get_num_threads():8d}")
    report.line("float32 GEMM rate", f"{rate / 1e9:8.1f} GFLOP/s")
    report.line(f"engine, {n_heads} heads", f"{engine:8.2f} s")
    report.line(f"published, scaled from {SAMPLED} heads", f"{published:8.2f} s")
    report.at_least("  over the engine", published / engine, 50, "x")
    report.line("the same with X once", f"{once:8.2f} s")
    report.line("  over the engine", f"{once / engine:8.2f} x")
    report.line("needed", f"{flops / 1e9:8.1f} GFLOP")
    report.at_least("GEMM efficiency", 100 * flops / engine / rate, 70, "%")
    report.line("peak resident memory", f"{peak / 1e6:8.1f} MB")
    report.end()


if __name__ == "__main__":
    main()

"""A synthetic checkpoint of an 8B model's widths, eight layers deep: memory and time per layer.

8 layers, d_model 4096, d_mlp 4096, 32 heads, 8 kv-heads, vocab 128,000, bfloat16 shards. Mapping
runs in a process of its own, whose peak resident memory is set against the embedding and
unembedding in float32.

    python -m tests.benchmarks.bench_large [--small]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from annotator.catalog.build import Builder
from annotator.pipeline.map import map_model
from tests import tiny
from tests.benchmarks.common import SMALL, Report, peak_bytes

D, HEADS, KV, LAYERS, VOCAB = (256, 8, 2, 8, 2000) if SMALL else (4096, 32, 8, 8, 128_000)
CONFIG = {
    "model_type": "llama",
    "hidden_size": D,
    "intermediate_size": D,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV,
    "vocab_size": VOCAB,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
}


def tensor(*shape: int) -> torch.Tensor:
    return torch.randn(*shape).mul_(0.02).to(torch.bfloat16)


def shards() -> Iterator[dict[str, torch.Tensor]]:
    """Tensor groups, made one at a time."""

    def layer(n: int) -> dict[str, torch.Tensor]:
        name = f"model.layers.{n}"
        made = {
            f"{name}.self_attn.q_proj.weight": tensor(D, D),
            f"{name}.self_attn.k_proj.weight": tensor(KV * D // HEADS, D),
            f"{name}.self_attn.v_proj.weight": tensor(KV * D // HEADS, D),
            f"{name}.self_attn.o_proj.weight": tensor(D, D),
            f"{name}.post_attention_layernorm.weight": 1 + tensor(D),
        }
        parts = ("gate_proj", "up_proj", "down_proj")
        return made | {f"{name}.mlp.{part}.weight": tensor(D, D) for part in parts}

    yield {"model.embed_tokens.weight": tensor(VOCAB, D)}
    for n in range(LAYERS):
        yield layer(n)
    yield {"lm_head.weight": tensor(VOCAB, D)}


def write(folder: Path) -> None:
    weight_map: dict[str, str] = {}
    for n, tensors in enumerate(shards()):
        file = f"model-{n + 1:05d}-of-{LAYERS + 2:05d}.safetensors"
        save_file(tensors, folder / file)
        weight_map |= dict.fromkeys(tensors, file)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    tiny.tokenizer().save(str(folder / "tokenizer.json"))


class Times:
    """When each layer's shards were written."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.layers: list[float] = []

    def watch(self) -> None:
        """Note the time after each `Builder.add`."""
        add = Builder.add

        def timed(builder: Builder, *args: Any) -> None:
            add(builder, *args)
            self.layers.append(time.perf_counter() - self.start)

        Builder.add = timed


def child(folder: Path) -> None:
    """Map the checkpoint into a catalog; print what was seen."""
    times = Times()
    times.watch()
    map_model(folder, folder / "catalog", progress=False)
    total = time.perf_counter() - times.start
    layers = [b - a for a, b in pairwise(times.layers[1:])]
    report = Report()
    report.line("threads", f"{torch.get_num_threads():8d}")
    report.line("checks, embeddings, layer 0", f"{times.layers[0]:8.1f} s")
    report.line("X and layer 1", f"{times.layers[1] - times.layers[0]:8.1f} s")
    report.line("layers 2 to 7", " ".join(f"{t:7.1f}" for t in layers) + " s")
    report.at_most("slowest over fastest of them", max(layers) / min(layers), 1.5, "x")
    report.at_most("total, catalog included", total, 480, "s")
    report.line("peak resident memory", f"{peak_bytes() / 1e9:8.2f} GB")
    report.at_most("  over both embeddings", peak_bytes() / (2 * VOCAB * D * 4), 2.5, "x")
    report.end()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        command = [sys.executable, "-m", "tests.benchmarks.bench_large", folder, *sys.argv[1:]]
        sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    given = [one for one in sys.argv[1:] if one != "--small"]
    child(Path(given[0])) if given else main()

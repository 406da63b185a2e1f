"""A synthetic checkpoint of an 8B model's widths, eight layers deep: memory and time per layer.

8 layers, d_model 4096, d_mlp 4096, 32 heads, 8 kv-heads, vocab 128,000, bfloat16 shards. Mapping
runs in a process of its own, whose peak resident memory is set against the embedding and
unembedding in float32.

    python -m tests.benchmarks.bench_large
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

import torch
from safetensors.torch import save_file

from annotator.maps.engine import map_layers
from annotator.maps.settings import MapSettings
from annotator.weights.model import open_model
from annotator.weights.verify import verify
from tests.benchmarks.common import peak_bytes

D, HEADS, KV, LAYERS, VOCAB = 4096, 32, 8, 8, 128_000
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


def child(folder: Path) -> None:
    """Verify and map, as `annotator map` does; print what was seen."""
    start = time.perf_counter()
    model = open_model(folder)
    verify(model.plan)
    checked = time.perf_counter() - start
    times: list[float] = []
    for _ in map_layers(model, MapSettings(), range(LAYERS)):
        times.append(time.perf_counter() - start)
    embeddings = 2 * VOCAB * D * 4
    layers = [b - a for a, b in pairwise(times[1:])]
    print(f"threads                          {torch.get_num_threads()}")
    print(f"checked every needed tensor      {checked:8.1f} s")
    print(f"layer 0 and reading embeddings   {times[0] - checked:8.1f} s")
    print(f"X and layer 1                    {times[1] - times[0]:8.1f} s")
    print("layers 2 to 7                    " + " ".join(f"{t:7.1f}" for t in layers) + " s")
    print(f"total                            {times[-1]:8.1f} s   (limit 480 s)")
    print(f"peak resident memory             {peak_bytes() / 1e9:8.2f} GB")
    print(f"over both embeddings in float32  {peak_bytes() / embeddings:8.2f} x   (limit 2.5)")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        command = [sys.executable, "-m", "tests.benchmarks.bench_large", folder]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    child(Path(sys.argv[1])) if len(sys.argv) > 1 else main()

"""What the benchmarks share: the model on disk as safetensors, the GEMM rate, peak memory.

With --small a benchmark goes the same way in seconds, on less of everything; limits of speed and
memory are then printed, and nothing is made of them.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from annotator.weights.model import Model, open_model
from annotator.weights.open_source import open_source

SMALL = "--small" in sys.argv
LAYERS = 2  # of a small form's model


def as_safetensors(gguf: Path, folder: Path) -> Path:
    """The GGUF model's needed tensors, dequantised, as a float32 safetensors folder.

    In the small form it is cut off after a few layers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = open_source(gguf)
    config = {**source.config, **({"num_hidden_layers": LAYERS} if SMALL else {})}
    names = [need.name for need in open_model(source).plan.needs()]
    kept = [name for name in names if _layer(name) < config["num_hidden_layers"]]
    save_file({name: source.read(name) for name in kept}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def _layer(name: str) -> int:
    found = re.search(r"\.layers\.(\d+)\.", name)
    return int(found[1]) if found else -1


def sampled_heads(model: Model, count: int) -> list[tuple[int, int]]:
    """Heads spread evenly over the model; layer 0, which needs no X, is none of them."""
    d = model.dims
    every = (d.n_layers - 1) * d.n_heads // count
    return [divmod(d.n_heads + n * every, d.n_heads) for n in range(count)]


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def gemm_rate(size: int = 1024 if SMALL else 4096, tries: int = 5) -> float:
    """The best float32 GEMM rate of this machine now, in FLOP/s, on a square product."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / min(seconds(lambda: a @ b) for _ in range(tries))


def peak_bytes() -> int:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Report:
    """Lines of a benchmark; a line with a limit that is missed makes it fail.

    The small form's limits are those of what is right.
    """

    def __init__(self) -> None:
        self.missed: list[str] = []

    def line(self, name: str, value: str) -> None:
        """Print a figure."""
        print(f"{name:34}{value}", flush=True)

    def at_least(self, name: str, value: float, limit: float, unit: str) -> None:
        """Print a figure that has a lower limit."""
        self._limited(name, value, unit, f"at least {limit:g}", value >= limit)

    def at_most(self, name: str, value: float, limit: float, unit: str) -> None:
        """Print a figure that has an upper limit."""
        self._limited(name, value, unit, f"at most {limit:g}", value <= limit)

    def _limited(self, name: str, value: float, unit: str, limit: str, held: bool) -> None:
        self.line(name, f"{value:8.2f} {unit:8}({limit}{'' if held else ', MISSED'})")
        if not held and not SMALL:
            self.missed.append(name)

    def right(self, name: str, wrong: int, of: int, limit: int) -> None:
        """Print how many of some results are wrong; more than the limit fail in either form."""
        missed = wrong > limit
        said = f"at most {limit}{', MISSED' if missed else ''}"
        self.line(name, f"{wrong:8d} of {of:5d} ({said})")
        self.missed += [name] * missed

    def end(self) -> None:
        """Exit non-zero where a limit was missed."""
        if self.missed:
            raise SystemExit(f"missed: {', '.join(self.missed)}")

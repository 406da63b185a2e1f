"""What the benchmarks share: the model on disk as safetensors, the GEMM rate, peak memory."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from annotator.weights.model import open_model
from annotator.weights.source import open_source


def as_safetensors(gguf: Path, folder: Path) -> Path:
    """The GGUF model's needed tensors, dequantised, as a float32 safetensors folder."""
    folder.mkdir(parents=True, exist_ok=True)
    source = open_source(gguf)
    needs = open_model(source).plan.needs()
    save_file({need.name: source.read(need.name) for need in needs}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(dict(source.config)))
    return folder


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def gemm_rate(size: int = 4096, tries: int = 5) -> float:
    """The best float32 GEMM rate of this machine now, in FLOP/s, on a square product."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / min(seconds(lambda: a @ b) for _ in range(tries))


def peak_bytes() -> int:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Report:
    """Lines of a benchmark; a line with a limit that is missed makes it fail."""

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
        if not held:
            self.missed.append(name)

    def end(self) -> None:
        """Exit non-zero where a limit was missed."""
        if self.missed:
            raise SystemExit(f"missed: {', '.join(self.missed)}")

"""Prompts that are run together: of equal length and beginning, not padded, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from annotator.validate.prompts import SourcePrompt
from annotator.weights.dims import Dims

CPU_MEMORY = 256 << 20
"""Bytes that a pass may take on the CPU: larger batches are no faster there."""
SHARE = 4
"""On CUDA a pass may take a quarter of what is free. What is kept of its prompts takes as much
again, and ranking needs some."""


def memory(device: torch.device) -> int:
    """Bytes that a pass may take."""
    if device.type != "cuda":
        return CPU_MEMORY
    return torch.cuda.mem_get_info(device)[0] // SHARE


def prompt_bytes(dims: Dims, positions: int, dtype: torch.dtype) -> int:
    """Bytes that a prompt takes in a forward pass without a language-model head, at most.

    What lives at once in one block: a few copies of the residual stream, of queries, keys and
    values, the MLP's hidden layer before and after its gate, and attention patterns in and out of
    the softmax (which transformers computes in float32 whatever the dtype).
    """
    heads = dims.n_heads * dims.d_head
    per_position = 8 * dims.d_model + 6 * heads + 4 * dims.d_mlp + 4 * dims.n_heads * positions
    return positions * per_position * max(4, dtype.itemsize)


def batches(
    prompts: Sequence[SourcePrompt], dims: Dims, dtype: torch.dtype, limit: int
) -> list[list[int]]:
    """Which prompts to run together.

    Args:
        prompts: what is to be run.
        dims: of the model.
        dtype: of the arithmetic.
        limit: bytes that a pass may take; one prompt is always run.

    Returns:
        For each pass the indices of prompts of one length with the same tokens before the source,
        each prompt once.
    """
    alike: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for at, prompt in enumerate(prompts):
        before = prompt.ids[: prompt.first]
        alike.setdefault((len(prompt.ids), before), []).append(at)
    found: list[list[int]] = []
    for (length, _), group in sorted(alike.items()):
        most = max(1, limit // prompt_bytes(dims, length, dtype))
        found += [group[at : at + most] for at in range(0, len(group), most)]
    return found

"""One pass over every needed tensor before any work: all problems at once, and the weight digest.

The pass costs one read of what mapping reads anyway, and spares a run that fails after an hour.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import torch

from annotator.errors import CheckpointBroken
from annotator.weights.plan import Need, Plan
from annotator.weights.source import TensorBroken, tensor_bytes

STORED_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Track = Callable[[list[Need]], Iterable[Need]]


def verify(plan: Plan, track: Track = iter, layers: Iterable[int] | None = None) -> str:
    """Check every tensor the maps need.

    Args:
        plan: the model.
        track: wraps the tensors as they are checked, for a progress bar.
        layers: only these layers' tensors and the embeddings; None: all.

    Returns:
        The weight digest: SHA-256, in hexadecimal, over what enters the map and no tensor shows
        (activation, epsilons, multipliers, routing), and over role, dtype, shape and stored bytes
        of every needed tensor, in a fixed order. It is the same for a folder of one file or of
        shards, on the hub or in memory.

    Raises:
        CheckpointBroken: tensors that are missing, unreadable, mis-shaped, of a dtype that is not
            accepted, or not finite; all of them are named.
    """
    digest = hashlib.sha256(plan.constants().encode())
    problems: list[str] = []
    present = set(plan.source.names())
    for need in track(plan.needs(layers)):
        if need.name not in present:
            problems.append(f"{need.name} is missing{_untied_hint(plan, need)}")
            continue
        try:
            problem = _check(plan, need, digest)
        except TensorBroken as broken:
            problem = str(broken)
        if problem and problem not in problems:
            problems.append(problem)
    problems += _contradiction(plan, present)
    if problems:
        raise CheckpointBroken(plan.source.id, problems)
    return digest.hexdigest()


def embedding_fits(plan: Plan) -> bool:
    """Whether the embedding is there in the size that the config says; it is not read."""
    need = plan.end(plan.family.W_E)
    try:
        return need.name in plan.source.names() and plan.source.shape(need.name) == need.shape
    except TensorBroken:
        return False


def _check(plan: Plan, need: Need, digest: hashlib._Hash) -> str | None:  # pyright: ignore[reportPrivateUsage]
    shape = plan.source.shape(need.name)
    if shape != need.shape:
        return f"{need.name} has shape {list(shape)}, not {list(need.shape)} as the config says"
    tensor = need.of(plan.source)
    if tensor.dtype not in STORED_DTYPES:
        return (
            f"{need.name} has dtype {str(tensor.dtype).removeprefix('torch.')}, which is not mapped"
        )
    # Minimum and maximum pass on NaN, and cost a hundredth of looking at each value.
    if not torch.isfinite(torch.stack(tensor.aminmax())).all():
        bad = int((~torch.isfinite(tensor)).sum())
        return f"{need.name} holds {bad} NaN or infinite values"
    digest.update(f"{need.role} {tensor.dtype} {list(tensor.shape)}\n".encode())
    whole = need.index is None and need.outputs is None
    digest.update(plan.source.raw(need.name) if whole else tensor_bytes(tensor))
    return None


def _untied_hint(plan: Plan, need: Need) -> str:
    if need.role != plan.family.W_U.names[0]:
        return ""
    return " (the config does not tie it to the embedding; set tie_word_embeddings if it should)"


def _contradiction(plan: Plan, present: set[str]) -> list[str]:
    """A tied config beside an unembedding of its own: nobody can say which is meant."""
    if not plan.tied or plan.unembedding not in present or plan.embedding not in present:
        return []
    try:
        embedding = plan.source.read(plan.embedding)
        unembedding = plan.source.read(plan.unembedding)
    except TensorBroken as broken:
        return [str(broken)]
    if torch.equal(embedding, unembedding):
        return []
    return [
        f"the config ties {plan.unembedding} to the embedding, but the checkpoint holds another "
        "one; set tie_word_embeddings to false to use it, or delete it"
    ]

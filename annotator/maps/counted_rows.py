"""The rows that count as sources and the columns that count as targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from annotator.maps.duplicates import Duplicates, find_duplicates
from annotator.weights.model import Model


@dataclass(frozen=True)
class Space:
    """What a head map maps between.

    Attributes:
        ids: token id of each row and column.
        W_U: unembedding, the columns that count.
        same_sources: embedding rows that repeat earlier ones, or None.
        same_targets: unembedding columns that repeat earlier ones, or None.
    """

    ids: Int[Tensor, " vocab"]
    W_U: Float[Tensor, "d_model vocab"]
    same_sources: Duplicates | None
    same_targets: Duplicates | None


def open_space(
    model: Model, usable: Sequence[int] | None = None
) -> tuple[Float[Tensor, "vocab d_model"], Space]:
    """Read the embeddings and keep what counts.

    Args:
        model: the checkpoint.
        usable: token ids that count; None: every row of the embedding.

    Returns:
        W_E, apart so that it can be let go once X is there, and the rest.
    """
    W_E, W_U = model.embeddings()
    ids = torch.arange(model.dims.vocab, device=model.device)
    if usable is not None:
        ids = torch.tensor(usable, device=model.device)
        W_E = W_E[ids]
        W_U = W_E.T if model.plan.one_matrix else W_U[:, ids]
    same_sources = find_duplicates(W_E)
    same_targets = same_sources if model.plan.one_matrix else find_duplicates(W_U.T)
    return W_E, Space(ids, W_U, same_sources, same_targets)

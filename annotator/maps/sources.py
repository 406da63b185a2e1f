"""The source representation X, computed once per model."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from annotator.weights.mlp import FirstMlp


def source_representation(
    W_E: Float[Tensor, "vocab d_model"], mlp: FirstMlp
) -> Float[Tensor, "vocab d_model"]:
    """X = MLP_0(norm_2(W_E)), without the residual.

    Elhelo & Geva 2024, section 3; in layer 0 the bare W_E stands in its place (`MapSettings`).
    """
    return mlp(W_E)

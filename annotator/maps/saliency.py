"""sigma_s = ||x_s W_V W_O|| / ||x_s|| for every source and head, without a d_model row per head.

The Gram form: with y = x W_V and G = W_O W_O^T, ||y W_O||^2 = y G y^T. G is used through its
triangular factor (W_O^T = Q R, so G = R^T R and ||y W_O|| = ||y R^T||): the same products, but a
sum of squares, which cannot go negative by rounding. Per layer that is one product for all value
heads and a small one per query head.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from annotator.maps.top_k import finite_or_last
from annotator.weights.model import LayerHeads

ROWS = 2048


def saliency(
    X: Float[Tensor, "vocab d_model"], heads: LayerHeads
) -> Float[Tensor, "n_heads vocab"]:
    """The saliency of every source for every head of a layer.

    Args:
        X: source representation.
        heads: the layer's projections.

    Returns:
        sigma; -inf for a row of zero norm or of non-finite values, so that it comes last.
    """
    n_kv_heads, d_model, d_head = heads.W_V.shape
    group = heads.W_O.shape[0] // n_kv_heads
    W_V = heads.W_V.permute(1, 0, 2).reshape(d_model, n_kv_heads * d_head)
    factors = output_factors(heads)
    sigma = X.new_empty(n_kv_heads, group, X.shape[0])
    # Buffers are made once: fresh memory for every block costs a tenth of the GEMM rate.
    y_block = X.new_empty(ROWS, n_kv_heads * d_head)
    z_block = X.new_empty(ROWS, factors.shape[2])
    for start in range(0, X.shape[0], ROWS):
        x = X[start : start + ROWS]
        y, z = y_block[: len(x)], z_block[: len(x)]
        torch.mm(x, W_V, out=y)
        for kv in range(n_kv_heads):
            torch.mm(y[:, kv * d_head : (kv + 1) * d_head], factors[kv], out=z)
            norms = torch.linalg.vector_norm(z.unflatten(1, (group, -1)), dim=-1)
            sigma[kv, :, start : start + ROWS] = norms.T
    sigma /= torch.linalg.vector_norm(X, dim=-1)
    return finite_or_last(sigma.flatten(0, 1))


def output_factors(heads: LayerHeads) -> Float[Tensor, "n_kv_heads d_head columns"]:
    """R^T of W_O^T = Q R for each query head, side by side for the heads of one value head.

    Computed in float64: it is small, and its error enters every sigma.
    """
    R = torch.linalg.qr(heads.W_O.mT.double(), mode="r").R  # [n_heads, rank, d_head]
    grouped = R.mT.unflatten(0, (heads.W_V.shape[0], -1))  # [n_kv_heads, group, d_head, rank]
    return grouped.transpose(1, 2).flatten(2).to(heads.W_O.dtype)

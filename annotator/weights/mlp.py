"""The first block's MLP with the norm that feeds it: what turns embeddings into X.

`X = MLP_0(norm_2(W_E))`, without the residual (DESIGN, section 2; Elhelo & Geva 2024, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)


def _quick_gelu(x: Tensor) -> Tensor:
    return x * (1.702 * x).sigmoid()


_gelu_tanh = partial(F.gelu, approximate="tanh")

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "gelu": F.gelu,
        "gelu_fast": _gelu_tanh,
        "gelu_new": _gelu_tanh,
        "gelu_pytorch_tanh": _gelu_tanh,
        "quick_gelu": _quick_gelu,
        "relu": F.relu,
        "silu": F.silu,
        "swish": F.silu,
    }
)


@dataclass(frozen=True)
class Affine:
    """y = x W (+ b), row vectors. W: [in, out]; b: [out] or None."""

    W: Float[Tensor, "d_in d_out"]
    b: Float[Tensor, " d_out"] | None

    def __call__(self, x: Tensor) -> Tensor:
        """Shape: x [rows, in] -> [rows, out]."""
        return x @ self.W if self.b is None else F.linear(x, self.W.T, self.b)


@dataclass(frozen=True)
class FirstMlp:
    """Norm and MLP of the first block.

    Attributes:
        kind: "layer" or "rms".
        weight: the norm's gain, [d_model].
        bias: the norm's shift, [d_model], or None.
        eps: the norm's epsilon.
        activation: key of `ACTIVATIONS`.
        gate: the gate's map, or None for a plain MLP.
        up: d_model -> d_mlp.
        down: d_mlp -> d_model.
    """

    kind: Literal["layer", "rms"]
    weight: Float[Tensor, " d_model"]
    bias: Float[Tensor, " d_model"] | None
    eps: float
    activation: str
    gate: Affine | None
    up: Affine
    down: Affine

    def __call__(self, x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows d_model"]:
        """What the block's MLP writes to the residual stream when fed x."""
        act = ACTIVATIONS[self.activation]
        shape = list(self.weight.shape)
        if self.kind == "layer":
            x = F.layer_norm(x, shape, self.weight, self.bias, self.eps)
        else:
            x = F.rms_norm(x, shape, self.weight, self.eps)
        hidden = act(self.up(x)) if self.gate is None else act(self.gate(x)).mul_(self.up(x))
        return self.down(hidden)
